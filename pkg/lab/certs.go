package lab

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/scalemodel/lamport/pkg/certs"
)

// Certificates makes the certificates of a run whose machines are on several hosts.
type Certificates struct {
	Dir string
	certs.Plan
}

// Run makes them, and says what there is now and how it is used.
func (c Certificates) Run(_ context.Context, env *Env) error {
	set, err := certs.Make(c.Dir, c.Plan)
	if err != nil {
		return err
	}
	var b strings.Builder
	state := "made"
	if set.Found {
		state = "kept"
	}
	row := func(what, of string, state string, until time.Time) {
		fmt.Fprintf(&b, "%-24s  %-5s  until %s  %s\n", what, state, until.UTC().Format("2006-01-02 15:04"), of)
	}
	row(filepath.Join(c.Dir, certs.AuthorityFile), "the authority", state, set.NotAfter)
	for _, m := range append(slices.Clone(set.Machines), set.Gatherer) {
		state, of := "made", m.Name.String()
		switch {
		case m.Kept:
			state = "kept"
		case c.Renew && set.Found:
			state = "new"
		}
		if len(m.Hosts) > 0 {
			of += ", " + strings.Join(m.Hosts, " ")
		}
		row(m.Dir, of, state, m.NotAfter)
	}
	if _, err := env.text().Write([]byte(b.String())); err != nil {
		return err
	}
	for id, m := range set.Machines {
		if c.Hosts != nil && m.Kept && !slices.Equal(m.Hosts, c.Hosts[id:id+1]) {
			env.remark("%s is kept, and so are the hosts in it: --renew changes them", m.Dir)
		}
	}
	env.remark("Each machine needs its own directory, and no other: vm %s", certificateFlags(c.Dir))
	env.remark("Whoever has %s can make certificates of the run: keep it away from the machines.", filepath.Join(c.Dir, certs.AuthorityKeyFile))
	return nil
}

// certificateFlags returns the flags by which a machine uses what is in a directory.
func certificateFlags(dir string) string {
	const each = "vm-{id}"
	var flags []string
	for _, f := range []struct{ flag, file string }{{"cert", certs.CertFile}, {"key", certs.KeyFile}, {"ca", certs.AuthorityFile}} {
		flags = append(flags, fmt.Sprintf("--tls-%s %s", f.flag, filepath.Join(dir, each, f.file)))
	}
	return strings.Join(flags, " ")
}

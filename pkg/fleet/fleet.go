// Package fleet is the hosts of a run whose machines run on other hosts than the
// launcher: what is put there before the run, how a machine's process is started
// there, and what is gathered from there when the run is over.
//
// On each host there is one directory, by default ~/.cache/lamport, readable by its
// user alone. In it stand the vm programs that were copied there (vm-<hash>), and for
// each run under way its directory (runs/<run>/<host>), which is removed when all that
// is wanted from it has arrived here.
package fleet

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/scalemodel/lamport/pkg/cluster"
	"github.com/scalemodel/lamport/pkg/control"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/remote"
)

// Config is what a fleet is made of. The fields up to VM must be set.
type Config struct {
	SSH     remote.SSH
	Entries []Entry // machine i runs on the host i modulo their number
	Run     string  // its name
	VM      string  // the vm program of this host

	RemoteVM string // the vm program for the hosts, or a directory with one for each platform; "": VM, or it is looked for
	Dir      string // on the hosts, relative to the user's home there; "": the default
	Keep     bool   // what the run leaves on the hosts stays there
	Ask      bool   // there is a terminal on which ssh can ask for a password
}

// Fleet is the hosts of a run. It is a [cluster.Elsewhere].
type Fleet struct {
	cfg      Config
	machines int
	hosts    []*host
	programs programs
}

// host is one host of a fleet.
type host struct {
	*remote.Host
	entry   Entry
	index   int
	address string // for the other machines
	bind    string

	// What it says of itself.
	platform platform
	home     string // of all runs
	zips     bool   // it has gzip
	has      map[string]bool
	asked    bool // the user was asked something to get there

	vm  string // the program there
	dir string // of the run there; "": not made
}

// New looks the hosts up in ssh's configuration, for so many machines. Nothing is asked
// of the hosts themselves.
func New(ctx context.Context, cfg Config, machines int) (*Fleet, error) {
	f := &Fleet{cfg: cfg, machines: machines, programs: programs{local: cfg.VM, remote: cfg.RemoteVM}}
	if self, err := os.Executable(); err == nil {
		if target, err := filepath.EvalSymlinks(self); err == nil {
			self = target
		}
		f.programs.beside = filepath.Dir(self)
	}
	entries := cfg.Entries[:min(len(cfg.Entries), machines)] // the others have nothing to do
	f.hosts = make([]*host, len(entries))
	err := each(entries, func(i int) (err error) {
		h := &host{entry: entries[i], index: i}
		h.Host, err = cfg.SSH.Host(ctx, entries[i].Name)
		f.hosts[i] = h
		return err
	})
	if err != nil {
		return nil, err
	}
	var names, addresses []string
	for _, h := range f.hosts {
		address := h.entry.Address
		if address == "" {
			address = h.Address()
		}
		names, addresses = append(names, h.entry.Name), append(addresses, address)
	}
	m, err := meet(names, addresses)
	if err != nil {
		return nil, err
	}
	for i, h := range f.hosts {
		h.address, h.bind = m.addresses[i], m.binds[i]
	}
	return f, nil
}

// atOnce is how many hosts are spoken to at a time.
const atOnce = 16

// each calls do for all entries, several at a time, and returns the first error in
// their order.
func each[T any](entries []T, do func(i int) error) error {
	errs := make([]error, len(entries))
	room := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for i := range entries {
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			errs[i] = do(i)
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// of returns the host of a machine.
func (f *Fleet) of(id int) *host { return f.hosts[id%len(f.hosts)] }

// Hosts returns the entry of each machine's host.
func (f *Fleet) Hosts() []string {
	names := make([]string, f.machines)
	for id := range names {
		names[id] = f.of(id).entry.String()
	}
	return names
}

// Size returns how many hosts there are; of no fleet 1, this one.
func (f *Fleet) Size() int {
	if f == nil {
		return 1
	}
	return len(f.hosts)
}

// String names the hosts.
func (f *Fleet) String() string {
	var names []string
	for _, h := range f.hosts {
		names = append(names, h.entry.Name)
	}
	const shown = 8
	if more := len(names) - shown; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), more)
	}
	return strings.Join(names, ", ")
}

// PortError says that a machine cannot have its port on its host.
type PortError struct {
	Host    string
	ID      int
	Problem string
}

func (e *PortError) Error() string { return e.Host + ": " + e.Problem }

// AskError says that a host asks for something each time, which machines cannot answer.
type AskError struct {
	Host string
	Err  error
}

func (e *AskError) Error() string {
	return e.Host + " is only to be reached by answering a question, and the connections of the machines cannot answer one"
}

// Unwrap returns e.Err.
func (e *AskError) Unwrap() error { return e.Err }

// Prepare makes the hosts ready for the run, and returns the ports of the machines: a 0
// becomes one that is free. An error leaves no directory of the run behind.
func (f *Fleet) Prepare(ctx context.Context, ports []int) ([]int, error) {
	final, err := f.prepare(ctx, ports)
	if err != nil {
		_ = f.Clear(context.WithoutCancel(ctx))
	}
	return final, err
}

func (f *Fleet) prepare(ctx context.Context, ports []int) ([]int, error) {
	if err := f.look(ctx); err != nil {
		return nil, err
	}
	for _, h := range f.hosts {
		p, err := f.programs.find(h.entry.Name, h.platform)
		if err != nil {
			return nil, err
		}
		h.vm = path.Join(h.home, p.name)
	}
	err := each(f.hosts, func(i int) error {
		h := f.hosts[i]
		if name := path.Base(h.vm); h.has[name] {
			return nil
		}
		p, _ := f.programs.find(h.entry.Name, h.platform)
		return h.silently(h.Put(ctx, remote.Silently, h.vm, 0o700, p.content, h.zips))
	})
	if err != nil {
		return nil, err
	}
	return f.settle(ctx, ports)
}

// look finds out what the hosts are. Where one does not let ssh in without a question,
// the user is asked, one after the other.
func (f *Fleet) look(ctx context.Context) error {
	failed := make([]error, len(f.hosts))
	_ = each(f.hosts, func(i int) error {
		failed[i] = f.hosts[i].look(ctx, remote.Silently, f.cfg.Dir)
		return nil
	})
	for i, h := range f.hosts {
		if e, ok := errors.AsType[*remote.Error](failed[i]); ok && e.Lost && f.cfg.Ask && ctx.Err() == nil && canAsk(e.Last) {
			h.asked = true
			failed[i] = h.look(ctx, remote.MayAsk, f.cfg.Dir)
		}
		if failed[i] != nil {
			return failed[i]
		}
	}
	return nil
}

// canAsk reports whether what ssh says means that an answer of the user's would help.
func canAsk(last string) bool {
	return strings.Contains(last, "Permission denied") || strings.Contains(last, "verification failed")
}

func (h *host) look(ctx context.Context, asking remote.Asking, dir string) error {
	const script = `d=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/lamport}; umask 077; mkdir -p "$d/runs" && cd "$d" || exit 1; ` +
		`echo lamport system $(uname -sm); echo lamport home "$(pwd)"; command -v gzip >/dev/null && echo lamport gzip; ` +
		`for f in vm-*; do [ -x "$f" ] && echo lamport has "$f"; done; exit 0`
	const doing = "prepare it"
	out, err := h.Do(ctx, asking, doing, nil, script, dir)
	if err != nil {
		return err
	}
	h.has = make(map[string]bool)
	for _, line := range remote.Marked(out) {
		switch key, value, _ := strings.Cut(line, " "); key {
		case "system":
			h.platform = platformOf(value)
		case "home":
			h.home = value
		case "gzip":
			h.zips = true
		case "has":
			h.has[value] = true
		}
	}
	if h.platform == "" || !path.IsAbs(h.home) {
		return &remote.Error{Host: h.entry.Name, Doing: doing, Err: errors.New("there is no POSIX shell, or it does not answer")}
	}
	return nil
}

// silently explains why a host cannot be reached any more that asked a question before.
func (h *host) silently(err error) error {
	if e, ok := errors.AsType[*remote.Error](err); ok && e.Lost && h.asked {
		return &AskError{h.entry.Name, err}
	}
	return err
}

// settle makes the run's directories and has each port bound once.
func (f *Fleet) settle(ctx context.Context, ports []int) ([]int, error) {
	// Several names may be one host, which has each port once.
	first := make(map[string]*host)
	wanted := make(map[*host][]int) // ids of machines
	for id := range ports {
		h := f.of(id)
		if first[h.address] == nil {
			first[h.address] = h
		}
		at := first[h.address]
		wanted[at] = append(wanted[at], id)
	}
	final := make([]int, len(ports))
	err := each(f.hosts, func(i int) error {
		h := f.hosts[i]
		var list []string
		for _, id := range wanted[h] {
			list = append(list, strconv.Itoa(ports[id]))
		}
		found, err := h.settle(ctx, f.cfg.Run, list)
		if err != nil {
			return err
		}
		for k, id := range wanted[h] {
			if found[k].Problem != "" {
				return &PortError{f.of(id).entry.Name, id, found[k].Problem}
			}
			final[id] = found[k].Port
		}
		return nil
	})
	return final, err
}

func (h *host) settle(ctx context.Context, run string, ports []string) ([]control.Port, error) {
	const script = `umask 077; mkdir -p "$1" && mkdir "$1/$2" || exit 1; echo lamport made; if [ -n "$4" ]; then exec "$3" --probe-ports "$4" --bind "$5"; else exec "$3" --version; fi`
	above, name := path.Join(h.home, "runs", run), strconv.Itoa(h.index)
	out, err := h.Do(ctx, remote.Silently, "start the vm program", nil, script, above, name, h.vm, strings.Join(ports, ","), h.bind)
	if slices.Contains(remote.Marked(out), "made") { // else it is another run's
		h.dir = path.Join(above, name)
	}
	if err != nil {
		return nil, h.silently(err)
	}
	found := control.ReadPorts(strings.NewReader(string(out)))
	if len(found) < len(ports) {
		return nil, &remote.Error{Host: h.entry.Name, Doing: "start the vm program", Err: fmt.Errorf("it says something of %d of %s", len(found), figure.Plural(len(ports), "port"))}
	}
	return found, nil
}

// Command returns the command of this host that stands for a machine's process.
func (f *Fleet) Command(id int, args []string) *exec.Cmd {
	h := f.of(id)
	return h.Command(context.Background(), remote.Silently, `exec "$@"`, slices.Concat([]string{h.vm}, args)...)
}

// Site returns where a machine is.
func (f *Fleet) Site(id int) cluster.Site {
	h := f.of(id)
	return cluster.Site{Host: h.entry.Name, Address: h.address, Bind: h.bind, Dir: h.dir}
}

// Bring puts small texts into the directories of the machines, a connection for each
// host.
func (f *Fleet) Bring(files []map[string][]byte) error {
	return each(f.hosts, func(i int) error {
		all := make(map[string][]byte)
		for id := i; id < len(files); id += len(f.hosts) {
			maps.Copy(all, files[id])
		}
		h := f.hosts[i]
		return h.silently(h.PutTexts(context.Background(), remote.Silently, h.dir, all))
	})
}

// Forget removes from the hosts what would be of use to others if it stayed with the
// logs: the keys of the run.
func (f *Fleet) Forget(ctx context.Context) error {
	return each(f.hosts, func(i int) error {
		h := f.hosts[i]
		if h.dir == "" {
			return nil
		}
		_, err := h.Do(ctx, remote.Silently, "remove the keys in "+h.dir, nil, `rm -f "$1"/vm_*.tls.*`, h.dir)
		return err
	})
}

// Places returns where the run's files are on the hosts, as scp names that.
func (f *Fleet) Places() []string {
	var places []string
	if f == nil {
		return nil
	}
	for _, h := range f.hosts {
		if h.dir != "" {
			places = append(places, h.entry.Name+":"+h.dir)
		}
	}
	return places
}

// Clear removes the run's directories from the hosts.
func (f *Fleet) Clear(ctx context.Context) error {
	return each(f.hosts, func(i int) error {
		h := f.hosts[i]
		if h.dir == "" {
			return nil
		}
		// The last of several names of one host leaves nothing of the run.
		const script = `rm -rf "$1" && { rmdir "$2" 2>/dev/null || true; }`
		_, err := h.Do(ctx, remote.Silently, "remove "+h.dir, nil, script, h.dir, path.Dir(h.dir))
		if err == nil {
			h.dir = ""
		}
		return err
	})
}

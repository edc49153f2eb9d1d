package gather

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/rundir"
)

// Here returns what a program says about the host that it runs on.
func Here(version string) *About {
	a := &About{Version: version, System: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.NumCPU()}
	a.Host, _ = os.Hostname() // "": not known
	if len(a.Host) > maxText {
		a.Host = a.Host[:maxText]
	}
	return a
}

// OfLog adds the record that stands beside a log, if there is one that can be read and is of
// its run, and where that says that the run was done elsewhere, where that was.
func (a *About) OfLog(file string) error {
	l, err := openLog(file)
	if err != nil {
		return err
	}
	l.close()
	a.Beside(filepath.Dir(file), l.start.Start.Run)
	if r := a.Record; r != nil && r.Host != a.Host && len(r.Host) <= maxText && len(r.System) <= maxText {
		a.Host, a.System, a.CPUs = r.Host, r.System, max(r.CPUs, 0)
		if id := l.start.ID; id < len(r.Hosts) {
			a.Host = r.Hosts[id]
		}
	}
	return nil
}

// Beside adds the record that stands in a directory, if there is one that can be read and is
// of the run.
func (a *About) Beside(dir, run string) {
	if r, err := rundir.ReadRecord(dir); err == nil && r.Run == run {
		a.Record = r
	}
}

// Record returns the record of a run whose machines have delivered their logs, which begin
// with these lines, and which machines had another one. It is the first that stood beside a
// log, or else what the lines and the machines say. It is nil where that is none: a machine
// is missing, or each has drawn its own seed.
func Record(version string, machines []Machine, starts []*logging.Record) (r *rundir.Record, differ []int) {
	for id, m := range machines {
		switch {
		case m.Delivery == nil || m.About.Record == nil:
		case r == nil:
			copied := *m.About.Record
			r = &copied
		case !r.Same(m.About.Record):
			differ = append(differ, id)
		}
	}
	if r == nil {
		r = fromLines(version, machines, starts)
	}
	if r != nil {
		where(r, machines, starts)
	}
	return r, differ
}

// fromLines makes a record of what the machines' start lines say.
func fromLines(version string, machines []Machine, starts []*logging.Record) *rundir.Record {
	r := &rundir.Record{Version: version}
	for id, m := range machines {
		rec := starts[id]
		if rec == nil || m.Delivery == nil {
			return nil
		}
		s := &rec.Start
		if id == 0 {
			r.Run, r.Seed, r.Die, r.Duration = s.Run, s.Seed, s.Die, m.About.Duration
		}
		if s.Seed != r.Seed || s.Die != r.Die {
			return nil
		}
		if m.About.Duration != r.Duration {
			r.Duration = 0
		}
		r.Rates = append(r.Rates, s.Rate)
	}
	r.Ports = make([]int, len(machines)) // free ones: on one host they would be in each other's way
	if r.Check() != nil {
		return nil
	}
	return r
}

// where fills in on which hosts the machines ran, and when they began. Of what hosts do not
// have in common, the record of a run on one host has no place for: it says the first's.
func where(r *rundir.Record, machines []Machine, starts []*logging.Record) {
	r.Host, r.Hosts, r.System, r.CPUs = "", nil, "", 0
	var hosts, systems []string
	for id, m := range machines {
		host := ""
		if m.Delivery != nil {
			if host = m.About.Host; host == "" {
				host = m.From
			}
			if system := m.About.System; system != "" && !slices.Contains(systems, system) {
				systems = append(systems, system)
			}
			if !slices.Contains(hosts, host) {
				hosts = append(hosts, host)
				r.CPUs += m.About.CPUs
			}
		}
		r.Hosts = append(r.Hosts, host)
		if rec := starts[id]; rec != nil && (r.Started.IsZero() || rec.Time().Before(r.Started)) {
			r.Started = rec.Time()
		}
	}
	const most = 8 // that are listed
	r.Host, r.System = figure.List(hosts, most), figure.List(systems, most)
	if len(hosts) < 2 {
		r.Hosts = nil
	}
}

package lab

import (
	"path/filepath"

	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/page"
	"github.com/scalemodel/lamport/pkg/rundir"
	"github.com/scalemodel/lamport/pkg/trace"
)

// Logs says what is done with the logs of a run when it is over.
type Logs struct {
	Check  bool // hold them against the laws
	Report bool // write a page that shows the run
}

// automatic is how many events a page shows that nobody has asked for: it is made at the end of
// every run, and must not cost much time or memory.
const automatic = 250_000

// look looks at the logs of a run that has just been done, once for all that there is to be
// done with them. name is what people are told that its directory is called.
func (e *Env) look(dir, name string, l Logs, interrupted bool) (err error) {
	if !l.Check && !l.Report {
		return nil
	}
	verdict, paged, err := e.read(dir, l.Report)
	if err != nil {
		return exit.With(exit.Died, err)
	}
	if l.Check {
		err = e.check(dir, verdict, interrupted)
	}
	if paged {
		e.remark("report       %s", filepath.Join(name, rundir.PageName))
	}
	return err
}

// read returns the verdict on a run, and makes its page from the same look at the logs. A page
// that cannot be written is said, and takes nothing from the verdict.
func (e *Env) read(dir string, report bool) (v *trace.Verdict, paged bool, err error) {
	run, err := trace.Open(dir)
	if err != nil {
		return nil, false, err
	}
	if !report {
		v, err = run.Walk(trace.Options{})
		return v, false, err
	}
	s, err := showRun(run, false, page.Options{Events: automatic})
	if err != nil {
		return nil, false, err
	}
	if _, err := keepPage(dir, e.pageOf([]*shownRun{s})); err != nil {
		e.say("%v", err)
		return s.stats.Verdict, false, nil
	}
	return s.stats.Verdict, true, nil
}

// sideBySide makes a page of a run that was done again, with the one that it is again on the
// left. It is kept with the later one. A page that cannot be made is said, and no more.
func (e *Env) sideBySide(dir, record string) {
	var shown []*shownRun
	for _, dir := range []string{record, dir} {
		run, err := trace.Open(dir)
		if err != nil {
			e.say("%v", err)
			return
		}
		s, err := showRun(run, false, page.Options{Events: automatic})
		if err != nil {
			e.say("%v", err)
			return
		}
		shown = append(shown, s)
	}
	file, err := keepPage(dir, e.pageOf(shown))
	if err != nil {
		e.say("%v", err)
		return
	}
	e.remark("report       %s", file)
}

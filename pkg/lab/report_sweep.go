package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/scalemodel/lamport/pkg/internal/guarded"
	"github.com/scalemodel/lamport/pkg/page"
	"github.com/scalemodel/lamport/pkg/rundir"
	"github.com/scalemodel/lamport/pkg/sweep"
	"github.com/scalemodel/lamport/pkg/trace"
)

// sweepPage returns the page of a sweep that is there, and makes those of its runs that
// have none.
func sweepPage(env *Env, dir string) (*page.Page, error) {
	report, err := sweep.ReadReport(dir)
	if err != nil {
		return nil, err
	}
	if err := env.showRuns(dir, report); err != nil {
		return nil, err
	}
	return env.pageOfSweep(dir, report), nil
}

// showRuns makes the pages of the runs of a sweep that are to have one and have none, as
// many at once as there are cores. It returns what kept it from any of them.
func (e *Env) showRuns(dir string, report *sweep.Report) error {
	root, err := os.OpenRoot(dir) // nothing outside of it is written, whatever links stand in it
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	var all sync.WaitGroup
	var mu sync.Mutex // guards failed
	var failed []error
	free := make(chan struct{}, runtime.GOMAXPROCS(0))
	for _, name := range withPages(report.Logged()) {
		where := filepath.Join(dir, sweep.RunsName, name)
		if _, err := os.Lstat(filepath.Join(where, rundir.PageName)); err == nil {
			continue
		}
		free <- struct{}{}
		all.Go(func() {
			defer func() { <-free }()
			if err := e.showOne(root, name, where); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed = append(failed, err)
			}
		})
	}
	all.Wait()
	if len(failed) > 0 {
		return failed[0]
	}
	return nil
}

// showOne makes the page of a run of a sweep in its directory.
func (e *Env) showOne(root *os.Root, name, dir string) error {
	run, err := trace.Open(dir)
	if err != nil {
		return err
	}
	s, err := showRun(run, false, page.Options{Events: automatic})
	if err != nil {
		return err
	}
	p := e.pageOf([]*shownRun{s})
	err = guarded.ReplaceIn(root, filepath.Join(sweep.RunsName, name, rundir.PageName), func(f *os.File) error { return write(p, f) })
	if err != nil {
		return fmt.Errorf("%s %w: %w", filepath.Join(dir, rundir.PageName), ErrUnwritable, cause(err))
	}
	return nil
}

// pageOfSweep returns the page of a sweep, with links to the pages of its runs.
func (e *Env) pageOfSweep(dir string, report *sweep.Report) *page.Page {
	head := e.pageHead(page.KindSweep, "Sweep "+filepath.Base(filepath.Clean(dir)))
	head.Sweep = page.OfSweep(report, func(run string) bool {
		info, err := os.Lstat(filepath.Join(dir, sweep.RunsName, run, rundir.PageName))
		return err == nil && info.Mode().IsRegular()
	})
	return &page.Page{Head: head}
}

// maxPages is how many runs of a sweep have a page of their own: of more, only the first
// trial of each point, and if these are too many as well, none. A page is larger than the logs
// of a short run.
const maxPages = 200

// withPages returns the runs of a sweep that are to have a page.
func withPages(runs []sweep.Run) (names []string) {
	for _, only := range []int{0, 1} { // all trials, or the first
		names = nil
		for _, run := range runs {
			if only == 0 || run.Trial == only {
				names = append(names, run.Name)
			}
		}
		if len(names) <= maxPages {
			return names
		}
	}
	return nil
}

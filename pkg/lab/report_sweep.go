package lab

import (
	"os"
	"path/filepath"

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
	for _, name := range withPages(report.Finished()) {
		where := filepath.Join(dir, sweep.RunsName, name)
		if _, err := os.Lstat(filepath.Join(where, rundir.PageName)); err == nil {
			continue
		}
		run, err := trace.Open(where)
		if err != nil {
			return nil, err
		}
		s, err := showRun(run, page.Options{Events: automatic})
		if err != nil {
			return nil, err
		}
		if _, err := keepPage(where, env.pageOf([]*shownRun{s})); err != nil {
			return nil, err
		}
	}
	return env.pageOfSweep(dir, report), nil
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

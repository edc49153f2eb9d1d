package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/internal/guarded"
	"github.com/scalemodel/lamport/pkg/page"
	"github.com/scalemodel/lamport/pkg/rundir"
	"github.com/scalemodel/lamport/pkg/sweep"
	"github.com/scalemodel/lamport/pkg/trace"
)

// Report writes a page that shows a run, several runs side by side, or a sweep.
type Report struct {
	Dirs []string
	// File is where the page goes, "-" for standard output; "": report.html in the first
	// directory.
	File string
	// From and To are the part of the run whose events are shown, counted from its start; a
	// To of 0 is the end.
	From, To time.Duration
	// Corrected takes all times by the clock of one host.
	Corrected bool
}

// ErrNoPart says that a part of a run is wanted where that has no meaning.
var ErrNoPart = errors.New("a sweep has no part by time")

// ErrEmptyPart says that the part of a run that is wanted has no event.
var ErrEmptyPart = errors.New("no event lies in the part of the run that is to be shown")

// ErrNoPlace says that a page has no directory that it would belong in.
var ErrNoPlace = errors.New("a stream has no directory for its page")

// ErrUnwritable says that a page cannot be put where it belongs.
var ErrUnwritable = errors.New("cannot be written")

// Run writes the page.
func (r Report) Run(ctx context.Context, env *Env) error {
	if r.File == "" && isStream(r.Dirs[0]) {
		return fmt.Errorf("%s: %w", r.Dirs[0], ErrNoPlace)
	}
	p, err := r.page(env)
	if err != nil {
		return err
	}
	if r.File != "" {
		if err := env.toOutput(ctx, r.Dirs[0], r.File, func(_ context.Context, w io.Writer) error { return write(p, w) }); err != nil {
			return err
		}
		if r.File != "-" {
			env.remark("report       %s", r.File)
		}
		return nil
	}
	file, err := keepPage(r.Dirs[0], p)
	if err == nil {
		env.remark("report       %s", file)
	}
	return err
}

// page returns what is to be shown.
func (r *Report) page(env *Env) (*page.Page, error) {
	if len(r.Dirs) == 1 && isSweep(r.Dirs[0]) {
		if r.Corrected {
			return nil, fmt.Errorf("%s is a sweep: %w", r.Dirs[0], ErrOneClock)
		}
		if r.From != 0 || r.To != 0 {
			return nil, fmt.Errorf("%s is a sweep: %w", r.Dirs[0], ErrNoPart)
		}
		return sweepPage(env, r.Dirs[0])
	}
	var shown []*shownRun
	for _, dir := range r.Dirs {
		run, err := env.open(dir)
		if err != nil {
			return nil, err
		}
		defer run.close() // what is shown reads it no more after this method
		env.remarkPassed(run)
		s, err := showRun(run.Run, r.Corrected, page.Options{From: r.From, To: r.To, Events: page.MaxEvents / len(r.Dirs)})
		if err != nil {
			return nil, err
		}
		if s.events() == 0 && s.stats.Events > 0 {
			return nil, fmt.Errorf("%s: %w: all %s lie within %s", dir, ErrEmptyPart, figure.Plural(s.stats.Events, "event"), figure.Duration(s.stats.Elapsed))
		}
		shown = append(shown, s)
	}
	return env.pageOf(shown), nil
}

// isSweep reports whether a directory is that of a sweep, and of no run.
func isSweep(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, sweep.GridName))
	return err == nil
}

// shownRun is a run as a page shows it.
type shownRun struct {
	run       *trace.Run
	collector *page.Collector
	stats     *trace.Stats
	head      *page.Run
	data      []byte
}

// showRun reads a run, once.
func showRun(run *trace.Run, isCorrected bool, o page.Options) (*shownRun, error) {
	s := &shownRun{run: run, collector: page.NewCollector(run, o)}
	var err error
	if s.stats, err = statsOf(run, isCorrected, s.collector.Visitors()...); err != nil {
		return nil, err
	}
	s.head, s.data = s.collector.Run(s.stats)
	return s, nil
}

// events returns how many events the page has of it.
func (s *shownRun) events() (n uint64) {
	for i := range s.head.Machines {
		n += s.head.Machines[i].Events
	}
	return n
}

// pageOf returns the page of a run, or of several.
func (e *Env) pageOf(shown []*shownRun) *page.Page {
	p := &page.Page{Head: e.pageHead(page.KindRun, "Run "+shown[0].head.Name)}
	if len(shown) > 1 {
		p.Head.Kind, p.Head.Title = page.KindCompare, fmt.Sprintf("%d runs", len(shown))
		p.Head.Differences = differences(shown)
	}
	for _, s := range shown {
		p.Head.Runs, p.Data = append(p.Head.Runs, *s.head), append(p.Data, s.data)
	}
	return p
}

func (e *Env) pageHead(kind, title string) page.Head {
	return page.NewHead(kind, "launcher "+e.Version, title)
}

// keepPage puts a page into the directory of what it shows, and returns its name.
func keepPage(dir string, p *page.Page) (string, error) {
	file := filepath.Join(dir, rundir.PageName)
	err := guarded.Replace(file, func(f *os.File) error { return write(p, f) })
	if err != nil {
		return file, fmt.Errorf("%s %w: %w", file, ErrUnwritable, cause(err))
	}
	return file, nil
}

// write writes a page in large pieces.
func write(p *page.Page, w io.Writer) error {
	b := bufio.NewWriterSize(w, 1<<16)
	if err := p.Write(b); err != nil {
		return err
	}
	return b.Flush()
}

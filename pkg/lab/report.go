package lab

import (
	"context"
	"io"
	"path/filepath"

	"github.com/scalemodel/lamport/pkg/page"
	"github.com/scalemodel/lamport/pkg/trace"
)

// Report writes a page that shows a run.
type Report struct {
	Dirs []string
	File string // "": [ReportName] in the first directory
}

// ReportName is the name of a run's page in its directory.
const ReportName = "report.html"

// Run writes the page.
func (r Report) Run(ctx context.Context, env *Env) error {
	p := &page.Page{Head: page.Head{Version: 1, Program: "launcher " + env.Version, Kind: page.KindRun, Title: "Run " + r.Dirs[0]}}
	for _, dir := range r.Dirs {
		run, err := trace.Open(dir)
		if err != nil {
			return err
		}
		c := page.NewCollector(run, page.Options{})
		stats, err := run.Stats(c.Visitors()...)
		if err != nil {
			return err
		}
		head, data, err := c.Run(stats)
		if err != nil {
			return err
		}
		p.Head.Runs, p.Data = append(p.Head.Runs, *head), append(p.Data, data)
	}
	file := r.File
	if file == "" {
		file = filepath.Join(r.Dirs[0], ReportName)
	}
	err := env.toOutput(ctx, r.Dirs[0], file, func(_ context.Context, w io.Writer) error { return p.Write(w) })
	if err == nil {
		env.remark("report in %s", file)
	}
	return err
}

package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/report"
	"github.com/scalemodel/lamport/pkg/trace"
)

func exportCommand() *cli.Command {
	return &cli.Command{
		Name:      "export",
		Usage:     "a run for other programs: ShiViz, Perfetto, tables",
		UsageText: "launcher export --format FORMAT [flags] DIR",
		Description: `Writes all events to standard output, or to a file:

  shiviz     a log with vector clocks, for ShiViz
  perfetto   Chrome trace JSON, for ui.perfetto.dev: machines, messages, clocks, queues
  csv        one row per event
  jsonl      one JSON object per event and line

A run that is not correct is exported as far as it goes, and standard error says what is
wrong with it.`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "format", Usage: "`FORMAT` of the export: " + oneOf(exportFormats()), DefaultText: "required"},
			&cli.StringFlag{Name: "o", Usage: "write to `FILE`, which is replaced when the export is complete", DefaultText: "standard output"},
			&cli.BoolFlag{Name: "vectors", Usage: "csv and jsonl: add the events' vector clocks"},
		},
		Action: command.Piped(export),
	}
}

func exportFormats() []string {
	names := make([]string, len(report.Formats))
	for i, f := range report.Formats {
		names[i] = string(f)
	}
	return names
}

func export(c *cli.Context) error {
	dir, err := runDir(c)
	if err != nil {
		return err
	}
	if !c.IsSet("format") {
		return command.Usage("--format is missing: want %s", oneOf(exportFormats()))
	}
	name, err := format(c, exportFormats()...)
	if err != nil {
		return err
	}
	f := report.Format(name)
	if c.Bool("vectors") && f != report.CSV && f != report.JSONL {
		return command.Usage("--vectors is for csv and jsonl; %s", map[report.Format]string{
			report.ShiViz: "shiviz always has them", report.Perfetto: "perfetto has no place for them",
		}[f])
	}
	run, err := trace.Open(dir)
	if err != nil {
		return err
	}
	var e *report.Exported
	err = writeOutput(c, func(w io.Writer) (err error) {
		e, err = report.Export(w, run, f, report.Options{Vectors: c.Bool("vectors")})
		return err
	})
	if err != nil {
		return err
	}
	tell(c, dir, short(e.Verdict))
	tell(c, dir, e.Notes)
	return nil
}

// short says what is wrong with a run, in a few words.
func short(v *trace.Verdict) []string {
	switch v.State {
	case trace.Correct:
		return nil
	case trace.Broken:
		return []string{v.String(), `"launcher check" shows them`}
	}
	what := slices.Clone(v.Open)
	what[0] = string(v.State) + ": " + what[0]
	return what
}

// writeOutput lets write fill the file of -o, or standard output.
func writeOutput(c *cli.Context, write func(io.Writer) error) (err error) {
	out := &output{w: c.App.Writer}
	if path := c.String("o"); path != "" && path != "-" {
		if out, err = create(path); err != nil {
			return err
		}
	}
	ctx, stop := command.OnInterrupt(c.Context, out.discard)
	defer stop()
	out.ctx = ctx
	if err = write(out); err == nil {
		err = out.commit()
	}
	if err != nil {
		out.discard()
	}
	if errors.Is(err, context.Canceled) {
		return exit.With(exit.Interrupted, nil)
	}
	return err
}

// output is where an export goes: to standard output as it comes, to a file
// whole or not at all.
type output struct {
	ctx  context.Context // ends writing
	w    io.Writer
	file *os.File // nil: standard output
	temp string   // its name until it is complete; empty: not a regular file
	path string
}

// create makes the file that becomes path. What is there and is no regular
// file, such as a named pipe, is written to in place.
func create(path string) (*output, error) {
	refuse := func(err error) (*output, error) {
		return nil, command.Usage("-o %s cannot be written: %w", path, cause(err))
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	o := &output{path: path}
	old, err := os.Stat(path)
	switch {
	case err == nil && old.IsDir():
		return nil, command.Usage("-o %s is a directory: want the name of a file", path)
	case err == nil && !old.Mode().IsRegular():
		o.file, err = os.OpenFile(path, os.O_WRONLY, 0)
	default:
		o.temp = filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"-"+rand.Text()[:8])
		o.file, err = os.OpenFile(o.temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	}
	if err != nil {
		return refuse(err)
	}
	o.w = o.file
	return o, nil
}

func (o *output) Write(p []byte) (int, error) {
	if err := o.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := o.w.Write(p)
	if err != nil {
		err = o.explain(err)
	}
	return n, err
}

// commit gives the complete file its name.
func (o *output) commit() error {
	if o.file == nil {
		return nil
	}
	err := o.file.Close()
	if err == nil && o.temp != "" {
		err = os.Rename(o.temp, o.path)
	}
	if err != nil {
		return o.explain(err)
	}
	o.temp = ""
	return nil
}

// discard leaves nothing behind.
func (o *output) discard() {
	if o.file == nil {
		return
	}
	_ = o.file.Close()
	if o.temp != "" {
		_ = os.Remove(o.temp)
	}
}

func (o *output) explain(err error) error {
	name := o.path
	if o.file == nil {
		name = "standard output"
	}
	return fmt.Errorf("%s cannot be written: %w", name, cause(err))
}

// cause takes the path from an error: it may be that of a file whose name nobody
// knows.
func cause(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	}
	return err
}

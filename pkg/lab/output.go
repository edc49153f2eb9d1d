package lab

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/rundir"
)

// toOutput lets write fill a file, or standard output where the path is "" or "-",
// with what is made of the run in a directory. A file is written whole or not at
// all, and never in the place of a file of the run.
func (e *Env) toOutput(ctx context.Context, dir, path string, write func(context.Context, io.Writer) error) (err error) {
	out := &output{w: e.Out}
	if path != "" && path != "-" {
		if rundir.Owns(dir, path) {
			return fmt.Errorf("%s is a file of the run itself, which is not overwritten: want another name", path)
		}
		if out, err = create(path); err != nil {
			return err
		}
	}
	ctx, stop := exit.OnInterrupt(ctx, out.discard)
	defer stop()
	out.ctx = ctx
	if err = write(ctx, out); err == nil {
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

// notes says on standard error what is to be known of an output.
func (e *Env) notes(dir string, what []string) {
	if len(what) > 0 {
		e.say("launcher: %s: %s", dir, strings.Join(first(what), "; "))
	}
}

// first returns a few of many remarks, and how many more there are.
func first(what []string) []string {
	const shown = 3
	if more := len(what) - shown; more > 0 {
		return append(what[:shown:shown], fmt.Sprintf("and %d more", more))
	}
	return what
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
		return nil, fmt.Errorf("%s cannot be written: %w", path, cause(err))
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	o := &output{path: path}
	old, err := os.Stat(path)
	switch {
	case err == nil && old.IsDir():
		return nil, fmt.Errorf("%s is a directory: want the name of a file", path)
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

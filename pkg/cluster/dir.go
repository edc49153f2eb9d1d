package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// runDir is a run's directory, as long as it is not certain that there will be a
// run: what was made can be taken away again.
type runDir struct {
	path  string
	made  []string // directories that were not there before, the deepest first
	files []string // that this process has made in it
}

// newRunDir makes a directory and in it the run's record. Whoever makes the
// record owns the directory, so of two runs that start at once in one, only one
// goes on. An error leaves nothing behind.
func newRunDir(path string, record *Record) (*runDir, error) {
	d := &runDir{path: path}
	if err := d.prepare(record); err != nil {
		d.remove(true)
		return nil, err
	}
	return d, nil
}

func (d *runDir) prepare(record *Record) error {
	for dir := filepath.Clean(d.path); ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(dir); err == nil || dir == filepath.Dir(dir) {
			break
		}
		d.made = append(d.made, dir)
	}
	if err := os.MkdirAll(d.path, 0o777); err != nil {
		return d.explain(err)
	}
	old, err := filepath.Glob(filepath.Join(escapeGlob(d.path), "vm_*"))
	if err != nil {
		return err
	}
	if len(old) > 0 {
		return earlier(old[0])
	}
	f, err := d.create(RecordName)
	switch {
	case errors.Is(err, fs.ErrExist):
		return earlier(filepath.Join(d.path, RecordName))
	case err != nil:
		return d.explain(err)
	}
	if err := errors.Join(record.write(f), f.Close()); err != nil {
		return d.explain(err)
	}
	return nil
}

func earlier(name string) error {
	return fmt.Errorf("%s is of an earlier run, which is not overwritten: choose another --out, or move it away", name)
}

// explain turns an error of the system into advice.
func (d *runDir) explain(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		err = p.Err
	}
	return fmt.Errorf("the run's directory %s cannot be written: %w (choose another --out)", d.path, err)
}

// create makes a file that is not there yet.
func (d *runDir) create(name string) (*os.File, error) {
	path := filepath.Join(d.path, name)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err == nil {
		d.files = append(d.files, path)
	}
	return f, err
}

// talk opens the file for what machine id says: a new one, or the one of its
// earlier processes.
func (d *runDir) talk(id int, again bool) (*os.File, error) {
	name := fmt.Sprintf("vm_%d.stderr", id)
	if again {
		return os.OpenFile(filepath.Join(d.path, name), os.O_APPEND|os.O_WRONLY, 0)
	}
	return d.create(name)
}

// remove takes away what was made: all of it, or all but the talk of machines
// that had something to say. What others have put there stays.
func (d *runDir) remove(talkToo bool) {
	for _, name := range d.files {
		info, err := os.Stat(name)
		if err == nil && (talkToo || info.Size() == 0 || filepath.Base(name) == RecordName) {
			_ = os.Remove(name)
		}
	}
	for _, dir := range d.made {
		_ = os.Remove(dir) // refused where something is in it
	}
}

func escapeGlob(s string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(s)
}

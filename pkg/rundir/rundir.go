// Package rundir owns the directory of a run: who may begin one there, what stands
// in it under which name, and what is read back from it.
//
//	run.json      everything that is needed to do the run again: the [Record]
//	vm_0_1.log    the event log of machine 0 with rate 1, and so on
//	vm_0_1.links  what its peers know it by
//	vm_0_1.delivered  that its log was gathered elsewhere
//	vm_0.stderr   what its process said
//	faults.log    what the fault plan did, and when
//	summary.json  what each machine did, in figures
//	summary.txt   what was printed at the end of the run
//	report.html   the page that shows the run
//
// Beside the directories of runs that nobody placed elsewhere, "latest" points at
// the newest.
package rundir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The files of a run's directory. The event logs are named by
// [logging.FileName].
const (
	RecordName  = "run.json"
	SummaryName = "summary.json"
	TextName    = "summary.txt"
	FaultsName  = "faults.log"
	PageName    = "report.html"
)

// LatestName is the link to the newest run, beside it.
const LatestName = "latest"

// Default returns the directory of a run that nobody has placed elsewhere:
// runs/<time>-<name>. Two runs may begin in one second, so the name must be one
// that no other has.
func Default(begun time.Time, name string) string {
	return filepath.Join("runs", begun.Format("20060102-150405")+"-"+name)
}

// ErrUsed says that a directory holds files of an earlier run.
var ErrUsed = errors.New("of an earlier run, which is not overwritten")

// Dir is the directory of a run that is being done. As long as it is not certain
// that there will be a run, what was made can be taken away again.
type Dir struct {
	path  string
	made  []string // directories that were not there before, the deepest first
	files []string // that this process has made in it
}

// Claim makes a directory and in it the run's record, in which it fills in where and
// when. Whoever makes the record owns the directory: of two runs that start at
// once in one, only one goes on. An error wraps [ErrUsed] or [ErrUnwritable], and
// leaves nothing behind.
func Claim(path string, r *Record) (*Dir, error) {
	r.here()
	d := &Dir{path: path}
	if err := d.claim(r); err != nil {
		d.Discard(true)
		return nil, err
	}
	return d, nil
}

func (d *Dir) claim(r *Record) error {
	for dir := filepath.Clean(d.path); ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(dir); err == nil || dir == filepath.Dir(dir) {
			break
		}
		d.made = append(d.made, dir)
	}
	if err := os.MkdirAll(d.path, 0o777); err != nil {
		return d.unwritable(err)
	}
	if err := Vacant(d.path); err != nil {
		return err
	}
	f, err := d.Create(RecordName)
	switch {
	case errors.Is(err, fs.ErrExist):
		return used(filepath.Join(d.path, RecordName))
	case err != nil:
		return d.unwritable(err)
	}
	if err := errors.Join(r.write(f), f.Close()); err != nil {
		return d.unwritable(err)
	}
	return nil
}

// Vacant returns nil where no run has a directory: it is not there, or holds nothing of a
// run. An error wraps [ErrUsed] or [ErrUnwritable]. That may change before [Claim].
func Vacant(path string) error {
	entries, err := os.ReadDir(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		d := Dir{path: path}
		return d.unwritable(err)
	}
	for _, e := range entries {
		if e.Name() == TextName || e.Name() == RecordName || strings.HasPrefix(e.Name(), "vm_") {
			return used(filepath.Join(path, e.Name()))
		}
	}
	return nil
}

func used(name string) error { return fmt.Errorf("%s is %w", name, ErrUsed) }

// ErrUnwritable says that a run's directory cannot be made or written.
var ErrUnwritable = errors.New("cannot be written")

func (d *Dir) unwritable(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		err = p.Err
	}
	return fmt.Errorf("the run's directory %s %w: %w", d.path, ErrUnwritable, err)
}

// Owns reports whether a file belongs to the run in a directory: it is one of its
// event logs or records, whatever path leads to it.
func Owns(dir, file string) bool {
	info, err := os.Stat(file)
	if err != nil {
		return false
	}
	if stream, err := os.Stat(dir); err == nil && !stream.IsDir() && os.SameFile(info, stream) {
		return true
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, e := range entries {
		switch name := e.Name(); {
		case name == RecordName, name == SummaryName, name == TextName, name == FaultsName, strings.HasPrefix(name, "vm_"):
			if other, err := os.Stat(filepath.Join(dir, name)); err == nil && os.SameFile(info, other) {
				return true
			}
		}
	}
	return false
}

// Create makes a file that is not there yet.
func (d *Dir) Create(name string) (*os.File, error) {
	path := filepath.Join(d.path, name)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err == nil {
		d.files = append(d.files, path)
	}
	return f, err
}

// Stderr opens the file for what the process of a machine says: a new one, or with
// again the one of its earlier processes.
func (d *Dir) Stderr(id int, again bool) (*os.File, error) {
	name := fmt.Sprintf("vm_%d.stderr", id)
	if again {
		return os.OpenFile(filepath.Join(d.path, name), os.O_APPEND|os.O_WRONLY, 0)
	}
	return d.Create(name)
}

// Discard takes away what was made, since there was no run: all of it, or all but
// what the processes said, where they said something. What others have put there
// stays.
func (d *Dir) Discard(all bool) {
	d.discardLinks()
	for _, name := range d.files {
		info, err := os.Stat(name)
		if err == nil && (all || info.Size() == 0 || filepath.Base(name) == RecordName) {
			_ = os.Remove(name)
		}
	}
	for _, dir := range d.made {
		_ = os.Remove(dir) // refused where something is in it
	}
}

// discardLinks removes what machines have kept that were ready for a run which
// did not begin.
func (d *Dir) discardLinks() {
	if len(d.files) == 0 {
		return // the directory is somebody else's
	}
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return
	}
	for _, e := range entries {
		if name := e.Name(); strings.HasPrefix(name, "vm_") && strings.HasSuffix(name, ".links") {
			_ = os.Remove(filepath.Join(d.path, name))
		}
	}
}

// MakeLatest points latest, beside the run's directory, at it. What stands there
// under this name and is no link is never replaced.
func MakeLatest(dir string) error {
	latest := filepath.Join(filepath.Dir(dir), LatestName)
	if info, err := os.Lstat(latest); err == nil && info.Mode()&fs.ModeSymlink == 0 {
		return fmt.Errorf("%s does not point at this run: it is not a symbolic link, so it is left alone", latest)
	}
	fresh := filepath.Join(filepath.Dir(dir), "."+LatestName+"-"+filepath.Base(dir))
	err := os.Symlink(filepath.Base(dir), fresh)
	if err == nil {
		err = os.Rename(fresh, latest)
	}
	if err != nil {
		_ = os.Remove(fresh)
		return fmt.Errorf("%s does not point at this run: %w", latest, err)
	}
	return nil
}

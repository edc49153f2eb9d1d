package sweep

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/scalemodel/lamport/pkg/internal/filelock"
)

// The files of a sweep's directory.
const (
	GridName     = "sweep.json"  // the grid
	CSVName      = "sweep.csv"   // every machine of every run
	TableName    = "sweep.md"    // the tables
	FindingsName = "findings.md" // what they show
	RunsName     = "runs"        // one directory for each run

	resultName = "result.json" // of a run: the last thing that is written of it
)

// What keeps a sweep from being begun, or gone on with, in a directory.
var (
	ErrBusy       = errors.New("another process is at work on this sweep")
	ErrNotASweep  = errors.New("holds something else than a sweep")
	ErrOtherSweep = errors.New("holds another sweep")
	ErrUnwritable = errors.New("cannot be written")
)

// Default returns the directory of a sweep that nobody has placed elsewhere:
// sweeps/<time>-<name>.
func Default(begun time.Time, name string) string {
	return filepath.Join("sweeps", begun.Format("20060102-150405")+"-"+name)
}

// Dir is the directory of a sweep.
type Dir struct {
	path string
	grid *os.File // locked
}

// ReadGrid reads the grid of the sweep in a directory. Where there is none the
// error wraps [fs.ErrNotExist].
func ReadGrid(path string) (*Grid, error) {
	name := filepath.Join(path, GridName)
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err != nil {
		return nil, explain(path, err)
	}
	if len(b) == 0 { // it was about to be written
		return nil, fmt.Errorf("%s is empty: %w", name, fs.ErrNotExist)
	}
	var g Grid
	if err := json.Unmarshal(b, &g); err != nil {
		return nil, fmt.Errorf("%s: not the grid of a sweep: %w", name, err)
	}
	if g.Format != 1 {
		return nil, fmt.Errorf("%s: format %d of another release (%s); this one reads format 1", name, g.Format, g.Version)
	}
	return &g, nil
}

// Open makes the directory of a sweep, or opens the one in which it was begun.
// It is refused where the directory holds another sweep, or something else. As
// long as it is open, no other process can open it ([ErrBusy]), where the system
// has locks.
func Open(path string, grid *Grid) (*Dir, error) {
	entries, err := os.ReadDir(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, explain(path, err)
	}
	name := filepath.Join(path, GridName)
	if _, err := os.Stat(name); err != nil && len(entries) > 0 {
		return nil, fmt.Errorf("%s %w", path, ErrNotASweep)
	}
	// The grid comes first: without it, nobody knows the directory for a sweep's.
	if err := os.MkdirAll(path, 0o777); err != nil {
		return nil, explain(path, err)
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return nil, explain(path, err)
	}
	if !filelock.Try(f) {
		_ = f.Close()
		return nil, fmt.Errorf("%s: %w", path, ErrBusy)
	}
	d := &Dir{path, f}
	if err := d.begin(grid); err != nil {
		d.Close()
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(path, RunsName), 0o777); err != nil {
		d.Close()
		return nil, explain(path, err)
	}
	return d, nil
}

// begin writes the grid, or finds it written.
func (d *Dir) begin(grid *Grid) error {
	old, err := ReadGrid(d.path)
	if err == nil {
		if differs := old.Differs(grid); differs != "" {
			return fmt.Errorf("%s %w (other %s)", d.path, ErrOtherSweep, differs)
		}
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	b, err := json.MarshalIndent(grid, "", "  ")
	if err == nil {
		_, err = d.grid.Write(append(b, '\n'))
	}
	if err == nil {
		err = d.grid.Sync()
	}
	if err != nil {
		_ = d.grid.Truncate(0) // half a grid could not be gone on with
		return explain(d.path, err)
	}
	return nil
}

// explain says that an error of the system is about the sweep's directory.
func explain(path string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return fmt.Errorf("the sweep's directory %s %w: %w", path, ErrUnwritable, err)
}

// Close lets others open the directory.
func (d *Dir) Close() {
	filelock.Release(d.grid)
	_ = d.grid.Close()
}

// RunDir returns the directory of a run, which need not be there.
func (d *Dir) RunDir(r *Run) string { return filepath.Join(d.path, RunsName, r.Name) }

// Result returns the result of a run that is finished, nil for one that is not.
func (d *Dir) Result(r *Run) (*Result, error) {
	name := filepath.Join(d.RunDir(r), resultName)
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var result Result
	if err := json.Unmarshal(b, &result); err != nil {
		return nil, fmt.Errorf("%s: not the result of a run: %w (remove the file to do the run again)", name, err)
	}
	if result.Format != 1 || result.Point != r.Point.Number || result.Trial != r.Trial || result.Seed != r.Seed || result.Stats == nil || result.Stats.Verdict == nil {
		return nil, fmt.Errorf("%s: the result of another run than %s (remove the file to do the run again)", name, r.Name)
	}
	return &result, nil
}

// Clear removes what is left of a run that was not finished.
func (d *Dir) Clear(r *Run) error { return os.RemoveAll(d.RunDir(r)) }

// Save keeps the result of a run, which is finished with that. It stands in the
// run's directory, which must be there, as a whole or not at all.
func (d *Dir) Save(r *Run, result *Result) error {
	b, err := json.MarshalIndent(result, "", "  ")
	if err != nil {
		return err
	}
	return replace(filepath.Join(d.RunDir(r), resultName), append(b, '\n'))
}

// Write replaces a file of the sweep.
func (d *Dir) Write(name string, content []byte) error {
	return replace(filepath.Join(d.path, name), content)
}

// replace writes a file as a whole or not at all, even if the power fails: the
// name must not be on the disk before the content.
func replace(name string, content []byte) error {
	fresh := name + ".part"
	err := writeSynced(fresh, content)
	if err == nil {
		err = os.Rename(fresh, name)
	}
	if err != nil {
		_ = os.Remove(fresh)
	}
	return err
}

func writeSynced(name string, content []byte) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

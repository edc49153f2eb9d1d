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
	"github.com/scalemodel/lamport/pkg/internal/guarded"
	"github.com/scalemodel/lamport/pkg/internal/quote"
	"github.com/scalemodel/lamport/pkg/logging"
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
	ErrNotASweep  = errors.New("holds something other than a sweep")
	ErrOtherSweep = errors.New("holds another sweep")
	ErrUnwritable = errors.New("cannot be written")
)

// Default returns the directory of a sweep that nobody has placed elsewhere:
// sweeps/<time>-<name>.
func Default(begun time.Time, name string) string {
	return filepath.Join("sweeps", begun.Format("20060102-150405")+"-"+name)
}

// Dir is the directory of a sweep. Nothing outside of it is written or removed,
// whatever links stand in it.
type Dir struct {
	path string
	root *os.Root
	grid *os.File // locked
}

// MaxGrid is the largest grid that is read, in bytes: the seeds of as many trials as
// there can be have one megabyte.
const MaxGrid = 16 << 20

// ReadGrid reads the grid of the sweep in a directory, checked. Where there is none
// the error wraps [fs.ErrNotExist].
func ReadGrid(path string) (*Grid, error) {
	name := filepath.Join(path, GridName)
	b, err := guarded.ReadFile(name, MaxGrid)
	return parseGrid(path, b, err)
}

func isTooLarge(err error) bool {
	_, is := errors.AsType[*guarded.SizeError](err)
	return is
}

func parseGrid(path string, b []byte, err error) (*Grid, error) {
	name := filepath.Join(path, GridName)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, err
	case errors.Is(err, guarded.ErrNotRegular):
		return nil, fmt.Errorf("%s: %w", name, guarded.ErrNotRegular)
	case isTooLarge(err):
		return nil, err
	case err != nil:
		return nil, explain(path, err)
	case len(b) == 0: // it was about to be written
		return nil, fmt.Errorf("%s is empty: %w", name, fs.ErrNotExist)
	}
	var g Grid
	if err := guarded.Unmarshal(b, &g); err != nil {
		return nil, fmt.Errorf("%s: not the grid of a sweep: %w", name, err)
	}
	if g.Format != 1 {
		return nil, fmt.Errorf("%s: format %d of another release (%s); this one reads format 1", name, g.Format, quote.Short(g.Version, 100))
	}
	if err := g.Check(); err != nil {
		return nil, fmt.Errorf("%s: not the grid of a sweep: %w", name, err)
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
	if info, err := os.Stat(name); err != nil && len(entries) > 0 {
		return nil, fmt.Errorf("%s %w", path, ErrNotASweep)
	} else if err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %w", name, guarded.ErrNotRegular)
	}
	// The grid comes first: without it, nobody knows the directory for a sweep's.
	if err := os.MkdirAll(path, 0o777); err != nil {
		return nil, explain(path, err)
	}
	d := &Dir{path: path}
	if d.root, err = os.OpenRoot(path); err != nil {
		return nil, explain(path, err)
	}
	if d.grid, err = d.root.OpenFile(GridName, os.O_CREATE|os.O_RDWR, 0o666); err != nil {
		_ = d.root.Close()
		return nil, explain(path, err)
	}
	if !filelock.Try(d.grid) {
		_ = d.grid.Close()
		_ = d.root.Close()
		return nil, fmt.Errorf("%s: %w", path, ErrBusy)
	}
	if err := d.begin(grid); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// begin writes the grid, or finds it written, and makes room for the runs.
func (d *Dir) begin(grid *Grid) error {
	b, err := guarded.ReadFileIn(d.root, GridName, MaxGrid)
	switch old, err := parseGrid(d.path, b, err); {
	case err == nil:
		if differs := old.Differs(grid); differs != "" {
			return fmt.Errorf("%s %w (other %s)", d.path, ErrOtherSweep, differs)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	default:
		if err := d.writeGrid(grid); err != nil {
			return explain(d.path, err)
		}
	}
	if err := d.root.MkdirAll(RunsName, 0o777); err != nil {
		return explain(d.path, err)
	}
	// The runs write there by its name.
	switch info, err := d.root.Lstat(RunsName); {
	case err != nil:
		return explain(d.path, err)
	case !info.IsDir():
		return fmt.Errorf("%s is no directory of the sweep's own: nothing is written or removed through a link",
			filepath.Join(d.path, RunsName))
	}
	return nil
}

func (d *Dir) writeGrid(grid *Grid) error {
	b, err := json.MarshalIndent(grid, "", "  ")
	if err == nil {
		_, err = d.grid.Write(append(b, '\n'))
	}
	if err == nil {
		err = d.grid.Sync()
	}
	if err != nil {
		_ = d.grid.Truncate(0) // half a grid could not be gone on with
	}
	return err
}

// explain says that an error of the system is about the sweep's directory.
func explain(path string, err error) error {
	return fmt.Errorf("the sweep's directory %s %w: %w", path, ErrUnwritable, cause(err))
}

// cause takes the path from an error, which is only that inside of the directory.
func cause(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	if l, ok := errors.AsType[*os.LinkError](err); ok {
		return l.Err
	}
	return err
}

// Close lets others open the directory.
func (d *Dir) Close() {
	filelock.Release(d.grid)
	_ = d.grid.Close()
	_ = d.root.Close()
}

// RunDir returns the directory of a run, which need not be there.
func (d *Dir) RunDir(r *Run) string { return filepath.Join(d.path, RunsName, r.Name) }

// inRoot is RunDir, or a file in it, as it is called inside of the sweep's directory.
func inRoot(r *Run, file ...string) string {
	return filepath.Join(append([]string{RunsName, r.Name}, file...)...)
}

// Result returns the result of a run that is finished, nil for one that is not. It is
// one that the run can have ([Result.Check]), and the logs of a correct run are there.
func (d *Dir) Result(r *Run) (*Result, error) {
	b, err := guarded.ReadFileIn(d.root, inRoot(r, resultName), maxResult(len(r.Rates)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	name := filepath.Join(d.RunDir(r), resultName)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, cause(err))
	}
	result, err := readResult(b, r)
	if err == nil && result.correct() {
		err = d.hasLogs(r)
	}
	const mend = "(remove the file to do the run again)"
	switch {
	case errors.Is(err, errOther):
		return nil, fmt.Errorf("%s: %w than %s %s", name, err, r.Name, mend)
	case err != nil:
		return nil, fmt.Errorf("%s: not the result of a run: %w %s", name, err, mend)
	}
	return result, nil
}

// hasLogs looks for the log of each machine of a run, and not at what is in it.
func (d *Dir) hasLogs(r *Run) error {
	for id, rate := range r.Rates {
		log := logging.FileName(id, rate)
		info, err := d.root.Stat(inRoot(r, log))
		switch {
		case err != nil:
			return fmt.Errorf("the log %s that it is from: %w", log, cause(err))
		case !info.Mode().IsRegular() || info.Size() == 0:
			return fmt.Errorf("the log %s that it is from is empty, or no file", log)
		}
	}
	return nil
}

// Clear removes what is left of a run that was not finished.
func (d *Dir) Clear(r *Run) error {
	if err := d.root.RemoveAll(inRoot(r)); err != nil {
		return fmt.Errorf("%s cannot be removed: %w", d.RunDir(r), cause(err))
	}
	return nil
}

// Save keeps the result of a run, which is finished with that. It stands in the
// run's directory, which must be there, as a whole or not at all.
func (d *Dir) Save(r *Run, result *Result) error {
	b, err := json.MarshalIndent(result, "", "  ")
	if err != nil {
		return err
	}
	return d.replace(inRoot(r, resultName), append(b, '\n'))
}

// Write replaces a file of the sweep.
func (d *Dir) Write(name string, content []byte) error { return d.replace(name, content) }

// replace writes a file as a whole or not at all, even if the power fails: the
// name must not be on the disk before the content.
func (d *Dir) replace(name string, content []byte) error {
	err := guarded.ReplaceIn(d.root, name, func(f *os.File) error {
		_, err := f.Write(content)
		if err == nil {
			err = f.Sync()
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(d.path, name), cause(err))
	}
	return nil
}

// ReadReport reads what is done of the sweep in a directory, without beginning or changing
// anything there.
func ReadReport(path string) (*Report, error) {
	grid, err := ReadGrid(path)
	if err != nil {
		return nil, err
	}
	runs, err := grid.Runs()
	if err != nil {
		return nil, err
	}
	d := &Dir{path: path}
	if d.root, err = os.OpenRoot(path); err != nil {
		return nil, explain(path, err)
	}
	defer func() { _ = d.root.Close() }()
	var results []*Result
	for i := range runs {
		result, err := d.Result(&runs[i])
		if err != nil {
			return nil, err
		}
		if result != nil {
			results = append(results, result)
		}
	}
	return NewReport(grid, runs, results), nil
}

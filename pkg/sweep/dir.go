package sweep

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/scalemodel/lamport/pkg/internal/guarded"
	"github.com/scalemodel/lamport/pkg/internal/quote"
	"github.com/scalemodel/lamport/pkg/logging"
)

// The files of a sweep's directory.
const (
	GridName     = "sweep.json"    // the grid
	ResultsName  = "results.jsonl" // a line for each run that is done, in the order in which they were
	CSVName      = "sweep.csv"     // every machine of every run
	ClassesName  = "classes.csv"   // every class of machines of every run
	TableName    = "sweep.md"      // the tables
	FigureName   = "sweep.svg"     // the figure
	FindingsName = "findings.md"   // what they show
	RunsName     = "runs"          // one directory for each run with logs
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

// ShardDir returns the directory of a part of a sweep, in that of all of them.
func ShardDir(path string, s Shard) string {
	if s.IsWhole() {
		return path
	}
	return filepath.Join(path, s.dirName())
}

// Dir is the directory of a sweep. Nothing outside of it is written or removed,
// whatever links stand in it.
type Dir struct {
	path    string
	root    *os.Root
	journal *journal // whose file is locked
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
	if g.Format != GridFormat {
		return nil, fmt.Errorf("%s: format %d of another release (%s); this one reads format %d", name, g.Format, quote.Short(g.Version, 100), GridFormat)
	}
	if err := g.Check(); err != nil {
		return nil, fmt.Errorf("%s: not the grid of a sweep: %w", name, err)
	}
	return &g, nil
}

// Open makes the directory of a sweep, or opens the one in which it was begun, with as
// many trials or fewer. It is refused where the directory holds another sweep, or
// something else. As long as it is open, no other process can open it ([ErrBusy]), where
// the system has locks.
func Open(path string, grid *Grid) (*Dir, error) {
	entries, err := os.ReadDir(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, explain(path, err)
	}
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool {
		// The results are made first, and the grid may have been about to be written; parts
		// are there before they are put together.
		return e.Name() == ResultsName || e.Name() == GridName+guarded.Part || isShardDir(e.Name())
	})
	name := filepath.Join(path, GridName)
	if info, err := os.Stat(name); err != nil && len(entries) > 0 {
		return nil, fmt.Errorf("%s %w", path, ErrNotASweep)
	} else if err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %w", name, guarded.ErrNotRegular)
	}
	if err := os.MkdirAll(path, 0o777); err != nil {
		return nil, explain(path, err)
	}
	d := &Dir{path: path}
	if d.root, err = os.OpenRoot(path); err != nil {
		return nil, explain(path, err)
	}
	if d.journal, err = openJournal(d.root); err != nil {
		_ = d.root.Close()
		switch {
		case errors.Is(err, ErrBusy):
			return nil, fmt.Errorf("%s: %w", path, ErrBusy)
		case errors.Is(err, guarded.ErrNotRegular):
			return nil, fmt.Errorf("%s: %w", filepath.Join(path, ResultsName), guarded.ErrNotRegular)
		}
		return nil, explain(path, err)
	}
	if err := d.begin(grid); err != nil {
		_ = d.Close() // what was wrong before says more
		return nil, err
	}
	return d, nil
}

// begin writes the grid, or finds it written, and makes room for the runs.
func (d *Dir) begin(grid *Grid) error {
	b, err := guarded.ReadFileIn(d.root, GridName, MaxGrid)
	old, err := parseGrid(d.path, b, err)
	switch {
	case err == nil:
		if differs := old.Differs(grid); differs != "" {
			return fmt.Errorf("%s %w (other %s)", d.path, ErrOtherSweep, differs)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if old == nil || old.Trials < grid.Trials {
		b, err := json.MarshalIndent(grid, "", "  ")
		if err == nil {
			err = d.replace(GridName, func(w io.Writer) error {
				_, err := w.Write(append(b, '\n'))
				return err
			})
		}
		if err != nil {
			return explain(d.path, err)
		}
	}
	if grid.NoLogs && grid.Virtual {
		return nil // a run that is not correct makes room for itself
	}
	return d.makeRuns()
}

// makeRuns makes room for the directories of runs.
func (d *Dir) makeRuns() error {
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

// Close lets others open the directory. The results that were saved are on the disk then,
// unless an error says otherwise.
func (d *Dir) Close() error {
	err := d.journal.close()
	_ = d.root.Close()
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(d.path, ResultsName), cause(err))
	}
	return nil
}

// Path returns the path of a file of the sweep.
func (d *Dir) Path(name string) string { return filepath.Join(d.path, name) }

// RunDir returns the directory of a run, which need not be there.
func (d *Dir) RunDir(r *Run) string { return filepath.Join(d.path, RunsName, r.Name) }

// inRoot is RunDir, or a file in it, as it is called inside of the sweep's directory.
func inRoot(r *Run, file ...string) string {
	return filepath.Join(append([]string{RunsName, r.Name}, file...)...)
}

// Results shows the results of the runs that are finished, each with its run, in the
// order in which they were. Each is one that the run can have ([Result.Check]), and the
// logs that it should have are there. What a process that was killed has left of a last
// line is cut off.
func (d *Dir) Results(runs []Run, see func(*Run, *Result)) error {
	return d.results(d.journal.read, runs, see)
}

// results is [Dir.Results] of the lines that read shows.
func (d *Dir) results(read func(see func(line []byte) error) error, runs []Run, see func(*Run, *Result)) error {
	byName := make(map[string]*Run, len(runs))
	for i := range runs {
		byName[runs[i].Name] = &runs[i]
	}
	seen := make(map[string]bool)
	n := 0
	err := read(func(line []byte) error {
		n++
		run := byName[nameIn(line)]
		if run == nil {
			return errors.New("the result of a run that the sweep does not have")
		}
		result, err := readResult(line, run)
		switch {
		case err != nil:
			return fmt.Errorf("not the result of %s: %w", run.Name, err)
		case seen[run.Name]:
			return fmt.Errorf("there is an earlier result of %s", run.Name)
		}
		if result.Logged {
			if err := d.hasLogs(run); err != nil {
				return fmt.Errorf("not the result of %s: %w", run.Name, err)
			}
		}
		seen[run.Name] = true
		see(run, result)
		return nil
	})
	if err != nil {
		return fmt.Errorf("%s:%d: %w (remove the line to do the run again)", d.Path(ResultsName), max(n, 1), cause(err))
	}
	return nil
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

// Prepare removes what is left of a run that was not finished, and makes room for it.
func (d *Dir) Prepare(r *Run) error {
	if err := d.Clear(r); err != nil {
		return err
	}
	return d.makeRuns()
}

// Clear removes what is left of a run.
func (d *Dir) Clear(r *Run) error {
	if err := d.root.RemoveAll(inRoot(r)); err != nil {
		return fmt.Errorf("%s cannot be removed: %w", d.RunDir(r), cause(err))
	}
	return nil
}

// Save keeps the result of a run, which is finished with that: as a whole line or not at
// all. It may be called by several goroutines.
func (d *Dir) Save(result *Result) error {
	b, err := json.Marshal(result)
	if err == nil {
		err = d.journal.append(append(b, '\n'))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", d.Path(ResultsName), cause(err))
	}
	return nil
}

// Write replaces a file of the sweep.
func (d *Dir) Write(name string, write func(io.Writer) error) error {
	return d.replace(name, write)
}

// replace writes a file as a whole or not at all, even if the power fails: the
// name must not be on the disk before the content.
func (d *Dir) replace(name string, write func(io.Writer) error) error {
	err := guarded.ReplaceIn(d.root, name, func(f *os.File) error {
		w := bufio.NewWriterSize(f, 1<<16)
		err := write(w)
		if err == nil {
			err = w.Flush()
		}
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
	err = d.results(d.readResults, runs, func(_ *Run, result *Result) { results = append(results, result) })
	if err != nil {
		return nil, err
	}
	return NewReport(grid, runs, results), nil
}

// readResults calls see with each line of the results, of which there may be none yet.
func (d *Dir) readResults(see func(line []byte) error) error {
	f, err := guarded.OpenIn(d.root, ResultsName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	_, err = readLines(f, see)
	return err
}

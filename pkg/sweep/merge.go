package sweep

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/scalemodel/lamport/pkg/internal/guarded"
)

// Count returns how many parts there are, and of how many.
func (p *Parts) Count() (here, of int) { return len(p.parts), p.parts[0].shard.Of }

// Parts are the directories of the parts of a sweep, to be put together.
type Parts struct {
	Grid  *Grid // of the whole
	parts []part
}

type part struct {
	path  string
	shard Shard
}

// FindParts looks for parts of one sweep: each directory is that of a part, or holds
// those of parts. An error says what is none, or which two are not of one sweep.
func FindParts(dirs ...string) (*Parts, error) {
	p := new(Parts)
	for _, dir := range dirs {
		found, err := shardsIn(dir)
		if err != nil {
			return nil, err
		}
		for _, path := range found {
			if err := p.add(path); err != nil {
				return nil, err
			}
		}
	}
	return p, nil
}

// shardsIn returns the directory itself if it is that of a part, else those of the parts in it.
func shardsIn(dir string) (found []string, err error) {
	grid, err := ReadGrid(dir)
	if err == nil && !grid.Shard.IsWhole() {
		return []string{dir}, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, explainReading(dir, err)
	}
	for _, e := range entries {
		if isShardDir(e.Name()) {
			found = append(found, filepath.Join(dir, e.Name()))
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s is no part of a sweep, and holds none", dir)
	}
	return found, nil
}

func explainReading(path string, err error) error { return fmt.Errorf("%s: %w", path, cause(err)) }

// add takes in the part in a directory.
func (p *Parts) add(path string) error {
	grid, err := ReadGrid(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: it was not begun: %w", path, cause(err))
	case err != nil:
		return err
	case grid.Shard.IsWhole():
		return fmt.Errorf("%s is a whole sweep, and no part of one", path)
	}
	shard := grid.Shard
	grid.Shard = Shard{}
	if p.Grid == nil {
		p.Grid = grid
	}
	differs := p.Grid.Differs(grid)
	if differs == "" {
		differs = grid.Differs(p.Grid) // trials may be more, but not here
	}
	for _, other := range p.parts {
		switch {
		case differs != "":
			return fmt.Errorf("%s and %s are not parts of one sweep (other %s)", other.path, path, differs)
		case other.shard.Of != shard.Of:
			return fmt.Errorf("%s is part %v, and %s part %v: a sweep is divided in one way", other.path, other.shard, path, shard)
		case other.shard == shard:
			return fmt.Errorf("%s and %s are both part %v", other.path, path, shard)
		}
	}
	p.parts = append(p.parts, part{path, shard})
	return nil
}

// line is where the result of a run stands.
type line struct {
	part   int   // of Parts.parts
	at     int64 // where it begins in the part's results
	logged bool
}

// MergeInto puts the results of all parts that dir does not have yet, and the logs that
// are kept, into dir, in the order of the runs: what one process would have written that did
// one run at a time. The parts stay as they are.
//
// dir has been opened with the grid of the whole. What is read is checked as
// [Dir.Results] does.
func (p *Parts) MergeInto(dir *Dir) error {
	runs, err := p.Grid.Runs()
	if err != nil {
		return err
	}
	have := make(map[string]bool)
	if err := dir.Results(runs, func(run *Run, _ *Result) { have[run.Name] = true }); err != nil {
		return err
	}
	// First where they stand: all of them at once would fill the memory.
	lines := make(map[string]line)
	roots := make([]*os.Root, len(p.parts))
	defer func() {
		for _, root := range roots {
			if root != nil {
				_ = root.Close()
			}
		}
	}()
	for i, part := range p.parts {
		if roots[i], err = os.OpenRoot(part.path); err != nil {
			return explainReading(part.path, err)
		}
		own := &Dir{path: part.path, root: roots[i]}
		at := int64(0)
		read := func(see func([]byte) error) error {
			return own.readResults(func(text []byte) error {
				err := see(text)
				at += int64(len(text)) + 1
				return err
			})
		}
		err := own.results(read, part.shard.of(runs), func(run *Run, result *Result) {
			lines[run.Name] = line{i, at, result.Logged}
		})
		if err != nil {
			return err
		}
	}
	return p.copy(dir, roots, lines, runs, have)
}

// of returns the runs that are in the part.
func (s Shard) of(runs []Run) (own []Run) {
	if s.IsWhole() {
		return runs
	}
	for i := range runs {
		if s.Has(i) {
			own = append(own, runs[i])
		}
	}
	return own
}

// copy copies the lines, and the logs of their runs, of those runs that are not there yet.
func (p *Parts) copy(dir *Dir, roots []*os.Root, lines map[string]line, runs []Run, have map[string]bool) error {
	files := make([]io.ReaderAt, len(roots))
	for i, root := range roots {
		f, err := guarded.OpenIn(root, ResultsName)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it has done none
		}
		if err != nil {
			return explainReading(filepath.Join(p.parts[i].path, ResultsName), err)
		}
		defer func() { _ = f.Close() }()
		files[i] = f
	}
	for i := range runs {
		run := &runs[i]
		l, found := lines[run.Name]
		if !found || have[run.Name] {
			continue
		}
		text, err := lineAt(files[l.part], l.at)
		if err == nil && l.logged {
			err = dir.adopt(roots[l.part], run)
		}
		if err != nil {
			return fmt.Errorf("%s of %s: %w", run.Name, p.parts[l.part].path, cause(err))
		}
		if err := dir.journal.append(text); err != nil {
			return fmt.Errorf("%s: %w", dir.Path(ResultsName), cause(err))
		}
	}
	return nil
}

// lineAt returns the line that begins there, with its end.
func lineAt(from io.ReaderAt, at int64) ([]byte, error) {
	var whole []byte
	_, err := readLines(io.NewSectionReader(from, at, maxLine), func(text []byte) error {
		whole = append(slices.Clone(text), '\n')
		return errFound
	})
	if errors.Is(err, errFound) {
		return whole, nil
	}
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	return nil, err
}

var errFound = errors.New("found")

// adopt copies what a part keeps of a run.
func (d *Dir) adopt(from *os.Root, run *Run) error {
	if err := d.Prepare(run); err != nil {
		return err
	}
	if err := d.root.Mkdir(inRoot(run), 0o777); err != nil {
		return err
	}
	entries, err := fs.ReadDir(from.FS(), filepath.ToSlash(inRoot(run)))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), guarded.Part) { // of a file that was being written
			continue
		}
		if err := d.copyFile(from, inRoot(run, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// copyFile copies a file of another directory to the same name in this one, and who may read it.
func (d *Dir) copyFile(from *os.Root, name string) error {
	in, err := guarded.OpenIn(from, name)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := d.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, info.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

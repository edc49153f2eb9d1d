package sweep

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/sim"
	"github.com/scalemodel/lamport/pkg/trace"
)

// simulate does a run in virtual time in a directory, and returns its result.
func simulate(t testing.TB, dir string, run *Run) *Result {
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o777))
	_, err := sim.Run(t.Context(), sim.Config{Spec: run.Spec, LogDir: dir, Workers: 1})
	require.NoError(t, err)
	recorded, err := trace.Open(dir)
	require.NoError(t, err)
	stats, err := recorded.Stats()
	require.NoError(t, err)
	if len(stats.Verdict.Broken) == 0 {
		stats.Verdict.Broken = nil // as it is read back
	}
	return NewResult(run, stats, nil)
}

func TestDir(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b")
	_, err := ReadGrid(path)
	require.ErrorIs(t, err, fs.ErrNotExist)
	g := grid()
	d, err := Open(path, g)
	require.NoError(t, err)
	read, err := ReadGrid(path)
	require.NoError(t, err)
	assert.Equal(t, g, read)

	runs, err := g.Runs()
	require.NoError(t, err)
	run := &runs[0]
	got, err := d.Result(run)
	require.NoError(t, err)
	assert.Nil(t, got, "not done")
	result := simulate(t, d.RunDir(run), run)
	require.NoError(t, d.Save(run, result))
	got, err = d.Result(run)
	require.NoError(t, err)
	assert.Equal(t, result, got)
	d.Close()

	d, err = Open(path, g)
	require.NoError(t, err, "it goes on")
	defer d.Close()
	got, err = d.Result(run)
	require.NoError(t, err)
	assert.Equal(t, result, got)
	require.NoError(t, d.Clear(run))
	got, err = d.Result(run)
	require.NoError(t, err)
	assert.Nil(t, got)
	require.NoError(t, d.Write(CSVName, []byte("1")))
	require.NoError(t, d.Write(CSVName, []byte("2")))
	entries, err := os.ReadDir(path)
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	assert.Equal(t, []string{"runs", "sweep.csv", "sweep.json"}, names)
}

// A sweep can be gone on with wherever its beginning was cut off.
func TestDirIsBegunAgain(t *testing.T) {
	path := t.TempDir()
	for _, remove := range []string{RunsName, GridName} {
		d, err := Open(path, grid())
		require.NoError(t, err, "without %s", remove)
		assert.DirExists(t, filepath.Join(path, RunsName))
		d.Close()
		require.NoError(t, os.RemoveAll(filepath.Join(path, RunsName)))
		require.NoError(t, os.RemoveAll(filepath.Join(path, remove)))
	}
}

func TestDirIsRefused(t *testing.T) {
	path := t.TempDir()
	d, err := Open(path, grid())
	require.NoError(t, err)
	d.Close()

	other := grid()
	other.Trials, other.Seed = 3, 8
	_, err = Open(path, other)
	assert.EqualError(t, err, path+" holds another sweep (other trials, seed)")

	foreign := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(foreign, "thesis.txt"), nil, 0o666))
	_, err = Open(foreign, grid())
	assert.EqualError(t, err, foreign+" holds something other than a sweep")
	entries, err := os.ReadDir(foreign)
	require.NoError(t, err)
	assert.Len(t, entries, 1)

	file := filepath.Join(foreign, "thesis.txt")
	_, err = Open(file, grid())
	assert.ErrorContains(t, err, "the sweep's directory "+file+" cannot be written: ")
}

// What cannot be read is not taken for something else.
func TestDamagedFiles(t *testing.T) {
	path := t.TempDir()
	name := filepath.Join(path, GridName)
	write := func(name, text string) { require.NoError(t, os.WriteFile(name, []byte(text), 0o666)) }
	write(name, "{")
	_, err := ReadGrid(path)
	assert.ErrorContains(t, err, name+": not the grid of a sweep: ")
	_, err = Open(path, grid())
	assert.ErrorContains(t, err, name+": not the grid of a sweep: ")
	write(name, `{"format":2,"version":"9"}`)
	_, err = ReadGrid(path)
	assert.EqualError(t, err, name+": format 2 of another release (9); this one reads format 1")

	write(name, "") // it was killed before it wrote
	d, err := Open(path, grid())
	require.NoError(t, err)
	defer d.Close()
	runs, err := grid().Runs()
	require.NoError(t, err)
	run := &runs[0]
	result := simulate(t, d.RunDir(run), run)
	file := filepath.Join(d.RunDir(run), resultName)
	write(file, `{"format":1`)
	_, err = d.Result(run)
	assert.ErrorContains(t, err, file+": not the result of a run: ")
	for _, wrong := range []func(*Result){
		func(r *Result) { r.Format = 2 },
		func(r *Result) { r.Point = 2 },
		func(r *Result) { r.Trial = 2 },
		func(r *Result) { r.Seed++ },
		func(r *Result) { r.Stats = nil },
	} {
		other := *result
		wrong(&other)
		require.NoError(t, d.Save(run, &other))
		_, err = d.Result(run)
		assert.EqualError(t, err, file+": the result of another run than p1-t1 (remove the file to do the run again)")
	}
}

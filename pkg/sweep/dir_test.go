package sweep

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

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

	m := invent(t, g, func(*Run, int) outcome { return outcome{jump: 1.1} })
	run, result := &m.runs[0], m.results[0]
	got, err := d.Result(run)
	require.NoError(t, err)
	assert.Nil(t, got, "not done")
	require.NoError(t, os.Mkdir(d.RunDir(run), 0o777))
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
	assert.EqualError(t, err, path+" holds another sweep (other --trials, --seed)")

	foreign := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(foreign, "thesis.txt"), nil, 0o666))
	_, err = Open(foreign, grid())
	assert.EqualError(t, err, foreign+" holds something else than a sweep")
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
	m := invent(t, grid(), func(*Run, int) outcome { return outcome{} })
	run := &m.runs[0]
	require.NoError(t, os.Mkdir(d.RunDir(run), 0o777))
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
		other := *m.results[0]
		wrong(&other)
		require.NoError(t, d.Save(run, &other))
		_, err = d.Result(run)
		assert.EqualError(t, err, file+": the result of another run than p1-t1 (remove the file to do the run again)")
	}
}

package sweep

import (
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/internal/guarded"
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

// saved returns the result of a run, nil if there is none.
func saved(d *Dir, runs []Run, run *Run) (found *Result, err error) {
	err = d.Results(runs, func(r *Run, result *Result) {
		if r.Name == run.Name {
			found = result
		}
	})
	return found, err
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
	got, err := saved(d, runs, run)
	require.NoError(t, err)
	assert.Nil(t, got, "not done")
	result := simulate(t, d.RunDir(run), run)
	require.NoError(t, d.Save(result))
	got, err = saved(d, runs, run)
	require.NoError(t, err)
	assert.Equal(t, result, got)
	require.NoError(t, d.Close())

	d, err = Open(path, g)
	require.NoError(t, err, "it goes on")
	defer func() { _ = d.Close() }()
	got, err = saved(d, runs, run)
	require.NoError(t, err)
	assert.Equal(t, result, got)
	require.NoError(t, d.Clear(run))
	assert.NoDirExists(t, d.RunDir(run))
	for _, text := range []string{"1", "2"} {
		require.NoError(t, d.Write(CSVName, func(w io.Writer) error {
			_, err := io.WriteString(w, text)
			return err
		}))
	}
	b, err := os.ReadFile(filepath.Join(path, CSVName))
	require.NoError(t, err)
	assert.Equal(t, "2", string(b))
	entries, err := os.ReadDir(path)
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	assert.Equal(t, []string{"results.jsonl", "runs", "sweep.csv", "sweep.json"}, names)
}

// A sweep can be gone on with wherever its beginning was cut off.
func TestDirIsBegunAgain(t *testing.T) {
	path := t.TempDir()
	for _, remove := range []string{RunsName, GridName, ResultsName} {
		d, err := Open(path, grid())
		require.NoError(t, err, "without %s", remove)
		assert.DirExists(t, filepath.Join(path, RunsName))
		require.NoError(t, d.Close())
		require.NoError(t, os.RemoveAll(filepath.Join(path, RunsName)))
		require.NoError(t, os.RemoveAll(filepath.Join(path, remove)))
	}

	// While the grid was being written.
	path = t.TempDir()
	for _, name := range []string{ResultsName, GridName + guarded.Part} {
		require.NoError(t, os.WriteFile(filepath.Join(path, name), nil, 0o600))
	}
	d, err := Open(path, grid())
	require.NoError(t, err)
	require.NoError(t, d.Close())
}

func TestDirIsRefused(t *testing.T) {
	path := t.TempDir()
	d, err := Open(path, grid())
	require.NoError(t, err)
	require.NoError(t, d.Close())

	other := grid()
	other.Trials, other.Seed = 1, 8
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
	write(name, `{"format":1,"version":"9"}`)
	_, err = ReadGrid(path)
	assert.EqualError(t, err, name+": format 1 of another release (9); this one reads format 2")

	write(name, "") // it was killed before it wrote
	d, err := Open(path, grid())
	require.NoError(t, err)
	defer func() { _ = d.Close() }()
	runs, err := grid().Runs()
	require.NoError(t, err)
	run := &runs[0]
	result := simulate(t, d.RunDir(run), run)
	file := filepath.Join(path, ResultsName)
	good, err := json.Marshal(result)
	require.NoError(t, err)
	for text, want := range map[string]string{
		"{\"format\":2\n":               ":1: the result of a run that the sweep does not have",
		"\n":                            ":1: the result of a run that the sweep does not have",
		`{"name":"p0001-t0001"}` + "\n": ":1: not the result of p0001-t0001: the result of another run",
		string(good) + "\n" + string(good) + "\n": ":2: there is an earlier result of p0001-t0001",
		string(good) + "\n\x00\x00\x00\n":         ":2: the result of a run that the sweep does not have",
	} {
		write(file, text)
		_, err = saved(d, runs, run)
		assert.EqualError(t, err, file+want+" (remove the line to do the run again)")
	}
	for _, wrong := range []func(*Result){
		func(r *Result) { r.Format = 1 },
		func(r *Result) { r.Point = 2 },
		func(r *Result) { r.Trial = 2 },
		func(r *Result) { r.Seed++ },
		func(r *Result) { r.Stats = nil },
	} {
		other := *result
		wrong(&other)
		b, err := json.Marshal(&other)
		require.NoError(t, err)
		write(file, string(b)+"\n")
		_, err = saved(d, runs, run)
		assert.EqualError(t, err, file+":1: not the result of p0001-t0001: the result of another run (remove the line to do the run again)")
	}
}

// A process that is killed while it writes leaves whole lines and a part of one, which is
// cut off, whatever it is.
func TestTornResults(t *testing.T) {
	path := t.TempDir()
	g := grid()
	runs, err := g.Runs()
	require.NoError(t, err)
	d, err := Open(path, g)
	require.NoError(t, err)
	for i := range 2 {
		require.NoError(t, d.Save(simulate(t, d.RunDir(&runs[i]), &runs[i])))
	}
	require.NoError(t, d.Close())
	file := filepath.Join(path, ResultsName)
	whole, err := os.ReadFile(file)
	require.NoError(t, err)
	first := bytes.IndexByte(whole, '\n') + 1
	for _, torn := range []string{string(whole[:len(whole)-1]), string(whole[:first+1]), string(whole[:first]) + "\x00\x00\x00\x00", string(whole[:first]),
		string(whole[:first]) + strings.Repeat("x", 2*len(whole))} {
		require.NoError(t, os.WriteFile(file, []byte(torn), 0o666))
		d, err := Open(path, g)
		require.NoError(t, err)
		var names []string
		require.NoError(t, d.Results(runs, func(r *Run, _ *Result) { names = append(names, r.Name) }))
		assert.Equal(t, []string{"p0001-t0001"}, names)
		require.NoError(t, d.Save(simulate(t, t.TempDir(), &runs[1])))
		require.NoError(t, d.Close())
		now, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.Equal(t, string(whole), string(now), "nothing of the torn line is left")
	}
}

// More trials go on from a sweep, whose first runs keep their names and seeds.
func TestMoreTrials(t *testing.T) {
	path := t.TempDir()
	g := grid()
	runs, err := g.Runs()
	require.NoError(t, err)
	d, err := Open(path, g)
	require.NoError(t, err)
	require.NoError(t, d.Save(simulate(t, d.RunDir(&runs[0]), &runs[0])))
	require.NoError(t, d.Close())

	more := g.Extended(10_001)
	more.Version = "a later one"
	require.NoError(t, more.Check())
	all, err := more.Runs()
	require.NoError(t, err)
	assert.Equal(t, runs, all[:len(runs)])
	assert.Equal(t, "p0006-t10001", all[len(all)-1].Name)
	d, err = Open(path, more)
	require.NoError(t, err)
	got, err := saved(d, all, &all[0])
	require.NoError(t, err)
	assert.NotNil(t, got)
	require.NoError(t, d.Close())
	read, err := ReadGrid(path)
	require.NoError(t, err)
	assert.Equal(t, more, read)

	_, err = Open(path, g)
	assert.EqualError(t, err, path+" holds another sweep (other trials)", "what is done is not thrown away")
}

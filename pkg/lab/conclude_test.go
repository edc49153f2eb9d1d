package lab

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/internal/terminal"
	"github.com/scalemodel/lamport/pkg/rundir"
)

// gone is a terminal that is no longer there.
type gone struct{ err error }

func (g gone) Write([]byte) (int, error) { return 0, g.err }

// kept is the text in a run's directory.
func kept(t *testing.T, dir string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, rundir.TextName))
	require.NoError(t, err)
	return string(b)
}

func TestWhatIsPrintedIsKept(t *testing.T) {
	var out bytes.Buffer
	env := &Env{Out: &out, Colours: terminal.Always}
	dir := t.TempDir()
	require.NoError(t, env.concluding(dir, func(env *Env) error {
		assert.Equal(t, terminal.Screen{Width: 80, Colour: true}, env.screen(), "it looks as if nobody listened")
		_, err := env.Out.Write([]byte(env.screen().Paint(terminal.Good, "fine") + "\n"))
		return err
	}))
	assert.Equal(t, "\x1b[32mfine\x1b[0m\n", out.String())
	assert.Equal(t, "fine\n", kept(t, dir))
}

// Whoever does not see the end of a run finds it in the directory, and its own error
// is not lost.
func TestTheEndIsKeptWhereNobodySeesIt(t *testing.T) {
	closed := errors.New("input/output error")
	dir := t.TempDir()
	lines := 0
	err := (&Env{Out: gone{closed}}).concluding(dir, func(env *Env) error {
		for _, line := range []string{"events\n", "check\n"} {
			_, err := env.Out.Write([]byte(line))
			require.NoError(t, err)
			lines++
		}
		return exit.With(exit.Broken, errors.New("the run breaks a law"))
	})
	assert.Equal(t, 2, lines, "the end went on")
	assert.Equal(t, "events\ncheck\n", kept(t, dir))
	require.ErrorIs(t, err, closed)
	require.ErrorContains(t, err, "the result cannot be printed (it is in "+filepath.Join(dir, "summary.txt")+"): input/output error")
	require.ErrorContains(t, err, "the run breaks a law")
	assert.Equal(t, exit.Died, exit.Code(err))
}

// Without a directory nothing is kept, and without a result nothing is there to keep.
func TestNothingToKeep(t *testing.T) {
	closed := errors.New("input/output error")
	say := func(env *Env) error {
		_, err := env.Out.Write([]byte("words"))
		return err
	}
	require.EqualError(t, (&Env{Out: gone{closed}}).concluding("", say), "the result cannot be printed: input/output error")

	dir := t.TempDir()
	require.NoError(t, (&Env{Out: gone{closed}}).concluding(dir, func(*Env) error { return nil }))
	assert.NoFileExists(t, filepath.Join(dir, rundir.TextName))

	err := (&Env{Out: new(bytes.Buffer)}).concluding(filepath.Join(dir, "nowhere"), say)
	require.ErrorContains(t, err, "the summary cannot be kept: ")
	assert.Equal(t, exit.Died, exit.Code(err))
}

// What one would do next can be given to a shell, whatever the program and the
// directory are called.
func TestNext(t *testing.T) {
	for _, tt := range []struct{ program, dir, want string }{
		{"", "runs/latest", "launcher stats runs/latest"},
		{"bin/launcher", "runs/latest", "bin/launcher stats runs/latest"},
		{"/home/a b/launcher", "it's", `'/home/a b/launcher' stats 'it'\''s'`},
	} {
		var out, errs bytes.Buffer
		env := &Env{Program: tt.program, Out: &out, Err: &errs}
		env.next("stats", tt.dir)
		assert.Equal(t, "next         "+tt.want+"\n", errs.String())
		errs.Reset()
		env.suggest("stats", tt.dir)
		env.Quiet = true
		env.next("stats", tt.dir)
		assert.Empty(t, errs.String(), "no terminal, or quiet")
		assert.Empty(t, out.String())
	}
}

// What stands in the place of the link stays, and that it does is said to everybody.
func TestLatestThatIsNoLink(t *testing.T) {
	for name, put := range map[string]func(string) error{
		"file":      func(name string) error { return os.WriteFile(name, []byte("precious"), 0o666) },
		"directory": func(name string) error { return os.Mkdir(name, 0o777) },
	} {
		dir := t.TempDir()
		run := filepath.Join(dir, "run")
		there := filepath.Join(dir, rundir.LatestName)
		require.NoError(t, put(there))
		before, err := os.Lstat(there)
		require.NoError(t, err)
		found, err := latest(run)
		assert.Equal(t, run, found, name)
		var errs bytes.Buffer
		(&Env{Err: &errs, Quiet: true}).unlinked(err)
		assert.Equal(t, there+" does not point at this run: it is not a symbolic link, so it is left alone\n", errs.String())
		after, err := os.Lstat(there)
		require.NoError(t, err)
		assert.True(t, os.SameFile(before, after))
	}
}

// What could not be printed is said even where there is nothing to say of the end itself, as after
// Ctrl-C; and where there is, both are in one line.
func TestTheEndThatNobodySeesIsSaid(t *testing.T) {
	full := errors.New("no space left on device")
	ended := func(with error) error {
		return (&Env{Out: gone{full}}).concluding("", func(env *Env) error {
			_, err := env.Out.Write([]byte("events\n"))
			require.NoError(t, err)
			return with
		})
	}
	for _, with := range []error{nil, exit.With(exit.Interrupted, nil)} {
		err := ended(with)
		assert.False(t, exit.Silent(err))
		assert.EqualError(t, err, "the result cannot be printed: no space left on device")
		assert.Equal(t, exit.Died, exit.Code(err))
	}
	err := join(nil, ended(exit.With(exit.Broken, errors.New("the run breaks a law"))), nil, full)
	assert.EqualError(t, err, "the result cannot be printed: no space left on device; the run breaks a law; no space left on device")
	assert.Equal(t, exit.Died, exit.Code(err))
}

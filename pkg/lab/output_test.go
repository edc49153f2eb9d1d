package lab

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/rundir"
)

func names(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func text(s string) func(context.Context, io.Writer) error {
	return func(_ context.Context, w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

// A file is replaced when the new one is whole, and left as it was where it does
// not come to that.
func TestOutputIsWholeOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out")
	var stdout bytes.Buffer
	env := &Env{Out: &stdout}
	require.NoError(t, env.toOutput(t.Context(), dir, path, text("one")))
	failure := errors.New("no more")
	err := env.toOutput(t.Context(), dir, path, func(_ context.Context, w io.Writer) error {
		_, err := io.WriteString(w, "tw")
		require.NoError(t, err)
		return failure
	})
	require.ErrorIs(t, err, failure)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err = env.toOutput(ctx, dir, path, text("three"))
	assert.Equal(t, exit.Interrupted, exit.Code(err))
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "one", string(b))
	assert.Equal(t, []string{"out"}, names(t, dir), "nothing half stays")
	assert.Empty(t, stdout.String())

	for _, path := range []string{"", "-"} {
		stdout.Reset()
		require.NoError(t, env.toOutput(t.Context(), dir, path, text("here")))
		assert.Equal(t, "here", stdout.String())
	}
	require.ErrorContains(t, env.toOutput(t.Context(), dir, dir, text("x")), "is a directory")
	require.ErrorContains(t, env.toOutput(t.Context(), dir, filepath.Join(dir, "a", "b"), text("x")), "cannot be written: no such file")
}

// What is made of a run never takes the place of one of its files.
func TestOutputOverTheRunItself(t *testing.T) {
	dir := t.TempDir()
	log := filepath.Join(dir, "vm_0_1.log")
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.WriteFile(log, []byte("precious"), 0o666))
	paths := []string{log, filepath.Join(dir, ".", "vm_0_1.log")}
	if os.Symlink(log, link) == nil {
		paths = append(paths, link)
	}
	for _, path := range paths {
		err := new(Env).toOutput(t.Context(), dir, path, text("x"))
		require.EqualError(t, err, path+" is a file of the run itself, which is not overwritten: want another name")
	}
	b, err := os.ReadFile(log)
	require.NoError(t, err)
	assert.Equal(t, "precious", string(b))
	require.NoError(t, new(Env).toOutput(t.Context(), dir, filepath.Join(dir, "diagram.svg"), text("x")))
	assert.True(t, rundir.Owns(dir, log))
}

func TestRemarks(t *testing.T) {
	var errs bytes.Buffer
	env := &Env{Err: &errs}
	env.remark("a %d", 1)
	env.notes("dir", nil)
	env.notes("dir", []string{"1", "2", "3", "4", "5"})
	env.Quiet = true
	env.remark("unheard")
	assert.Equal(t, "a 1\nlauncher: dir: 1; 2; 3; and 2 more\n", errs.String())
	assert.False(t, env.draws(), "a buffer is no terminal")
}

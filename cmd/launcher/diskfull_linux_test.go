package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A machine whose disk is full stops and says so. When there is space again it
// goes on from its log, and the run is correct.
func TestDiskIsFullAndThenIsNot(t *testing.T) {
	t.Parallel()
	small, grow := fullDisk(t, "64k")
	h := &byHand{t: t, dir: t.TempDir(), ports: freePorts(t, 2), named: true,
		flags: []string{"--run", "full", "--rate", "500", "--die", "4", "--duration", "5s", "--seed", "3", "--linger", "20s"}}
	full := h.start(0, "--log-dir", small)
	other := h.start(1)
	assert.NotContains(t, []string{"0", "130"}, full.wait())
	assert.Regexp(t, `(?m)the event log cannot be written, so the machine stops at step \d+ .*: no space left on device$`, full.errors.String())

	// Still full: it does not go on, and does no harm.
	again := h.start(0, "--log-dir", small, "--resume")
	assert.NotEqual(t, "0", again.wait())
	assert.Contains(t, again.errors.String(), "no space left on device")

	grow("16m")
	again = h.start(0, "--log-dir", small, "--resume")
	require.Equal(t, "0", again.wait(), again.errors)
	require.Equal(t, "0", other.wait(), other.errors)
	name := filepath.Base(logs(t, small)[0])
	require.NoError(t, os.WriteFile(filepath.Join(h.dir, name), []byte(readFile(t, filepath.Join(small, name))), 0o666))
	requireCorrect(t, h.dir)
}

// fullDisk mounts a small file system.
func fullDisk(t *testing.T, size string) (dir string, grow func(size string)) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can mount a file system that is small enough to fill")
	}
	dir = t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("a small file system cannot be mounted here, although this is root: %v", err)
	}
	t.Cleanup(func() { assert.NoError(t, unix.Unmount(dir, 0)) })
	return dir, func(size string) {
		require.NoError(t, unix.Mount("tmpfs", dir, "tmpfs", unix.MS_REMOUNT, "size="+size))
	}
}

// A file that there is no room for is not there: neither under its name, nor half.
func TestNothingIsHalfOnAFullDisk(t *testing.T) {
	t.Parallel()
	small, grow := fullDisk(t, "128k")
	run := filepath.Join(small, "run")
	code, _, talk := inProcess("sim", "--machines", "1000", "--duration", "1s", "--logs=false", "--out", run)
	assert.Equal(t, 3, code)
	assert.Contains(t, talk, "the summary cannot be written: ")
	assert.Contains(t, talk, "no space left on device")
	assert.Equal(t, []string{"run.json"}, files(t, run))
	require.NoError(t, os.RemoveAll(run))

	require.NoError(t, os.WriteFile(filepath.Join(small, "filler"), make([]byte, 128<<10), 0o666))
	// What is missing may come: docs/exit-codes.md.
	for _, args := range [][]string{
		{"sim", "--machines", "1000", "--duration", "1s", "--logs=false"},
		{"run", "--ports", "auto", "--duration", "1s", "--min-free", "0", "--vm", filepath.Join(bin, "vm")},
		{"sweep", "--virtual", "--duration", "1s", "--min-free", "0"},
		{"gather", "--listen", "127.0.0.1:0", "--machines", "1", "--min-free", "0", "--timeout", "1ms"},
	} {
		code, _, talk = inProcess(append(args, "--out", run)...)
		assert.Equal(t, 75, code, args)
		assert.Contains(t, talk, "no space left on device")
		assert.NoFileExists(t, filepath.Join(run, "run.json"), args)
		require.NoError(t, os.RemoveAll(run))
	}
	require.NoError(t, os.Remove(filepath.Join(small, "filler")))

	dir := filepath.Join(small, "sweep")
	args := []string{"sweep", "--virtual", "--duration", "10s", "--trials", "30", "--seed", "1", "--min-free", "0", "--out", dir, "--quiet"}
	code, _, talk = inProcess(args...)
	assert.Equal(t, 3, code)
	assert.Contains(t, talk, "no space left on device")
	assert.Contains(t, files(t, dir), "sweep.json")
	for _, name := range files(t, dir) {
		assert.NotEqual(t, ".part", filepath.Ext(name))
	}
	grow("16m")
	code, out, talk := inProcess(args...)
	assert.Zero(t, code, talk)
	assert.Contains(t, out, "all 30 are correct")
}

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
	if os.Getuid() != 0 {
		t.Skip("only root can mount a file system that is small enough to fill")
	}
	small := t.TempDir()
	if err := unix.Mount("tmpfs", small, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("a small file system cannot be mounted here, although this is root: %v", err)
	}
	t.Cleanup(func() { assert.NoError(t, unix.Unmount(small, 0)) })
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

	require.NoError(t, unix.Mount("tmpfs", small, "tmpfs", unix.MS_REMOUNT, "size=16m"))
	again = h.start(0, "--log-dir", small, "--resume")
	require.Equal(t, "0", again.wait(), again.errors)
	require.Equal(t, "0", other.wait(), other.errors)
	name := filepath.Base(logs(t, small)[0])
	require.NoError(t, os.WriteFile(filepath.Join(h.dir, name), []byte(readFile(t, filepath.Join(small, name))), 0o666))
	requireCorrect(t, h.dir)
}

//go:build unix

package filelock

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLock(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	open := func() *os.File {
		f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o666)
		require.NoError(t, err)
		t.Cleanup(func() { _ = f.Close() })
		return f
	}
	first, second := open(), open()
	assert.True(t, Try(first))
	assert.True(t, Try(first), "again")
	assert.False(t, Try(second))

	// As a child process does that is just being made.
	child, err := syscall.Dup(int(first.Fd()))
	require.NoError(t, err)
	defer func() { _ = syscall.Close(child) }()
	Release(first)
	require.NoError(t, first.Close())
	assert.True(t, Try(second))

	assert.True(t, Try(first), "a file that is closed is locked by nobody")
}

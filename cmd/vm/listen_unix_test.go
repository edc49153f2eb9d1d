//go:build unix

package main

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/exit"
)

// handDown returns a descriptor of f that is the command's to close.
func handDown(t *testing.T, f *os.File, err error) string {
	t.Helper()
	require.NoError(t, err)
	defer f.Close()
	fd, err := syscall.Dup(int(f.Fd()))
	require.NoError(t, err)
	return strconv.Itoa(fd)
}

// A launcher binds the ports and hands the listeners down.
func TestListenerIsHandedDown(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = ln.Close() }()
	f, err := ln.(*net.TCPListener).File()
	code, _, stderr := execute(t.Context(), "--id", "0", "--listen-fd", handDown(t, f, err), "--log-dir", t.TempDir(), "--rate", "100", "--duration", "20ms")
	require.Equal(t, exit.OK, code, stderr)
	assert.Contains(t, stderr, "listening="+ln.Addr().String())
}

func TestHandedDownIsNoListener(t *testing.T) {
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	fd := handDown(t, f, err)
	code, stdout, stderr := execute(t.Context(), "--id", "0", "--listen-fd", fd, "--log-dir", dir)
	assert.Equal(t, exit.Misused, code)
	assert.Empty(t, stdout)
	assert.Regexp(t, `^vm: --listen-fd `+fd+`: not a listening socket: .*\n$`, stderr)
	empty(t, dir)
}

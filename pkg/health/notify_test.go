package health

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// env returns the environment with these variables.
func env(fields ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(fields); i += 2 {
			if fields[i] == name {
				return fields[i+1]
			}
		}
		return ""
	}
}

// manager listens as a service manager does, and returns what it hears next.
func manager(t *testing.T, name string) (hears func() string) {
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Skipf("no datagram sockets here: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return func() string {
		buf := make([]byte, 1000)
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(time.Minute)))
		n, err := conn.Read(buf)
		require.NoError(t, err)
		return string(buf[:n])
	}
}

func TestNotifier(t *testing.T) {
	names := []string{filepath.Join(filepath.Dir(socket(t).address), "n")}
	if runtime.GOOS == "linux" {
		names = append(names, "@lamport-"+filepath.Base(t.TempDir())+filepath.Base(filepath.Dir(names[0])))
	}
	for _, name := range names {
		hears := manager(t, name)
		n := NewNotifier(env("NOTIFY_SOCKET", name), os.Getpid())
		n.Ready()
		assert.Equal(t, "READY=1\nSTATUS=running", hears())
		n.Status(Late, 12, 34)
		assert.Equal(t, "STATUS=late: step 12, clock 34", hears())
		n.Stopping()
		assert.Equal(t, "STOPPING=1\nSTATUS=ending", hears())
	}
}

// A watchdog is fed only while the machine lives, and only by whom it watches.
func TestWatchdog(t *testing.T) {
	name := filepath.Join(filepath.Dir(socket(t).address), "n")
	hears := manager(t, name)
	n := NewNotifier(env("NOTIFY_SOCKET", name, "WATCHDOG_USEC", "30000000", "WATCHDOG_PID", "77"), 77)
	n.Status(Connecting, 0, 0)
	assert.Equal(t, "STATUS=connecting\nWATCHDOG=1", hears())
	n.Status(Stuck, 3, 4)
	assert.Equal(t, "STATUS=stuck: step 3, clock 4", hears())
	n = NewNotifier(env("NOTIFY_SOCKET", name, "WATCHDOG_USEC", "30000000", "WATCHDOG_PID", "78"), 77)
	n.Status(Running, 3, 4)
	assert.Equal(t, "STATUS=running: step 3, clock 4", hears())
}

func TestNobodyIsNotified(t *testing.T) {
	for _, name := range []string{"", "relative", "vsock:1:2"} {
		n := NewNotifier(env("NOTIFY_SOCKET", name), 1)
		assert.Nil(t, n)
		n.Ready()
		n.Status(Running, 1, 1)
		n.Stopping()
	}
	NewNotifier(env("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "nowhere")), 1).Ready()
}

func TestReadyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ready")
	require.NoError(t, os.WriteFile(path, []byte("of a process that was killed"), 0o666))
	f, err := NewReadyFile(path)
	require.NoError(t, err)
	requireNames(t, filepath.Dir(path))
	require.NoError(t, f.Write(77))
	requireNames(t, filepath.Dir(path), "ready")
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "77\n", string(b))
	require.NoError(t, f.Remove())
	require.NoError(t, f.Remove())
	requireNames(t, filepath.Dir(path))
}

func TestReadyFileThatCannotBe(t *testing.T) {
	dir := t.TempDir()
	_, err := NewReadyFile(dir)
	require.Error(t, err)
	_, err = NewReadyFile(filepath.Join(dir, "nowhere", "ready"))
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, filepath.Join(dir, "nowhere", "ready")+":", "the file that was asked for")
	requireNames(t, dir)
}

func requireNames(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	require.Equal(t, names, got)
}

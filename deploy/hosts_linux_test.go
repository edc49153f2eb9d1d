package deploy_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/deploy/internal/enginetest"
	"github.com/scalemodel/lamport/internal/needs"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

func hosts(t *testing.T, args ...string) (code int, out string) {
	return enginetest.Run(t, t.TempDir(), os.Environ(), filepath.Join(enginetest.Root(), "deploy", "hosts.sh"), args...)
}

func TestHostsUsage(t *testing.T) {
	code, out := hosts(t, "--help")
	assert.Zero(t, code)
	assert.Contains(t, out, "Usage: deploy/hosts.sh ")
	code, out = hosts(t, "--kubernetes", "true")
	assert.Equal(t, 2, code)
	assert.Equal(t, "hosts.sh: unknown flag --kubernetes; --help says more\n", out)
}

func TestHosts(t *testing.T) {
	enginetest.NeedRoot(t)
	needs.Programs(t, "ip", "unshare", "nsenter")
	t.Run("the command's exit code", func(t *testing.T) {
		t.Parallel()
		code, out := hosts(t, "sh", "-c", "hostname; ls -d /run/*port; exit 9")
		assert.Equal(t, 9, code)
		assert.Equal(t, "head\n/run/lamport\n", out)
	})
	t.Run("nothing is left when it is killed", func(t *testing.T) {
		t.Parallel()
		mark := "lamport-mark-" + strconv.Itoa(os.Getpid())
		p := enginetest.Start(t, t.TempDir(), append(os.Environ(), "MARK="+mark),
			filepath.Join(enginetest.Root(), "deploy", "hosts.sh"), "sh", "-c", "echo made; cat; sleep 1000")
		enginetest.Eventually(t, "they are made", func() bool { return p.Ended() || strings.Contains(p.Out(), "made") })
		require.NotEmpty(t, marked(t, mark))
		require.NoError(t, syscall.Kill(p.PID(), syscall.SIGKILL))
		p.Wait()
		enginetest.Eventually(t, "no process is left", func() bool { return len(marked(t, mark)) == 0 })
		mounts, err := os.ReadFile("/proc/mounts")
		require.NoError(t, err)
		assert.NotContains(t, string(mounts), "/run/lamport")
	})
	t.Run("ssh", func(t *testing.T) {
		needs.Programs(t, "sshd", "ssh", "ssh-keygen")
		t.Parallel()
		code, out := hosts(t, "--ssh", "sh", "-c", "for n in 0 1 2; do ssh node$n hostname; done; ssh node1 ssh node2 hostname")
		assert.Zero(t, code, out)
		assert.Equal(t, "node0\nnode1\nnode2\nnode2\n", out)
	})
}

// marked returns the processes that have a mark in their environment.
func marked(t *testing.T, mark string) (pids []string) {
	t.Helper()
	names, err := filepath.Glob("/proc/[0-9]*/environ")
	require.NoError(t, err)
	for _, name := range names {
		if b, _ := os.ReadFile(name); strings.Contains(string(b), "MARK="+mark+"\x00") {
			pids = append(pids, name)
		}
	}
	return pids
}

package systemd_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/deploy/internal/enginetest"
	"github.com/scalemodel/lamport/internal/needs"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

// host is a host of which systemd is process 1.
type host struct {
	t    *testing.T
	init int // the id of process 1
}

// boot boots a host on which the units are installed as the README says, with three
// machines. More is what is told them.
func boot(t *testing.T, more string) *host {
	t.Helper()
	enginetest.NeedRoot(t)
	needs.Programs(t, "systemctl", "systemd-analyze", "unshare", "nsenter", "setpriv")
	root := t.TempDir()
	for dir, names := range map[string][]string{
		"etc/systemd/system": {"vm@.service", "vm.target"},
		"etc/lamport":        {"vm.env"},
		"usr/local/bin":      {filepath.Join(enginetest.Programs(t), "vm"), filepath.Join(enginetest.Programs(t), "launcher")},
	} {
		require.NoError(t, os.MkdirAll(filepath.Join(root, dir), 0o755))
		enginetest.Copy(t, filepath.Join(root, dir), names...)
	}
	env, err := os.OpenFile(filepath.Join(root, "etc/lamport/vm.env"), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = env.WriteString(more)
	require.NoError(t, err)
	require.NoError(t, env.Close())
	code, out := enginetest.Launcher(t, root, "certs", "--run", "systemd", "--machines", "3", "etc/lamport/certs")
	require.Zero(t, code, out)

	script, err := filepath.Abs("testdata/boot.sh")
	require.NoError(t, err)
	p := enginetest.Start(t, root, enginetest.Environ(t), "bash", script, root)
	h := &host{t: t}
	enginetest.Eventually(t, "systemd runs", func() bool {
		if p.Ended() {
			return true
		}
		// Process 1 is the child of what makes the namespaces.
		parent := strings.TrimSpace(p.Out())
		b, err := os.ReadFile(fmt.Sprintf("/proc/%s/task/%s/children", parent, parent))
		if h.init, _ = strconv.Atoi(strings.TrimSpace(string(b))); err != nil || h.init == 0 {
			return false
		}
		program, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", h.init))
		if filepath.Base(program) != "systemd" {
			return false
		}
		_, out := h.run("systemctl", "is-system-running")
		return out == "running\n"
	})
	require.False(t, p.Ended(), p.Errors())
	t.Cleanup(func() {
		if t.Failed() {
			_, out := h.run("journalctl", "--no-pager", "--output=cat")
			t.Log(out)
		}
	})
	return h
}

// run runs a command on the host, and returns its exit code and what it says.
func (h *host) run(command ...string) (code int, out string) {
	cmd := exec.Command("nsenter", append([]string{"--target", strconv.Itoa(h.init),
		"--pid", "--mount", "--net", "--uts", "--ipc", "--cgroup", "--wd=/", "--"}, command...)...)
	b, _ := cmd.CombinedOutput()
	return cmd.ProcessState.ExitCode(), string(b)
}

func (h *host) must(command ...string) string {
	h.t.Helper()
	code, out := h.run(command...)
	require.Zero(h.t, code, "%v: %s", command, out)
	return out
}

// is returns a property of a machine's unit.
func (h *host) is(id int, property string) string {
	return strings.TrimSpace(h.must("systemctl", "show", "--value", "--property", property, fmt.Sprintf("vm@%d", id)))
}

// await waits until all machines are in a state.
func (h *host) await(state string) {
	h.t.Helper()
	enginetest.Eventually(h.t, "all machines are "+state, func() bool {
		return h.is(0, "ActiveState") == state && h.is(1, "ActiveState") == state && h.is(2, "ActiveState") == state
	})
}

// logs is the directory of the logs, as this host sees it.
func (h *host) logs() string { return fmt.Sprintf("/proc/%d/root/var/lib/private/lamport", h.init) }

// awaitSteps waits until there are so many steps in the logs.
func (h *host) awaitSteps(n int) {
	h.t.Helper()
	enginetest.Eventually(h.t, fmt.Sprintf("%d steps", n), func() bool { return enginetest.Steps(h.t, h.logs()) >= n })
}

// A machine is killed, all are stopped and started again, and the run comes to its end.
func TestMachines(t *testing.T) {
	t.Parallel()
	h := boot(t, "VM_RATE=10,50,40\nVM_DURATION=8s\n")
	h.must("systemctl", "enable", "vm.target", "vm@0", "vm@1", "vm@2")
	h.must("systemctl", "start", "vm.target")
	h.await("active")
	h.awaitSteps(50)
	assert.Contains(t, h.is(0, "StatusText"), "running")

	h.must("systemctl", "kill", "--signal=KILL", "vm@1")
	enginetest.Eventually(t, "it is started again", func() bool { return h.is(1, "NRestarts") == "1" && h.is(1, "ActiveState") == "active" })
	h.awaitSteps(250)

	h.must("systemctl", "stop", "vm.target")
	h.await("inactive") // and not failed
	assert.Equal(t, 3, strings.Count(enginetest.Logs(t, h.logs()), " pause: "))

	h.must("systemctl", "start", "vm.target")
	h.await("active")
	h.await("inactive")
	for id := range 3 {
		assert.Equal(t, "0", h.is(id, "ExecMainStatus"))
	}
	h.must("launcher", "check", "/var/lib/lamport")
	enginetest.RequireTicks(t, h.logs(), 8*(10+50+40))

	// Whoever is not root reads neither logs nor keys.
	code, out := h.run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "ls", "/var/lib/lamport/")
	assert.NotZero(t, code, out)
}

// What another try will not mend is not tried again.
func TestWrong(t *testing.T) {
	t.Parallel()
	h := boot(t, "VM_RATE=fast\n")
	h.must("systemctl", "enable", "vm@0", "vm@1", "vm@2")
	h.must("systemctl", "start", "vm.target")
	h.await("failed")
	for id := range 3 {
		assert.Equal(t, "2", h.is(id, "ExecMainStatus"))
		assert.Equal(t, "0", h.is(id, "NRestarts"))
	}
}

// systemd has nothing to say against the units, and finds that they may do very little.
func TestUnits(t *testing.T) {
	t.Parallel()
	h := boot(t, "")
	assert.Empty(t, h.must("systemd-analyze", "verify", "/etc/systemd/system/vm@.service", "/etc/systemd/system/vm.target"))
	out := h.must("systemd-analyze", "security", "--no-pager", "vm@0.service")
	m := regexp.MustCompile(`Overall exposure level for vm@0\.service: ([\d.]+) `).FindStringSubmatch(out)
	require.NotNil(t, m, out)
	exposure, err := strconv.ParseFloat(m[1], 64)
	require.NoError(t, err)
	assert.Less(t, exposure, 1.5, "of 10")
}

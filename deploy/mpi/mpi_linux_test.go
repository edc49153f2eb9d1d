package mpi_test

import (
	"fmt"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/deploy/internal/enginetest"
	"github.com/scalemodel/lamport/internal/needs"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

// Each run is of so many ticks.
var told = []string{"-x", "VM_RATE=10,50,40", "-x", "VM_DURATION=4s"}

const ticks = 4 * (10 + 50 + 40)

// run is a run that mpirun starts, perhaps more than once.
type run struct {
	t     *testing.T
	hosts *enginetest.Hosts
	dir   string
	env   []string
}

// newRun makes hosts, and on them a directory with the recipe and certificates.
func newRun(t *testing.T, flags ...string) *run {
	t.Helper()
	enginetest.NeedRoot(t)
	needs.Programs(t, "mpirun", "nsenter", "unshare", "ip")
	t.Parallel()
	r := &run{t: t, hosts: enginetest.MakeHosts(t, flags...), dir: t.TempDir()}
	r.env = enginetest.Environ(t, "OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1", "TMPDIR="+t.TempDir())
	enginetest.Copy(t, r.dir, "lamport.conf", "hosts")
	code, out := enginetest.Launcher(t, r.dir, "certs", "--run", "mpi", "--machines", "3", "run/certs")
	require.Zero(t, code, out)
	return r
}

// mpirun starts the machines.
func (r *run) mpirun(more ...string) *enginetest.Program {
	r.t.Helper()
	args := append([]string{"mpirun", "--tune", "lamport.conf", "-np", "3"}, more...)
	return r.hosts.Start(r.t, r.dir, r.env, append(append(args, told...), "vm")...)
}

func (r *run) logs() string { return filepath.Join(r.dir, "run") }

func (r *run) awaitSteps(n int) {
	r.t.Helper()
	enginetest.Eventually(r.t, fmt.Sprintf("%d steps", n), func() bool { return enginetest.Steps(r.t, r.logs()) >= n })
}

// machine returns the process of a machine.
func (r *run) machine(id int) int {
	r.t.Helper()
	var pids []int
	enginetest.Eventually(r.t, fmt.Sprintf("machine %d runs", id), func() bool {
		pids = r.machines(fmt.Sprintf("OMPI_COMM_WORLD_RANK=%d", id))
		return len(pids) == 1
	})
	return pids[0]
}

func (r *run) machines(env ...string) []int {
	return enginetest.Machines(r.t, append(env, "PWD="+r.dir)...)
}

// requireWhole requires that the run has come to its end, and is correct.
func (r *run) requireWhole() {
	r.t.Helper()
	enginetest.RequireCorrect(r.t, r.logs())
	enginetest.RequireTicks(r.t, r.logs(), ticks)
}

func TestOneHost(t *testing.T) {
	r := newRun(t)
	p := r.mpirun()
	require.Zero(t, p.Wait())
	assert.Regexp(t, `vm-2: who is who: id=2 by=\w+ machines=3 own=127\.0\.0\.1:2052`, p.Errors())
	r.requireWhole()
}

// The hosts of the hostfile, by ssh.
func TestHostfile(t *testing.T) {
	needs.Programs(t, "sshd", "ssh", "ssh-keygen")
	r := newRun(t, "--ssh")
	p := r.mpirun("--hostfile", "hosts", "-x", "PATH", "-x", "VM_HOSTS=@hosts")
	require.Zero(t, p.Wait())
	for id := range 3 {
		assert.Regexp(t, fmt.Sprintf(`vm-%d: who is who: id=%d by=\w+ machines=3 own=node%d:2050`, id, id, id), p.Errors())
	}
	r.requireWhole()
}

// Whatever ends mpirun in mid-run, the same command goes on.
func TestAgain(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(r *run, p *enginetest.Program) error
	}{
		{"SIGTERM", func(_ *run, p *enginetest.Program) error { return p.Signal(syscall.SIGTERM) }},
		{"Ctrl-C", func(_ *run, p *enginetest.Program) error { return p.Signal(syscall.SIGINT) }},
		// mpirun stops the others, which do not wait for the dead one.
		{"a machine is killed", func(r *run, _ *enginetest.Program) error { return syscall.Kill(r.machine(1), syscall.SIGKILL) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRun(t)
			p := r.mpirun()
			r.awaitSteps(100)
			require.NoError(t, c.end(r, p))
			require.NotZero(t, p.Wait())
			enginetest.Eventually(t, "no machine is left", func() bool { return len(r.machines()) == 0 })
			// Their time for a pause line is short, and the host may be slow; but they have not ended their run.
			assert.NotContains(t, enginetest.Logs(t, r.logs()), " stop: ")
			require.Zero(t, r.mpirun().Wait())
			r.requireWhole()
		})
	}
}

// Without anything but the program, on one host.
func TestBare(t *testing.T) {
	r := newRun(t)
	code, out := r.hosts.Run(t, r.logs(), r.env, "mpirun", "--oversubscribe", "-np", "3", "vm", "--rate", "1,5,4", "--duration", "2s")
	require.Zero(t, code, out)
	enginetest.RequireCorrect(t, r.logs())
	enginetest.RequireTicks(t, r.logs(), 20)
}

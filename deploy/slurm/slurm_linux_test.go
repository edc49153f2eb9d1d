package slurm_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/deploy/internal/enginetest"
	"github.com/scalemodel/lamport/internal/needs"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

// cluster is a cluster with Slurm, of three nodes.
type cluster struct {
	t     *testing.T
	hosts *enginetest.Hosts
	dir   string // that all nodes share, with the recipes
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	enginetest.NeedRoot(t)
	needs.Programs(t, "munged", "slurmctld", "slurmd", "sbatch", "srun", "nsenter", "unshare", "ip")
	c := &cluster{t: t, hosts: enginetest.MakeHosts(t, "--slurm"), dir: t.TempDir()}
	enginetest.Copy(t, c.dir, "lamport.sbatch", "gather.sbatch", "sweep.sbatch")
	return c
}

// run runs a command on the head, with more in its environment.
func (c *cluster) run(t *testing.T, env []string, command ...string) (code int, out string) {
	t.Helper()
	env = append(enginetest.Environ(t, "SLURM_CONF=/run/lamport/slurm.conf"), env...)
	return c.hosts.Run(t, c.dir, env, command...)
}

// must is run for a command that has to do what it is for.
func (c *cluster) must(t *testing.T, command ...string) string {
	t.Helper()
	code, out := c.run(t, nil, command...)
	require.Zero(t, code, "%v: %s", command, out)
	return strings.TrimSpace(out)
}

// job is a job in a cluster.
type job struct {
	*cluster
	t  *testing.T
	id string
}

// submit hands a job in.
func (c *cluster) submit(t *testing.T, env []string, args ...string) *job {
	t.Helper()
	code, out := c.run(t, env, append([]string{"sbatch", "--parsable"}, args...)...)
	require.Zero(t, code, out)
	j := &job{c, t, strings.TrimSpace(out)}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s\n%s", c.must(t, "scontrol", "show", "job", j.id), j.said())
		}
	})
	return j
}

// is returns what Slurm says of the job under a key.
func (j *job) is(key string) string {
	j.t.Helper()
	m := regexp.MustCompile(`\b` + key + `=(\S+)`).FindStringSubmatch(j.must(j.t, "scontrol", "show", "job", j.id))
	require.NotNil(j.t, m, key)
	return m[1]
}

// wait waits until the job is over, and returns how it has ended.
func (j *job) wait() (state string) {
	j.t.Helper()
	enginetest.Eventually(j.t, "job "+j.id+" is over", func() bool {
		state = j.is("JobState")
		return state != "PENDING" && state != "RUNNING" && state != "COMPLETING"
	})
	return state
}

// logs is the directory of the job's logs.
func (j *job) logs() string { return filepath.Join(j.dir, "lamport-"+j.id) }

// said returns what the job has said.
func (j *job) said() string {
	b, _ := os.ReadFile(filepath.Join(j.dir, "lamport-"+j.id+".out"))
	return string(b)
}

// count returns how many steps are in the job's logs.
func (j *job) count() int { return enginetest.Steps(j.t, j.logs()) }

// awaitSteps waits until there are so many.
func (j *job) awaitSteps(n int) {
	j.t.Helper()
	enginetest.Eventually(j.t, fmt.Sprintf("job %s has done %d steps", j.id, n), func() bool { return j.count() >= n })
}

// requireWhole requires that the job has done its run to the end, and that it is correct.
func (j *job) requireWhole() {
	j.t.Helper()
	require.Equal(j.t, "COMPLETED", j.wait())
	assert.Contains(j.t, j.said(), ": correct: all laws hold")
	assert.NotContains(j.t, j.said(), "the run ended after")
	enginetest.RequireTicks(j.t, j.logs(), ticks)
	assert.FileExists(j.t, filepath.Join(j.logs(), "report.html"))
}

// machine returns the process of one of the job's machines.
func (j *job) machine(id int) (pid int) {
	j.t.Helper()
	enginetest.Eventually(j.t, fmt.Sprintf("machine %d runs", id), func() bool {
		pids := enginetest.Machines(j.t, "VM_LOG_DIR="+j.logs(), fmt.Sprintf("SLURM_PROCID=%d", id))
		if len(pids) == 1 {
			pid = pids[0]
		}
		return len(pids) == 1
	})
	return pid
}

// What the jobs are told, and how many ticks that makes.
var told = []string{"VM_RATE=10,50,40", "VM_DURATION=4s"}

const ticks = 4 * (10 + 50 + 40)

// The recipes do what their page says.
func TestSlurm(t *testing.T) {
	c := newCluster(t)
	t.Run("bare", c.bare)
	t.Run("a sweep", c.sweeps)
	// At the same time and on the same nodes, as the jobs of one user are.
	t.Run("at once", func(t *testing.T) {
		t.Run("undisturbed", func(t *testing.T) {
			t.Parallel()
			j := c.submit(t, told, "lamport.sbatch")
			j.requireWhole()
			assert.Equal(t, "0", j.is("Restarts"))
			for id := range 3 {
				assert.Regexp(t, fmt.Sprintf(`vm-%d: who is who: id=%d by=SLURM_PROCID machines=3 own=node%d:`, id, id, id), j.said())
			}
		})
		t.Run("queued again", func(t *testing.T) {
			t.Parallel()
			j := c.submit(t, told, "lamport.sbatch")
			j.awaitSteps(100)
			c.must(t, "scontrol", "requeue", j.id)
			j.requireWhole()
			assert.Equal(t, "1", j.is("Restarts"))
			assert.Equal(t, 3, strings.Count(enginetest.Logs(t, j.logs()), " pause: "), "each machine was stopped in order")
		})
		t.Run("a machine is killed", func(t *testing.T) {
			t.Parallel()
			j := c.submit(t, told, "lamport.sbatch")
			j.awaitSteps(100)
			require.NoError(t, syscall.Kill(j.machine(1), syscall.SIGKILL))
			j.requireWhole()
			assert.Equal(t, "1", j.is("Restarts"))
		})
		t.Run("the time is nearly over", func(t *testing.T) {
			t.Parallel()
			j := c.submit(t, told, "lamport.sbatch")
			j.awaitSteps(100)
			c.must(t, "scancel", "--signal=TERM", j.id) // as --signal has Slurm do a minute before
			j.requireWhole()
			assert.Equal(t, "1", j.is("Restarts"))
		})
	})
	t.Run("on their own disks", func(t *testing.T) {
		j := c.submit(t, append(told, "SCRATCH="+t.TempDir()), "gather.sbatch")
		require.Equal(t, "COMPLETED", j.wait())
		assert.NotContains(t, j.said(), "the run ended after")
		run := filepath.Join(j.logs(), "run")
		enginetest.RequireCorrect(t, run)
		enginetest.RequireTicks(t, run, ticks)
		assert.FileExists(t, filepath.Join(run, "report.html"))
	})
	t.Run("for good", func(t *testing.T) {
		t.Run("wrong", func(t *testing.T) {
			t.Parallel()
			j := c.submit(t, []string{"VM_RATE=fast"}, "lamport.sbatch")
			assert.Equal(t, "FAILED", j.wait())
			assert.Equal(t, "0", j.is("Restarts"), "that would not mend it")
			assert.Contains(t, j.said(), `--rate: rate "fast": want a number`)
		})
		t.Run("cancelled", func(t *testing.T) {
			t.Parallel()
			j := c.submit(t, told, "lamport.sbatch")
			j.awaitSteps(100)
			c.must(t, "scancel", j.id)
			assert.Equal(t, "CANCELLED", j.wait())
			assert.Equal(t, "0", j.is("Restarts"))
			enginetest.Eventually(t, "no machine is left", func() bool { return len(enginetest.Machines(t, "VM_LOG_DIR="+j.logs())) == 0 })

			again := c.submit(t, append(told, "CONTINUE="+j.id), "lamport.sbatch")
			require.Equal(t, "COMPLETED", again.wait())
			enginetest.RequireCorrect(t, j.logs())
			enginetest.RequireTicks(t, j.logs(), ticks)
		})
	})
}

// A job array does a sweep in parts, and leaves what one process would.
func (c *cluster) sweeps(t *testing.T) {
	j := c.submit(t, nil, "--array=1-4", "sweep.sbatch", "--trials", "3", "--duration", "5s", "--report=false")
	merge := c.submit(t, nil, "--dependency=afterany:"+j.id, "--output=merge.out", "--wrap", "launcher sweep --merge --report=false sweep")
	require.Equal(t, "COMPLETED", merge.wait())
	code, out := enginetest.Launcher(t, c.dir, "sweep", "--virtual", "--rates", "1,5,4;2,4,3;3,3,3", "--trials", "3", "--duration", "5s",
		"--seed", "7", "--logs=false", "--report=false", "--jobs", "1", "--out", "alone")
	require.Zero(t, code, out)
	for _, name := range []string{"results.jsonl", "sweep.csv", "findings.md"} {
		want, err := os.ReadFile(filepath.Join(c.dir, "alone", name))
		require.NoError(t, err)
		got, err := os.ReadFile(filepath.Join(c.dir, "sweep", name))
		require.NoError(t, err)
		assert.Equal(t, string(want), string(got), name)
	}
}

// Without a batch script it takes no more than the program.
func (c *cluster) bare(t *testing.T) {
	code, out := c.run(t, nil, "srun", "-N3", "-n3", "vm", "--rate", "1,5,4", "--duration", "2s")
	require.Zero(t, code, out)
	enginetest.RequireCorrect(t, c.dir)
	enginetest.RequireTicks(t, c.dir, 20)
}

package compose_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/deploy/internal/enginetest"
	"github.com/scalemodel/lamport/internal/needs"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

// daemon is a Docker daemon of the test's own.
type daemon struct {
	dir  string // its images and volumes are below
	host string // how programs find it
}

// forbidden is what a daemon says, or a container's start, where this host lets root do less
// than a daemon needs, as in a container that is not privileged.
var forbidden = regexp.MustCompile(`(?i).*(operation not permitted|permission denied|read-only file system|` +
	`can't initialize iptables table|devices cgroup isn't mounted).*`)

// forbids skips a test where a program has failed by that. There is nothing to install that
// would help, so it is skipped wherever it runs.
func forbids(t *testing.T, what, says string) {
	t.Helper()
	if reason := forbidden.FindString(says); reason != "" {
		t.Skipf("%s is forbidden here: %s", what, reason)
	}
}

// start starts a daemon until the end of the test, and has it build the image.
func start(t *testing.T) *daemon {
	t.Helper()
	enginetest.NeedRoot(t)
	needs.Programs(t, "dockerd", "docker", "docker-compose", "containerd", "runc", "iptables", "unshare", "setpriv", "ip", "make")
	d := &daemon{dir: t.TempDir()}
	d.host = "DOCKER_HOST=unix://" + d.dir + "/docker.sock"
	script, err := filepath.Abs("testdata/dockerd.sh")
	require.NoError(t, err)
	p := enginetest.Start(t, d.dir, enginetest.Environ(t), "bash", script, d.dir)
	enginetest.Eventually(t, "the daemon runs", func() bool {
		if p.Ended() {
			return true
		}
		_, err := os.Stat(filepath.Join(d.dir, "docker.sock"))
		return err == nil // it answers who waits for it
	})
	if p.Ended() {
		forbids(t, "a Docker daemon", p.Errors())
		t.Fatalf("the daemon does not start: %s", p.Errors())
	}

	// The image as a user would make it, but of what enginetest has built already: by no
	// profile. And a first container, of nothing but a program.
	code, out := d.run(t, enginetest.Root(), []string{"GOFLAGS=" + os.Getenv("GOFLAGS") + " -pgo=off"}, "make", "image")
	require.Zero(t, code, out)
	code, out = d.run(t, d.dir, nil, "docker", "run", "--rm", "--network", "none", "localhost/lamport", "--version")
	if code != 0 {
		forbids(t, "a container", out)
		t.Fatalf("no container runs: %s", out)
	}
	return d
}

// run runs a program that finds the daemon.
func (d *daemon) run(t *testing.T, dir string, env []string, name string, args ...string) (code int, out string) {
	t.Helper()
	// No settings of whoever runs the tests.
	env = append([]string{d.host, "DOCKER_CONFIG=" + d.dir, "DOCKER_CONTEXT=", "DOCKER_TLS_VERIFY=", "DOCKER_BUILDKIT=0",
		"COMPOSE_FILE=", "COMPOSE_PROJECT_NAME=", "COMPOSE_PROFILES=", "IMAGE=localhost/lamport"}, env...)
	return enginetest.Run(t, dir, enginetest.Environ(t, env...), name, args...)
}

// run is a run of machines in containers.
type run struct {
	*testing.T
	*daemon
	name string
	dir  string
	env  []string
}

func (d *daemon) begin(t *testing.T, name string, env ...string) *run {
	t.Helper()
	r := &run{t, d, name, t.TempDir(), env}
	enginetest.Copy(t, r.dir, "compose.yaml")
	t.Cleanup(func() {
		if t.Failed() {
			_, out := r.compose("logs", "--no-color", "--tail=50")
			t.Log(out)
		}
	})
	return r
}

func (r *run) compose(args ...string) (code int, out string) {
	r.Helper()
	return r.run(r.T, r.dir, r.env, "docker-compose", append([]string{"--file", "compose.yaml", "--project-name", r.name}, args...)...)
}

func (r *run) must(args ...string) string {
	r.Helper()
	code, out := r.compose(args...)
	require.Zero(r, code, "%v: %s", args, out)
	return out
}

func (r *run) docker(args ...string) string {
	r.Helper()
	code, out := r.run(r.T, r.dir, r.env, "docker", args...)
	require.Zero(r, code, "%v: %s", args, out)
	return strings.TrimSpace(out)
}

// container returns the id of a service's container, which docker finds sooner than
// docker-compose does.
func (r *run) container(service string) string {
	r.Helper()
	id := r.docker("ps", "--all", "--quiet", "--filter", "label=com.docker.compose.project="+r.name,
		"--filter", "label=com.docker.compose.service="+service)
	require.NotEmpty(r, id, service)
	return id
}

// is returns what Docker knows of a service's container.
func (r *run) is(service, what string) string {
	r.Helper()
	return r.docker("inspect", "--format", "{{"+what+"}}", r.container(service))
}

// volume is a volume's directory, as this host sees it.
func (r *run) volume(name string) string {
	return filepath.Join(r.daemon.dir, "images", "volumes", r.name+"_"+name, "_data")
}

// logs returns the logs of all machines.
func (r *run) logs() (all string) {
	r.Helper()
	for id := range 3 {
		all += enginetest.Logs(r, r.volume(fmt.Sprintf("logs-%d", id)))
	}
	return all
}

// awaitSteps waits until each machine has done so many steps.
func (r *run) awaitSteps(n int) {
	r.Helper()
	enginetest.Eventually(r, fmt.Sprintf("%d steps of each machine", n), func() bool {
		for id := range 3 {
			if enginetest.Steps(r, r.volume(fmt.Sprintf("logs-%d", id))) < n {
				return false
			}
		}
		return true
	})
}

// requireCorrect waits for the end of the run, and requires that it is correct, with so many
// ticks.
func (r *run) requireCorrect(ticks uint64) {
	r.Helper()
	gather := r.container("gather")
	assert.Equal(r, "0", r.docker("wait", gather))
	out := r.docker("logs", gather)
	assert.Contains(r, out, "correct")
	for id := range 3 {
		vm := fmt.Sprintf("vm-%d", id)
		assert.Equal(r, "0", r.docker("wait", r.container(vm)), vm)
	}
	r.docker("cp", gather+":/gathered", "result")
	result := filepath.Join(r.dir, "result")
	assert.FileExists(r, filepath.Join(result, "report.html"))
	enginetest.RequireCorrect(r, result)
	enginetest.RequireTicks(r, result, ticks)
}

// requireSecrets requires that each container has its own key, and none the authority's.
func (r *run) requireSecrets() {
	r.Helper()
	assert.FileExists(r, filepath.Join(r.volume("certs"), "ca.key"))
	for _, volume := range []string{"certs-0", "certs-1", "certs-2", "certs-gather"} {
		entries, err := os.ReadDir(r.volume(volume))
		require.NoError(r, err)
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		assert.Equal(r, []string{"ca.crt", "tls.crt", "tls.key"}, names, volume)
	}
	for id := range 3 {
		mounts := r.is(fmt.Sprintf("vm-%d", id), "range .Mounts}}{{.Name}} {{.RW}}{{println}}{{end")
		assert.ElementsMatch(r, []string{
			fmt.Sprintf("%s_certs-%d false", r.name, id),
			fmt.Sprintf("%s_logs-%d true", r.name, id),
		}, strings.Split(mounts, "\n"))
	}
}

func TestCompose(t *testing.T) {
	t.Parallel()
	d := start(t)
	// "up" takes a run from its beginning to its end.
	t.Run("up", func(t *testing.T) {
		t.Parallel()
		r := d.begin(t, "up", "VM_RATE=10,50,40", "VM_DURATION=3s")
		r.must("up", "--no-color")
		r.requireCorrect(3 * (10 + 50 + 40))
		assert.Equal(t, "0", r.is("certs", ".State.ExitCode"))
	})

	// "stop" pauses it, and "up" has it go on. A machine that waits for its peers is healthy.
	t.Run("stop", func(t *testing.T) {
		t.Parallel()
		// A busy host may have come to the end of a short run before it can be stopped.
		for seconds := 10; ; seconds *= 3 {
			r := d.begin(t, fmt.Sprintf("stop-%d", seconds), "VM_RATE=10,50,40", fmt.Sprintf("VM_DURATION=%ds", seconds))
			r.must("up", "--detach", "vm-0")
			vm := r.container("vm-0")
			enginetest.Eventually(t, "a machine without peers is healthy", func() bool {
				return r.docker("inspect", "--format", "{{.State.Health.Status}}", vm) == "healthy"
			})
			assert.Equal(t, "connecting", r.docker("exec", vm, "/vm", "--health", "127.0.0.1:2050"))
			r.must("up", "--detach")
			r.awaitSteps(5)
			r.must("stop")
			codes := r.docker("inspect", "--format", "{{.State.ExitCode}}", vm, r.container("vm-1"), r.container("vm-2"))
			if strings.Contains(codes+"\n", "0\n") {
				r.must("down", "--volumes")
				continue
			}
			require.Equal(t, "143\n143\n143", codes)
			assert.Equal(t, 3, strings.Count(r.logs(), " pause: "))
			r.must("up", "--detach")
			r.requireCorrect(uint64(seconds) * (10 + 50 + 40))
			r.requireSecrets()
			r.must("down", "--volumes")
			assert.Empty(t, r.docker("volume", "ls", "--quiet", "--filter", "name="+r.name))
			return
		}
	})
}

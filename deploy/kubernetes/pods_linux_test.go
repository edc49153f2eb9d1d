package kubernetes_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/scalemodel/lamport/deploy/internal/enginetest"
	"github.com/scalemodel/lamport/internal/needs"
)

func TestMain(m *testing.M) { enginetest.Main(m) }

// cluster runs pods on hosts that are made of this one: their commands, environments, volumes
// and users are those of the objects, and their names those that Kubernetes would give them.
type cluster struct {
	t     *testing.T
	hosts *enginetest.Hosts
	dir   string // what pods leave, and their roots
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	enginetest.NeedRoot(t)
	needs.Programs(t, "nsenter", "unshare", "ip", "chroot")
	t.Parallel()
	c := &cluster{t: t, hosts: enginetest.MakeHosts(t), dir: t.TempDir()}
	code, out := enginetest.Launcher(t, c.dir, "certs", "--run", "kubernetes", "--machines", "3", "run")
	require.Zero(t, code, out)
	return c
}

// pod is the pod of an index of a Job or StatefulSet.
type pod struct {
	*cluster
	object
	index int
	env   map[string]string
}

// pod returns a pod that is told more than its object says.
func (c *cluster) pod(o object, index int, more map[string]string) *pod {
	p := &pod{c, o, index, map[string]string{
		"PATH": os.Getenv("PATH"), "KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443", "HOSTNAME": "",
	}}
	p.env["HOSTNAME"] = p.name()
	if o.Spec.Completions > 1 { // it is indexed
		p.env["JOB_COMPLETION_INDEX"] = strconv.Itoa(index)
	}
	for _, v := range o.Spec.Template.Spec.Containers[0].Env {
		p.env[v.Name] = v.Value
	}
	maps.Copy(p.env, more)
	return p
}

func (p *pod) name() string { return fmt.Sprintf("%s-%d", p.Metadata.Name, p.index) }

// volume returns the directory of a volume. It outlives the pod.
func (p *pod) volume(name string) string {
	spec := p.Spec.Template.Spec
	for _, v := range spec.Volumes {
		if v.Name != name {
			continue
		}
		if v.Secret.Name != "" {
			return p.secret(v.Secret.Name, v.Secret.Mode)
		}
		if v.Claim.Name != "" {
			return p.directory("claim-" + v.Claim.Name)
		}
	}
	return p.directory(p.name() + "-" + name)
}

// directory makes a directory that the pod's group can write to.
func (p *pod) directory(name string) string {
	dir := filepath.Join(p.dir, name)
	require.NoError(p.t, os.MkdirAll(dir, 0o755))
	require.NoError(p.t, os.Chown(dir, 0, p.Spec.Template.Spec.SecurityContext.Group))
	require.NoError(p.t, os.Chmod(dir, 0o770|os.ModeSetgid))
	return dir
}

// secret makes a volume of a secret, of the files that the kustomization names.
func (p *pod) secret(name string, mode os.FileMode) string {
	b, err := os.ReadFile(filepath.Join("certs", "kustomization.yaml"))
	require.NoError(p.t, err)
	var k struct {
		SecretGenerator []struct {
			Name  string
			Files []string
		} `yaml:"secretGenerator"`
	}
	require.NoError(p.t, yaml.Unmarshal(b, &k))
	dir := filepath.Join(p.dir, p.name()+"-"+name)
	require.NoError(p.t, os.MkdirAll(dir, 0o755))
	for _, g := range k.SecretGenerator {
		if g.Name != name {
			continue
		}
		for _, file := range g.Files {
			key, from, ok := strings.Cut(file, "=")
			if !ok {
				key, from = filepath.Base(file), file
			}
			content, err := os.ReadFile(filepath.Join(p.dir, from))
			require.NoError(p.t, err)
			to := filepath.Join(dir, key)
			require.NoError(p.t, os.WriteFile(to, content, mode))
			require.NoError(p.t, os.Chown(to, 0, p.Spec.Template.Spec.SecurityContext.Group))
		}
	}
	return dir
}

// start runs a command in the pod, or the container's own.
func (p *pod) start(command ...string) *enginetest.Program {
	p.t.Helper()
	spec := p.Spec.Template.Spec
	container := spec.Containers[0]
	if command == nil {
		command = slices.Concat(container.Command, container.Args)
	}
	// The image, and what the kubelet adds.
	root := filepath.Join(p.dir, p.name()+"-root")
	names := "127.0.0.1 localhost\n10.78.0.254 lamport-gather\n"
	for i := range 3 {
		names += fmt.Sprintf("10.78.0.%d lamport-%d.lamport\n", i+1, i)
	}
	if _, err := os.Stat(root); err != nil {
		for _, dir := range []string{"etc", "proc"} {
			require.NoError(p.t, os.MkdirAll(filepath.Join(root, dir), 0o755))
		}
		for _, program := range []string{"vm", "launcher"} {
			require.NoError(p.t, os.Link(filepath.Join(enginetest.Programs(p.t), program), filepath.Join(root, program)))
		}
		require.NoError(p.t, os.WriteFile(filepath.Join(root, "etc", "hosts"), []byte(names), 0o644))
	}
	host := "head"
	if p.Metadata.Name == "lamport" {
		host = fmt.Sprintf("node%d", p.index)
	}
	script, err := filepath.Abs(filepath.Join("testdata", "pod.sh"))
	require.NoError(p.t, err)
	args := []string{script, host, p.name(), root, fmt.Sprintf("%d:%d", spec.SecurityContext.User, spec.SecurityContext.Group)}
	for _, m := range container.VolumeMounts {
		require.NoError(p.t, os.MkdirAll(filepath.Join(root, m.Path), 0o755))
		args = append(args, p.volume(m.Name)+":"+m.Path)
	}
	var env []string
	for name, value := range p.env {
		env = append(env, name+"="+value)
	}
	return p.hosts.Start(p.t, p.dir, env, slices.Concat(args, []string{"--"}, command)...)
}

// steps returns how many steps the machines have done.
func (c *cluster) steps() (n int) {
	for i := range 3 {
		n += enginetest.Steps(c.t, filepath.Join(c.dir, fmt.Sprintf("lamport-%d-data", i)))
	}
	return n
}

// requireWhole requires that the run has come to its end, is gathered, and is correct.
func (c *cluster) requireWhole(gather *enginetest.Program) {
	c.t.Helper()
	require.Zero(c.t, gather.Wait())
	assert.Contains(c.t, gather.Out(), "correct: all laws hold")
	run := filepath.Join(c.dir, "claim-results", "run")
	enginetest.RequireCorrect(c.t, run)
	enginetest.RequireTicks(c.t, run, ticks)
	assert.FileExists(c.t, filepath.Join(run, "report.html"))
}

// What the machines are told, and how many ticks that makes.
var told = map[string]string{"VM_RATE": "10,50,40", "VM_DURATION": "4s"}

const ticks = 4 * (10 + 50 + 40)

// machines returns the pods of the machines.
func (c *cluster) machines(o object, number int) (pods []*pod) {
	for i := range number {
		pods = append(pods, c.pod(o, i, told))
	}
	return pods
}

func startAll(pods []*pod) (programs []*enginetest.Program) {
	for _, p := range pods {
		programs = append(programs, p.start())
	}
	return programs
}

// The Job's run ends, and is gathered.
func TestJob(t *testing.T) {
	c := newCluster(t)
	o := read(t, "job", "Job", "lamport")
	require.Equal(t, "lamport", o.Spec.Template.Spec.Subdomain)
	wrong := c.pod(o, 0, map[string]string{"VM_RATE": "fast"}).start()
	assert.Equal(t, 2, wrong.Wait())
	open := c.pod(o, 0, map[string]string{"VM_TLS_CERT": "", "VM_TLS_KEY": "", "VM_TLS_CA": ""}).start()
	assert.Equal(t, 2, open.Wait(), "it does not run without certificates")

	gather := c.pod(read(t, "job", "Job", "lamport-gather"), 0, nil).start()
	for i, p := range startAll(c.machines(o, o.Spec.Completions)) {
		require.Zero(t, p.Wait())
		assert.Regexp(t, fmt.Sprintf(`vm-%d: who is who: id=%d by=JOB_COMPLETION_INDEX machines=3 own=lamport-%d\.lamport:2050`, i, i, i), p.Errors())
	}
	c.requireWhole(gather)
}

// The pods of the StatefulSet are all taken away in mid-run, and come back.
func TestStatefulSet(t *testing.T) {
	c := newCluster(t)
	o := read(t, "statefulset", "StatefulSet", "lamport")
	require.Len(t, o.Spec.VolumeClaimTemplates, 1)
	require.Equal(t, "data", o.Spec.VolumeClaimTemplates[0].Metadata.Name)
	pods := c.machines(o, o.Spec.Replicas)
	gather := c.pod(read(t, "statefulset", "Job", "lamport-gather"), 0, nil).start()
	first := startAll(pods)
	enginetest.Eventually(t, "100 steps", func() bool { return c.steps() >= 100 })
	probe := pods[0].start(o.Spec.Template.Spec.Containers[0].Liveness.Exec.Command...)
	assert.Zero(t, probe.Wait(), probe.Errors())
	for _, p := range first {
		require.NoError(t, p.Signal(syscall.SIGTERM))
	}
	for i, p := range first {
		assert.Equal(t, 143, p.Wait())
		logs := enginetest.Logs(t, filepath.Join(c.dir, fmt.Sprintf("lamport-%d-data", i)))
		assert.Contains(t, logs, " pause: ")
		assert.NotContains(t, logs, " stop: ")
	}
	for i, p := range startAll(pods) {
		require.Zero(t, p.Wait())
		assert.Regexp(t, fmt.Sprintf(`vm-%d: who is who: id=%d by=.* own=lamport-%d\.lamport:2050`, i, i, i), p.Errors())
	}
	c.requireWhole(gather)
	// Kubernetes starts them again: nothing happens.
	over := pods[0]
	over.env["VM_DELIVER"] = "" // the gatherer is done
	p := over.start()
	assert.Zero(t, p.Wait())
	assert.Contains(t, p.Errors(), "the run is over already")
}

// The parts of a sweep come together to what one process leaves.
func TestSweep(t *testing.T) {
	c := newCluster(t)
	few := []string{"--trials=3", "--duration=5s", "--report=false"}
	o := read(t, "sweep", "Job", "sweep")
	container := o.Spec.Template.Spec.Containers[0]
	for i := range o.Spec.Completions {
		p := c.pod(o, i, nil).start(slices.Concat(container.Command, container.Args, few)...)
		require.Zero(t, p.Wait(), p.Errors())
	}
	merge := read(t, "sweep-merge", "Job", "sweep-merge")
	require.Zero(t, c.pod(merge, 0, nil).start().Wait())

	args := slices.DeleteFunc(slices.Concat(container.Command[1:], container.Args, few), func(arg string) bool {
		return strings.HasPrefix(arg, "--shard") || strings.HasPrefix(arg, "--out")
	})
	code, out := enginetest.Launcher(t, c.dir, append(args, "--jobs=1", "--out=alone")...)
	require.Zero(t, code, out)
	for _, name := range []string{"results.jsonl", "sweep.csv", "findings.md"} {
		want, err := os.ReadFile(filepath.Join(c.dir, "alone", name))
		require.NoError(t, err)
		got, err := os.ReadFile(filepath.Join(c.dir, "claim-results", "sweep", name))
		require.NoError(t, err)
		assert.Equal(t, string(want), string(got), name)
	}
}

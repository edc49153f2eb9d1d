//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/internal/needs"
)

// script prepares one of the project's scripts, to be run elsewhere.
func script(t *testing.T, name string, args ...string) *program {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "scripts", name))
	require.NoError(t, err)
	p := prepare(t, t.TempDir(), path, args...)
	p.cmd.Env = append(p.cmd.Env, "BIN="+bin, "DURATION=1s", "RATES=10,20,30", "OUT=run")
	return p
}

func byHandScript(t *testing.T, args ...string) *program {
	p := script(t, "cluster-by-hand.sh", args...)
	ports := freePorts(t, 3)
	p.cmd.Env = append(p.cmd.Env, fmt.Sprintf("PORTS=%d,%d,%d", ports[0], ports[1], ports[2]))
	return p
}

// requireThree says that a script has shown a run of three, and its verdict.
func requireThree(t *testing.T, p *program, text string) {
	t.Helper()
	for id, rate := range []int{10, 20, 30} {
		assert.Contains(t, text, fmt.Sprintf("machine:     vm-%d, %d ticks per second\n", id, rate))
	}
	assert.Regexp(t, `\nrun: correct: .*\n(next .*\n)?$`, text)
	requireCorrect(t, filepath.Join(p.cmd.Dir, "run"))
	requireOneStart(t, filepath.Join(p.cmd.Dir, "run"))
}

func TestClusterByHand(t *testing.T) {
	t.Parallel()
	p := byHandScript(t, "--seed", "77").start()
	require.Equal(t, "0", p.wait())
	assert.Empty(t, p.errors.String())
	requireThree(t, p, p.out.String())
	assert.Equal(t, uint64(77), records(t, logs(t, filepath.Join(p.cmd.Dir, "run"))[1])[0].Start.Seed)

	again := prepare(t, p.cmd.Dir, p.cmd.Path)
	again.cmd.Env = p.cmd.Env
	again.start()
	assert.Equal(t, "2", again.wait(), "it does not overwrite a run")
	assert.Equal(t, "cluster-by-hand.sh: run/vm_0.stderr belongs to an earlier run, which is not overwritten: choose another --out\n", again.errors.String())
}

func TestClusterByHandIsStopped(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		p := byHandScript(t, "--duration", "0").start()
		dir := filepath.Join(p.cmd.Dir, "run")
		waitForEvents(t, dir, 3, 5)
		p.signal(signal)
		require.Equal(t, "130", p.wait())
		assert.Regexp(t, `\nrun: (correct|incomplete): no law|\nrun: correct: all laws hold`, p.out.String())
		for id, name := range logs(t, dir) {
			assert.True(t, isComplete(t, name), "machine %d", id)
		}
	}
}

// One machine that cannot start ends them all, and is named.
func TestClusterByHandFails(t *testing.T) {
	t.Parallel()
	p := byHandScript(t, "--rates", "10,fast,30").start()
	assert.Equal(t, "2", p.wait())
	assert.Equal(t, "machine 1 failed: vm: --rate: rate \"fast\": want a number of ticks per second such as 5 or 0.25, or \"max\"\n", p.errors.String())
	assert.Empty(t, p.out.String())
}

func TestScriptUsage(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"cluster-by-hand.sh", "netns-hosts.sh"} {
		help := script(t, name, "--help").start()
		assert.Equal(t, "0", help.wait())
		assert.Contains(t, help.out.String(), "Usage: scripts/"+name+" [flags]\n")
		assert.Empty(t, help.errors.String())
		for _, c := range []struct{ args, want string }{
			{"--bogus 1", "unknown flag --bogus; --help lists them"},
			{"now", `unexpected argument "now"; --help lists the flags`},
			{"--duration", "flag --duration needs a value; --help lists the flags"},
			{"--rates 1,2", "--rates 1,2: want three, such as 1,5,4"},
		} {
			p := script(t, name, strings.Fields(c.args)...).start()
			assert.Equal(t, "2", p.wait(), c.args)
			assert.Equal(t, name+": "+c.want+"\n", p.errors.String())
			assert.Empty(t, p.out.String())
			assert.Empty(t, files(t, p.cmd.Dir))
		}
	}
}

// netns prepares a run on three hosts, where this one can make them. Of a
// machine that tests every change it is asked that it can.
func netns(t *testing.T, args ...string) *program {
	t.Helper()
	if os.Getenv("CI") == "true" && os.Geteuid() == 0 {
		return script(t, "netns-hosts.sh", args...)
	}
	if os.Geteuid() != 0 {
		t.Skip("network namespaces are for root")
	}
	probe := "lamport-probe-" + strconv.FormatUint(uint64(nextPort.Add(1)), 10)
	if out, err := exec.Command("ip", "netns", "add", probe).CombinedOutput(); err != nil {
		t.Skipf("no network namespaces: %v: %s", err, out)
	}
	require.NoError(t, exec.Command("ip", "netns", "del", probe).Run())
	return script(t, "netns-hosts.sh", args...)
}

// requireNoHosts says that a script has taken away what it made.
func requireNoHosts(t *testing.T, p *program) {
	t.Helper()
	out, err := exec.Command("ip", "netns", "list").Output()
	require.NoError(t, err)
	assert.NotContains(t, string(out), fmt.Sprintf("lamport-%d-", p.cmd.Process.Pid))
}

func TestThreeHosts(t *testing.T) {
	p := netns(t)
	t.Parallel()
	// Two at a time: they do not see each other.
	other := netns(t)
	p.start()
	other.start()
	for _, p := range []*program{p, other} {
		require.Equal(t, "0", p.wait())
		assert.Empty(t, p.errors.String())
		requireThree(t, p, p.out.String())
		requireNoHosts(t, p)
		talk := readFile(t, filepath.Join(p.cmd.Dir, "run", "vm_1.stderr"))
		assert.Regexp(t, `starting: .*listening="?\[::\]:2050\b`, talk, "on all interfaces, as the peers are on other hosts")
		assert.Contains(t, talk, "nothing is encrypted: anybody on the network can read along")
	}
}

// In one list of all, each host finds itself. Who calls from the same network and is not in the
// list is turned away unheard, and does not disturb.
func TestThreeHostsAndAStranger(t *testing.T) {
	p := netns(t, "--list", "all", "--duration", "0")
	t.Parallel()
	p.start()
	dir := filepath.Join(p.cmd.Dir, "run")
	waitForEvents(t, dir, 3, 5)
	outside := fmt.Sprintf("lamport-%d-switch", p.cmd.Process.Pid)
	for _, args := range []string{"ip link set lo up", "ip address add 10.77.0.9/24 dev bridge"} {
		out, err := exec.Command("ip", append([]string{"netns", "exec", outside}, strings.Fields(args)...)...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	for _, host := range []string{"10.77.0.1", "10.77.0.3"} {
		out, err := exec.Command("ip", "netns", "exec", outside, "bash", "-c", "exec 3<>/dev/tcp/"+host+"/2050 && exec timeout 60 cat <&3").CombinedOutput()
		require.NoError(t, err, "%s", out)
		assert.Contains(t, string(out), "not known as a machine of this run")
	}
	p.signal(syscall.SIGINT)
	require.Equal(t, "130", p.wait())
	requireNoHosts(t, p)
	code, verdict := checked(t, dir, "--allow-incomplete")
	assert.Equal(t, "0", code, verdict)
	for id, host := range []string{"10.77.0.1", "10.77.0.2", "10.77.0.3"} {
		talk := readFile(t, filepath.Join(dir, fmt.Sprintf("vm_%d.stderr", id)))
		assert.Contains(t, talk, fmt.Sprintf(`who is who: id=%d by="%s:2050 of the peers" machines=3`, id, host))
		const turnedAway = `reason="it calls from an address that is none of the peers': if it is a peer's, allow it with --allow"`
		assert.Equal(t, id != 1, strings.Contains(talk, "connection refused: from=10.77.0.9:") && strings.Contains(talk, turnedAway), talk)
	}
}

func TestThreeHostsAreTakenAway(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, 0} {
		t.Run(signal.String(), func(t *testing.T) {
			p := netns(t, "--duration", "0")
			t.Parallel()
			if signal == 0 { // it fails by itself
				p.cmd.Env = append(p.cmd.Env, "RATES=10,fast,30")
				p.start()
				assert.Equal(t, "2", p.wait())
				assert.Contains(t, p.errors.String(), "machine 1 failed: vm: --rate: ")
			} else {
				p.start()
				waitForEvents(t, filepath.Join(p.cmd.Dir, "run"), 3, 5)
				p.signal(signal)
				assert.Equal(t, "130", p.wait())
				assert.Contains(t, p.out.String(), "\nrun: ")
			}
			requireNoHosts(t, p)
		})
	}
}

func TestThreeHostsNeedRoot(t *testing.T) {
	t.Parallel()
	p := script(t, "netns-hosts.sh")
	if os.Geteuid() == 0 {
		const nobody = 65534
		p.cmd.Dir = "/"
		p.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		if _, err := os.Stat("../../go.mod"); err != nil || !readableByAll(t, p.cmd.Path) {
			t.Skip("another user cannot read the scripts")
		}
	}
	p.start()
	assert.Equal(t, "77", p.wait())
	assert.Equal(t, "netns-hosts.sh: network namespaces need root\n", p.errors.String())
}

// readableByAll reports whether every user may read a file.
func readableByAll(t *testing.T, path string) bool {
	t.Helper()
	for ; path != "/"; path = filepath.Dir(path) {
		info, err := os.Stat(path)
		require.NoError(t, err)
		if info.Mode()&0o005 != 0o005 {
			return false
		}
	}
	return true
}

// A host loses its link for longer than its peers keep a silent connection, or
// cannot be reached any more, which they are told.
func TestThreeHostsLoseALink(t *testing.T) {
	for _, flag := range []string{"--link-down", "--unreachable"} {
		t.Run(flag, func(t *testing.T) {
			p := netns(t, flag, "10")
			t.Parallel()
			if testing.Short() {
				t.Skip("takes 16 s")
			}
			p.cmd.Env = append(p.cmd.Env, "DURATION=15s")
			p.start()
			require.Equal(t, "0", p.wait())
			requireThree(t, p, p.out.String())
			requireNoHosts(t, p)
			for _, id := range []int{0, 2} {
				talk := readFile(t, filepath.Join(p.cmd.Dir, "run", fmt.Sprintf("vm_%d.stderr", id)))
				assert.Contains(t, talk, "connection lost")
			}
		})
		p := netns(t, flag, "1h").start()
		assert.Equal(t, "2", p.wait())
		assert.Equal(t, "netns-hosts.sh: "+flag+" 1h: want whole seconds\n", p.errors.String())
	}
}

// The soak test breaks a run all the time, and shows its memory.
func TestSoakScript(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 10 s")
	}
	t.Parallel()
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("memory is measured by /proc")
	}
	soak := func(args ...string) *program {
		p := script(t, "soak.sh", args...)
		p.cmd.Env = append(p.cmd.Env, "DURATION=8s", "RATES=2000,2000,2000", "FAULTS=random kill every 2s for 200ms; random reset every 1s")
		return p.start()
	}
	p := soak("--keep", "--seed", "5")
	require.Equal(t, "0", p.wait())
	assert.Regexp(t, `(?s)\ncheck +correct: .*\nquarter  samples      min   median      max\n +1 .*\n +2 .*\n +3 .*\n +4 +\d+ +[1-9]\d+ +[1-9]\d+ +[1-9]\d+\n$`, p.out.String())
	requireCorrect(t, filepath.Join(p.cmd.Dir, "run"))

	help := soak("--help")
	assert.Equal(t, "0", help.wait())
	assert.Contains(t, help.out.String(), "Usage: scripts/soak.sh [flags]\n")
	for _, c := range []struct{ args, want string }{
		{"--bogus 1", "unknown flag --bogus; --help lists them"},
		{"--duration", "flag --duration needs a value; --help lists the flags"},
		{"--duration 1m30s", "--duration 1m30s: want whole seconds, minutes or hours, at least 4s, such as 10m"},
		{"--duration 3s", "--duration 3s: want whole seconds, minutes or hours, at least 4s, such as 10m"},
		{"--out /", "/ already exists: choose another --out"},
	} {
		p := soak(strings.Fields(c.args)...)
		assert.Equal(t, "2", p.wait(), c.args)
		assert.Equal(t, "soak.sh: "+c.want+"\n", p.errors.String())
		assert.Empty(t, files(t, p.cmd.Dir))
	}
}

// A script builds the programs that it does not find.
func TestScriptBuilds(t *testing.T) {
	t.Parallel()
	needs.Programs(t, "make")
	root := t.TempDir()
	out, err := exec.Command("cp", "-R", filepath.Join("..", "..", "scripts"), root).CombinedOutput() // see copyProgram
	require.NoError(t, err, "%s", out)
	require.NoError(t, os.WriteFile(filepath.Join(root, "Makefile"), []byte("build:\n\tmkdir bin\n\tcp "+bin+"/launcher "+bin+"/vm bin/\n"), 0o666))
	p := byHandScript(t)
	p.cmd.Path = filepath.Join(root, "scripts", "cluster-by-hand.sh")
	p.cmd.Env = append(p.cmd.Env, "BIN=")
	p.start()
	require.Equal(t, "0", p.wait())
	assert.Equal(t, []string{"launcher", "vm"}, files(t, filepath.Join(root, "bin")))
	requireThree(t, p, p.out.String())
}

// The commands that the README begins with are there.
func TestMakeTargets(t *testing.T) {
	t.Parallel()
	needs.Programs(t, "make")
	for _, args := range [][]string{{}, {"help"}, {"build"}, {"run"}, {"run", "DURATION=1s"}, {"test"}, {"lint"}, {"bench"}, {"fuzz"}, {"cross"}, {"clean"}} {
		p := prepare(t, filepath.Join("..", ".."), "make", append([]string{"-n"}, args...)...).start()
		assert.Equal(t, "0", p.wait(), args)
		assert.NotEmpty(t, p.out.String(), args)
	}
	p := prepare(t, filepath.Join("..", ".."), "make", "-n", "run", "DURATION=7s", "ARGS=--seed 9").start()
	require.Equal(t, "0", p.wait())
	assert.Contains(t, p.out.String(), "bin/launcher run --duration 7s --seed 9")
}

// A run is done again by one command, which says so three times.
func TestReplayScript(t *testing.T) {
	t.Parallel()
	dir := virtualRun(t, "--faults", "at 10s kill 1 for 2s")
	p := script(t, "replay.sh", "--out", "again", dir).start()
	require.Equal(t, "0", p.wait())
	assert.Equal(t, 3, strings.Count(p.out.String(), "\n"), p.out)
	requireCorrect(t, filepath.Join(p.cmd.Dir, "again"))

	for _, c := range [][]string{{}, {dir, dir}, {"--pace"}, {"--bogus", dir}, {"nowhere"}} {
		p := script(t, "replay.sh", c...).start()
		assert.Equal(t, "2", p.wait(), c)
		assert.Equal(t, 1, strings.Count(p.errors.String(), "\n"), p.errors)
	}
}

// labs are the scripts of the laboratory, with what makes them short.
var labs = map[string][]string{
	"lab-five-runs.sh":   {"TRIALS=2"},
	"lab-close-rates.sh": nil,
	"lab-busy.sh":        nil,
	"lab-original.sh":    {"PORTS=auto"},
	"lab-scale.sh":       {"MACHINES=3,6"},
	"lab-faults.sh":      nil,
}

// laboratory prepares one of them, a trial of a second.
func laboratory(t *testing.T, name string, args ...string) *program {
	t.Helper()
	p := script(t, name, args...)
	p.cmd.Env = slices.DeleteFunc(p.cmd.Env, func(v string) bool { return strings.HasPrefix(v, "RATES=") || strings.HasPrefix(v, "OUT=") })
	p.cmd.Env = append(p.cmd.Env, "TRIALS=1", "SEED=7", "OUT=lab")
	p.cmd.Env = append(p.cmd.Env, labs[name]...)
	return p
}

// requireLab says that a script has left what a person wants to read.
func requireLab(t *testing.T, p *program) {
	t.Helper()
	require.Equal(t, "0", p.wait())
	assert.Regexp(t, `\nruns   (all \d+ are|it is) correct: every law holds for [\d,]+ events\n`, p.out.String())
	dir := filepath.Join(p.cmd.Dir, "lab")
	assert.Equal(t, []string{"lab"}, files(t, p.cmd.Dir))
	assert.Equal(t, []string{"classes.csv", "diagram.svg", "findings.md", "report.html", "results.jsonl", "run.svg", "runs", "stats.md", "sweep.csv", "sweep.json", "sweep.md", "sweep.svg"}, files(t, dir))
	for _, picture := range []string{"diagram.svg", "run.svg", "sweep.svg"} {
		assert.Contains(t, readFile(t, filepath.Join(dir, picture)), "</svg>")
	}
	assert.Contains(t, readFile(t, filepath.Join(dir, "stats.md")), "## What this shows")
	assert.Regexp(t, `All \d+ runs are correct|The run is correct`, readFile(t, filepath.Join(dir, "findings.md")))
	for _, name := range files(t, filepath.Join(dir, "runs")) {
		requireSound(t, filepath.Join(dir, "runs", name))
	}
}

func TestLaboratory(t *testing.T) {
	t.Parallel()
	for name := range labs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := laboratory(t, name).start()
			requireLab(t, p)
			assert.Contains(t, p.errors.String(), "as processes")
			runs := files(t, filepath.Join(p.cmd.Dir, "lab", "runs"))
			requireCorrect(t, filepath.Join(p.cmd.Dir, "lab", "runs", runs[len(runs)-1]))
		})
	}
}

func TestLaboratoryInVirtualTime(t *testing.T) {
	t.Parallel()
	for name := range labs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := laboratory(t, name, "--virtual").start()
			requireLab(t, p)
			assert.Contains(t, p.errors.String(), "in virtual time")
		})
	}
}

// Ctrl-C stops a script in order; with the same directory it goes on.
func TestLaboratoryIsStopped(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		p := laboratory(t, "lab-five-runs.sh", "--trials", "4", "--jobs", "1", "--duration", "500ms").start()
		eventually(t, func() bool { return strings.Contains(p.errors.String(), "(1 of 4)") }, "the first run is done")
		p.signal(signal)
		require.Equal(t, "130", p.wait())
		again := prepare(t, p.cmd.Dir, p.cmd.Path, "--trials", "4", "--duration", "500ms")
		again.cmd.Env = p.cmd.Env
		again.start()
		requireLab(t, again)
		assert.Regexp(t, `as processes, [123] of them done already`, again.errors.String())
	}
}

func TestLaboratoryUsage(t *testing.T) {
	t.Parallel()
	for name := range labs {
		help := laboratory(t, name, "--help").start()
		assert.Equal(t, "0", help.wait())
		assert.Contains(t, help.out.String(), "Usage: scripts/"+name+" [flags]\n")
		assert.Contains(t, help.out.String(), "\n  --virtual  ")
		assert.Empty(t, help.errors.String())
		p := laboratory(t, name, "--bogus", "1").start()
		assert.Equal(t, "2", p.wait())
		assert.Equal(t, name+": unknown flag --bogus; --help lists them\n", p.errors.String())
	}
	for _, c := range []struct{ args, want string }{
		{"now", `lab-scale.sh: unexpected argument "now"; --help lists the flags`},
		{"--trials", "lab-scale.sh: flag --trials is unknown, or needs a value; --help lists the flags"},
		{"--trials 0", "launcher: --trials 0: want at least 1, and 5 for intervals that say something"},
		{"--machines 3,3", `launcher: --machines "3,3": 3 is given twice`},
	} {
		p := laboratory(t, "lab-scale.sh", strings.Fields(c.args)...).start()
		assert.Equal(t, "2", p.wait(), c.args)
		assert.Equal(t, c.want+"\n", p.errors.String())
		assert.Empty(t, p.out.String())
		assert.Empty(t, files(t, p.cmd.Dir))
	}
	for _, duration := range []string{"soon", "1.5s", "1m30s", "50ms", "5"} {
		p := laboratory(t, "lab-faults.sh", "--duration", duration).start()
		assert.Equal(t, "2", p.wait(), duration)
		assert.Regexp(t, `^lab-faults\.sh: --duration \S+: want .*\n$`, p.errors.String())
		assert.Empty(t, files(t, p.cmd.Dir))
	}
}

// A network that is still split when the run ends: the machines stop in order, and say
// what they could not deliver.
func TestThreeHostsStayApart(t *testing.T) {
	p := netns(t, "--link-down", "60")
	t.Parallel()
	p.cmd.Env = append(p.cmd.Env, "DURATION=4s")
	p.start()
	require.Equal(t, "1", p.wait())
	requireNoHosts(t, p)
	assert.Regexp(t, `\nundelivered: up to \d+ messages? \(\d+ to vm-\d`, p.out.String())
	assert.Regexp(t, `\nrun: incomplete: no law is broken by [\d,]+ events on 3 machines, but not all can be said\n  messages that never reached their recipients, which had left or were cut off: \d+ from machine \d to machine \d.*\n$`, p.out.String())
	for id, name := range logs(t, filepath.Join(p.cmd.Dir, "run")) {
		assert.True(t, isComplete(t, name), "machine %d", id)
	}
}

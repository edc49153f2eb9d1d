//go:build unix

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/page"
	"github.com/scalemodel/lamport/pkg/transport"
)

// A run of processes that were killed is done again in one process, with processes,
// from a copy elsewhere, and once more from its own replay.
func TestReplay(t *testing.T) {
	t.Parallel()
	p, run := startRun(t, "--rates", "1500,400,1000", "--die", "5", "--duration", "2500ms", "--restart", "on-failure",
		"--faults", "random kill every 300ms for 20ms; random reset every 200ms; at 1s partition 0 | 1,2 for 200ms")
	require.Equal(t, "0", p.wait())
	// A machine that is killed before it has written a resume leaves no trace of that.
	crashes := countLines(t, run, ": resume: ")
	require.Positive(t, crashes)

	elsewhere := filepath.Join(t.TempDir(), "copy")
	require.NoError(t, os.CopyFS(elsewhere, os.DirFS(run)))
	require.NoError(t, os.RemoveAll(run))
	code, out, talk := inProcess("replay", elsewhere)
	require.Zero(t, code, talk)
	assert.Regexp(t, fmt.Sprintf(`^%s: the same again: 3 machines, [\d,]+ events, %d crash(es)?\n$`, elsewhere, crashes), out)

	again := launcher(t, t.TempDir(), "replay", "--processes", "--out", "again", elsewhere).start()
	require.Equal(t, "0", again.wait())
	assert.Regexp(t, fmt.Sprintf(`^%s: the same again, with processes: 3 machines, [\d,]+ events, %d crash(es)?; logs in again\n$`, elsewhere, crashes), again.out.String())
	assert.Contains(t, again.errors.String(), "; logs in again\n")
	replayed := filepath.Join(again.cmd.Dir, "again")
	requireCorrect(t, replayed)
	assert.Equal(t, crashes, countLines(t, replayed, ": resume: "))
	r := recordOf(t, replayed)
	assert.Equal(t, "copy", r.ReplayOf)
	assert.Equal(t, recordOf(t, elsewhere).Seed, r.Seed)

	// Both stand side by side, and nothing differs.
	head := pageIn(t, replayed, "report.html")
	assert.Equal(t, page.KindCompare, head.Kind)
	assert.Equal(t, []string{"copy", "again"}, []string{head.Runs[0].Name, head.Runs[1].Name})
	require.Len(t, head.Differences, 1)
	assert.Equal(t, "the logs of 3 machines are the same, but for the times", head.Differences[0].Text)
	assert.Contains(t, again.errors.String(), "report       again/report.html\n")

	code, _, talk = inProcess("replay", replayed)
	assert.Zero(t, code, talk)
	requireRefused(t, launcher(t, t.TempDir(), "rerun", replayed), replayed+" is a replay of copy: run that again, or replay it")
}

func countLines(t *testing.T, dir, text string) (n int) {
	t.Helper()
	for _, name := range logs(t, dir) {
		n += strings.Count(readFile(t, name), text)
	}
	return n
}

// forge changes one figure of a run's logs.
func forge(t *testing.T, dir, log, was, is string) {
	t.Helper()
	name := filepath.Join(dir, log)
	text := readFile(t, name)
	before, after, found := strings.Cut(text, was)
	require.True(t, found, "%s in %s", was, name)
	require.NoError(t, os.WriteFile(name, []byte(before+is+after), 0o666))
}

func virtualRun(t *testing.T, flags ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "run")
	code, _, talk := inProcess(append([]string{"sim", "--seed", "42", "--out", dir}, flags...)...)
	require.Zero(t, code, talk)
	return dir
}

func TestReplayDiffers(t *testing.T) {
	t.Parallel()
	dir := virtualRun(t)
	forge(t, dir, "vm_1_5.log", "send: step=9 clock=9", "send: step=9 clock=8")
	for _, flags := range [][]string{{}, {"--processes"}} {
		p := launcher(t, t.TempDir(), append(append([]string{"replay"}, flags...), dir)...).start()
		assert.Equal(t, "1", p.wait())
		assert.Empty(t, p.errors.String())
		assert.Equal(t, dir+`/vm_1_5.log:10 differs
  recorded  vm-1: send: step=9 clock=8 queue=0 to=0:2
  replayed  vm-1: send: step=9 clock=9 queue=0 to=0:2
                                     ^
`, p.out.String())
		assert.Empty(t, files(t, p.cmd.Dir))
	}
}

func TestReplayRefuses(t *testing.T) {
	t.Parallel()
	dir := virtualRun(t)
	missing := virtualRun(t)
	require.NoError(t, os.Remove(filepath.Join(missing, "vm_2_4.log")))
	unended := virtualRun(t)
	require.NoError(t, os.Truncate(filepath.Join(unended, "vm_0_1.log"), int64(len(readFile(t, filepath.Join(unended, "vm_0_1.log")))-5)))
	damaged := virtualRun(t)
	forge(t, damaged, "vm_0_1.log", "step=3 ", "step=three ")
	future := virtualRun(t)
	forge(t, future, "run.json", `"format": 1`, `"format": 9`)
	none := t.TempDir()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"replay"}, "replay: which run? Name its directory, for example runs/latest"},
		{[]string{"replay", "a", "b"}, "replay takes one run at a time, and here are 2"},
		{[]string{"replay", "nowhere"}, "nowhere cannot be read: no such file or directory; want the directory of a run"},
		{[]string{"replay", none}, none + " holds no event log (vm_<id>_<rate>.log): want the directory of a run"},
		{[]string{"replay", "--pace", "slow", dir}, `--pace "slow": want max or recorded`},
		{[]string{"replay", "--pace", "recorded", dir}, "--pace is for processes: add --processes"},
		{[]string{"replay", dir, "--processes", "--pace", "slow"}, `--pace "slow": want max or recorded`},
		{[]string{"replay", "--processes", "--out", "", dir}, "--out is empty: want the name of a directory"},
		{[]string{"replay", "--processes", "--ports", "1,2", dir}, "--ports: 2 ports for 3 machines: give one each, or --ports auto"},
		{[]string{"replay", "--processes", missing}, missing + ": machine 2 has no log, so no process can do what it did; replay it without --processes"},
		{[]string{"replay", "--processes", unended}, unended + ": the log of machine 0 has no end, and processes can only replay a run that came to its end; replay it without --processes"},
		{[]string{"replay", damaged}, damaged + `/vm_0_1.log:4: expected step, a whole number from 0 to 18446744073709551615 without leading zeros, found "three clock=10 queue=3 from=1 seq=2 sent"…`},
		{[]string{"replay", future}, future + "/run.json: format 9 of another release ((devel)); this one reads format 1"},
		{[]string{"rerun"}, "rerun: which run? Name its directory, for example runs/latest"},
		{[]string{"rerun", none}, none + "/run.json does not exist: want the directory of a run, with its record"},
		{[]string{"rerun", future}, future + "/run.json: format 9 of another release ((devel)); this one reads format 1"},
		{[]string{"rerun", "--ports", "auto", dir}, "--ports: that is for processes, and " + dir + " ran in virtual time"},
		{[]string{"rerun", "--out", "", dir}, "--out is empty: want the name of a directory"},
	} {
		t.Run(fmt.Sprint(c.args), func(t *testing.T) {
			requireRefused(t, launcher(t, t.TempDir(), c.args...), c.want)
		})
	}
	for dir, want := range map[string]string{
		missing: "the same again: 3 machines, 360 events; machine 2 has no log, so its messages are taken as they were received",
		unended: "the same again: 3 machines, 600 events; the log of machine 0 has no end",
	} {
		code, out, talk := inProcess("replay", dir)
		assert.Zero(t, code, talk)
		assert.Equal(t, dir+": "+want+"\n", out)
	}
}

// What a log is called is not what it says.
func TestReplayOfRenamedLogs(t *testing.T) {
	t.Parallel()
	dir := virtualRun(t, "--duration", "5s")
	require.NoError(t, os.Rename(filepath.Join(dir, "vm_1_5.log"), filepath.Join(dir, "vm_1_5.00.log")))
	p := launcher(t, t.TempDir(), "replay", "--processes", "--out", "again", dir).start()
	assert.Equal(t, "0", p.wait(), p.errors.String())
}

// More messages wait on a link than the window of a process allows if nothing is
// said: the replay says what it needs.
func TestReplayOfFullLinks(t *testing.T) {
	if testing.Short() {
		t.Skip("300,000 messages, twice")
	}
	t.Parallel()
	dir := virtualRun(t, "--rates", "1,300000", "--die", "1", "--duration", "1s")
	p := launcher(t, t.TempDir(), "replay", "--processes", "--out", "again", dir).start()
	require.Equal(t, "0", p.wait(), p.errors.String())
	assert.Contains(t, p.out.String(), "the same again, with processes: 2 machines, 300,001 events")
	assert.Greater(t, recordOf(t, filepath.Join(p.cmd.Dir, "again")).Window, transport.DefaultWindow)
}

func TestReplayIsInterrupted(t *testing.T) {
	t.Parallel()
	dir := virtualRun(t)
	p := launcher(t, t.TempDir(), "replay", "--processes", "--pace", "recorded", "--out", "again", dir).start()
	waitForEvents(t, filepath.Join(p.cmd.Dir, "again"), 3, 2)
	p.signal(syscall.SIGINT)
	assert.Equal(t, "130", p.wait())
	assert.Contains(t, p.errors.String(), "launcher: interrupted before the replay was over\n")
	for _, name := range logs(t, filepath.Join(p.cmd.Dir, "again")) {
		assert.True(t, isComplete(t, name))
	}
}

// What another version has recorded is told, and replayed.
func TestVersionIsTold(t *testing.T) {
	t.Parallel()
	dir := virtualRun(t)
	forge(t, dir, "run.json", recordOf(t, dir).Version, "v99.0.0")
	for _, name := range []string{"replay", "rerun"} {
		p := launcher(t, t.TempDir(), name, dir).start()
		assert.Equal(t, "0", p.wait())
		assert.Contains(t, p.errors.String(), dir+" was recorded by version v99.0.0; this is version ")
	}
}

// The same configuration in virtual time gives the same bytes; if not, it is said.
func TestRerunInVirtualTime(t *testing.T) {
	t.Parallel()
	dir := virtualRun(t, "--machines", "5", "--rates", "uniform:1,9", "--phase", "random", "--latency", "exp:200ms",
		"--die", "4", "--duration", "20s", "--faults", "random kill every 5s for 1s; at 3s reset *")
	again := filepath.Join(t.TempDir(), "again")
	code, out, talk := inProcess("rerun", "--out", again, dir)
	require.Zero(t, code, talk)
	assert.True(t, strings.HasSuffix(out, "\nagain        the same bytes as in "+dir+"\n"), out)

	log := filepath.Base(logs(t, dir)[3])
	forge(t, dir, log, " queue=0", " queue=7")
	code, _, talk = inProcess("rerun", "--out", filepath.Join(t.TempDir(), "again"), dir)
	assert.Equal(t, 1, code)
	assert.Contains(t, talk, log+" is not what it was in "+dir)
}

// What was stopped with Ctrl-C is done again to its end, and was its beginning.
func TestRerunOfWhatWasStopped(t *testing.T) {
	t.Parallel()
	whole := virtualRun(t, "--duration", "20s")
	dir := virtualRun(t, "--duration", "12500ms") // at which a machine may have been stopped
	forge(t, dir, "run.json", `"duration": "12.5s"`, `"duration": "20s"`)
	again := filepath.Join(t.TempDir(), "again")
	code, out, talk := inProcess("rerun", "--out", again, dir)
	require.Zero(t, code, talk)
	assert.True(t, strings.HasSuffix(out, "\nagain        the same bytes as in "+dir+", which was stopped before its end, up to there\n"), out)
	for _, log := range logs(t, whole) {
		assert.Equal(t, readFile(t, log), readFile(t, filepath.Join(again, filepath.Base(log))))
	}

	for was, is := range map[string]string{"send: step=9 clock=9": "send: step=9 clock=8", "stop: step=": "halt: step="} {
		forged := filepath.Join(t.TempDir(), "forged")
		require.NoError(t, os.CopyFS(forged, os.DirFS(dir)))
		forge(t, forged, "vm_1_5.log", was, is)
		code, _, talk = inProcess("rerun", "--out", filepath.Join(t.TempDir(), "again"), forged)
		assert.Equal(t, 1, code)
		assert.Contains(t, talk, "vm_1_5.log is not what it was in "+forged)
	}
	// Where nothing goes on, another last line is a difference.
	forge(t, whole, "vm_1_5.log", "stop: step=100 ", "stop: step=101 ")
	code, _, _ = inProcess("rerun", "--out", filepath.Join(t.TempDir(), "again"), whole)
	assert.Equal(t, 1, code)
}

// A run of processes is started with what it was started with before.
func TestRerun(t *testing.T) {
	t.Parallel()
	p, run := startRun(t, "--rates", "200,300", "--die", "4", "--seed", "7", "--duration", "700ms", "--restart", "on-failure", "--sync",
		"--window", "50", "--faults", "at 200ms kill 1 for 100ms; random reset every 100ms")
	require.Equal(t, "0", p.wait())
	again := launcher(t, t.TempDir(), "rerun", "--out", "again", "--ports", "auto", run).start()
	require.Equal(t, "0", again.wait())
	dir := filepath.Join(again.cmd.Dir, "again")
	requireCorrect(t, dir)
	was, is := recordOf(t, run), recordOf(t, dir)
	was.Run, was.Started, was.Ports = is.Run, is.Started, is.Ports
	assert.Equal(t, was, is)

	// Another name is no difference.
	both := filepath.Join(t.TempDir(), "both.html")
	code, _, errs := inProcess("report", "--out", both, run, dir)
	require.Zero(t, code, errs)
	require.Len(t, pageIn(t, both).Differences, 1)
	assert.NotContains(t, pageIn(t, both).Differences[0].Text, ":1 is the first line that differs")
}

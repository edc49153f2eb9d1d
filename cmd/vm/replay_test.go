package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/replay"
)

// recorded returns the log of a machine that was alone and crashed once.
func recorded(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("2026-11-22T17:13:40.000000Z [INFO]  vm-0: start: version=1 run=r machines=1 rate=2.5 seed=1 die=10 peers=\"\"\n")
	for i := 1; i <= 5; i++ {
		fmt.Fprintf(&b, "2026-11-22T17:13:40.%06dZ [INFO]  vm-0: internal: step=%d clock=%d queue=0\n", 1000*i, i, i)
		if i == 3 {
			b.WriteString("2026-11-22T17:13:40.003500Z [INFO]  vm-0: resume: step=3 clock=3\n")
		}
	}
	b.WriteString("2026-11-22T17:13:40.006000Z [INFO]  vm-0: stop: step=5 clock=5 queue=0 pending=\"\"\n")
	path := filepath.Join(t.TempDir(), "vm_0_2.5.log")
	require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o666))
	return path
}

// By hand, too, a machine dies where its record says so, and is started again by
// whoever started it.
func TestReplayByHand(t *testing.T) {
	record, dir := recorded(t), t.TempDir()
	args := []string{"--replay", record, "--pace", "recorded", "--port", freePorts(t, 1)[0], "--log-dir", dir}
	code, stdout, stderr := execute(t.Context(), args...)
	assert.Equal(t, exit.Crashed, code)
	assert.Empty(t, stdout)
	assert.True(t, strings.HasSuffix(stderr, "\nvm: the record has the machine crash here; start it again with --resume\n"), stderr)

	code, stdout, stderr = execute(t.Context(), append(args, "--resume")...)
	assert.Equal(t, exit.OK, code, stderr)
	assert.Contains(t, stdout, "vm-0, 2.5 ticks per second")
	c, err := replay.Compare(record, filepath.Join(dir, "vm_0_2.5.log"), replay.ButTimes)
	require.NoError(t, err)
	assert.NoError(t, c.Err())
}

// A process that came back from one crash of the record dies at the next.
func TestReplayOfTwoCrashes(t *testing.T) {
	record, dir := recorded(t), t.TempDir()
	b, err := os.ReadFile(record)
	require.NoError(t, err)
	before, after, found := strings.Cut(string(b), "2026-11-22T17:13:40.005000Z")
	require.True(t, found)
	twice := before + "2026-11-22T17:13:40.004500Z [INFO]  vm-0: resume: step=4 clock=4\n2026-11-22T17:13:40.005000Z" + after
	require.NoError(t, os.WriteFile(record, []byte(twice), 0o666))
	args := []string{"--replay", record, "--port", freePorts(t, 1)[0], "--log-dir", dir}
	for _, want := range []int{exit.Crashed, exit.Crashed, exit.OK} {
		code, _, stderr := execute(t.Context(), args...)
		require.Equal(t, want, code, stderr)
		args = append(args, "--resume")
	}
	c, err := replay.Compare(record, filepath.Join(dir, "vm_0_2.5.log"), replay.ButTimes)
	require.NoError(t, err)
	assert.NoError(t, c.Err())
}

func TestReplayDiffers(t *testing.T) {
	for _, c := range []struct {
		was, is, want string
		code          int
	}{
		{"clock=2 ", "clock=3 ", `vm_0_2.5.log:3: recorded is "vm-0: internal: step=2 clock=3 queue=0", replayed "vm-0: internal: step=2 clock=2 queue=0"`, exit.Broken},
		{"stop: step=5 clock=5 queue=0 pending=\"\"", "stop: step=5 clock=5 queue=2 pending=1:2", `vm_0_2.5.log:7: recorded is "vm-0: stop: step=5 clock=5 queue=2 pending=1:2", replayed "vm-0: stop: step=5 clock=5 queue=0 pending=\"\""`, exit.Broken},
		{"internal: step=1 clock=1 queue=0", "receive: step=1 clock=2 queue=0 from=7 seq=1 sent=1", "vm_0_2.5.log:2: a message of machine 7, which is no peer", exit.Died},
		{"internal: step=1 clock=1 queue=0", "receive: step=1 clock=2 queue=0 from=0 seq=1 sent=1", "vm_0_2.5.log:2: a message of machine 0, which is no peer", exit.Died},
	} {
		record := recorded(t)
		b, err := os.ReadFile(record)
		require.NoError(t, err)
		text := strings.Replace(string(b), "2026-11-22T17:13:40.003500Z [INFO]  vm-0: resume: step=3 clock=3\n", "", 1)
		forged := strings.Replace(text, c.was, c.is, 1)
		require.NotEqual(t, text, forged)
		require.NoError(t, os.WriteFile(record, []byte(forged), 0o666))
		code, _, stderr := execute(t.Context(), "--replay", record, "--port", freePorts(t, 1)[0], "--log-dir", t.TempDir())
		assert.Equal(t, c.code, code)
		assert.Contains(t, stderr, c.want)
	}
}

func TestReplayWrongUsage(t *testing.T) {
	record, none := recorded(t), filepath.Join(t.TempDir(), "none.log")
	for _, c := range []struct{ args, want string }{
		{"--replay " + none, "--replay: stat " + none + ": no such file or directory"},
		{"--replay " + filepath.Dir(record), "--replay: " + filepath.Dir(record) + ": expected an event log, found no regular file"},
		{"--replay=", "--replay is empty: want the log that is to be done again"},
		{"--replay " + record + " --rate 3", "--rate with --replay: that is in the record"},
		{"--replay " + record + " --id 0", "--id with --replay: that is in the record"},
		{"--replay " + record + " --duration 5s", "--duration with --replay: that is in the record"},
		{"--replay " + record + " --pace slow", `--pace "slow": want max or recorded`},
		{"--replay " + record + " --peers 1=localhost:1", record + " is of a run of 1 machine: want 0 peers, not 1"},
		{"--id 0 --pace recorded", "--pace is for a replay: give the record with --replay, or the machine's pace with --rate"},
	} {
		dir := t.TempDir()
		code, stdout, stderr := execute(t.Context(), append(strings.Fields(c.args), "--port", freePorts(t, 1)[0], "--log-dir", dir)...)
		assert.Equal(t, exit.Misused, code)
		assert.Empty(t, stdout)
		assert.Equal(t, "vm: "+c.want+"\n", stderr)
		empty(t, dir)
	}
}

// A replay in the directory of its record would cut off a torn end there, and write
// on behind it.
func TestReplayLeavesItsRecordAlone(t *testing.T) {
	record := recorded(t)
	require.NoError(t, os.Truncate(record, 400))
	before, err := os.ReadFile(record)
	require.NoError(t, err)
	for _, flags := range [][]string{nil, {"--resume"}} {
		code, _, stderr := execute(t.Context(), append(flags, "--replay", record, "--port", freePorts(t, 1)[0], "--log-dir", filepath.Dir(record))...)
		assert.Equal(t, exit.Misused, code)
		assert.Equal(t, "vm: "+record+" is the record, and the replay's log would be the same file: choose another directory for it\n", stderr)
		after, err := os.ReadFile(record)
		require.NoError(t, err)
		assert.Equal(t, before, after)
	}
}

package trace_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/trace"
	"github.com/scalemodel/lamport/pkg/trace/tracetest"
)

// logs are the event logs of a run by file name: what a test does damage to.
type logs map[string]string

// readLogs reads the logs of a directory.
func readLogs(t require.TestingT, dir string) logs {
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	l := make(logs)
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		require.NoError(t, err)
		l[e.Name()] = string(b)
	}
	return l
}

// small is the run that docs/log-format.md and docs/checking.md show.
func small(t require.TestingT) logs { return readLogs(t, filepath.Join("testdata", "small")) }

// record returns the logs of a good run.
func record(t require.TestingT, cfg tracetest.Config) logs {
	dir, err := os.MkdirTemp("", "trace-")
	require.NoError(t, err)
	defer func() { _ = os.RemoveAll(dir) }()
	require.NoError(t, tracetest.Record(dir, cfg))
	return readLogs(t, dir)
}

// three is a run of the laboratory's cluster, ten times as fast.
func three(t require.TestingT) logs {
	return record(t, tracetest.Config{Rates: tracetest.Hertz(10, 50, 40), Duration: 6 * time.Second, Seed: 11, Delay: 30 * time.Millisecond})
}

// write puts the logs into an empty directory.
func (l logs) write(t require.TestingT, dir string) {
	for name, content := range l {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o666))
	}
}

// dir returns a directory of the logs.
func (l logs) dir(t testing.TB) string {
	dir := t.TempDir()
	l.write(t, dir)
	return dir
}

// walk walks the logs.
func (l logs) walk(t testing.TB, o trace.Options, visitors ...trace.Visitor) (*trace.Verdict, error) {
	t.Helper()
	run, err := trace.Open(l.dir(t))
	if err != nil {
		return nil, err
	}
	if len(visitors) == 0 {
		return verdict(t, run, o)
	}
	return run.Walk(o, visitors...)
}

// verdict walks a run without a visitor, where lines need not be put in order. It holds that
// nothing else comes of it where they are.
func verdict(t require.TestingT, run *trace.Run, o trace.Options) (*trace.Verdict, error) {
	v, err := run.Walk(o)
	ordered, orderedErr := run.Walk(o, trace.VisitorFunc(func(*trace.Step) error { return trace.ErrEnough }))
	require.Equal(t, orderedErr, err)
	require.Equal(t, ordered, v)
	return v, err
}

// check is the verdict on the logs, which must be readable.
func (l logs) check(t testing.TB) *trace.Verdict {
	t.Helper()
	v, err := l.walk(t, trace.Options{})
	require.NoError(t, err)
	return v
}

// edit replaces the only occurrence of old in a log.
func (l logs) edit(t testing.TB, name, old, fresh string) {
	t.Helper()
	require.Equal(t, 1, strings.Count(l[name], old), "%q in %s", old, name)
	l[name] = strings.Replace(l[name], old, fresh, 1)
}

// lines returns a log's lines, each with its newline.
func (l logs) lines(name string) []string {
	return slices.DeleteFunc(strings.SplitAfter(l[name], "\n"), func(s string) bool { return s == "" })
}

func (l logs) setLines(name string, lines []string) { l[name] = strings.Join(lines, "") }

// names returns the logs' names in order.
func (l logs) names() []string { return slices.Sorted(maps.Keys(l)) }

// script writes a log by hand: a start line, the lines given as "kind fields", with
// step and queue filled in, and for "stop" the rest of that line.
func script(id, machines int, lines ...string) string {
	var b strings.Builder
	at := tracetest.Start
	line := func(text string) {
		at = at.Add(time.Second)
		fmt.Fprintf(&b, "%s [INFO]  vm-%d: %s\n", at.Format("2006-01-02T15:04:05.000000Z"), id, text)
	}
	peers := make([]string, 0, machines)
	for p := range machines {
		if p != id {
			peers = append(peers, strconv.Itoa(p))
		}
	}
	list := strings.Join(peers, ",")
	if len(peers) != 1 {
		list = `"` + list + `"`
	}
	line(fmt.Sprintf("start: version=1 run=script machines=%d rate=1 seed=1 die=10 peers=%s", machines, list))
	step := 0
	for _, l := range lines {
		kind, fields, _ := strings.Cut(l, " ")
		clock, rest, _ := strings.Cut(fields, " ")
		switch kind {
		case "stop", "resume":
			line(fmt.Sprintf("%s: step=%d %s", kind, step, fields))
		default:
			step++
			line(strings.TrimRight(fmt.Sprintf("%s: step=%d %s queue=0 %s", kind, step, clock, rest), " "))
		}
	}
	return b.String()
}

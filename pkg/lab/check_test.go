package lab

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/trace"
	"github.com/scalemodel/lamport/pkg/trace/tracetest"
)

// recorded makes a run of two machines, and lets change edit the log of the first.
func recorded(t *testing.T, change func(log string) string) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, tracetest.Record(dir, tracetest.Config{Rates: tracetest.Hertz(2, 3), Duration: 5 * time.Second, Seed: 3}))
	name := filepath.Join(dir, "vm_0_2.log")
	log, err := os.ReadFile(name)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(name, []byte(change(string(log))), 0o666))
	return dir
}

func whole(log string) string { return log }

// cut takes the last line, which is that of the stop.
func cut(log string) string { return log[:strings.LastIndex(log[:len(log)-1], "\n")+1] }

func breakLaw(log string) string { return strings.Replace(log, "step=3 ", "step=4 ", 1) }

// The exit code of a verdict is the same, whichever command comes to it.
func TestExitCodeOfAVerdict(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(string) string
		// What "check", the end of a run, that of an interrupted run, and "stats"
		// exit with.
		check, run, interrupted, stats int
		says                           string
	}{
		{"correct", whole, exit.OK, exit.OK, exit.OK, exit.OK, ""},
		{"incomplete", cut, exit.Broken, exit.Broken, exit.OK, exit.OK, "the run is incomplete: "},
		{"broken", breakLaw, exit.Broken, exit.Broken, exit.Broken, exit.Broken, "the run breaks a law; "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := recorded(t, tt.change)
			var out, errs bytes.Buffer
			env := &Env{Out: &out, Err: &errs}
			assert.Equal(t, tt.check, exit.Code(Check{Runs: Runs{Dirs: []string{dir}}, Format: "text"}.Run(t.Context(), env)))
			assert.Equal(t, tt.stats, exit.Code(Stats{Runs: Runs{Dirs: []string{dir}}, Format: "json"}.Run(t.Context(), env)))

			out.Reset()
			run, err := trace.Open(dir)
			require.NoError(t, err)
			v, err := run.Walk(trace.Options{})
			require.NoError(t, err)
			err = env.check(dir, v, false)
			assert.Equal(t, tt.run, exit.Code(err))
			assert.True(t, strings.HasPrefix(out.String(), "check        "+tt.name) || tt.name == "broken", out.String())
			if tt.says != "" {
				require.ErrorContains(t, err, tt.says)
			}
			assert.Empty(t, errs.String())
			assert.Equal(t, tt.interrupted, exit.Code(env.check(dir, v, true)))
			if tt.name == "incomplete" {
				assert.True(t, strings.HasPrefix(errs.String(), tt.says), "it is said all the same")
			}
		})
	}
}

// An incomplete run is excused, a broken one never, and the worst of several counts.
func TestCheckAllowsWhatIsIncomplete(t *testing.T) {
	good, incomplete, broken := recorded(t, whole), recorded(t, cut), recorded(t, breakLaw)
	unreadable := recorded(t, func(log string) string { return "hello\n" + log })
	for _, tt := range []struct {
		dirs  []string
		allow bool
		want  int
	}{
		{[]string{good, incomplete}, true, exit.OK},
		{[]string{incomplete, good}, false, exit.Broken},
		{[]string{incomplete, broken}, true, exit.Broken},
		{[]string{broken, unreadable, good}, true, exit.Misused},
	} {
		var out, errs bytes.Buffer
		err := Check{Runs: Runs{Dirs: tt.dirs}, AllowIncomplete: tt.allow, Format: "text"}.Run(t.Context(), &Env{Out: &out, Err: &errs})
		assert.Equal(t, tt.want, exit.Code(err), fmt.Sprint(tt))
	}
}

// Two logs under each other's names are neither checked nor replayed as if nothing
// were wrong.
func TestSwappedLogs(t *testing.T) {
	dir := recorded(t, whole)
	a, b := filepath.Join(dir, "vm_0_2.log"), filepath.Join(dir, "vm_1_3.log")
	spare := filepath.Join(dir, "spare")
	require.NoError(t, os.Rename(a, spare))
	require.NoError(t, os.Rename(b, a))
	require.NoError(t, os.Rename(spare, b))

	var out bytes.Buffer
	env := &Env{Out: &out, Err: &out}
	assert.Equal(t, exit.Broken, exit.Code(Check{Runs: Runs{Dirs: []string{dir}}, Format: "text"}.Run(t.Context(), env)))
	assert.Contains(t, out.String(), ": run: a line of machine 1 in the log of machine 0")

	err := Replay{Dir: dir}.Run(t.Context(), env)
	require.EqualError(t, err, a+": its start line is that of machine 1, not 0: want each log under its own name")
	assert.Equal(t, exit.Misused, exit.Code(err))
}

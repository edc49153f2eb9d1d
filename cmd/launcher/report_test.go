package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/page"
)

var headForm = regexp.MustCompile(`(?s)<script type="application/json" id="page">(.*?)</script>`)

// headOf returns what a page shows.
func headOf(t *testing.T, text string) *page.Head {
	t.Helper()
	m := headForm.FindStringSubmatch(text)
	require.NotNil(t, m, "no page: %.200s", text)
	head := new(page.Head)
	require.NoError(t, json.Unmarshal([]byte(m[1]), head))
	return head
}

func pageIn(t *testing.T, path ...string) *page.Head {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	require.NoError(t, err)
	return headOf(t, string(b))
}

// simulated does a run in virtual time, and returns its directory.
func simulated(t *testing.T, name string, flags ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	code, _, errs := inProcess(append([]string{"sim", "--seed", "42", "--duration", "30s", "--out", dir, "--quiet"}, flags...)...)
	require.Zero(t, code, errs)
	return dir
}

func TestReport(t *testing.T) {
	t.Parallel()
	dir := simulated(t, "run", "--report=false")
	assert.NotContains(t, names(t, dir), "report.html")

	code, out, errs := inProcess("report", dir)
	require.Zero(t, code, errs)
	assert.Empty(t, out)
	assert.Equal(t, "report       "+filepath.Join(dir, "report.html")+"\n", errs)
	head := pageIn(t, dir, "report.html")
	assert.Equal(t, page.KindRun, head.Kind)
	require.Len(t, head.Runs, 1)
	run := &head.Runs[0]
	assert.Equal(t, "correct", run.Verdict.State)
	assert.Equal(t, "run", run.Name)
	assert.True(t, strings.HasPrefix(run.Again, "launcher sim --rates 1,5,4 "), run.Again)
	assert.Contains(t, run.Findings[0].Text, "machine 0 falls behind: its queue grew by ")
	assert.Equal(t, []uint64{30, 150, 120}, []uint64{run.Machines[0].Events, run.Machines[1].Events, run.Machines[2].Events})
	assert.Empty(t, run.Left)

	// It is the page that the end of the run would have left, and the same again.
	first, err := os.ReadFile(filepath.Join(dir, "report.html"))
	require.NoError(t, err)
	other := simulated(t, "run")
	assert.Equal(t, headOf(t, string(first)).Runs[0].Columns, pageIn(t, other, "report.html").Runs[0].Columns)
	code, out, errs = inProcess("report", "--out", "-", dir)
	require.Zero(t, code, errs)
	assert.Empty(t, errs)
	assert.Equal(t, string(first), out)

	// A part of it, in another file.
	file := filepath.Join(t.TempDir(), "part.html")
	code, _, errs = inProcess("report", "--from", "10s", "--to", "12s", "--out", file, "--quiet", dir)
	require.Zero(t, code, errs)
	assert.Empty(t, errs)
	part := &pageIn(t, file).Runs[0]
	assert.Equal(t, []uint64{9, 49, 39}, part.First)
	assert.Equal(t, []uint64{3, 11, 9}, []uint64{part.Machines[0].Events, part.Machines[1].Events, part.Machines[2].Events})
	assert.Contains(t, part.Left, "the diagram shows 23 of 300 events, those from 10s to 12s; charts and tables are of the whole run; \"launcher report --from 12s --to 14s ")
	assert.Equal(t, run.Tables, part.Tables)
}

// What should be the same is compared, and the first difference is found.
func TestReportCompares(t *testing.T) {
	t.Parallel()
	a, same, other := simulated(t, "a"), simulated(t, "same"), simulated(t, "other", "--seed", "43")
	file := filepath.Join(t.TempDir(), "both.html")
	both := func(dirs ...string) *page.Head {
		code, _, errs := inProcess(append([]string{"report", "--out", file}, dirs...)...)
		require.Zero(t, code, errs)
		head := pageIn(t, file)
		assert.Equal(t, page.KindCompare, head.Kind)
		assert.Len(t, head.Runs, len(dirs))
		return head
	}
	head := both(a, same)
	require.Len(t, head.Differences, 1)
	assert.Equal(t, "the logs of 3 machines are the same, byte for byte", head.Differences[0].Text)
	assert.Empty(t, both(a, other).Differences, "another seed is another run")

	log := filepath.Join(same, "vm_1_5.log")
	text, err := os.ReadFile(log)
	require.NoError(t, err)
	lines := strings.SplitAfter(string(text), "\n")
	lines[40] = strings.Replace(lines[40], "queue=0", "queue=1", 1)
	require.NoError(t, os.WriteFile(log, []byte(strings.Join(lines, "")), 0o666))
	head = both(a, other, same)
	require.Len(t, head.Differences, 1)
	d := head.Differences[0]
	assert.Equal(t, [2]int{0, 2}, d.Runs)
	assert.Equal(t, []page.At{{Machine: 1, Position: 39}, {Machine: 1, Position: 39}}, d.At)
	assert.Contains(t, d.Text, "vm_1_5.log:41 is the first line that differs: ")
}

func TestReportOfASweep(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "sweep")
	code, _, errs := inProcess("sweep", "--virtual", "--rates", "1,5,4;3,3,3", "--trials", "2", "--duration", "10s", "--seed", "3", "--out", dir, "--quiet", "--report=false")
	require.Zero(t, code, errs)
	assert.NotContains(t, names(t, dir), "report.html")
	run := filepath.Join(dir, "runs", "p0002-t0001")
	assert.NotContains(t, names(t, run), "report.html")

	code, _, errs = inProcess("report", dir)
	require.Zero(t, code, errs)
	head := pageIn(t, dir, "report.html")
	assert.Equal(t, page.KindSweep, head.Kind)
	require.NotNil(t, head.Sweep)
	assert.Equal(t, "correct", head.Sweep.Verdict.State)
	require.Len(t, head.Sweep.Points, 2)
	require.Len(t, head.Sweep.Runs, 4)
	assert.Equal(t, []page.Parameter{{Name: "rates", Values: []string{"1,5,4", "3,3,3"}}}, head.Sweep.Parameters)
	for _, r := range head.Sweep.Runs {
		assert.Equal(t, "runs/"+r.Name+"/report.html", r.Page)
		assert.Equal(t, page.KindRun, pageIn(t, dir, r.Page).Kind)
	}

	code, _, errs = inProcess("report", "--from", "1s", dir)
	assert.Equal(t, 2, code)
	assert.Equal(t, "launcher: "+dir+" is a sweep: a sweep has no part by time: leave out --from and --to, or name the directory of one of its runs\n", errs)
}

func TestReportRefuses(t *testing.T) {
	t.Parallel()
	dir := simulated(t, "run")
	for _, tt := range []struct {
		args []string
		says string
	}{
		{nil, "report: which run? Name its directory, for example runs/latest"},
		{[]string{"--out", "", dir}, "--out is empty: want the name of a file"},
		{[]string{"--from", "-1s", dir}, "--from -1s: want a time after the start"},
		{[]string{"--from", "2s", "--to", "1s", dir}, "--from 2s --to 1s: want a beginning and a later end"},
		{[]string{"--from", "1h", dir}, dir + ": no event lies in the part of the run that is to be shown: all "},
		{[]string{"--to", "0s", dir}, "--from 0s --to 0s: want a beginning and a later end"},
		{[]string{"--out", filepath.Join(dir, "vm_0_1.log"), dir}, filepath.Join(dir, "vm_0_1.log") + " is a file of the run itself, which is not overwritten: want another name"},
		{[]string{t.TempDir()}, " holds no event log (vm_<id>_<rate>.log): want the directory of a run"},
	} {
		code, out, errs := inProcess(append([]string{"report"}, tt.args...)...)
		assert.Equal(t, 2, code)
		assert.Empty(t, out)
		assert.Contains(t, errs, tt.says)
		assert.Equal(t, 1, strings.Count(errs, "\n"), errs)
	}
}

// A broken run has a page that says so.
func TestReportOfABrokenRun(t *testing.T) {
	t.Parallel()
	dir := simulated(t, "run", "--report=false")
	log := filepath.Join(dir, "vm_1_5.log")
	text, err := os.ReadFile(log)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(log, []byte(strings.Replace(string(text), "step=7 ", "step=8 ", 1)), 0o666))
	code, _, errs := inProcess("report", dir)
	require.Zero(t, code, errs)
	run := pageIn(t, dir, "report.html").Runs[0]
	assert.Equal(t, "broken", run.Verdict.State)
	assert.Contains(t, run.Verdict.Details[0], "vm_1_5.log:8: step: ")
	assert.Equal(t, "a law is broken, so the figures may mean nothing", run.Findings[0].Text)
}

// Where somebody has put a link in the place of the page, nothing is written to where it
// leads.
func TestReportWritesThroughNoLink(t *testing.T) {
	t.Parallel()
	dir := simulated(t, "run", "--report=false")
	precious := filepath.Join(t.TempDir(), "precious")
	require.NoError(t, os.WriteFile(precious, []byte("precious"), 0o666))
	for _, name := range []string{"report.html", "report.html.part"} {
		if err := os.Symlink(precious, filepath.Join(dir, name)); err != nil {
			t.Skip("no links can be made here")
		}
		code, _, errs := inProcess("report", dir)
		require.Zero(t, code, errs)
		b, err := os.ReadFile(precious)
		require.NoError(t, err)
		assert.Equal(t, "precious", string(b))
		pageIn(t, dir, "report.html")
		assert.NotContains(t, names(t, dir), "report.html.part")
	}
}

// The page at the end of a run is extra: where it cannot be written, that is said, and the
// result is what it is.
func TestReportThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "run")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "report.html", "precious"), 0o777))
	code, out, errs := inProcess("sim", "--seed", "1", "--duration", "2s", "--out", dir, "--quiet")
	assert.Zero(t, code, errs)
	assert.Contains(t, out, "\ncheck        correct: ")
	assert.Regexp(t, `^`+regexp.QuoteMeta(filepath.Join(dir, "report.html"))+` cannot be written: .+\n$`, errs)
	assert.DirExists(t, filepath.Join(dir, "report.html", "precious"))
	assert.NotContains(t, names(t, dir), "report.html.part")

	code, _, errs = inProcess("report", dir)
	assert.Equal(t, 2, code)
	assert.Regexp(t, `^launcher: `+regexp.QuoteMeta(filepath.Join(dir, "report.html"))+` cannot be written: .+ \(choose another --out\)\n$`, errs)
}

// A run that is not even checked has a page only for those who ask.
func TestReportWithoutACheck(t *testing.T) {
	t.Parallel()
	assert.NotContains(t, names(t, simulated(t, "run", "--check=false")), "report.html")
	asked := simulated(t, "run", "--check=false", "--report")
	assert.Equal(t, page.KindRun, pageIn(t, asked, "report.html").Kind)
	assert.NotContains(t, names(t, simulated(t, "run", "--logs=false")), "report.html")
}

// Nothing is written outside of a sweep's directory, whatever links stand in it.
func TestReportOfASweepWritesThroughNoLink(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "sweep")
	code, _, errs := inProcess("sweep", "--virtual", "--trials", "1", "--duration", "5s", "--seed", "3", "--out", dir, "--quiet", "--report=false")
	require.Zero(t, code, errs)
	outside := filepath.Join(t.TempDir(), "outside")
	run := filepath.Join(dir, "runs", "p0001-t0001")
	require.NoError(t, os.Rename(run, outside))
	if err := os.Symlink(outside, run); err != nil {
		t.Skip("no links can be made here")
	}
	code, _, errs = inProcess("report", dir)
	assert.NotZero(t, code, errs)
	assert.NotContains(t, names(t, outside), "report.html")
}

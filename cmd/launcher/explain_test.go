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

	"github.com/scalemodel/lamport/pkg/report"
)

// The examples of docs/explain.md are what is really said.
func TestExplainPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/explain.md")
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "runs"), 0o777))
	require.NoError(t, os.Rename(smallRun(t), filepath.Join(dir, "runs", "small")))
	t.Chdir(dir)
	examples := regexp.MustCompile("(?s)```sh\nlauncher (explain [^\n]*)\n```\n\n```text\n(.*?)```\n").FindAllStringSubmatch(string(page), -1)
	require.Len(t, examples, 3)
	for _, example := range examples {
		code, out, errs := inProcess(strings.Fields(example[1])...)
		assert.Zero(t, code)
		assert.Empty(t, errs)
		assert.Equal(t, example[2], out, example[1])
	}
}

func TestExplainAsJSON(t *testing.T) {
	dir := smallRun(t)
	code, out, errs := inProcess("explain", "--format", "json", dir, "1:3", "0:5")
	assert.Zero(t, code, errs)
	var e report.Explanation
	require.NoError(t, json.Unmarshal([]byte(out), &e))
	assert.Equal(t, "before", e.Relation)
	require.Len(t, e.Chain.Hops, 1)
	assert.Equal(t, filepath.Join(dir, "vm_0_1.log"), e.Chain.Hops[0].Receive.File)
	assert.Equal(t, "2026-11-22T17:13:42.066670Z [INFO]  vm-0: receive: step=2 clock=4 queue=0 from=1 seq=1 sent=3", e.Chain.Hops[0].Receive.Text)
}

func TestExplainUsage(t *testing.T) {
	dir := smallRun(t)
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "explain: which run, and which event of it? For example: runs/latest 2:17"},
		{[]string{dir}, "explain: which event of the run? Name it MACHINE:STEP (2:17), MACHINE@CLOCK (2@40) or FILE:LINE (vm_2_4.log:19)"},
		{[]string{dir, "1:1", "1:2", "1:3"}, "explain takes a run and one or two events of it, and here are 3"},
		{[]string{dir, "first"}, `explain: "first" names no event: want MACHINE:STEP (2:17), MACHINE@CLOCK (2@40) or FILE:LINE (vm_2_4.log:19)`},
		{[]string{dir, "0:9"}, "0:9: machine 0 has no step 9: its steps are 1 to 5"},
		{[]string{dir, "1:1", "--format", "xml"}, `--format "xml": want text or json`},
		{[]string{filepath.Join(dir, "x"), "1:1"}, "cannot be read: no such file or directory; want the directory of a run"},
	} {
		code, out, errs := inProcess(append([]string{"explain"}, c.args...)...)
		assert.Equal(t, 2, code)
		assert.Empty(t, out)
		assert.Contains(t, errs, c.want)
		assert.Equal(t, 1, strings.Count(errs, "\n"), errs)
	}
}

package main

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/internal/needs"
	"github.com/scalemodel/lamport/pkg/trace/tracetest"
)

func TestExport(t *testing.T) {
	dir := smallRun(t)
	for format, first := range map[string]string{
		"shiviz": `(?<event>.*)\n(?<host>\S*) (?<clock>{.*})`, "perfetto": `{"displayTimeUnit":"ms","traceEvents":[`,
		"csv":   "time,elapsed_us,machine,step,kind,clock,jump,queue,messages,sent,latency_us",
		"jsonl": `{"time":"2026-11-22T17:13:40.566784Z","elapsed_us":500151,"machine":1,"step":1,"kind":"internal","clock":1,"jump":1,"queue":0}`,
	} {
		code, out, errs := inProcess("export", "--format", format, dir)
		require.Zero(t, code, errs)
		assert.Empty(t, errs)
		got, _, _ := strings.Cut(out, "\n")
		assert.Equal(t, first, got)

		// A file receives the same, again and again.
		file := filepath.Join(t.TempDir(), "export")
		for range 2 {
			code, toStdout, errs := inProcess("export", "--format", format, "-o", file, dir)
			require.Zero(t, code, errs)
			assert.Empty(t, toStdout)
			assert.Empty(t, errs)
			b, err := os.ReadFile(file)
			require.NoError(t, err)
			assert.Equal(t, out, string(b))
			assert.Equal(t, []string{"export"}, names(t, filepath.Dir(file)))
		}
		_, again, _ := inProcess("export", "--format", format, "-o", "-", dir)
		assert.Equal(t, out, again)
	}
	_, out, _ := inProcess("export", "--format", "csv", "--vectors", dir)
	assert.Contains(t, out, `,"[4,10]"`)
}

func names(t *testing.T, dir string) []string {
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestExportUsage(t *testing.T) {
	dir := smallRun(t)
	for _, tt := range []struct{ args, want string }{
		{"--format csv", "launcher: export: which run? Name its directory, for example runs/latest\n"},
		{"DIR", "launcher: --format is missing: want shiviz, perfetto, csv or jsonl\n"},
		{"--format xml DIR", "launcher: --format \"xml\": want shiviz, perfetto, csv or jsonl\n"},
		{"--format csv DIR DIR", "launcher: export takes one run at a time, and here are 2\n"},
		{"DIR --format", "launcher: flag needs an argument: -format; \"launcher export --help\" lists the flags\n"},
		{"DIR --format csv --vectors=maybe", "launcher: --vectors \"maybe\": want true or false\n"},
		{"--format shiviz --vectors DIR", "launcher: --vectors is for csv and jsonl; shiviz always has them\n"},
		{"--format perfetto --vectors DIR", "launcher: --vectors is for csv and jsonl; perfetto has no place for them\n"},
		{"--format csv -o DIR DIR", "launcher: DIR is a directory: want the name of a file\n"},
		{"--format csv -o DIR/no/file DIR", "launcher: DIR/no/file cannot be written: no such file or directory\n"},
		{"--format csv DIR/nowhere", "launcher: DIR/nowhere cannot be read: no such file or directory; want the directory of a run\n"},
	} {
		code, out, errs := inProcess(append([]string{"export"}, strings.Fields(strings.ReplaceAll(tt.args, "DIR", dir))...)...)
		assert.Equal(t, 2, code, tt.args)
		assert.Empty(t, out, tt.args)
		assert.Equal(t, strings.ReplaceAll(tt.want, "DIR", dir), errs, tt.args)
	}
	assert.Equal(t, []string{"vm_0_1.log", "vm_1_2.log"}, names(t, dir))
}

// A run that is not correct is exported as far as it goes, and standard error says so
// in a line.
func TestExportOfABadRun(t *testing.T) {
	dir := smallRun(t)
	log := filepath.Join(dir, "vm_1_2.log")
	change(t, log, "step=9 clock=9", "step=9 clock=8")
	code, out, errs := inProcess("export", "--format", "jsonl", dir)
	assert.Zero(t, code)
	assert.Equal(t, 15, strings.Count(out, "\n"))
	assert.Contains(t, errs, "launcher: "+dir+": BROKEN: ")
	assert.True(t, strings.HasSuffix(errs, "; \"launcher check\" shows them\n"), errs)
	assert.Equal(t, 1, strings.Count(errs, "\n"))

	change(t, log, "step=9 clock=8", "step=9 clock=9")
	change(t, log, "pending=\"\"\n", "")
	code, out, errs = inProcess("export", "--format", "jsonl", dir)
	assert.Zero(t, code)
	assert.Equal(t, 15, strings.Count(out, "\n"))
	assert.True(t, strings.HasPrefix(errs, "launcher: "+dir+": incomplete: "+log), errs)
	assert.Equal(t, 1, strings.Count(errs, "\n"))
}

// Nothing is left of a file that could not be completed, and what was there stays.
func TestExportOfAnUnreadableRun(t *testing.T) {
	dir := smallRun(t)
	log := filepath.Join(dir, "vm_1_2.log")
	change(t, log, "step=9 clock=9", "step=9 cl0ck=9")
	file := filepath.Join(t.TempDir(), "export")
	require.NoError(t, os.WriteFile(file, []byte("of yesterday"), 0o600))
	code, out, errs := inProcess("export", "--format", "perfetto", "-o", file, dir)
	assert.Equal(t, 2, code)
	assert.Empty(t, out)
	assert.Equal(t, "launcher: "+log+":10: expected \" clock=\", found \" cl0ck=9 queue=0 to=0:2\"\n", errs)
	assert.Equal(t, []string{"export"}, names(t, filepath.Dir(file)))
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, "of yesterday", string(b))

	code, out, _ = inProcess("export", "--format", "perfetto", dir)
	assert.Equal(t, 2, code)
	assert.True(t, json.Valid([]byte(out)), "what there is, is in good form")
}

func TestExportWarnsOfShiViz(t *testing.T) {
	dir := recordedRun(t, tracetest.Config{Rates: tracetest.Hertz(2000, 2000, 2000), Duration: 2 * time.Second})
	code, _, errs := inProcess("export", "--format", "shiviz", "-o", os.DevNull, dir)
	assert.Zero(t, code)
	assert.Equal(t, "launcher: "+dir+": 12000 events: ShiViz needs seconds for 10000, and four times as long for twice as many\n", errs)
}

// A link stays a link, and what is no regular file is written to in place.
func TestExportToOtherFiles(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip(err)
	}
	dir := smallRun(t)
	there := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(there, "file"), nil, 0o666))
	require.NoError(t, os.Symlink("file", filepath.Join(there, "link")))
	code, _, errs := inProcess("export", "--format", "csv", "-o", filepath.Join(there, "link"), dir)
	require.Zero(t, code, errs)
	info, err := os.Lstat(filepath.Join(there, "link"))
	require.NoError(t, err)
	assert.Equal(t, os.ModeSymlink, info.Mode().Type())
	b, err := os.ReadFile(filepath.Join(there, "file"))
	require.NoError(t, err)
	assert.Equal(t, 16, strings.Count(string(b), "\n"))

	code, _, errs = inProcess("export", "--format", "csv", "-o", "/dev/full", dir)
	assert.Equal(t, 2, code)
	assert.Equal(t, "launcher: /dev/full cannot be written: no space left on device\n", errs)
	info, err = os.Stat("/dev/full")
	require.NoError(t, err)
	assert.Equal(t, os.ModeDevice|os.ModeCharDevice, info.Mode().Type())
}

// full is a disk without room for a large file.
type full struct{ left int }

func (f *full) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, &os.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.ENOSPC}
	}
	return len(p), nil
}

func TestFullDisk(t *testing.T) {
	dir := recordedRun(t, tracetest.Config{Rates: tracetest.Hertz(500, 500, 500), Duration: 2 * time.Second})
	for _, args := range [][]string{{"order"}, {"export", "--format", "csv"}, {"export", "--format", "perfetto"}} {
		for _, room := range []int{0, 100_000} {
			var errs strings.Builder
			code := executeAlone(context.Background(), slices.Concat([]string{"launcher"}, args, []string{dir}), &full{room}, &errs)
			assert.Equal(t, 2, code)
			assert.Equal(t, "launcher: standard output cannot be written: no space left on device\n", errs.String(), args)
		}
	}
}

// A reader that has read enough ends a command, and nobody says anything. A verdict stays
// what it is.
func TestReaderGone(t *testing.T) {
	dir := recordedRun(t, tracetest.Config{Rates: tracetest.Hertz(2000, 2000, 2000), Duration: 2 * time.Second})
	broken := smallRun(t)
	change(t, filepath.Join(broken, "vm_1_2.log"), "step=9 clock=9", "step=9 clock=8")
	for _, tt := range []struct {
		args []string
		code int
	}{
		{[]string{"order", dir}, 0},
		{[]string{"export", "--format", "shiviz", dir}, 0},
		{[]string{"export", "--format", "perfetto", dir}, 0},
		{[]string{"export", "--format", "csv", dir}, 0},
		{[]string{"export", "--format", "jsonl", dir}, 0},
		{[]string{"check", dir}, 0},
		{[]string{"check", broken}, 1},
		{[]string{"check", broken, dir}, 1},
		{[]string{"stats", dir}, 0},
	} {
		r, w, err := os.Pipe()
		require.NoError(t, err)
		require.NoError(t, r.Close())
		var errs strings.Builder
		assert.Equal(t, tt.code, executeAlone(context.Background(), append([]string{"launcher"}, tt.args...), w, &errs), tt.args)
		assert.Empty(t, errs.String(), tt.args)
		require.NoError(t, w.Close())
	}
}

func TestExportIsInterrupted(t *testing.T) {
	dir := recordedRun(t, tracetest.Config{Rates: tracetest.Hertz(500, 500, 500), Duration: 2 * time.Second})
	file := filepath.Join(t.TempDir(), "export")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, args := range [][]string{{"order"}, {"export", "--format", "csv"}, {"export", "--format", "csv", "-o", file}} {
		var out, errs strings.Builder
		assert.Equal(t, 130, executeAlone(ctx, slices.Concat([]string{"launcher"}, args, []string{dir}), &out, &errs))
		assert.Empty(t, errs.String())
	}
	assert.Empty(t, names(t, filepath.Dir(file)))
}

// The page shows what is true: its commands give what stands below them.
func TestExportsPage(t *testing.T) {
	b, err := os.ReadFile("../../docs/exports.md")
	require.NoError(t, err)
	page := string(b)
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "runs"), 0o777))
	require.NoError(t, os.Rename(smallRun(t), filepath.Join(dir, "runs", "small")))
	t.Chdir(dir)
	for _, name := range []string{"run.csv", "run.jsonl"} {
		code, _, errs := inProcess("export", "--format", strings.TrimPrefix(name, "run."), "-o", name, "runs/small")
		require.Zero(t, code, errs)
	}

	examples := regexp.MustCompile("(?s)```sh\n([^`]*)```\n(?:\n```text\n([^`]*)```\n)?").FindAllStringSubmatch(page, -1)
	commands, queries := 0, 0
	for _, example := range examples {
		for line := range strings.Lines(example[1]) {
			want := example[2]
			switch {
			case strings.HasPrefix(line, "jq "):
				t.Run(line, func(t *testing.T) {
					needs.Programs(t, "jq")
					out, err := exec.Command("sh", "-c", line).CombinedOutput()
					require.NoError(t, err, string(out))
					assert.Equal(t, want, string(out))
				})
				queries++
			case strings.HasPrefix(line, "launcher "):
				line, _, _ = strings.Cut(line, ">")
				line, head, _ := strings.Cut(line, "|")
				code, out, errs := inProcess(strings.Fields(line)[1:]...)
				require.Zero(t, code, errs)
				if head != "" {
					out = strings.Join(strings.SplitAfter(out, "\n")[:5], "")
				}
				if want != "" {
					assert.Equal(t, want, out, line)
				}
				commands++
			}
		}
	}
	assert.Equal(t, 9, commands)
	assert.Equal(t, 3, queries)

	header, _, _ := strings.Cut(string(must(os.ReadFile("run.csv"))), "\n")
	var columns []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_0-9]+)` \\| (?:time|integer|text|list of [a-z]+) \\|").FindAllStringSubmatch(page, -1) {
		columns = append(columns, m[1])
	}
	assert.Equal(t, header+",vector", strings.Join(columns, ","))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/trace/tracetest"
)

// streamed records a run, and returns its directory and what "docker compose logs" would
// have shown of it, with some talk between.
func streamed(t *testing.T) (dir, stream string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "run")
	require.NoError(t, os.Mkdir(dir, 0o777))
	require.NoError(t, tracetest.Record(dir, tracetest.Config{Rates: tracetest.Hertz(1, 5, 4), Duration: 60 * time.Second}))
	r := rand.New(rand.NewPCG(1, 2))
	rest := make([][]string, 3)
	for id, rate := range tracetest.Hertz(1, 5, 4) {
		b, err := os.ReadFile(filepath.Join(dir, logging.FileName(id, rate)))
		require.NoError(t, err)
		rest[id] = strings.SplitAfter(strings.TrimSuffix(string(b), "\n"), "\n")
	}
	var b strings.Builder
	for slices.ContainsFunc(rest, func(lines []string) bool { return len(lines) > 0 }) {
		id := r.IntN(3)
		if r.IntN(20) == 0 {
			fmt.Fprintf(&b, "vm-%d-1  | 2026-11-26T20:40:00.123456Z [INFO]  vm-%d: all links are up; waiting for the others\n", id, id)
		}
		if len(rest[id]) > 0 {
			fmt.Fprintf(&b, "vm-%d-1  | %s\n", id, strings.TrimSuffix(rest[id][0], "\n"))
			rest[id] = rest[id][1:]
		}
	}
	return dir, b.String()
}

// withInput runs a command in this process with a standard input.
func withInput(input string, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	a := app("launcher")
	a.Reader = strings.NewReader(input)
	code = command.Run(context.Background(), a, append([]string{"launcher"}, args...), &out, &errs)
	return code, out.String(), errs.String()
}

// Every command that reads a run says of a stream, from a file or from standard input, what it
// says of the directory.
func TestStreams(t *testing.T) {
	dir, stream := streamed(t)
	file := filepath.Join(t.TempDir(), "compose.log")
	require.NoError(t, os.WriteFile(file, []byte(stream), 0o666))
	for _, c := range [][]string{
		{"check"}, {"check", "--format", "csv"}, {"stats"}, {"stats", "--format", "csv"}, {"order"}, {"replay"},
		{"export", "--format", "csv"}, {"export", "--format", "shiviz"}, {"export", "--format", "jsonl"}, {"export", "--format", "perfetto"},
		{"diagram"}, {"diagram", "--format", "tikz"}, {"explain"},
	} {
		t.Run(strings.Join(c, " "), func(t *testing.T) {
			args := func(name string) []string {
				if c[0] == "explain" {
					return append(slices.Clone(c), name, "0:3", "1:5")
				}
				return append(slices.Clone(c), name)
			}
			code, want, stderr := withInput("", args(dir)...)
			require.Zero(t, code, stderr)
			for _, name := range []string{file, "-"} {
				code, got, stderr := withInput(stream, args(name)...)
				require.Zero(t, code, stderr)
				if c[0] == "explain" { // which names lines
					assert.Contains(t, got, map[string]string{file: file, "-": "stdin"}[name]+":")
					assert.Equal(t, strings.Count(want, "\n"), strings.Count(got, "\n"))
					continue
				}
				kept := strings.ReplaceAll(got, name+":", dir+":")
				kept = strings.ReplaceAll(kept, name+",", dir+",")
				if c[0] == "check" && len(c) == 1 {
					var remark string
					kept, remark, _ = strings.Cut(kept, "\n")
					kept += "\n"
					assert.Regexp(t, `^  passed over: \d+ of [\d,]+ lines, which are of no event log\n$`, remark)
				} else {
					assert.Regexp(t, `passed over: \d+ of [\d,]+ lines`, got+stderr)
				}
				if len(c) == 1 || c[len(c)-1] != "csv" || c[0] == "export" {
					assert.Equal(t, want, kept)
				}
			}
		})
	}
}

// What breaks a law is named by its line in the stream, and quoted without what stood in front of it.
func TestStreamThatBreaksALaw(t *testing.T) {
	_, stream := streamed(t)
	lines := strings.SplitAfter(stream, "\n")
	at := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, " vm-1: ") && strings.Contains(l, " step=5 ") })
	require.Positive(t, at)
	lines[at] = strings.Replace(lines[at], "step=5", "step=6", 1)
	code, stdout, _ := withInput(strings.Join(lines, ""), "check", "-")
	assert.Equal(t, 1, code)
	_, line, _ := strings.Cut(lines[at], "| ")
	assert.Contains(t, stdout, fmt.Sprintf("stdin:%d: %s", at+1, line))
}

func TestStreamTrouble(t *testing.T) {
	dir, stream := streamed(t)
	file := filepath.Join(t.TempDir(), "compose.log")
	require.NoError(t, os.WriteFile(file, []byte(stream), 0o666))
	notes := filepath.Join(t.TempDir(), "notes")
	require.NoError(t, os.WriteFile(notes, []byte("buy milk\n"), 0o666))
	start := strings.Index(stream, "| 2") + 2
	for _, c := range []struct {
		input string
		args  []string
		want  string
	}{
		{"", []string{"check", "-"}, "stdin: no line of an event log in 0 lines: want what machines wrote, their logs or the output of vm --log-to stdout"},
		{"", []string{"stats", notes}, notes + ": no line of an event log in 1 line: want what machines wrote, their logs or the output of vm --log-to stdout"},
		{stream[start:start+44] + "\n" + stream, []string{"order", "-"}, "stdin:1: expected a whole line of an event log, found a piece of one: "},
		{stream, []string{"report", "-"}, "-: a stream has no directory for its page: say with --out where the page goes"},
		{"", []string{"export", "--format", "csv", "-o", file, file}, file + " is a file of the run itself, which is not overwritten: want another name"},
		{stream, []string{"replay", "--processes", "-"}, "- is a stream: processes replay logs that each have a file; replay it without --processes"},
		{stream, []string{"rerun", file}, file + " is a file, and says not how its run was begun: want the directory of a run, with its run.json"},
		{"", []string{"check", filepath.Join(dir, "nowhere")}, "no such file or directory"},
	} {
		code, stdout, stderr := withInput(c.input, c.args...)
		assert.Equal(t, 2, code, c.args)
		assert.Empty(t, stdout)
		assert.Contains(t, stderr, c.want)
	}
	kept, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, stream, string(kept))

	code, _, stderr := withInput(stream, "check", "-", "-")
	assert.Equal(t, 2, code, stderr)
}

func TestReportOfAStream(t *testing.T) {
	_, stream := streamed(t)
	out := filepath.Join(t.TempDir(), "page.html")
	code, stdout, stderr := withInput(stream, "report", "--out", out, "-")
	require.Zero(t, code, stderr)
	assert.Empty(t, stdout)
	b, err := os.ReadFile(out)
	require.NoError(t, err)
	assert.Contains(t, string(b), "</html>")
}

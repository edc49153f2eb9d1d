package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(text)
}

// What go test prints is taken for what it is.
func TestSift(t *testing.T) {
	text, n, skipped := sift(strings.Join([]string{
		"goos: linux", "pkg: example/x", "cpu: Some CPU",
		"BenchmarkA",
		"BenchmarkA-2   \t       1\t 5 ns/op",
		"BenchmarkB/c-2 \t       1\t 6 ns/op\t 0.5 ratio",
		"BenchmarkD", "    d_test.go:12: libfoo-dev is missing: apt-get install libfoo-dev", "--- SKIP: BenchmarkD",
		"--- BENCH: BenchmarkA-2", "    a_test.go:3: a remark",
		"PASS", "ok  \texample/x\t0.1s", "",
	}, "\n"))
	assert.Equal(t, "goos: linux\npkg: example/x\ncpu: Some CPU\nBenchmarkA-2   \t       1\t 5 ns/op\nBenchmarkB/c-2 \t       1\t 6 ns/op\t 0.5 ratio\n", text)
	assert.Equal(t, 2, n)
	assert.Equal(t, []string{"libfoo-dev is missing: apt-get install libfoo-dev"}, skipped)
}

// block is a block of one benchmark line for each of so many values.
func block(g *Group, lines ...string) Block {
	text := "group: " + g.Key() + "\ndate: 2026-11-27T00:00:00Z\ncommit: abc\npkg: example/" + g.Package + "\n" + strings.Join(lines, "\n") + "\n"
	return Block{Group: g.Key(), Text: []byte(text)}
}

var sample = []Section{
	{Name: "stages", Set: Stages, Key: "stage", Rows: []Row{
		{What: "walk", Of: "pkg/a BenchmarkWalk/n=3", Time: "1x", Rival: "`wc -l`", Goal: Goal{Rate: 15e6, Ratio: 0.35}},
		{What: "the same", Of: "pkg/a BenchmarkWalk/n=3", Time: "1x", Rival: "`wc -l`", Goal: Goal{Rate: 15e6, Ratio: 0.35, Either: true}},
		{What: "alone", Of: "pkg/a BenchmarkAlone", Thing: "lines", Goal: Goal{Rate: 1e6}},
		{What: "times", Of: "pkg/b BenchmarkTwo", Rival: "hclog", Ours: Reading{"/ours", "ns/op"}, Other: Reading{"/theirs", "ns/op"}, Goal: Goal{Time: 50, Ratio: 10, Either: true}},
		{What: "in time", Of: "pkg/b BenchmarkTwo", Ours: Reading{"/ours", "ns/op"}, Goal: Goal{Time: 55}},
		{What: "not yet", Of: "pkg/b BenchmarkMissing", Rival: "nobody", Goal: Goal{Ratio: 1}},
	}},
	{Name: "figures", Set: Stages, Key: "what", Columns: []Column{{"MB", Reading{"", "MB"}}, {"ns", Reading{"", "ns/op"}}}, Rows: []Row{
		{What: "walk", Of: "pkg/a BenchmarkWalk/n=3", Time: "1x"},
	}},
}

func measured(t *testing.T) *Data {
	t.Helper()
	all := groups(sample)
	require.Len(t, all, 4)
	walk := func(ours, ratio string) string {
		return "BenchmarkWalk/n=3-2 \t1\t 100 ns/op\t " + ours + " ours/s\t 40000000 rival/s\t " + ratio + " ratio\t 55.5 MB"
	}
	data, err := parse("sample", []Block{
		block(&all[0], walk("10000000", "0.4"), walk("11000000", "0.44"), walk("9000000", "0.36"), walk("10000000", "0.4"), walk("10500000", "0.42"), walk("9500000", "0.38")),
		block(&all[1], "BenchmarkAlone \t1\t 999999 events/s"),
		block(&all[2], "BenchmarkTwo/ours-8 \t1\t 50 ns/op", "BenchmarkTwo/ours-8 \t1\t 60 ns/op", "BenchmarkTwo/theirs-8 \t1\t 500 ns/op", "BenchmarkTwo/theirs-8 \t1\t 900 ns/op"),
	})
	require.NoError(t, err)
	return data
}

// The tables, as people read them: medians, the interval of six values (benchstat's, which is
// their whole range), ratios of speeds where times are measured, goals, and what is missing.
func TestTables(t *testing.T) {
	data := measured(t)
	assert.Equal(t, strings.TrimSpace(`
| stage | ours | limit or rival | its figure | ratio | goal |
|:--- | ---:|:--- | ---:| ---:|:--- |
| walk | 10.0 M events/s ± 10 % | `+"`wc -l`"+` | 40.0 M ± 0 % | 0.400 ± 10 % | ≥ 15.0 M and ≥ 0.35 of it: missed |
| the same | 10.0 M events/s ± 10 % | `+"`wc -l`"+` | 40.0 M ± 0 % | 0.400 ± 10 % | ≥ 15.0 M or ≥ 0.35 of it: met |
| alone | 999,999 lines/s |  |  |  | ≥ 1.00 M: missed |
| times | 55.0 ns | hclog | 700 | 12.5 | ≤ 50.0 ns or ≥ 10 of it: met |
| in time | 55.0 ns |  |  |  | ≤ 55.0 ns: met |
| not yet | - | nobody | - | - | ≥ 1 of it |`), normal(data.layout(&sample[0]).Markdown()))
	assert.Equal(t, strings.TrimSpace(`
| what | MB | ns |
|:--- | ---:| ---:|
| walk | 55.5 ± 0 % | 100 ± 0 % |`), normal(data.layout(&sample[1]).Markdown()))
	assert.Equal(t, []string{"stages: not yet"}, data.missing(sample))
}

// normal takes out the padding of cells.
func normal(table string) string {
	var lines []string
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		for i, c := range cells[:len(cells)-1] {
			if c = strings.TrimSpace(c); i > 0 {
				c = " " + c + " "
				if strings.Contains(c, "---") {
					c = strings.ReplaceAll(strings.ReplaceAll(c, " :---", ":---"), "---: ", "---:")
				}
			}
			cells[i] = c
		}
		lines = append(lines, strings.Join(cells, "|"))
	}
	return strings.Join(lines, "\n")
}

func TestNumber(t *testing.T) {
	for x, want := range map[float64]string{0: "0", 0.01234: "0.0123", 0.5: "0.500", 9.994: "9.99", 12.34: "12.3", 123.4: "123", 999.4: "999", 1000: "1,000", 12345: "12,345", 4.5e6: "4.50 M", -12.34: "-12.3"} {
		assert.Equal(t, want, number(x), x)
	}
}

// A file of blocks is read as it was written, and what is measured anew takes the place of
// what was there, alone or with all.
func TestFinish(t *testing.T) {
	file := filepath.Join(t.TempDir(), "new", "stages.txt")
	a, b, c := &Group{Package: "pkg/a", Function: "BenchmarkA"}, &Group{Package: "pkg/b", Function: "BenchmarkB"}, &Group{Package: "pkg/c", Function: "BenchmarkC"}
	before := []Block{block(a, "BenchmarkA 1 1 ns/op"), block(b, "BenchmarkB 1 1 ns/op")}
	_, err := finish(file, before, true)
	require.NoError(t, err)
	read, err := readBlocks(file)
	require.NoError(t, err)
	assert.Equal(t, before, read)

	now := []Block{block(c, "BenchmarkC 1 1 ns/op"), block(a, "BenchmarkA 1 2 ns/op")}
	all, err := finish(file, now, true)
	require.NoError(t, err)
	assert.Equal(t, []Block{now[1], before[1], now[0]}, all)
	read, err = readBlocks(file)
	require.NoError(t, err)
	assert.Equal(t, all, read)

	_, err = finish(file, now, false)
	require.NoError(t, err)
	read, err = readBlocks(file)
	require.NoError(t, err)
	assert.Equal(t, now, read)

	require.NoError(t, os.WriteFile(file, []byte("BenchmarkA 1 1 ns/op\n"), 0o644))
	_, err = readBlocks(file)
	assert.ErrorContains(t, err, `does not begin with "group: "`)
}

// What is measured is kept at once, and not measured again; a benchmark that is not there
// is an error, but the others are measured.
func TestMeasuring(t *testing.T) {
	if raceEnabled() { // so that what the other tests are built of is built already
		t.Setenv("GOFLAGS", os.Getenv("GOFLAGS")+" -race")
	}
	root := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(text), 0o644))
	}
	write("go.mod", "module example\n\ngo 1.26\n")
	write("pkg/a/a_test.go", `package a

import ("flag"; "testing")

var size = flag.Int("size", 0, "")

func BenchmarkA(b *testing.B) { b.Run("x", func(b *testing.B) { for b.Loop() {}; b.ReportMetric(float64(*size), "events/s") }) }

func BenchmarkMissing(b *testing.B) { b.Skip("a peer is missing: apt-get install it") }
`)
	all := groups([]Section{{Set: Stages, Rows: []Row{
		{Of: "pkg/a BenchmarkA/x", Time: "1x", Flags: "-size 7"}, {Of: "pkg/a BenchmarkA/y", Time: "2x"}, {Of: "pkg/a BenchmarkMissing"},
	}}})
	var log bytes.Buffer
	m := Measuring{Root: root, Count: 3, Partial: filepath.Join(root, "bin", "partial"), Log: &log}
	_, err := m.Run(t.Context(), all)
	require.ErrorContains(t, err, "pkg/a BenchmarkA 2x: no such benchmark")
	assert.Contains(t, log.String(), "a peer is missing: apt-get install it")

	log.Reset()
	again := Measuring{Root: root, Count: 3, Partial: m.Partial, Log: &log}
	blocks, err := again.Run(t.Context(), []Group{all[0], all[2]})
	require.NoError(t, err)
	assert.Contains(t, log.String(), "[1/2] pkg/a BenchmarkA 1x -size 7: measured already")
	data, err := parse("x", blocks)
	require.NoError(t, err)
	assert.Equal(t, []float64{7, 7, 7}, data.of(all[0].Key(), "BenchmarkA/x", "events/s"))
	assert.Equal(t, []string{"go test -run '^$' -bench '^BenchmarkA$/^x$' -benchtime 1x -count 3 -timeout 60m ./pkg/a -args -size 7"}, data.values("command")[:1])

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = (&Measuring{Root: root, Count: 2, Partial: filepath.Join(root, "bin", "other"), Log: &log}).Run(ctx, all)
	require.ErrorIs(t, err, context.Canceled)
}

// A page says what is missing on it, and leaves no table out.
func TestPageIsWhole(t *testing.T) {
	empty := func() *Data {
		d, err := parse("empty", nil)
		require.NoError(t, err)
		return d
	}
	data := map[Set]*Data{Stages: measured(t), Peers: empty(), Scaling: empty()}
	page, err := Page(data, sections)
	require.NoError(t, err)
	assert.Contains(t, string(page), "Nothing of this is measured yet. Not measured yet: peers: clock: tick;")
	_, err = Page(data, sample[1:])
	require.ErrorContains(t, err, `the page has a table "stages", but there is none`)
	_, err = Page(data, append([]Section{{Name: "nowhere", Set: Stages}}, sections...))
	require.ErrorContains(t, err, `the page has no table "nowhere"`)
}

package main

import (
	"context"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every row has a benchmark, and its command can be called as it stands: the package has the
// function, and knows the flags. Whether there is the sub-benchmark, only measuring tells.
func TestRowsHaveBenchmarks(t *testing.T) {
	root, err := moduleRoot(t.Context())
	require.NoError(t, err)
	flags := make(map[string][]string) // by package, of all its rows
	for _, g := range groups(sections) {
		if slices.Contains(modules, g.Package) {
			require.FileExists(t, filepath.Join(root, g.Package, "go.mod"))
		}
		files, err := filepath.Glob(filepath.Join(root, g.Package, "*_test.go"))
		require.NoError(t, err)
		assert.True(t, slices.ContainsFunc(files, func(f string) bool {
			return strings.Contains(readFile(t, f), "\nfunc "+g.Function+"(b *testing.B)")
		}), "there is no %s in %s", g.Function, g.Package)
		if g.Flags != "" {
			flags[g.Package] = append(flags[g.Package], strings.Fields(g.Flags)...)
		}
	}
	assert.NotEmpty(t, flags)
	if testing.Short() {
		t.Skip("builds the tests of the packages whose benchmarks have flags")
	}
	for pkg, flags := range flags {
		args := []string{"test", "-vet=off", "-list", "^$"}
		if raceEnabled() { // so that what the other tests are built of is built already
			args = append(args, "-race")
		}
		cmd := exec.CommandContext(t.Context(), "go", append(append(args, "./"+pkg, "-args"), flags...)...)
		cmd.Dir = root
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s\n%s", cmd, out)
	}
}

func raceEnabled() bool {
	info, _ := debug.ReadBuildInfo()
	return slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// The pattern of a group selects its benchmarks, and no others.
func TestPattern(t *testing.T) {
	for _, c := range []struct {
		names   []string
		pattern string
	}{
		{[]string{"BenchmarkMax"}, "^BenchmarkMax$"},
		{[]string{"BenchmarkTick/lamport", "BenchmarkTick/atomic-add"}, "^BenchmarkTick$/^(lamport|atomic-add)$"},
		{[]string{"BenchmarkCones/3 machines/past"}, "^BenchmarkCones$/^3_machines$/^past$"},
		{[]string{"BenchmarkWriter/logging", "BenchmarkWriter/logging/second"}, "^BenchmarkWriter$/^logging$|^BenchmarkWriter$/^logging$/^second$"},
		{[]string{"BenchmarkPace/rates=1,5,4/vm", "BenchmarkX/a.b"}, `^BenchmarkPace$/^rates=1,5,4$/^vm$|^BenchmarkX$/^a\.b$`},
	} {
		g := Group{Names: c.names}
		assert.Equal(t, c.pattern, g.pattern())
	}
}

// Rows of one benchmark are measured together, but not with what takes other flags.
func TestGroups(t *testing.T) {
	all := groups([]Section{
		{Set: Stages, Rows: []Row{
			{Of: "pkg/a BenchmarkX/one", Time: "1x"}, {Of: "pkg/a BenchmarkX/two", Time: "1x"},
			{Of: "pkg/a BenchmarkX/two", Time: "2x"}, {Of: "pkg/b BenchmarkX", Time: "1x", Flags: "-pace 1s"},
		}},
		{Set: Stages, Columns: []Column{{"", Reading{"/one", "MB"}}, {"", Reading{"/three", "MB"}}}, Rows: []Row{{Of: "pkg/a BenchmarkX", Time: "1x"}}},
	})
	var commands []string
	for _, g := range all {
		commands = append(commands, shellWords(g.command(0)))
	}
	assert.Equal(t, []string{
		"go test -run '^$' -bench '^BenchmarkX$/^(one|two|three)$' -benchtime 1x ./pkg/a",
		"go test -run '^$' -bench '^BenchmarkX$/^two$' -benchtime 2x ./pkg/a",
		"go test -run '^$' -bench '^BenchmarkX$' -benchtime 1x ./pkg/b -args -pace 1s",
	}, commands)
}

// No two rows of a section are called the same in one place, and no section twice.
func TestNames(t *testing.T) {
	seen := make(map[string]bool)
	for _, s := range sections {
		assert.False(t, seen[s.Name], s.Name)
		seen[s.Name] = true
		assert.Contains(t, sets, s.Set)
		assert.NotEmpty(t, s.Rows, s.Name)
		of := make(map[string]bool)
		for _, r := range s.Rows {
			key := r.Of + r.Flags + r.Ours.Sub + r.Ours.Unit
			assert.False(t, of[key], "%s: %s twice", s.Name, r.Of)
			of[key] = true
			assert.Regexp(t, `^pkg/\S+ Benchmark\S`, r.Of)
		}
	}
}

// The page shows what is kept of the last measurement, and nothing else: after a change to
// the rows or to the page's text, "make bench-page" makes it again.
func TestPage(t *testing.T) {
	root, err := moduleRoot(context.Background())
	require.NoError(t, err)
	store := filepath.Join(root, "docs", "benchmarks")
	want, figures, err := pageOf(store)
	require.NoError(t, err)
	assert.Equal(t, string(want), readFile(t, filepath.Join(root, "docs", "benchmarks.md")))
	for name, svg := range figures {
		assert.Equal(t, string(svg), readFile(t, filepath.Join(store, name)), name)
		assert.Contains(t, string(want), "(benchmarks/"+name+")")
	}
}

// What is measured together is chosen together: a measurement takes the place of the one before.
func TestChooseWholeGroups(t *testing.T) {
	all := []Section{
		{Name: "a", Rows: []Row{{What: "one", Of: "pkg/a BenchmarkA/one", Time: "1x"}, {What: "two", Of: "pkg/a BenchmarkA/two", Time: "1x"}, {What: "other", Of: "pkg/b BenchmarkB", Time: "1x"}}},
		{Name: "b", Rows: []Row{{What: "again", Of: "pkg/a BenchmarkA/two", Time: "1x"}, {What: "another way", Of: "pkg/a BenchmarkA/two", Time: "2x"}}},
	}
	some, err := choose(all, "^one$")
	require.NoError(t, err)
	var names []string
	for _, s := range some {
		for _, r := range s.Rows {
			names = append(names, s.Name+" "+r.What)
		}
	}
	require.Equal(t, []string{"a one", "a two", "b again"}, names)
}

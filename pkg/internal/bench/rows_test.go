package main

import (
	"context"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every row has a benchmark, and its command can be called as it stands: the package builds,
// has the function, and knows the flags. Whether there is the sub-benchmark, only
// measuring tells.
func TestRowsHaveBenchmarks(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the tests of many packages")
	}
	root, err := moduleRoot(t.Context())
	require.NoError(t, err)
	// Packages that take the same flags are asked at once.
	packages := make(map[string][]string)
	functions := make(map[string][]string) // by package
	there := make(map[string]bool)         // "pkg/sim BenchmarkLab"
	for _, g := range groups(sections) {
		functions[g.Package] = append(functions[g.Package], g.Function)
		if slices.Contains(modules, g.Package) { // its dependencies are not fetched for this
			require.FileExists(t, filepath.Join(root, g.Package, "go.mod"))
			files, err := filepath.Glob(filepath.Join(root, g.Package, "*_test.go"))
			require.NoError(t, err)
			for _, f := range files {
				if strings.Contains(readFile(t, f), "\nfunc "+g.Function+"(b *testing.B)") {
					there[g.Package+" "+g.Function] = true
				}
			}
			continue
		}
		packages[g.Flags] = append(packages[g.Flags], "./"+g.Package)
	}
	for flags, pkgs := range packages {
		args := append([]string{"test", "-vet=off", "-list", "^Benchmark"}, pkgs...)
		if flags != "" {
			args = append(append(args, "-args"), strings.Fields(flags)...)
		}
		cmd := exec.CommandContext(t.Context(), "go", args...)
		cmd.Dir = root
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s\n%s", cmd, out)
		var names []string
		for line := range strings.Lines(string(out)) {
			if strings.HasPrefix(line, "Benchmark") {
				names = append(names, strings.TrimSpace(line))
			} else if f := strings.Fields(line); len(f) > 1 && f[0] == "ok" {
				for _, n := range names {
					there[strings.TrimPrefix(f[1], "github.com/scalemodel/lamport/")+" "+n] = true
				}
				names = nil
			}
		}
	}
	for pkg, all := range functions {
		for _, f := range all {
			assert.True(t, there[pkg+" "+f], "there is no %s in %s", f, pkg)
		}
	}
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

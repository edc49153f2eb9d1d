package main

import (
	"fmt"
	"slices"
	"strings"
)

// Set is what is measured with one command, and kept in one file.
type Set string

// The sets.
const (
	Stages  Set = "stages"  // every stage against its limit or a rival
	Peers   Set = "peers"   // other programs on the same model
	Scaling Set = "scaling" // curves over the number of machines and of events
)

var sets = []Set{Stages, Peers, Scaling}

// Section is one table of the page.
type Section struct {
	Name    string // by which the page's template calls it
	Set     Set
	Key     string   // what stands above the names of the rows
	Columns []Column // nil: ours, the rival, the ratio and the goal
	Rows    []Row
}

// Row is one line of a table: a benchmark, and what it is held against.
//
// A benchmark measures side by side what is ours and what limits or rivals it, and
// reports "ours/s", "rival/s" and "ratio"; one without a rival reports "events/s". Where
// it reports something else, or has sub-benchmarks for the sides, Ours and Other say so.
type Row struct {
	What  string // the stage; Markdown
	Of    string // package and benchmark, with its sub-benchmarks: "pkg/sim BenchmarkMachines/1000"
	Time  string // -benchtime; "": 1 s, as go test has it
	Flags string // of the benchmark's own
	// Whole says that a sub-benchmark needs what the others have found: all of them run,
	// in a process of their own for each repetition.
	Whole bool
	Most  int     // repetitions, of what takes minutes; 0: as many as are asked for
	X     float64 // of the row's points in a plot

	Rival string  // what it is held against: "`wc -l`"
	Thing string  // what is counted; "": events
	Goal  Goal    // zero: none is set
	Ours  Reading // zero: as the benchmark reports by the convention
	Other Reading // the same
}

// Goal is what a row should reach. Zero is no goal.
type Goal struct {
	Rate   float64 // ours, per second, at least
	Time   float64 // ours, in ns, at most, where times are measured
	Ratio  float64 // ours over the rival's, at least: of times, theirs over ours
	Either bool    // one of the two is enough
}

// Reading is a metric of a sub-benchmark of a row's benchmark.
type Reading struct{ Sub, Unit string }

// Column is one figure of each row of a table.
type Column struct {
	Head string
	Reading
}

// Group is what one call of go test measures: rows of one benchmark.
type Group struct {
	Set      Set
	Package  string // "pkg/sim"
	Function string // "BenchmarkMachines"
	Time     string
	Flags    string
	Whole    bool
	Most     int
	Names    []string // of benchmarks, with their sub-benchmarks; none twice
}

// Key names a group.
func (g *Group) Key() string {
	return strings.Join(strings.Fields(g.Package+" "+g.Function+" "+g.Time+" "+g.Flags), " ")
}

// readings returns what a section reads of each row.
func (s *Section) readings(r *Row) []Reading {
	if s.Columns != nil {
		var all []Reading
		for _, c := range s.Columns {
			all = append(all, c.Reading)
		}
		return all
	}
	if r.Ours.Unit != "" {
		return slices.DeleteFunc([]Reading{r.Ours, r.Other}, func(m Reading) bool { return m.Unit == "" })
	}
	return []Reading{{}}
}

// benchmark returns the package and the name of a row's benchmark.
func (r *Row) benchmark() (pkg, name string) {
	pkg, name, ok := strings.Cut(r.Of, " ")
	if !ok {
		panic(fmt.Sprintf("row %q: %q is not a package and a benchmark", r.What, r.Of))
	}
	return pkg, name
}

// group returns what a row alone needs.
func (s *Section) group(r *Row) Group {
	pkg, name := r.benchmark()
	function, _, _ := strings.Cut(name, "/")
	g := Group{Set: s.Set, Package: pkg, Function: function, Time: r.Time, Flags: r.Flags, Whole: r.Whole, Most: r.Most}
	if r.Whole {
		g.Names = []string{function}
		return g
	}
	for _, m := range s.readings(r) {
		if full := name + m.Sub; !slices.Contains(g.Names, full) {
			g.Names = append(g.Names, full)
		}
	}
	return g
}

// groups returns what the sections need, in order, every benchmark once.
func groups(sections []Section) (all []Group) {
	place := make(map[string]int)
	for i := range sections {
		for j := range sections[i].Rows {
			g := sections[i].group(&sections[i].Rows[j])
			key := string(g.Set) + g.Key()
			at, ok := place[key]
			if !ok {
				place[key] = len(all)
				all = append(all, g)
				continue
			}
			for _, n := range g.Names {
				if !slices.Contains(all[at].Names, n) {
					all[at].Names = append(all[at].Names, n)
				}
			}
		}
	}
	return all
}

// pattern returns what selects the group's benchmarks and no others: the parts of a name
// stand between slashes, each matched by itself.
func (g *Group) pattern() string {
	// Names that differ only in their last part are one alternative.
	var heads []string
	tails := make(map[string][]string)
	for _, name := range g.Names {
		parts := strings.Split(name, "/")
		last := len(parts) - 1
		head := ""
		for _, p := range parts[:last] {
			head += "^" + quoteMeta(p) + "$/"
		}
		if tails[head] == nil {
			heads = append(heads, head)
		}
		tails[head] = append(tails[head], quoteMeta(parts[last]))
	}
	for i, head := range heads {
		tail := strings.Join(tails[head], "|")
		if len(tails[head]) > 1 {
			tail = "(" + tail + ")"
		}
		heads[i] = head + "^" + tail + "$"
	}
	return strings.Join(heads, "|")
}

// quoteMeta is regexp.QuoteMeta for a name as package testing writes it: a space is an
// underscore there.
func quoteMeta(name string) string {
	var b strings.Builder
	for _, r := range strings.ReplaceAll(name, " ", "_") {
		if strings.ContainsRune(`\.+*?()|[]{}^$`, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// modules are the directories that are modules of their own.
var modules = []string{"pkg/internal/bench/peers/go"}

// times returns how often a group is measured where count repetitions are asked for.
func (g *Group) times(count int) int {
	if g.Most > 0 {
		return min(count, g.Most)
	}
	return count
}

// command returns the words of the call of go test.
func (g *Group) command(count int) []string {
	words := []string{"go", "test"}
	where := "./" + g.Package
	if slices.Contains(modules, g.Package) {
		words, where = append(words, "-C", g.Package), "."
	}
	words = append(words, "-run", "^$", "-bench", g.pattern())
	if g.Time != "" {
		words = append(words, "-benchtime", g.Time)
	}
	if count > 0 {
		words = append(words, "-count", fmt.Sprint(g.times(count)), "-timeout", "60m")
	}
	words = append(words, where)
	if g.Flags != "" {
		words = append(append(words, "-args"), strings.Fields(g.Flags)...)
	}
	return words
}

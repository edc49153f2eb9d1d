// Package sweep does many runs over a grid of parameters and seeds, and says
// what their figures show.
//
// A [Grid] is what is varied: its [Grid.Runs] are every combination of its
// values, each in several trials. [Do] executes them side by side, by a function
// that the caller gives; a [Dir] keeps what is done, so that a sweep that was
// stopped can go on. A [Report] puts the results together: means over the trials
// with their 95 % confidence intervals, tables, and findings in words that follow
// from the numbers alone.
package sweep

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/internal/splitmix"
)

// Grid is what a sweep does, and all that is needed to do it again.
type Grid struct {
	Format  int    `json:"format"`  // of this record, 1
	Version string `json:"version"` // of the program

	Virtual bool `json:"virtual"` // in virtual time; else as processes

	// What is varied. The points of the grid are all combinations, the last
	// list varying fastest.
	Rates    []string `json:"rates"`             // "1,5,4", "random", …
	Machines []int    `json:"machines"`          // 0: as many as there are rates, or 3
	Die      []int    `json:"die"`               // faces
	Latency  []string `json:"latency,omitempty"` // in virtual time only
	Faults   []string `json:"faults,omitempty"`  // plans; "": none

	Phase    string        `json:"phase,omitempty"` // in virtual time only
	Ports    string        `json:"ports,omitempty"` // of processes; "": free ones
	Duration time.Duration `json:"duration_ns"`     // of each run
	Trials   int           `json:"trials"`          // of each point
	Seed     uint64        `json:"seed"`            // decides the seed of every trial
	Seeds    []uint64      `json:"seeds"`           // of the trials, as [Seeds] gives them
}

// MaxRuns is how many runs a sweep can have.
const MaxRuns = 100_000

// Draw gives the rates of a run: those that a text names, or those that it lets
// the seed draw. machines is 0 for as many as the text has, or 3.
type Draw func(text string, machines int, seed uint64) ([]clock.Rate, error)

// Point is one combination of the values of a [Grid].
type Point struct {
	Number   int    `json:"point"` // from 1
	Rates    string `json:"rates"`
	Machines int    `json:"machines"`
	Die      int    `json:"die"`
	Latency  string `json:"latency,omitempty"`
	Faults   string `json:"faults,omitempty"`
}

// Run is one trial of one point.
type Run struct {
	Point Point
	Trial int // from 1
	Seed  uint64
	Rates []clock.Rate
	Name  string // "p1-t1": of its directory
}

// Runs returns the runs of the grid, trial by trial: a sweep that is stopped has
// then done as many of each point.
func (g *Grid) Runs(draw Draw) ([]Run, error) {
	latencies, faults := atLeastOne(g.Latency), atLeastOne(g.Faults)
	points := len(g.Rates) * len(g.Machines) * len(g.Die) * len(latencies) * len(faults)
	switch {
	case g.Trials < 1:
		return nil, fmt.Errorf("--trials %d: want at least 1, and 5 for intervals that say something", g.Trials)
	case points == 0:
		return nil, errors.New("there is nothing to vary")
	case points > MaxRuns || g.Trials > MaxRuns/points:
		return nil, fmt.Errorf("%s with %d trials each: want at most %d runs", plural(uint64(points), "point"), g.Trials, MaxRuns)
	}
	var all []Point
	for _, rates := range g.Rates {
		for _, machines := range g.Machines {
			drawn, err := draw(rates, machines, 0)
			if err != nil {
				return nil, err
			}
			for _, die := range g.Die {
				for _, latency := range latencies {
					for _, plan := range faults {
						all = append(all, Point{len(all) + 1, rates, len(drawn), die, latency, plan})
					}
				}
			}
		}
	}
	runs := make([]Run, 0, points*g.Trials)
	wide, deep := len(strconv.Itoa(points)), len(strconv.Itoa(g.Trials))
	for t, seed := range Seeds(g.Seed, g.Trials) {
		for _, p := range all {
			rates, err := draw(p.Rates, p.Machines, seed)
			if err != nil {
				return nil, err
			}
			runs = append(runs, Run{p, t + 1, seed, rates, fmt.Sprintf("p%0*d-t%0*d", wide, p.Number, deep, t+1)})
		}
	}
	return runs, nil
}

func atLeastOne(list []string) []string {
	if len(list) == 0 {
		return []string{""}
	}
	return list
}

// Seeds returns the seeds of so many trials. That of trial t is the same at every
// point, so that points can be compared trial by trial, and does not depend on the
// number of trials. No two are the same; they are below 2³² and can be typed.
func Seeds(seed uint64, trials int) []uint64 {
	seeds := make([]uint64, 0, trials)
	seen := make(map[uint64]bool, trials)
	for state := seed; len(seeds) < trials; {
		// Counting on from the sweep's seed itself would give the sweeps with
		// seeds 1 and 2 most of their trials in common.
		state += splitmix.Golden
		if s := splitmix.Mix(state) >> 32; !seen[s] {
			seen[s] = true
			seeds = append(seeds, s)
		}
	}
	return seeds
}

// Differs says in which of its values, named as the flags are, g is not the sweep
// that other is; "" where it is the same. Versions may differ.
func (g *Grid) Differs(other *Grid) string {
	var names []string
	for _, v := range []struct {
		name string
		same bool
	}{
		{"--virtual", g.Virtual == other.Virtual},
		{"--rates", slices.Equal(g.Rates, other.Rates)},
		{"--machines", slices.Equal(g.Machines, other.Machines)},
		{"--die", slices.Equal(g.Die, other.Die)},
		{"--latency", slices.Equal(g.Latency, other.Latency)},
		{"--phase", g.Phase == other.Phase},
		{"--faults", slices.Equal(g.Faults, other.Faults)},
		{"--ports", g.Ports == other.Ports},
		{"--duration", g.Duration == other.Duration},
		{"--trials", g.Trials == other.Trials},
		{"--seed", g.Seed == other.Seed},
	} {
		if !v.same {
			names = append(names, v.name)
		}
	}
	return strings.Join(names, ", ")
}

// Command returns the command line that does the sweep again, for a shell.
func (g *Grid) Command() string {
	words := []string{"launcher", "sweep"}
	flag := func(name, value string) { words = append(words, "--"+name, quote(value)) }
	if g.Virtual {
		words = append(words, "--virtual")
	}
	flag("rates", strings.Join(g.Rates, ";"))
	if !slices.Equal(g.Machines, []int{0}) {
		flag("machines", numbers(g.Machines))
	}
	flag("die", numbers(g.Die))
	if g.Virtual {
		flag("latency", strings.Join(g.Latency, ";"))
		flag("phase", g.Phase)
	}
	for _, plan := range g.Faults {
		flag("faults", orNone(plan))
	}
	if g.Ports != "" {
		flag("ports", g.Ports)
	}
	flag("duration", short(g.Duration))
	flag("trials", strconv.Itoa(g.Trials))
	flag("seed", strconv.FormatUint(g.Seed, 10))
	return strings.Join(words, " ")
}

func numbers(list []int) string {
	var words []string
	for _, n := range list {
		words = append(words, strconv.Itoa(n))
	}
	return strings.Join(words, ",")
}

// quote makes a word of the shell's of any text.
func quote(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789,.:_-/") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func orNone(plan string) string {
	if plan == "" {
		return "none"
	}
	return plan
}

// isDrawn reports whether the rates of a point differ from trial to trial.
func (p *Point) isDrawn() bool { return p.Rates == "random" || strings.Contains(p.Rates, ":") }

// parameters are what a grid can vary, in the words of its flags.
var parameters = []struct {
	name string
	of   func(*Point) string
}{
	{"rates", func(p *Point) string { return p.Rates }},
	{"machines", func(p *Point) string { return strconv.Itoa(p.Machines) }},
	{"die", func(p *Point) string { return strconv.Itoa(p.Die) }},
	{"latency", func(p *Point) string { return p.Latency }},
	{"faults", func(p *Point) string { return orNone(p.Faults) }},
}

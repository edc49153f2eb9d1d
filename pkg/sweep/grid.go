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
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/internal/quote"
	"github.com/scalemodel/lamport/pkg/internal/shell"
	"github.com/scalemodel/lamport/pkg/internal/splitmix"
)

// Grid is what a sweep does, and all that is needed to do it again.
type Grid struct {
	Format  int    `json:"format"`  // of this record, [GridFormat]
	Version string `json:"version"` // of the program

	Virtual bool `json:"virtual"` // in virtual time; else as processes
	// NoLogs says that only figures are kept: the logs of a run are removed when it is
	// done and correct, or, in virtual time, never written.
	NoLogs bool `json:"no_logs,omitzero"`
	// Shard is the part of the sweep that is in this directory, and not the whole.
	Shard Shard `json:"shard,omitzero"`

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

// GridFormat is the version of a grid's form, and of what stands beside it.
const GridFormat = 2

// MaxRuns is how many runs a sweep can have.
const MaxRuns = 100_000

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
	experiment.Spec
	Point Point
	Trial int    // from 1
	Name  string // "p0001-t0003": of its directory
}

// Struck returns how often the fault plan strikes in the run, by kind of fault; nil if
// never.
func (r *Run) Struck() (struck map[string]int) {
	for a := range r.Faults.Actions(r.Duration) {
		if !a.Over {
			if struck == nil {
				struck = make(map[string]int)
			}
			struck[a.Kind.String()]++
		}
	}
	return struck
}

// IsLarge reports whether the run has more machines than [MaxChecked]. Its rates are
// left out of its Spec, since those of many trials would fill the memory: [Grid.Drawn]
// draws them.
func (r *Run) IsLarge() bool { return r.Point.Machines > MaxChecked }

const (
	// MaxChecked is up to how many machines a run has logs and is held against the
	// laws, for which all its logs are open at once.
	MaxChecked = 500
	// MaxMachines is how many machines a run of a sweep can have.
	MaxMachines = 1_000_000
)

// ErrUnchecked says that a run has too many machines for logs, and nobody has said that
// there are to be none.
var ErrUnchecked = fmt.Errorf("want at most %d; a run with logs is checked, and all its logs are read at once", MaxChecked)

// name returns the name of a run. It has room for 9999 points and trials, so that names
// sort as the runs do, and more trials leave those of the first as they are.
func name(point, trial int) string { return fmt.Sprintf("p%04d-t%04d", point, trial) }

// Runs returns the runs of the grid, trial by trial: a sweep that is stopped has
// then done as many of each point. All that could keep one of them from being done
// is found out here, before any is; an error is mostly an [*experiment.Error].
func (g *Grid) Runs() ([]Run, error) {
	all, err := g.points()
	if err != nil {
		return nil, err
	}
	runs := make([]Run, 0, len(all)*g.Trials)
	for t, seed := range Seeds(g.Seed, g.Trials) {
		for _, p := range all {
			run := Run{Point: p, Trial: t + 1, Name: name(p.Number, t+1)}
			if run.IsLarge() && t > 0 { // what is wrong with it would be wrong with the first
				run.Spec = runs[p.Number-1].Spec
				run.Seed = seed
			} else if run.Spec, err = g.spec(&p, seed); err != nil {
				return nil, err
			}
			if run.IsLarge() {
				run.Rates = nil
			}
			runs = append(runs, run)
		}
	}
	return runs, nil
}

// Own returns those of the runs of [Grid.Runs] that are in the grid's [Shard]: all, if it is the
// whole.
func (g *Grid) Own(runs []Run) []Run { return g.Shard.of(runs) }

// Drawn returns a run with its rates, which it may have already.
func (g *Grid) Drawn(run *Run) (*Run, error) {
	if run.Rates != nil {
		return run, nil
	}
	drawn := *run
	var err error
	drawn.Spec, err = g.spec(&run.Point, run.Seed)
	return &drawn, err
}

// points returns all combinations of the values, if there are not too many.
func (g *Grid) points() (all []Point, err error) {
	latencies, faults := atLeastOne(g.Latency), atLeastOne(g.Faults)
	points := 1
	for _, values := range []int{len(g.Rates), len(g.Machines), len(g.Die), len(latencies), len(faults)} {
		points = min(points*values, math.MaxInt32) // no list is as long as to overflow
	}
	switch {
	case g.Trials < 1:
		return nil, &experiment.Error{Field: "trials", Value: strconv.Itoa(g.Trials), Err: errors.New("want at least 1, and 5 for intervals that say something")}
	case g.Duration <= 0:
		return nil, &experiment.Error{Field: "duration", Value: g.Duration.String(), Err: errors.New("each run of a sweep needs an end, so want more than 0")}
	case points == 0:
		return nil, errors.New("there is nothing to vary")
	case points > MaxRuns || g.Trials > MaxRuns/points:
		return nil, fmt.Errorf("%s with %s each: want at most %s runs", figure.Plural(points, "point"), figure.Plural(g.Trials, "trial"), figure.Count(MaxRuns))
	}
	for _, rates := range g.Rates {
		for _, machines := range g.Machines {
			n, err := g.machinesOf(rates, machines)
			if err != nil {
				return nil, err
			}
			for _, die := range g.Die {
				for _, latency := range latencies {
					for _, plan := range faults {
						all = append(all, Point{len(all) + 1, rates, n, die, latency, plan})
					}
				}
			}
		}
	}
	return all, nil
}

// machinesOf returns how many machines a list of rates is for, told how many there
// are to be, 0 for as many as rates.
func (g *Grid) machinesOf(rates string, machines int) (int, error) {
	check := func(n int) error {
		var err error
		switch {
		case n < 0:
			err = errors.New("want at least 1")
		case n > MaxChecked && g.Virtual && !g.NoLogs:
			err = ErrUnchecked
		case n > MaxChecked && !g.Virtual:
			err = fmt.Errorf("want at most %d; each is a process, and a run of more is for virtual time", MaxChecked)
		case n > MaxMachines:
			err = fmt.Errorf("want at most %d", MaxMachines)
		default:
			return nil
		}
		return &experiment.Error{Field: "machines", Value: strconv.Itoa(n), Err: err}
	}
	if err := check(machines); err != nil {
		return 0, err
	}
	if machines > MaxChecked { // a list of rates is as long, or it is refused with the run
		return machines, nil
	}
	drawn, err := experiment.ParseRates(rates, machines, 0)
	if err == nil {
		err = check(len(drawn))
	}
	return len(drawn), err
}

// Check returns nil if the grid is one that a sweep writes down: what its flags would
// refuse is refused here in the same words, and what follows from the rest does follow.
func (g *Grid) Check() error {
	all, err := g.points()
	if err != nil {
		return err
	}
	if !slices.Equal(g.Seeds, Seeds(g.Seed, g.Trials)) {
		return errors.New("seeds: they are not those that the sweep's seed gives")
	}
	for _, p := range all {
		if p.Machines > MaxChecked {
			continue // its rates take a while, and [Grid.Runs] draws them
		}
		if _, err := g.spec(&p, g.Seeds[0]); err != nil {
			return err
		}
	}
	if err := g.checkTexts(); err != nil {
		return err
	}
	switch {
	case hasTwice(g.Machines):
		return &experiment.Error{Field: "machines", Value: numbers(g.Machines), Err: errors.New("a number is there twice")}
	case hasTwice(g.Die):
		return &experiment.Error{Field: "die", Value: numbers(g.Die), Err: errors.New("a number is there twice")}
	case !g.Virtual && (len(g.Latency) > 0 || g.Phase != ""):
		return errors.New("latency and phase are for virtual time")
	case g.Virtual && g.Ports != "":
		return errors.New("in virtual time there are no ports")
	}
	return nil
}

// maxText is how long a text of a grid can be, in bytes.
const maxText = 64 << 10

// checkTexts looks at what stands in tables as it is.
func (g *Grid) checkTexts() error {
	if len(g.Version) > maxText {
		return fmt.Errorf("version of %d bytes: want at most %d", len(g.Version), maxText)
	}
	for _, list := range []struct {
		field  string
		values []string
		form   func(string) string
	}{
		{"rates", g.Rates, strings.TrimSpace},
		{"latency", g.Latency, strings.TrimSpace},
		{"faults", g.Faults, OnePlan},
		{"ports", []string{g.Ports}, strings.TrimSpace},
	} {
		for i, value := range list.values {
			invalid := func(why string) error {
				return &experiment.Error{Field: list.field, Value: strconv.Quote(quote.Short(value, 40)), Err: errors.New(why)}
			}
			switch {
			case len(value) > maxText:
				return invalid(fmt.Sprintf("want at most %d bytes", maxText))
			case quote.Visible(value) != value || list.form(value) != value:
				return invalid("want it on one line, without spaces around it, comments and characters that do not show")
			case slices.Contains(list.values[:i], value):
				return invalid("it is there twice")
			}
		}
	}
	return nil
}

func hasTwice(list []int) bool {
	sorted := slices.Sorted(slices.Values(list))
	return len(slices.Compact(sorted)) < len(list)
}

// OnePlan returns a fault plan on one line, as it stands in tables: without comments and
// empty lines. That of "none" is "".
func OnePlan(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.Trim(line, " \t\r\n;"); line != "" {
			lines = append(lines, strings.Join(strings.Fields(line), " "))
		}
	}
	if text = strings.Join(lines, "; "); text == "none" {
		return ""
	}
	return text
}

// spec returns the run of a point with a seed. In virtual time it has the name that
// such runs have; a name that no other run has, which processes need, is given to
// it when it is done.
func (g *Grid) spec(p *Point, seed uint64) (s experiment.Spec, err error) {
	s.Common = experiment.Common{Run: experiment.VirtualName, Die: p.Die, Seed: seed, Duration: g.Duration}
	if s.Rates, err = experiment.ParseRates(p.Rates, p.Machines, seed); err != nil {
		return s, err
	}
	if s.Faults, err = experiment.ParseFaults(p.Faults, p.Machines, seed, g.Duration); err != nil {
		return s, err
	}
	if g.Virtual {
		s.Virtual = new(experiment.Virtual)
		if s.Phase, err = experiment.ParsePhase(g.Phase); err != nil {
			return s, err
		}
		if s.Latency, err = experiment.ParseLatency(p.Latency); err != nil {
			return s, err
		}
	}
	return s, s.Check()
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

// Extended returns the grid with more trials, or as many.
func (g *Grid) Extended(trials int) *Grid {
	more := *g
	more.Trials, more.Seeds = trials, Seeds(g.Seed, trials)
	return &more
}

// Differs says in which of its values, named as in sweep.json, other is not the sweep
// that g is, or one that goes on from it with more trials; "" where it is. Versions may
// differ.
func (g *Grid) Differs(other *Grid) string {
	var names []string
	for _, v := range []struct {
		name string
		same bool
	}{
		{"virtual", g.Virtual == other.Virtual},
		{"logs", g.NoLogs == other.NoLogs},
		{"rates", slices.Equal(g.Rates, other.Rates)},
		{"machines", slices.Equal(g.Machines, other.Machines)},
		{"die", slices.Equal(g.Die, other.Die)},
		{"latency", slices.Equal(g.Latency, other.Latency)},
		{"phase", g.Phase == other.Phase},
		{"faults", slices.Equal(g.Faults, other.Faults)},
		{"ports", g.Ports == other.Ports},
		{"duration", g.Duration == other.Duration},
		{"trials", g.Trials <= other.Trials},
		{"seed", g.Seed == other.Seed},
		{"shard", g.Shard == other.Shard},
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
	flag := func(name, value string) { words = append(words, "--"+name, shell.Quote(value)) }
	if g.Virtual {
		words = append(words, "--virtual")
	}
	if g.NoLogs {
		words = append(words, "--logs=false")
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
	flag("duration", figure.Exact(g.Duration))
	flag("trials", strconv.Itoa(g.Trials))
	flag("seed", strconv.FormatUint(g.Seed, 10))
	if !g.Shard.IsWhole() {
		flag("shard", g.Shard.String())
	}
	return strings.Join(words, " ")
}

func numbers(list []int) string {
	var words []string
	for _, n := range list {
		words = append(words, strconv.Itoa(n))
	}
	return strings.Join(words, ",")
}

func orNone(plan string) string {
	if plan == "" {
		return "none"
	}
	return plan
}

// isDrawn reports whether the rates of a point differ from trial to trial.
func (p *Point) isDrawn() bool { return experiment.RatesAreDrawn(p.Rates) }

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

package sweep

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func grid() *Grid {
	return &Grid{
		Format: GridFormat, Virtual: true, Rates: []string{"1,5", "random"}, Machines: []int{2}, Die: []int{10, 5, 3},
		Latency: []string{"1ms"}, Phase: "together", Duration: time.Minute, Trials: 2, Seed: 7, Seeds: Seeds(7, 2),
	}
}

func TestRunsAreAllCombinationsTrialByTrial(t *testing.T) {
	runs, err := grid().Runs()
	require.NoError(t, err)
	var names []string
	for _, r := range runs {
		names = append(names, fmt.Sprintf("%s %s %d", r.Name, r.Point.Rates, r.Point.Die))
		assert.Equal(t, Seeds(7, 2)[r.Trial-1], r.Seed)
		assert.Len(t, r.Rates, 2)
		assert.Equal(t, 2, r.Point.Machines)
	}
	assert.Equal(t, []string{
		"p0001-t0001 1,5 10", "p0002-t0001 1,5 5", "p0003-t0001 1,5 3", "p0004-t0001 random 10", "p0005-t0001 random 5", "p0006-t0001 random 3",
		"p0001-t0002 1,5 10", "p0002-t0002 1,5 5", "p0003-t0002 1,5 3", "p0004-t0002 random 10", "p0005-t0002 random 5", "p0006-t0002 random 3",
	}, names)
	assert.NotEqual(t, runs[3].Rates, runs[9].Rates, "each trial draws its own")
	assert.Equal(t, runs[3].Rates, runs[5].Rates, "the same ones at every point")
}

func TestNamesSortAsTheRunsDo(t *testing.T) {
	g := grid()
	g.Trials = 10
	runs, err := g.Runs()
	require.NoError(t, err)
	var names []string
	for _, r := range runs {
		if r.Point.Number == 1 {
			names = append(names, r.Name)
		}
	}
	assert.True(t, slices.IsSorted(names), names)
}

func TestGridsThatCannotBe(t *testing.T) {
	for want, change := range map[string]func(*Grid){
		"trials 0: want at least 1, and 5 for intervals that say something":                             func(g *Grid) { g.Trials = 0 },
		"6 points with 100,000 trials each: want at most 100,000 runs":                                  func(g *Grid) { g.Trials = 100_000 },
		"there is nothing to vary":                                                                      func(g *Grid) { g.Die = nil },
		"rates: 2 rates for 3 machines: give one each, one for all, or random":                          func(g *Grid) { g.Machines = []int{3} },
		"machines 501: want at most 500; a run with logs is checked, and all its logs are read at once": func(g *Grid) { g.Machines, g.Rates = []int{501}, []string{"1"} },
		"machines 502: want at most 500; each is a process, and a run of more is for virtual time": func(g *Grid) {
			g.Machines, g.Rates, g.Virtual, g.NoLogs = []int{502}, []string{"1"}, false, true
		},
		"machines 1000001: want at most 1000000":                             func(g *Grid) { g.Machines, g.Rates, g.NoLogs = []int{1_000_001}, []string{"1"}, true },
		"duration 0s: each run of a sweep needs an end, so want more than 0": func(g *Grid) { g.Duration = 0 },
		`phase "": want together or random`:                                  func(g *Grid) { g.Phase = "" },
		`latency "slow": "slow" is not a duration; want "1ms", "uniform:1ms,5ms", "exp:2ms" (the mean) or "lognormal:2ms,0.5" (the median and the sigma)`: func(g *Grid) { g.Latency = []string{"slow"} },
		"faults: line 1, column 12: there is no machine 2: the run has machines 0 to 1":                                                                   func(g *Grid) { g.Faults = []string{"at 1s kill 2 for 1s"} },
		"die 0: a die has at least 1 face": func(g *Grid) { g.Die = []int{0} },
	} {
		g := grid()
		change(g)
		_, err := g.Runs()
		assert.EqualError(t, err, want)
	}
}

func TestSeeds(t *testing.T) {
	many := Seeds(1, 10_000)
	assert.Equal(t, many[:5], Seeds(1, 5), "more trials leave the first ones as they are")
	for _, s := range many {
		require.Less(t, s, uint64(1)<<32)
	}
	// Of 100,000 numbers of 32 bits, one is there twice on average.
	for seed := range uint64(2) {
		all := Seeds(seed, MaxRuns)
		slices.Sort(all)
		require.Len(t, slices.Compact(all), MaxRuns)
	}
	// Neighbouring sweeps have nothing in common.
	for _, s := range Seeds(2, 100) {
		assert.NotContains(t, many[:100], s)
	}
}

// Each value makes another sweep; the version does not.
func TestDiffers(t *testing.T) {
	same := grid()
	same.Version = "another"
	assert.Empty(t, grid().Differs(same))
	assert.Empty(t, grid().Differs(grid().Extended(9)), "it goes on from there")
	for name, change := range map[string]func(*Grid){
		"virtual":  func(g *Grid) { g.Virtual = false },
		"logs":     func(g *Grid) { g.NoLogs = true },
		"rates":    func(g *Grid) { g.Rates = []string{"1,5"} },
		"machines": func(g *Grid) { g.Machines = []int{3} },
		"die":      func(g *Grid) { g.Die = []int{10} },
		"latency":  func(g *Grid) { g.Latency = []string{"2ms"} },
		"phase":    func(g *Grid) { g.Phase = "random" },
		"faults":   func(g *Grid) { g.Faults = []string{""} },
		"ports":    func(g *Grid) { g.Ports = "1,2" },
		"duration": func(g *Grid) { g.Duration++ },
		"trials":   func(g *Grid) { g.Trials-- },
		"seed":     func(g *Grid) { g.Seed++ },
	} {
		g := grid()
		change(g)
		assert.Equal(t, name, grid().Differs(g))
	}
}

// The rates of a million machines are drawn when their run is done, not before.
func TestLargeRunsAreDrawnLate(t *testing.T) {
	g := grid()
	g.Machines, g.Rates, g.NoLogs = []int{MaxChecked, MaxChecked + 1}, []string{"uniform:1,6"}, true
	require.NoError(t, g.Check())
	runs, err := g.Runs()
	require.NoError(t, err)
	for i := range runs {
		run := &runs[i]
		require.Equal(t, g.Seeds[run.Trial-1], run.Seed)
		require.Equal(t, run.IsLarge(), run.Rates == nil, run.Name)
		drawn, err := g.Drawn(run)
		require.NoError(t, err)
		require.Len(t, drawn.Rates, run.Point.Machines)
		want, err := g.spec(&run.Point, run.Seed)
		require.NoError(t, err)
		require.Equal(t, want, drawn.Spec)
	}
}

func TestCommandIsQuotedForAShell(t *testing.T) {
	g := grid()
	g.Faults = []string{"", "at 1s partition 0 | 1 for 1s; at 3s kill 1 for 1s"}
	assert.Equal(t, "launcher sweep --virtual --rates '1,5;random' --machines 2 --die 10,5,3 --latency 1ms --phase together --faults none "+
		"--faults 'at 1s partition 0 | 1 for 1s; at 3s kill 1 for 1s' --duration 1m --trials 2 --seed 7", g.Command())
	g = &Grid{Rates: []string{"random"}, Machines: []int{3, 10}, Die: []int{10}, Ports: "1,2,3", Duration: 90 * time.Second, Trials: 1}
	assert.Equal(t, "launcher sweep --rates random --machines 3,10 --die 10 --ports 1,2,3 --duration 1m30s --trials 1 --seed 0", g.Command())
}

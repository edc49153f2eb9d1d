package experiment_test

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/fault"
)

func lab() experiment.Spec {
	return experiment.Spec{
		Common: experiment.Common{Run: "lab", Die: 10, Seed: 42, Duration: time.Minute},
		Rates:  []clock.Rate{1 * clock.Hertz, 5 * clock.Hertz, 4 * clock.Hertz},
	}
}

func TestCheck(t *testing.T) {
	s := lab()
	require.NoError(t, s.Check())
	s.Duration, s.Window, s.Rates[0] = 0, experiment.MaxWindow, clock.Unpaced
	require.NoError(t, s.Check())

	plan, err := fault.Parse("at 50s kill 1 for 20s", 3)
	require.NoError(t, err)
	window := experiment.MaxWindow
	window++ // where an int has 32 bits, it is negative
	tooLarge := fmt.Sprintf("window %d: want 1 to 2147483647 messages", window)
	for want, change := range map[string]func(*experiment.Spec){
		`run "a/b": want a name of`:                      func(s *experiment.Spec) { s.Run = "a/b" },
		`die 0: a die has at least 1 face`:               func(s *experiment.Spec) { s.Die = 0 },
		`duration -1s: a duration cannot be negative`:    func(s *experiment.Spec) { s.Duration = -time.Second },
		`duration 876000h0m1s: want at most 876000h0m0s`: func(s *experiment.Spec) { s.Duration = experiment.MaxDuration + time.Second },
		`window -1: want 1 to 2147483647 messages`:       func(s *experiment.Spec) { s.Window = -1 },
		tooLarge:                          func(s *experiment.Spec) { s.Window = window },
		`machines 0: want 1 to 134217728`: func(s *experiment.Spec) { s.Rates = nil },
		`rates of machine 1: rate 0: want above 0`:          func(s *experiment.Spec) { s.Rates[1] = 0 },
		`rates of machine 2: rate 1000000.000000001: want`:  func(s *experiment.Spec) { s.Rates[2] = clock.MaxRate + 1 },
		`rates: machine 2 has the rate max: virtual time`:   func(s *experiment.Spec) { s.Rates[2], s.Virtual = clock.Unpaced, new(experiment.Virtual) },
		`faults: "at 50s kill 1 for 20s" cannot be over by`: func(s *experiment.Spec) { s.Faults = plan },
	} {
		s := lab()
		change(&s)
		err := s.Check()
		require.ErrorContains(t, err, want)
		var field *experiment.Error
		require.ErrorAs(t, err, &field)
		assert.True(t, strings.HasPrefix(want, field.Field), want)
	}
}

func TestCheckName(t *testing.T) {
	for _, good := range []string{"a", "by-hand", "q7f3k2", "A_b.C-9", "2026-11-22", "..a", strings.Repeat("x", 64)} {
		require.NoError(t, experiment.CheckName(good), good)
	}
	for _, bad := range []string{"", "a b", "a\n", "ü", "a/b", `a"`, "a=b", ".", "..", "...", strings.Repeat("x", 65)} {
		assert.EqualError(t, experiment.CheckName(bad),
			"run "+strconv.Quote(bad)+": want a name of 1 to 64 letters, digits, dots, dashes or underscores")
	}
	assert.NoError(t, experiment.CheckName(experiment.NewName()))
	assert.NotEqual(t, experiment.NewName(), experiment.NewName())
}

func TestParseFaults(t *testing.T) {
	for _, none := range []string{"", " \n", "none"} {
		plan, err := experiment.ParseFaults(none, 3, 1, time.Minute)
		require.NoError(t, err)
		assert.True(t, plan.Empty())
	}
	plan, err := experiment.ParseFaults("random kill every 5s", 3, 1, time.Minute)
	require.NoError(t, err)
	again, err := experiment.ParseFaults(plan.String(), 3, 2, time.Minute)
	require.NoError(t, err)
	assert.Equal(t, plan.String(), again.String(), "the seeds stand in its text")
	assert.Contains(t, plan.String(), " to 1m seed ", "it is over when the run is")

	_, err = experiment.ParseFaults("at 10s kill 3 for 2s", 3, 1, time.Minute)
	require.EqualError(t, err, "faults: line 1, column 13: there is no machine 3: the run has machines 0 to 2")
	var syntax *fault.SyntaxError
	require.ErrorAs(t, err, &syntax)
	_, err = experiment.ParseFaults("at 59s kill 1 for 2s", 3, 1, time.Minute)
	require.ErrorContains(t, err, "cannot be over by the end of the run")
	_, err = experiment.ParseFaults("at 59s kill 1 for 2s", 3, 1, 0)
	require.NoError(t, err)
}

func TestDescribe(t *testing.T) {
	s := lab()
	assert.Equal(t, "3 machines, rates 1,5,4", s.Describe())
	assert.Equal(t, "1m", s.Lasts())
	s.Duration, s.Rates = 0, s.Rates[1:2]
	assert.Equal(t, "1 machine, rate 5", s.Describe())
	assert.Equal(t, "until interrupted", s.Lasts())
	s.Rates = make([]clock.Rate, 9)
	assert.Equal(t, "9 machines, rates 0,0,0,0,0,0,0,0,…", s.Describe())
}

func TestCommand(t *testing.T) {
	s := lab()
	s.Window = 50
	assert.Equal(t, "launcher run --rates 1,5,4 --die 10 --seed 42 --duration 1m --window 50", s.Command())
	var err error
	s.Faults, err = experiment.ParseFaults("at 3s kill 1 for 2s\nat 9s partition 0 | 1,2 for 1s", 3, 42, s.Duration)
	require.NoError(t, err)
	s.Window, s.Virtual = 0, &experiment.Virtual{Latency: experiment.DefaultLatency()}
	assert.Equal(t, "launcher sim --rates 1,5,4 --die 10 --seed 42 --duration 1m --latency 1ms --phase together "+
		"--faults 'at 3s kill 1 for 2s; at 9s partition 0 | 1,2 for 1s'", s.Command())
}

func TestPhase(t *testing.T) {
	for _, p := range []experiment.Phase{experiment.Together, experiment.Random} {
		back, err := experiment.ParsePhase(p.String())
		require.NoError(t, err)
		assert.Equal(t, p, back)
	}
	_, err := experiment.ParsePhase("late")
	assert.EqualError(t, err, `phase "late": want together or random`)
	assert.ErrorAs(t, err, new(*experiment.Error))
}

func TestParseSeed(t *testing.T) {
	for in, want := range map[string]uint64{"0": 0, "42": 42, "007": 7, "18446744073709551615": 1<<64 - 1} {
		got, err := experiment.ParseSeed(in)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	for _, in := range []string{"-1", "18446744073709551616", "1.5", "0x10", "1e3", " 1", "seed"} {
		_, err := experiment.ParseSeed(in)
		require.EqualError(t, err, `seed "`+in+`": want a whole number from 0 to 18446744073709551615`)
	}
}

func TestSeedIsDrawn(t *testing.T) {
	seen := map[uint64]bool{}
	for range 5 {
		seed, err := experiment.ParseSeed("")
		require.NoError(t, err)
		assert.Less(t, seed, uint64(1)<<32, "short enough to be typed again")
		seen[seed] = true
	}
	assert.Greater(t, len(seen), 1, "five equal draws come once in 10³⁸ runs")
}

func TestParseRates(t *testing.T) {
	tests := []struct {
		in       string
		machines int
		want     string
	}{
		{"", 0, "1,5,4"},
		{"", 3, "1,5,4"},
		{"1,5,4", 0, "1,5,4"},
		{" 1, 0.25 ,max", 0, "1,0.25,max"},
		{"5", 0, "5,5,5"},
		{"max", 0, "max,max,max"},
		{"5", 1, "5"},
		{"5", 4, "5,5,5,5"},
		{"max", 2, "max,max"},
		{"2,3", 2, "2,3"},
		// A seed gives the same rates for ever; see random below.
		{"random", 0, "3,2,5"},
		{"random", 3, "3,2,5"},
		{"", 5, "3,2,5,6,2"},
		{"random", 1, "3"},
		{"1-6", 3, "3,2,5"}, // the same draw
		{" 2 - 9 ", 3, "7,5,3"},
		{"7-7", 3, "7,7,7"},
		{"0.5-0.75", 3, "0.503,0.737,0.691"},
		{"uniform:0.5,0.75", 3, "0.503,0.737,0.691"}, // likewise
		{"uniform:1,6", 0, "1.074,5.736,4.805"},
	}
	for _, tt := range tests {
		rates, err := experiment.ParseRates(tt.in, tt.machines, 42)
		require.NoError(t, err, tt.in)
		var got []string
		for _, r := range rates {
			got = append(got, r.String())
		}
		assert.Equal(t, tt.want, strings.Join(got, ","), "%q for %d machines", tt.in, tt.machines)
	}
}

func TestRandomRatesAreOneToSix(t *testing.T) {
	rates, err := experiment.ParseRates("random", 6000, 1)
	require.NoError(t, err)
	count := map[clock.Rate]int{}
	for _, r := range rates {
		count[r]++
	}
	require.Len(t, count, 6)
	for r := clock.Rate(1); r <= 6; r++ {
		assert.InDelta(t, 1000, count[r*clock.Hertz], 150, "rate %d", r)
	}
	other, err := experiment.ParseRates("random", 6000, 2)
	require.NoError(t, err)
	assert.NotEqual(t, rates, other, "another seed")
}

func TestParseRatesSaysWhatIsWrong(t *testing.T) {
	tests := []struct {
		in       string
		machines int
		want     string
	}{
		{"1,5", 3, "rates: 2 rates for 3 machines: give one each, one for all, or random"},
		{"1,0", 0, `rates: rate "0": must be above 0`},
		{"1,,4", 0, `rates: rate "": want a number of ticks per second such as 5 or 0.25, or "max"`},
		{"1-2-3", 0, `rates: rate "2-3": want a number of ticks per second such as 5 or 0.25, or "max"`},
		{"6-1", 0, `rates: "6-1": 6 is above 1`},
		{"1-max", 0, `rates: "1-max": max cannot be the end of a range`},
		{"random", -1, "machines -1: want 1 to 134217728"},
		{"5", math.MaxInt32, "machines 2147483647: want 1 to 134217728"},
		{"0-5", 0, `rates: rate "0": must be above 0`},
		{"-5", 0, `rates: rate "-5": must be above 0`},
		{"zipf:1,2", 0, `rates: "zipf:1,2": there is no "zipf"; want "uniform:1,6" or "lognormal:3,0.5" (the median and the sigma)`},
		{"1,random", 0, `rates: rate "random": want a number of ticks per second such as 5 or 0.25, or "max"`},
	}
	for _, tt := range tests {
		_, err := experiment.ParseRates(tt.in, tt.machines, 42)
		require.EqualError(t, err, tt.want)
	}
}

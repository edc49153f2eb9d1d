package fault_test

import (
	"flag"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/fault"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The same text gives the same faults on every platform and in every release.
func TestRandomFaultsAreFixed(t *testing.T) {
	var b strings.Builder
	for _, text := range []string{
		"random kill every 5s seed 7",
		"random kill every 5s seed 7 for 20s",
		"random pause every 5s seed 7 from 10s to 40s",
		"random partition every 10s for 3s seed 18446744073709551615",
		"random cut every 10s\nrandom cut every 20s",
		"random reset every 10s seed 1",
		"random stop-reading every 10s seed 1",
	} {
		p := mustParseFor(t, text, 5)
		fmt.Fprintf(&b, "# %s\n%s\n\n", strings.ReplaceAll(text, "\n", "; "), strings.Join(texts(p, time.Minute), "\n"))
	}
	p := mustParse(t, "from 0s delay * 100ms 50ms seed 7; from 0s delay 0->1 1ns 1ns seed 7")
	for _, link := range [][2]int{{0, 1}, {1, 0}, {2, 1}} {
		fmt.Fprintf(&b, "delays of %d->%d:", link[0], link[1])
		for n := range uint64(6) {
			fmt.Fprint(&b, " ", p.Delay(link[0], link[1], time.Hour, n))
		}
		fmt.Fprintln(&b, "", p.Delay(link[0], link[1], time.Hour, math.MaxUint64))
	}
	const golden = "testdata/random.golden"
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(b.String()), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	assert.Equal(t, string(want), b.String())
}

func collect(p *fault.Plan, until time.Duration) (begin []fault.Action) {
	for a := range p.Actions(until) {
		if !a.Over {
			begin = append(begin, a)
		}
	}
	return begin
}

// A random fault has one instance in each period, all over by its end.
func TestOneInEachPeriod(t *testing.T) {
	p := mustParse(t, "random cut every 7s for 3s from 10s to 5010s")
	instances := collect(p, fault.Forever)
	early := 0
	for i, a := range instances {
		begin := 10*s + time.Duration(i)*7*s
		require.GreaterOrEqual(t, a.At, begin)
		require.Less(t, a.At, begin+7*s)
		if a.At < begin+7*s/2 {
			early++
		}
	}
	// 5000 s are 714 periods and 2 s of one that nothing of 3 s fits in.
	assert.InDelta(t, 714, len(instances), 1)
	assert.InDelta(t, 357, early, 4.5*math.Sqrt(714)/2, "early and late in a period alike")
	assert.LessOrEqual(t, instances[len(instances)-1].At+3*s, 5010*s)

	// What fits in only one instant of a period is not tried in the next.
	tight := collect(mustParse(t, "random cut every 2ns for 3ns seed 2 to 4ns"), fault.Forever)
	for _, a := range tight {
		assert.LessOrEqual(t, a.At+a.For, 4*time.Nanosecond)
	}
}

// All that can be struck is struck equally often.
func TestVictimsAreUniform(t *testing.T) {
	const n = 6000
	for _, kind := range []string{"kill", "pause", "stop-reading", "cut", "reset", "partition"} {
		count := make(map[string]int)
		for _, a := range collect(mustParseFor(t, "random "+kind+" every 10s seed 5", 4), n*10*s) {
			_, what, _ := strings.Cut(a.String(), kind+" ")
			count[what]++
		}
		different := map[string]int{"cut": 12, "reset": 6, "partition": 7}[kind]
		if different == 0 {
			different = 4
		}
		assert.Len(t, count, different, kind)
		if kind == "partition" { // one against three, and two against two, have their own chances
			for _, half := range [][]string{{"0 | 1..3", "0,2,3 | 1", "0,1,3 | 2", "0..2 | 3"}, {"0,1 | 2,3", "0,2 | 1,3", "0,3 | 1,2"}} {
				sum := 0
				for _, g := range half {
					sum += count[g+" for 1s"]
				}
				for _, g := range half {
					mean := float64(sum) / float64(len(half))
					assert.InDelta(t, mean, count[g+" for 1s"], 4.5*math.Sqrt(mean), g)
				}
			}
			continue
		}
		for what, got := range count {
			mean := n / float64(different)
			assert.InDelta(t, mean, got, 4.5*math.Sqrt(mean), what)
		}
	}
	jitter := mustParse(t, "from 0s delay * 4ns 3ns")
	count := make(map[time.Duration]int)
	for i := range uint64(n) {
		count[jitter.Delay(0, 1, 0, i)]++
	}
	for d := time.Duration(1); d <= 7; d++ {
		assert.InDelta(t, n/7., count[d], 4.5*math.Sqrt(n/7.), "%d ns", d)
	}
	assert.Len(t, count, 7)
}

// Faults with one seed, of one kind or two, and delays of two links, know nothing
// of each other.
func TestDrawsAreApart(t *testing.T) {
	p := mustParse(t, "random kill every 10s seed 1; random pause every 10s seed 1; random stop-reading every 10s seed 1")
	var kills, pauses []time.Duration
	for _, a := range collect(p, time.Hour) {
		switch a.Kind {
		case fault.Kill:
			kills = append(kills, a.At)
		case fault.Pause:
			pauses = append(pauses, a.At)
		}
	}
	for _, at := range kills {
		assert.NotContains(t, pauses, at)
	}
	d := mustParse(t, "from 0s delay * 1h 1h")
	seen := make(map[time.Duration]bool)
	for from := range 3 {
		for to := range 3 {
			for n := range uint64(100) {
				if from != to {
					seen[d.Delay(from, to, 0, n)] = true
				}
			}
		}
	}
	assert.Len(t, seen, 600)
}

// A machine that the plan has killed or paused is not struck again until it is
// back, and a random fault does not strike one that the plan is about to.
func TestNobodyIsStruckTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		machines := rapid.IntRange(2, 5).Draw(t, "machines")
		busy := make([]fault.Kind, machines)
		end := make([]time.Duration, machines)
		last := time.Duration(0)
		for a := range planOf(t, machines).Actions(30 * time.Minute) {
			require.GreaterOrEqual(t, a.At, last)
			last = a.At
			if a.Kind != fault.Kill && a.Kind != fault.Pause {
				continue
			}
			for _, id := range a.Machines {
				if a.Over {
					require.Equal(t, a.Kind, busy[id], "%v", a)
					require.Equal(t, end[id], a.At, "%v", a)
					busy[id] = 0
				} else {
					require.Zero(t, busy[id], "%v", a)
					busy[id], end[id] = a.Kind, a.At+a.For
				}
			}
		}
	})
}

// A random kill takes whoever is left, and nobody where nobody is.
func TestRandomKillTakesWhoIsLeft(t *testing.T) {
	p := mustParse(t, "at 0s pause 0,1 for 100s; at 200s kill all for 100s; random kill every 10s for 5s")
	var early, late int
	for _, a := range collect(p, 400*s) {
		switch {
		case len(a.Machines) > 1:
		case a.At < 100*s:
			early++
			assert.Equal(t, []int{2}, a.Machines, "%v", a)
		case a.At > 195*s && a.At < 300*s:
			t.Errorf("%v: everybody is down, or will be before it is over", a)
		default:
			late++
		}
	}
	assert.InDelta(t, 10, early, 1)
	assert.Greater(t, late, 15)
}

// A machine that is back is there to be killed again at once. With a period of
// 1 ns, an instance is due at every ns.
func TestRandomKillMissesNobody(t *testing.T) {
	var at []int
	for _, a := range collect(mustParse(t, "random kill every 1ns for 20ns"), 43*time.Nanosecond) {
		at = append(at, int(a.At))
	}
	assert.Equal(t, []int{0, 1, 2, 20, 21, 22, 40, 41, 42}, at)
}

// At one instant, what stands first in the text begins first, also where one of the
// two is random.
func TestRandomFaultsInTheOrderOfTheText(t *testing.T) {
	kinds := func(text string) (kinds []fault.Kind) {
		for _, a := range collect(mustParse(t, text), 6*time.Nanosecond) {
			if a.At == 5*time.Nanosecond {
				kinds = append(kinds, a.Kind)
			}
		}
		return kinds
	}
	assert.Equal(t, []fault.Kind{fault.Reset, fault.Cut}, kinds("random reset every 1ns; at 5ns cut * for 1s"))
	assert.Equal(t, []fault.Kind{fault.Cut, fault.Reset}, kinds("at 5ns cut * for 1s; random reset every 1ns"))
	assert.Equal(t, []fault.Kind{fault.Cut, fault.Reset}, kinds("random cut every 1ns for 1ns; random reset every 1ns"))
}

// A plan whose random faults find nobody for years is not walked period by
// period.
func TestNobodyIsLeftForYears(t *testing.T) {
	p := mustParse(t, "at 0s kill 0,1 for 900000h; at 1ns kill 2 for 900000h; random kill every 1ns for 10ns")
	next := 0
	// The first instant that is possible is not missed: in a period of 1 ns there
	// is only one.
	for a := range p.Actions(fault.Forever) {
		if !a.Over && len(a.Machines) == 1 && a.At > s {
			if next == 0 {
				assert.Equal(t, 900000*time.Hour, a.At)
			}
			assert.GreaterOrEqual(t, a.At, 900000*time.Hour)
			if next++; next == 10 {
				break
			}
		}
	}
	assert.Equal(t, 10, next)
}

// Endless plans are walked as far as one likes.
func TestEndless(t *testing.T) {
	p := mustParse(t, "random kill every 1s; random partition every 1s")
	n := 0
	for a := range p.Actions(fault.Forever) {
		if n++; n == 10_000 {
			assert.InDelta(t, 2500, a.At.Seconds(), 2)
			break
		}
	}
	// and asked as late as one likes.
	at := 900_000 * time.Hour
	blocked := 0
	for i := range 2000 {
		if _, b := p.Blocked(0, 1, at+time.Duration(i)*s/7); b {
			blocked++
		}
	}
	assert.Greater(t, blocked, 600)
	_, b := p.Blocked(0, 1, 1_000_000*time.Hour)
	assert.False(t, b, "the last is over before a million hours")
	last := slices.Collect(mustParse(t, "random cut every 400000h seed 3").Actions(fault.Forever))
	assert.InDelta(t, 5, len(last), 1)
}

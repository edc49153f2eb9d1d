package fault_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/fault"
)

const s = time.Second

func TestNoFaults(t *testing.T) {
	for name, p := range map[string]*fault.Plan{"nil": nil, "zero": {}, "parsed": mustParse(t, "# quiet")} {
		assert.True(t, p.Empty(), name)
		assert.Empty(t, p.String(), name)
		assert.False(t, p.Has(fault.Kill, fault.Delay), name)
		assert.False(t, p.Touches(0), name)
		_, blocked := p.Blocked(0, 1, s)
		assert.False(t, blocked, name)
		assert.Zero(t, p.Delay(0, 1, s, 1), name)
		_, stopped := p.NotReading(0, s)
		assert.False(t, stopped, name)
		assert.Empty(t, slices.Collect(p.Actions(fault.Forever)), name)
		assert.True(t, p.Seeded(1).Empty(), name)
		within, err := p.Within(s)
		assert.True(t, err == nil && within.Empty(), name)
	}
}

func TestBlocked(t *testing.T) {
	type answer struct {
		from, to int
		at       time.Duration
		until    time.Duration // 0: not blocked
	}
	for text, answers := range map[string][]answer{
		"at 10s cut 0->1 for 5s": {
			{0, 1, 10*s - 1, 0}, {0, 1, 10 * s, 15 * s}, {0, 1, 15*s - 1, 15 * s}, {0, 1, 15 * s, 0},
			{1, 0, 12 * s, 0}, {0, 2, 12 * s, 0}, {2, 1, 12 * s, 0},
			{0, 1, -s, 0}, {0, 1, fault.Forever, 0},
		},
		"at 10s cut 1-0 for 5s":  {{0, 1, 12 * s, 15 * s}, {1, 0, 12 * s, 15 * s}, {0, 2, 12 * s, 0}, {2, 0, 12 * s, 0}},
		"at 10s cut 1->* for 5s": {{1, 0, 12 * s, 15 * s}, {1, 2, 12 * s, 15 * s}, {0, 1, 12 * s, 0}, {1, 1, 12 * s, 0}},
		"at 10s cut *->1 for 5s": {{0, 1, 12 * s, 15 * s}, {2, 1, 12 * s, 15 * s}, {1, 0, 12 * s, 0}, {0, 2, 12 * s, 0}},
		"at 10s cut 1-* for 5s":  {{0, 1, 12 * s, 15 * s}, {1, 2, 12 * s, 15 * s}, {2, 0, 12 * s, 0}},
		"at 10s cut * for 5s":    {{2, 0, 12 * s, 15 * s}, {0, 2, 12 * s, 15 * s}, {2, 2, 12 * s, 0}, {0, 3, 12 * s, 0}, {-1, 0, 12 * s, 0}, {0, -1, 12 * s, 0}},

		"at 0s partition 0 | 1,2 for 1s": {{0, 1, 0, s}, {2, 0, 0, s}, {1, 2, 0, 0}, {0, 1, s, 0}, {0, 0, 0, 0}},
		"at 0s partition 1 for 1s":       {{0, 1, 0, s}, {1, 2, 0, s}, {0, 2, 0, 0}}, // machines that are not named are together
		"at 0s partition 0|1|2 for 1s":   {{0, 1, 0, s}, {1, 2, 0, s}, {0, 2, 0, s}},

		// The end is the latest of the faults that have begun.
		"at 0s cut 0->1 for 4s; at 1s cut 0->* for 9s; at 2s partition 1 for 1s; at 10s cut 0->1 for 1s": {
			{0, 1, 0, 4 * s}, {0, 1, s, 10 * s}, {0, 1, 2 * s, 10 * s}, {0, 2, 2 * s, 10 * s}, {2, 1, 2 * s, 3 * s}, {0, 1, 10 * s, 11 * s},
		},
		"at 0s kill 0 for 9s; at 0s stop-reading all for 9s; at 0s reset *; from 0s delay * 1s": {{0, 1, s, 0}, {1, 0, 0, 0}},
	} {
		p := mustParse(t, text)
		for _, a := range answers {
			until, blocked := p.Blocked(a.from, a.to, a.at)
			assert.Equal(t, a.until, until, "%s: %+v", text, a)
			assert.Equal(t, a.until > 0, blocked, "%s: %+v", text, a)
		}
	}
}

func TestNotReading(t *testing.T) {
	p := mustParse(t, "at 5s stop-reading 0,2 for 5s; at 8s stop-reading 2 for 10s; at 5s pause 1 for 5s")
	for _, c := range []struct {
		id        int
		at, until time.Duration
	}{
		{0, 5*s - 1, 0}, {0, 5 * s, 10 * s}, {0, 10*s - 1, 10 * s}, {0, 10 * s, 0},
		{1, 6 * s, 0}, {2, 6 * s, 10 * s}, {2, 8 * s, 18 * s}, {2, 17 * s, 18 * s}, {3, 6 * s, 0}, {-1, 6 * s, 0},
	} {
		until, stopped := p.NotReading(c.id, c.at)
		assert.Equal(t, c.until, until, "%+v", c)
		assert.Equal(t, c.until > 0, stopped, "%+v", c)
	}
}

func TestDelay(t *testing.T) {
	p := mustParse(t, "from 1s delay 0->1 200ms; from 2s delay * 20ms for 3s; from 2s delay 1-2 1s to 4s")
	for _, c := range []struct {
		from, to int
		at, want time.Duration
	}{
		{0, 1, s - 1, 0}, {0, 1, s, 200 * time.Millisecond}, {1, 0, s, 0},
		{0, 1, 2 * s, 220 * time.Millisecond}, {0, 1, 5*s - 1, 220 * time.Millisecond}, {0, 1, 5 * s, 200 * time.Millisecond},
		{1, 2, 2 * s, 1020 * time.Millisecond}, {2, 1, 4*s - 1, 1020 * time.Millisecond}, {2, 1, 4 * s, 20 * time.Millisecond},
		{0, 2, 2 * s, 20 * time.Millisecond}, {2, 2, 2 * s, 0}, {0, 1, 1000 * time.Hour, 200 * time.Millisecond}, {0, 3, 2 * s, 0}, {-1, 0, 2 * s, 0},
	} {
		for n := range uint64(3) {
			assert.Equal(t, c.want, p.Delay(c.from, c.to, c.at, n), "%+v", c)
		}
	}
	long := mustParse(t, strings.Repeat("from 0s delay * 1000000h 1000000h; ", 9))
	for n := range uint64(100) {
		require.GreaterOrEqual(t, long.Delay(0, 1, 0, n), time.Duration(0), "the sum does not overflow")
	}
	assert.Equal(t, fault.Forever, mustParse(t, strings.Repeat("from 0s delay * 1000000h; ", 9)).Delay(0, 1, 0, 0))
}

func TestActions(t *testing.T) {
	p := mustParse(t, `
		at 4s kill 0,2 for 1s
		at 2s partition 2 for 2s
		at 2s cut 0-1 for 1s
		at 1s pause 1 to 4s
		from 0s delay 0->* 20ms 5ms seed 3
		from 3s delay * 1ms for 1s
		at 3s reset *
		at 3s stop-reading all for 9s
		at 5s pause 0 for 1s`)
	want := []fault.Action{
		{Kind: fault.Delay, For: fault.Forever, Link: fault.Link{From: 0, To: fault.Any}, Mean: 20 * time.Millisecond, Jitter: 5 * time.Millisecond},
		{At: 1 * s, Kind: fault.Pause, For: 3 * s, Machines: []int{1}},
		{At: 2 * s, Kind: fault.Partition, For: 2 * s, Groups: [][]int{{2}, {0, 1}}},
		{At: 2 * s, Kind: fault.Cut, For: s, Link: fault.Link{From: 0, To: 1, Both: true}},
		{At: 3 * s, Kind: fault.Cut, For: s, Link: fault.Link{From: 0, To: 1, Both: true}, Over: true},
		{At: 3 * s, Kind: fault.Delay, For: s, Link: fault.Link{From: fault.Any, To: fault.Any}, Mean: time.Millisecond},
		{At: 3 * s, Kind: fault.Reset, Link: fault.Link{From: fault.Any, To: fault.Any}},
		{At: 3 * s, Kind: fault.StopReading, For: 9 * s, Machines: []int{0, 1, 2}},
		{At: 4 * s, Kind: fault.Pause, For: 3 * s, Machines: []int{1}, Over: true},
		{At: 4 * s, Kind: fault.Partition, For: 2 * s, Groups: [][]int{{2}, {0, 1}}, Over: true},
		{At: 4 * s, Kind: fault.Delay, For: s, Link: fault.Link{From: fault.Any, To: fault.Any}, Mean: time.Millisecond, Over: true},
		{At: 4 * s, Kind: fault.Kill, For: s, Machines: []int{0, 2}},
		{At: 5 * s, Kind: fault.Kill, For: s, Machines: []int{0, 2}, Over: true}, // back before it is paused
		{At: 5 * s, Kind: fault.Pause, For: s, Machines: []int{0}},
		{At: 6 * s, Kind: fault.Pause, For: s, Machines: []int{0}, Over: true},
		{At: 12 * s, Kind: fault.StopReading, For: 9 * s, Machines: []int{0, 1, 2}, Over: true},
	}
	assert.Equal(t, want, slices.Collect(p.Actions(fault.Forever)))
	for i := range want {
		// All before an instant, none at it.
		n := slices.IndexFunc(want, func(a fault.Action) bool { return a.At == want[i].At })
		assert.Equal(t, want[:n], append([]fault.Action{}, slices.Collect(p.Actions(want[i].At))...), "%v", want[i].At)
	}
	assert.Empty(t, slices.Collect(p.Actions(-1)))
	for a := range p.Actions(fault.Forever) {
		assert.Equal(t, want[0], a)
		break
	}
}

// What a caller does to an action is not seen by anybody else.
func TestActionsAreTheCallers(t *testing.T) {
	p := mustParse(t, "at 1s kill 0,1 for 1s; at 1s partition 0|1,2 for 1s; random partition every 3s seed 1 to 10s")
	want := texts(p, fault.Forever)
	var got []string
	for a := range p.Actions(fault.Forever) {
		got = append(got, a.String())
		for _, ids := range append(a.Groups, a.Machines) {
			clear(ids)
		}
	}
	assert.Equal(t, want, got)
	assert.Equal(t, want, texts(p, fault.Forever))
}

// A plan may be asked by any number of goroutines; the race detector watches.
func TestPlanIsShared(t *testing.T) {
	p := mustParse(t, "at 1s kill 0,1 for 1s; at 1s partition 2|1 for 1s; from 0s delay * 1s 1s; random kill every 1s; random stop-reading every 1s")
	want := texts(p, time.Minute)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			assert.Equal(t, want, texts(p, time.Minute))
			for n := range uint64(100) {
				at := time.Duration(n) * s
				p.Blocked(0, 1, at)
				p.Delay(0, 1, at, n)
				p.NotReading(0, at)
			}
			if q, err := p.Seeded(1).Within(time.Hour); assert.NoError(t, err) {
				assert.NotEqual(t, p.String(), q.String())
			}
		})
	}
	all.Wait()
}

// texts returns the actions before an instant as text.
func texts(p *fault.Plan, until time.Duration) []string {
	var lines []string
	for a := range p.Actions(until) {
		lines = append(lines, a.String())
	}
	return lines
}

func TestTouches(t *testing.T) {
	for text, want := range map[string][]int{
		"at 1s kill all for 1s; random pause every 1m": nil,
		"at 1s cut 0->1 for 1s":                        {0, 1},
		"at 1s cut 2->* for 1s":                        {0, 1, 2, 3},
		"from 1s delay 3-1 1s":                         {1, 3},
		"at 1s reset 1->2":                             {1, 2},
		"at 1s partition 2 for 1s":                     {0, 1, 2, 3},
		"at 1s stop-reading 1..2 for 1s":               {1, 2},
		"random reset every 1m":                        {0, 1, 2, 3},
		"random stop-reading every 1m":                 {0, 1, 2, 3},
		"at 1s kill 0 for 1s; at 1s reset 0-1; at 1s stop-reading 3 for 1s": {0, 1, 3},
	} {
		p := mustParseFor(t, text, 4)
		var got []int
		for id := -2; id < 6; id++ {
			if p.Touches(id) {
				got = append(got, id)
			}
		}
		assert.Equal(t, want, got, text)
	}
}

func TestHas(t *testing.T) {
	p := mustParse(t, "at 1s pause 0 for 1s; random cut every 1m")
	assert.True(t, p.Has(fault.Pause))
	assert.True(t, p.Has(fault.Kill, fault.Cut))
	assert.False(t, p.Has(fault.Kill, fault.Partition, fault.Delay))
	assert.False(t, p.Has())
}

func TestWithin(t *testing.T) {
	for text, want := range map[string]string{
		"at 58s kill 0 for 2s; at 60s reset *; at 1s cut 0-1 for 59s": "at 58s kill 0 for 2s\nat 1m reset *\nat 1s cut 0-1 for 59s",
		"from 0s delay * 1s; from 59s delay * 1s for 2s":              "from 0s delay * 1s\nfrom 59s delay * 1s for 2s",
		"random kill every 5s from 1s seed 3":                         "random kill every 5s for 1s from 1s to 1m seed 3",
		"random kill every 5s to 30s":                                 "random kill every 5s for 1s to 30s",
		"random kill every 5s to 90s":                                 "random kill every 5s for 1s to 1m",
	} {
		p := mustParse(t, text)
		q, err := p.Within(time.Minute)
		require.NoError(t, err, text)
		assert.Equal(t, want, q.String(), text)
		assert.Equal(t, mustParse(t, want), q, text)
		assert.Equal(t, mustParse(t, text), p, "the plan itself has not changed")
	}
	for text, want := range map[string]string{
		"at 58s kill 0 for 2001ms":             `"at 58s kill 0 for 2.001s" cannot be over by the end of the run, after 1m`,
		"at 61s reset *":                       `"at 1m1s reset *" cannot be over by the end of the run, after 1m`,
		"random cut every 1s for 30s from 31s": `"random cut every 1s for 30s from 31s" cannot be over by the end of the run, after 1m`,
	} {
		p, err := mustParse(t, text).Within(time.Minute)
		assert.Nil(t, p)
		assert.EqualError(t, err, want)
	}
}

func TestParseWithin(t *testing.T) {
	p, err := fault.ParseWithin("at 58s kill 0 for 2s; random kill every 5s", 3, time.Minute)
	require.NoError(t, err)
	assert.Equal(t, "at 58s kill 0 for 2s\nrandom kill every 5s for 1s to 1m", p.String())
	for text, want := range map[string]string{
		"at 1s reset *  # first\nat 2s reset 0-1;  at 58s kill 0 for 3s": `line 2, column 19: "at 58s kill 0 for 3s" cannot be over by the end of the run, after 1m`,
		"random cut every 1s for 30s from 31s":                           `line 1, column 1: "random cut every 1s for 30s from 31s" cannot be over by the end of the run, after 1m`,
		"at 1s reset *; at 2s rest *":                                    `line 1, column 22: expected a fault: kill, pause, partition, cut, delay, reset or stop-reading, found "rest"`,
	} {
		p, err := fault.ParseWithin(text, 3, time.Minute)
		assert.Nil(t, p)
		assert.EqualError(t, err, want)
		var at *fault.SyntaxError
		assert.ErrorAs(t, err, &at)
	}
}

func TestSeeded(t *testing.T) {
	const text = `
		random kill every 5s
		at 1h kill 0 for 1s
		random kill every 5s
		random kill every 5s seed 7
		random pause every 5s
		from 0s delay 0->1 1s
		from 0s delay 0->1 1s 1s
		from 0s delay 1->0 1s 1s`
	p := mustParse(t, text)
	assert.NotContains(t, strings.ReplaceAll(p.String(), "seed 7", ""), "seed")

	q := p.Seeded(0)
	assert.Equal(t, 6, strings.Count(q.String(), "seed"))
	assert.Contains(t, q.String(), "seed 7\n", "a seed in the text stays")
	assert.NotContains(t, q.String(), "1s seed 7\nat 1h kill")
	assert.Equal(t, texts(p, time.Hour), texts(q, time.Hour), "a plan without a seed is seeded with 0")
	assert.Equal(t, texts(q, time.Hour), texts(mustParse(t, q.String()), time.Hour), "whoever reads the text draws the same")
	assert.Equal(t, q, q.Seeded(1), "seeded once and for all")
	for n := range uint64(10) {
		assert.Equal(t, p.Delay(1, 0, 0, n), q.Delay(1, 0, 0, n))
	}

	r := p.Seeded(1)
	assert.NotEqual(t, texts(q, time.Hour), texts(r, time.Hour))
	assert.NotEqual(t, q.Delay(1, 0, 0, 1), r.Delay(1, 0, 0, 1))
	lines := strings.Split(r.String(), "\n")
	assert.NotEqual(t, lines[0], lines[2], "two lines of one run draw apart")
	assert.Equal(t, p.String(), mustParse(t, text).String(), "the plan itself has not changed")

	// A line of another kind leaves the draws of the others alone.
	before := texts(mustParse(t, "random reset every 5s"), time.Hour)
	after := slices.DeleteFunc(texts(mustParse(t, "random kill every 5s; random reset every 5s"), time.Hour), func(s string) bool { return strings.Contains(s, "kill") })
	assert.Equal(t, before, after)
}

func TestLink(t *testing.T) {
	for l, want := range map[fault.Link]struct {
		text string
		has  string
	}{
		{From: 0, To: 1}:                     {"0->1", "01"},
		{From: 0, To: 1, Both: true}:         {"0-1", "01 10"},
		{From: 0, To: fault.Any}:             {"0->*", "01 02"},
		{From: fault.Any, To: 0}:             {"*->0", "10 20"},
		{From: 0, To: fault.Any, Both: true}: {"0-*", "01 02 10 20"},
		{From: fault.Any, To: fault.Any}:     {"*", "01 02 10 12 20 21"},
	} {
		assert.Equal(t, want.text, l.String())
		var has []string
		for from := range 3 {
			for to := range 3 {
				if l.Has(from, to) {
					has = append(has, string([]byte{'0' + byte(from), '0' + byte(to)}))
				}
			}
		}
		assert.Equal(t, want.has, strings.Join(has, " "), l)
	}
}

func TestKindString(t *testing.T) {
	assert.Equal(t, "kill", fault.Kill.String())
	assert.Equal(t, "stop-reading", fault.StopReading.String())
	assert.Equal(t, "Kind(0)", fault.Kind(0).String())
	assert.Equal(t, "Kind(8)", fault.Kind(8).String())
}

package trace_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/rundir"
	"github.com/scalemodel/lamport/pkg/trace"
)

// A machine that came to its end long before the others makes a run incomplete; one
// that was stopped together with all others does not.
func TestRunsThatEndEarly(t *testing.T) {
	const s = time.Second
	for _, tt := range []struct {
		name string
		host host
		do   func(l logs)
		open []string // the machine, and when
		says string   // the remark
	}{
		{"a whole run", host{}, nil, nil, ""},
		{"one is stopped alone", host{ends: map[int]time.Duration{1: 41 * s}}, nil, []string{"machine 1 ended after 41.0 s of 60.0 s"}, ""},
		{"one is stopped alone, and the clock is set", host{ends: map[int]time.Duration{1: 41 * s}, steps: []clockStep{{20 * s, time.Hour}}}, nil,
			[]string{"machine 1 ended after 41.0 s of 60.0 s"}, ""},
		{"one is stopped alone, and waits for the others", host{ends: map[int]time.Duration{1: 41 * s}, lingers: true}, nil, []string{"machine 1 ended after 41.0 s of 60.0 s"}, ""},
		{"two are, at different times", host{ends: map[int]time.Duration{1: 41 * s, 2: 30 * s}}, nil,
			[]string{"machine 1 ended after 41.0 s of 60.0 s", "machine 2 ended after 30.0 s of 60.0 s"}, ""},
		{"all are", host{ends: map[int]time.Duration{0: 41 * s, 1: 41 * s, 2: 41 * s}}, nil, nil, "the run ended after 41.0 s of 60.0 s, with 410 of 600 ticks"},
		{"all are, within the time to linger", host{ends: map[int]time.Duration{0: 41 * s, 1: 42 * s, 2: 41 * s}}, nil, nil, "the run ended after 42.0 s of 60.0 s, with 415 of 600 ticks"},
		{"all are, just before the end", host{ends: map[int]time.Duration{0: 59 * s, 1: 59 * s, 2: 59 * s}}, nil, nil, "the run ended after 59.0 s of 60.0 s, with 590 of 600 ticks"},
		{"all are, one earlier", host{ends: map[int]time.Duration{0: 41 * s, 1: 20 * s, 2: 41 * s}}, nil, []string{"machine 1 ended after 20.0 s of 60.0 s"}, ""},
		{"one stands still to the end", host{pauses: []pause{{1, 41 * s, 19 * s}}}, nil, nil, ""},
		{"one stands still beyond the end", host{pauses: []pause{{1, 41 * s, 25 * s}}}, nil, nil, ""},
		{"all stand still", host{pauses: []pause{{-1, 41 * s, 10 * s}}}, nil, nil, ""},
		{"the clock is set back", host{steps: []clockStep{{20 * s, -time.Hour}}}, nil, nil, ""},
		{"the clock is set back, and ticks are missed", host{steps: []clockStep{{20 * s, -time.Hour}}, pauses: []pause{{-1, 30 * s, 9 * s}}}, nil, nil, ""},
		{"the clock is set forward", host{steps: []clockStep{{20 * s, 56 * 365 * 24 * time.Hour}}}, nil, nil, ""},
		// When machine 1 has ended, having missed ticks, one that stood still executes
		// its last tick; and the clock is set in between.
		{"the clock is set before a late tick", host{pauses: []pause{{1, 10 * s, 15 * s}, {0, 59*s + s/2, 3 * s}}, steps: []clockStep{{61 * s, time.Hour}}}, nil, nil, ""},
		// By the times, all of machine 0 comes before what the others did while it ran.
		{"the clock is set back, so that the end seems to be before", host{pauses: []pause{{0, 10 * s, 15 * s}}, steps: []clockStep{{50 * s, -40 * s}}}, nil, nil, ""},
		// It was killed, the clock was set forward, and so it thought that its time
		// was over when it came back.
		{"one comes back and thinks that it is over", host{ends: map[int]time.Duration{1: 41 * s}, steps: []clockStep{{40 * s, time.Hour}}},
			func(l logs) { comesBack(l, 41*s+time.Hour+s/2, 61*s+time.Hour) }, []string{"machine 1 ended after 41.0 s of 60.0 s"}, ""},
		{"one comes back when it is over", host{ends: map[int]time.Duration{1: 41 * s}},
			func(l logs) { comesBack(l, 60*s, 61*s) }, nil, ""},
		{"one comes back again and again", host{ends: map[int]time.Duration{1: 41 * s}},
			func(l logs) { comesBack(l, 43*s, 50*s, 61*s, 62*s) }, nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := tt.host
			h.rates, h.duration, h.jitter = hertz(1, 5, 4), 60*s, time.Millisecond
			l, _ := h.logs()
			if tt.do != nil {
				tt.do(l)
			}
			require.Equal(t, trace.Correct, l.check(t).State, "nothing says how long the run was to be")

			h.record(t, l, nil)
			v := l.check(t)
			want := trace.Correct
			if tt.open != nil {
				want = trace.Incomplete
			}
			require.Equal(t, want, v.State, "%v %v", v, v.Violations)
			require.Len(t, v.Open, len(tt.open))
			for i, open := range tt.open {
				require.Equal(t, open+", and others went on: what it would have done is not known", v.Open[i])
			}
			require.Equal(t, tt.says, strings.Join(v.Remarks, "; "))

			// What is not known to last so long has no end to come to.
			for name, change := range map[string]func(*rundir.Record){
				"until stopped": func(r *rundir.Record) { r.Duration = 0 },
				"a replay":      func(r *rundir.Record) { r.ReplayOf = "x" },
			} {
				h.record(t, l, change)
				v = l.check(t)
				require.Equal(t, trace.Correct, v.State, name)
				require.Empty(t, v.Remarks, name)
			}
		})
	}
}

// Where no machine had anything to do in all of a run, nothing of it is missing, whatever its clocks say.
func TestRunOfNoTickIsNotShort(t *testing.T) {
	const s = time.Second
	h := host{rates: []clock.Rate{clock.Hertz / 2}, duration: s, steps: []clockStep{{0, s / 10}, {1, -777 * s / 1000}}}
	l, _ := h.logs()
	h.record(t, l, nil)
	require.Empty(t, l.check(t).Remarks)

	h = host{rates: []clock.Rate{clock.Unpaced}, duration: 10 * s, ends: map[int]time.Duration{0: 4 * s}}
	l, _ = h.logs()
	h.record(t, l, nil)
	require.Equal(t, []string{"the run ended after 4.00 s of 10.0 s"}, l.check(t).Remarks)
}

// A machine that waited to its end for room on a link has not ended early.
func TestWaitingForRoomIsNoEnd(t *testing.T) {
	h := host{rates: hertz(1, 5, 4), duration: time.Minute, ends: map[int]time.Duration{1: 41 * time.Second}, lingers: true}
	l, _ := h.logs()
	lines := l.lines("vm_1_5.log")
	for i := 1; i <= 6; i++ {
		lines[i] = strings.Replace(strings.TrimSpace(lines[i]), "internal", "send", 1) + fmt.Sprintf(" to=0:%d\n", i)
	}
	l.setLines("vm_1_5.log", lines)
	l.edit(t, "vm_0_1.log", `queue=0 pending=""`+"\n", "queue=6 pending=1:6\n")
	for window, want := range map[int]trace.State{0: trace.Incomplete, 6: trace.Correct, 12: trace.Correct, 14: trace.Incomplete} {
		h.record(t, l, func(r *rundir.Record) { r.Window = window })
		require.Equal(t, want, l.check(t).State, "window %d", window)
	}
}

// comesBack lets machine 1 come back at these times, and stop at the last.
func comesBack(l logs, times ...time.Duration) {
	const name = "vm_1_5.log"
	lines := l.lines(name)
	_, fields, _ := strings.Cut(lines[len(lines)-1], ": stop: ")
	lines = lines[:len(lines)-1]
	line := func(at time.Duration, kind, fields string) {
		lines = append(lines, fmt.Sprintf("%s [INFO]  vm-1: %s: %s\n", new(host).shows(at).Format("2006-01-02T15:04:05.000000Z"), kind, strings.TrimSpace(fields)))
	}
	last := len(times) - 1
	for _, at := range times[:last] {
		line(at, "resume", stepAndClock.FindString(fields))
	}
	line(times[last], "stop", fields)
	l.setLines(name, lines)
}

// The start lines have to fit the record: it is a witness of what even all logs
// together say of themselves.
func TestStartLinesFitTheRecord(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*rundir.Record)
		want   string
	}{
		{"rate", func(r *rundir.Record) { r.Rates = hertz(1, 6) }, "rate 5 here, 6 there"},
		{"seed", func(r *rundir.Record) { r.Seed = 2 }, "seed 1 here, 2 there"},
		{"die", func(r *rundir.Record) { r.Die = 6 }, "a die of 10 faces here, 6 there"},
		{"name", func(r *rundir.Record) { r.Run = "other" }, `run "host" here, "other" there`},
		{"machines", func(r *rundir.Record) { r.Rates = hertz(1, 5, 4) }, "2 machines here, 3 there"},
		{"all", func(r *rundir.Record) { r.Run, r.Rates, r.Seed = "other", hertz(1), 7 }, `run "host" here, "other" there, 2 machines here, 1 there, seed 1 here, 7 there`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := host{rates: hertz(1, 5), duration: 5 * time.Second}
			l, _ := h.logs()
			h.record(t, l, tt.change)
			v, err := l.walk(t, trace.Options{All: true})
			require.NoError(t, err)
			require.Equal(t, trace.Broken, v.State)
			require.True(t, slices.ContainsFunc(v.Violations, func(v trace.Violation) bool {
				return v.Law == trace.LawRun && v.What == "the start line does not fit run.json: "+tt.want && v.Events[0].Line == 1
			}), "%v", v.Violations)
		})
	}
}

// A record that cannot be read takes nothing from the logs.
func TestUnreadableRecord(t *testing.T) {
	for _, content := range []string{"", "{}", `{"format": 99}`, "hello"} {
		l := small(t)
		l["run.json"] = content
		v := l.check(t)
		require.Equal(t, trace.Correct, v.State)
		require.Len(t, v.Remarks, 1)
		require.Contains(t, v.Remarks[0], "what the run was to be is not known: ")
	}
}

// renamed gives a machine another rate, in its start line and in its file's name.
func (l logs) renamed(id int, rate, fresh clock.Rate) {
	old := fmt.Sprintf("vm_%d_%v.log", id, rate)
	log := strings.Replace(l[old], fmt.Sprintf(" rate=%v ", rate), fmt.Sprintf(" rate=%v ", fresh), 1)
	delete(l, old)
	l[fmt.Sprintf("vm_%d_%v.log", id, fresh)] = log
}

// No host makes a machine faster than its rate: a rate that is too low in the start
// line, the file's name and the record alike is found by the times.
func TestTooFastForTheRate(t *testing.T) {
	for _, tt := range []struct {
		ran, says clock.Rate
		duration  time.Duration
		broken    bool
	}{
		{1 * clock.Hertz, 1 * clock.Hertz, time.Minute, false},
		{2 * clock.Hertz, 1 * clock.Hertz, time.Minute, true},
		{2 * clock.Hertz, 1 * clock.Hertz, 8 * time.Second, false}, // too short to tell
		{5 * clock.Hertz, 4 * clock.Hertz, time.Minute, true},
		{4 * clock.Hertz, 5 * clock.Hertz, time.Minute, false}, // it may have been busy
		{100 * clock.Hertz, 90 * clock.Hertz, time.Minute, true},
		{2000 * clock.Hertz, 1900 * clock.Hertz, time.Minute, true},
		{1 * clock.Hertz, clock.Hertz / 2, time.Minute, true},
		{clock.MaxRate / 100, 1 * clock.Hertz, time.Second, true},
		{1 * clock.Hertz, clock.Unpaced, time.Minute, false},
	} {
		t.Run(fmt.Sprintf("%v for %v", tt.says, tt.ran), func(t *testing.T) {
			h := host{rates: []clock.Rate{tt.ran}, duration: tt.duration, jitter: time.Millisecond / 10}
			l, _ := h.logs()
			l.renamed(0, tt.ran, tt.says)
			h.rates[0] = tt.says
			require.Equal(t, trace.Correct, l.check(t).State, "it may be a replay")
			h.record(t, l, func(r *rundir.Record) { r.ReplayOf = "x" })
			require.Equal(t, trace.Correct, l.check(t).State)

			h.record(t, l, nil)
			v := l.check(t)
			require.Equal(t, tt.broken, v.State == trace.Broken, "%v", v)
			if tt.broken {
				require.Equal(t, map[trace.Law]uint64{trace.LawRun: 1}, v.Broken)
				require.Regexp(t, `^steps are executed before they are due: the last [\d,]+ took \S+ \S+, but take \S+ \S+ at least at the rate that the start line names$`, v.Violations[0].What)
				require.Len(t, v.Violations[0].Events, 2)
			}
		})
	}
}

// anyHost draws a host on which anything may happen.
func anyHost(t *rapid.T) *host {
	h := &host{
		duration: time.Duration(rapid.IntRange(1, 60).Draw(t, "seconds")) * time.Second,
		jitter:   time.Duration(rapid.SampledFrom([]int{0, 100, 1000, 150_000}).Draw(t, "jitter")) * time.Microsecond,
		seed:     rapid.Uint64().Draw(t, "seed"),
	}
	rates := []clock.Rate{clock.Hertz / 2, clock.Hertz, 3 * clock.Hertz, 7 * clock.Hertz, 50 * clock.Hertz, 333 * clock.Hertz}
	h.rates = rapid.SliceOfN(rapid.SampledFrom(rates), 1, 3).Draw(t, "rates")
	at := func(name string) time.Duration {
		return time.Duration(rapid.Int64Range(0, int64(h.duration)).Draw(t, name))
	}
	for range rapid.IntRange(0, 4).Draw(t, "pauses") {
		h.pauses = append(h.pauses, pause{rapid.IntRange(-1, len(h.rates)-1).Draw(t, "who"), at("from"), at("for") / 4})
	}
	for range rapid.IntRange(0, 4).Draw(t, "steps") {
		by := rapid.SampledFrom([]time.Duration{100 * time.Millisecond, 777 * time.Millisecond, time.Second, 90*time.Second + 13*time.Millisecond, time.Hour, 24 * time.Hour, 10 * 365 * 24 * time.Hour}).Draw(t, "by")
		if rapid.Bool().Draw(t, "back") {
			by = -by
		}
		h.steps = append(h.steps, clockStep{at("when"), by})
	}
	return h
}

// Whatever host and clock do, a run whose machines kept to their schedule is never
// called anything but correct.
func TestHonestRunsAreCorrectWhateverTheHostDoes(t *testing.T) {
	shelf := newShelf(t)
	rapid.Check(t, func(t *rapid.T) {
		h := anyHost(t)
		l, _ := h.logs()
		h.record(t, l, nil)
		v, err := verdict(t, shelf.open(t, l), trace.Options{})
		require.NoError(t, err)
		require.Equal(t, trace.Correct, v.State, "%v %v %v", v, v.Violations, v.Open)
		if len(h.pauses) == 0 || len(h.steps) == 0 {
			require.Empty(t, v.Remarks)
		}
	})
}

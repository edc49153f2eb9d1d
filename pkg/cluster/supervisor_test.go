package cluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/control"
	"github.com/scalemodel/lamport/pkg/fault"
)

var (
	// epoch is when the machines of these tests were started.
	epoch = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

	testLimits = limits{connect: 30 * time.Second, linger: 10 * time.Second, shortLinger: 500 * time.Millisecond, patience: 8 * time.Second}
)

// step is an event at a time after the epoch, and what is to be done then.
type step struct {
	at   time.Duration
	e    event
	want []action
}

func at(d time.Duration) time.Time { return epoch.Add(d) }

func dies(id int, ending control.Ending) exited {
	return exited{id: id, death: &Death{ID: id, State: "oh no"}, ending: ending, milestone: begun, lived: time.Second}
}

func completes(id int) exited { return exited{id: id, ending: control.Completed, milestone: begun} }

func plan(kind fault.Kind, over bool, machines ...int) struck {
	return struck{fault.Action{At: time.Second, Kind: kind, Over: over, Machines: machines, For: time.Second}}
}

func noteOf(e struck) note { return note{e.String()} }

// begins has both machines come up and begin, one second after the epoch.
func begins(last ...action) []step {
	start := at(time.Second)
	return []step{
		{0, reached{0, arrived, time.Time{}}, nil},
		{0, reached{1, arrived, time.Time{}}, []action{openGate{}}},
		{0, reached{1, begun, start}, nil},
		{0, reached{0, begun, start}, last},
	}
}

func TestSupervisor(t *testing.T) {
	const (
		minute  = time.Minute
		second  = time.Second
		restart = true
	)
	inTime := overdueAt{at(second + minute + 18*second)}
	killed, back := plan(fault.Kill, false, 1), plan(fault.Kill, true, 1)
	paused, goesOn := plan(fault.Pause, false, 1), plan(fault.Pause, true, 1)
	// begunWithFaults is the same with a plan.
	begunWithFaults := begins(inTime)
	begunWithFaults[2].want = []action{playFaults{at(second)}}
	stopShort := func(d time.Duration) []action {
		return []action{endFaults{}, stopAll{500 * time.Millisecond}, overdueAt{at(d + 8500*time.Millisecond)}}
	}
	stopLong := func(d time.Duration) []action {
		return []action{endFaults{}, stopAll{10 * second}, overdueAt{at(d + 18*second)}}
	}

	tests := []struct {
		name     string
		duration time.Duration
		restarts bool
		faults   bool
		steps    []step
		first    string // "": none
	}{
		{"all goes well", minute, false, false, slices.Concat(begins(inTime), []step{
			{minute, completes(1), nil},
			{minute, completes(0), nil},
		}), ""},
		{"the first report says that it runs", minute, false, false, []step{
			{0, reached{0, begun, at(second)}, nil},
			{0, reached{1, begun, at(second)}, []action{openGate{}, inTime}},
			{minute, completes(1), nil},
			{minute, completes(0), nil},
		}, ""},
		{"without an end", 0, false, false, slices.Concat(begins(overdueAt{}), []step{
			{time.Hour, interrupted{}, stopLong(time.Hour)},
			{time.Hour, exited{id: 0, ending: control.Stopped}, nil},
			{time.Hour, exited{id: 1, ending: control.Stopped}, nil},
		}), ""},
		{"without an end, and machines may have all of it to read", 0, true, false, slices.Concat(begins(overdueAt{}), []step{
			{time.Hour, interrupted{}, []action{endFaults{}, stopAll{time.Hour + 9*second}, overdueAt{at(2*time.Hour + 17*second)}}},
			{time.Hour, dies(0, control.Killed), []action{restartAt(0, time.Hour+20*time.Millisecond)}},
			{2 * time.Hour, due{0}, []action{start{0}}},
			{2 * time.Hour, started{0, nil}, []action{stop{0, time.Hour + 9*second}}},
			{2 * time.Hour, completes(0), nil},
			{2 * time.Hour, completes(1), nil},
		}), ""},
		{"nobody begins", minute, false, false, []step{
			{0, reached{0, arrived, time.Time{}}, nil},
			{38 * second, overdue{}, stopShort(38 * second)},
			{39 * second, reached{1, arrived, time.Time{}}, nil},
			{47 * second, overdue{}, []action{killAll{}}},
			{48 * second, overdue{}, nil},
			{48 * second, dies(1, control.Killed), nil},
			{48 * second, dies(0, control.Killed), nil},
		}, "1: oh no, by the launcher: it had not begun within 38s"},
		{"one does not end", minute, false, false, slices.Concat(begins(inTime), []step{
			{minute, completes(1), nil},
			{79 * second, overdue{}, stopShort(79 * second)},
			{88 * second, overdue{}, []action{killAll{}}},
			{88 * second, dies(0, control.Killed), nil},
		}), "0: oh no, by the launcher: it had not ended 18s after its time"},
		{"one ends when it is told to, past its time", minute, false, false, slices.Concat(begins(inTime), []step{
			{79 * second, overdue{}, stopShort(79 * second)},
			{79 * second, completes(1), nil},
			{79 * second, completes(0), nil},
		}), ""},
		{"one does not stop", minute, false, false, slices.Concat(begins(inTime), []step{
			{2 * second, interrupted{}, stopLong(2 * second)},
			{20 * second, overdue{}, []action{killAll{}}},
			{20 * second, completes(0), nil},
			{20 * second, dies(1, control.Killed), nil},
		}), "1: oh no, by the launcher: it had not stopped 18s after it was told to"},
		{"interrupted before it begins", minute, false, true, []step{
			{0, reached{0, arrived, time.Time{}}, nil},
			{0, interrupted{}, stopLong(0)},
			{0, reached{1, begun, at(second)}, nil},
			{0, reached{0, begun, at(second)}, nil},
			{0, exited{id: 0, ending: control.Stopped}, nil},
			{0, exited{id: 1, ending: control.Stopped}, nil},
		}, ""},
		{"one dies", minute, false, false, slices.Concat(begins(inTime), []step{
			{2 * second, dies(1, control.Failed), stopShort(2 * second)},
			{2 * second, interrupted{}, nil},
			{11 * second, overdue{}, []action{killAll{}}},
			{11 * second, dies(0, control.Killed), nil},
		}), "1: oh no"},
		{"one dies and is started again", minute, restart, false, slices.Concat(begins(inTime), []step{
			{2 * second, dies(1, control.Killed), []action{restartAt(1, 2020*time.Millisecond)}},
			{2020 * time.Millisecond, due{1}, []action{start{1}}},
			{2021 * time.Millisecond, started{1, nil}, nil},
			{3 * second, reached{1, arrived, time.Time{}}, nil},
			{3 * second, reached{1, begun, at(second)}, nil},
			{4 * second, dies(1, control.Killed), []action{restartAt(1, 4040*time.Millisecond)}},
			{4040 * time.Millisecond, due{1}, []action{start{1}}},
			{4040 * time.Millisecond, started{1, nil}, nil},
			{minute, completes(0), nil},
			{minute, completes(1), nil},
		}), ""},
		{"one has begun and is back before the other begins", minute, restart, false, []step{
			{0, reached{0, begun, at(second)}, nil},
			{2 * second, dies(0, control.Killed), []action{restartAt(0, 2020*time.Millisecond)}},
			{3 * second, due{0}, []action{start{0}}},
			{3 * second, started{0, nil}, nil},
			{3 * second, reached{0, arrived, time.Time{}}, nil},
			{4 * second, reached{1, begun, at(second)}, []action{openGate{}, inTime}},
			{minute, completes(0), nil},
			{minute, completes(1), nil},
		}, ""},
		{"one cannot be started again", minute, restart, false, slices.Concat(begins(inTime), []step{
			{2 * second, dies(1, control.Killed), []action{restartAt(1, 2020*time.Millisecond)}},
			{3 * second, due{1}, []action{start{1}}},
			{3 * second, started{1, errors.New("no memory")}, stopShort(3 * second)},
			{3 * second, completes(0), nil},
		}), "1: no memory"},
		{"one refuses to go on", minute, restart, false, slices.Concat(begins(inTime), []step{
			{2 * second, dies(1, control.Differed), stopShort(2 * second)},
			{2 * second, dies(0, control.Killed), []action{restartAt(0, 2020*time.Millisecond)}},
			{3 * second, due{0}, []action{start{0}}},
			{3 * second, started{0, nil}, []action{stop{0, 500 * time.Millisecond}}},
			{3 * second, completes(0), nil},
		}), "1: oh no"},
		{"all are dead when all are to be killed", minute, restart, false, slices.Concat(begins(inTime), []step{
			{minute, completes(0), nil},
			{79 * second, overdue{}, stopShort(79 * second)},
			{87 * second, dies(1, control.Killed), []action{restartAt(1, 87020*time.Millisecond)}},
			{87 * second, overdue{}, []action{killAll{}}},
		}), "1: oh no, by the launcher: it had not ended 18s after its time"},
		{"nobody is started again who was killed at the end", minute, restart, true, slices.Concat(begunWithFaults, []step{
			{2 * second, killed, []action{noteOf(killed), kill{1}}},
			{2 * second, interrupted{}, stopLong(2 * second)},
			{20 * second, overdue{}, []action{killAll{}}},
			{20 * second, dies(1, control.Killed), nil},
			{20 * second, dies(0, control.Killed), nil},
		}), "1: oh no, by the launcher: it had not stopped 18s after it was told to"},
		{"the plan kills one and orders it back", minute, false, true, slices.Concat(begunWithFaults, []step{
			{2 * second, killed, []action{noteOf(killed), kill{1}}},
			{2 * second, dies(1, control.Killed), nil},
			{3 * second, back, []action{noteOf(back), restartAt(1, 3*second)}},
			{3 * second, due{1}, []action{start{1}}},
			{4 * second, started{1, nil}, nil},
			{minute, completes(0), nil},
			{minute, completes(1), nil},
		}), ""},
		{"the plan orders back one that is not seen to be dead", minute, false, true, slices.Concat(begunWithFaults, []step{
			{2 * second, killed, []action{noteOf(killed), kill{1}}},
			{2 * second, back, []action{noteOf(back)}},
			{3 * second, dies(1, control.Killed), []action{restartAt(1, 3*second)}},
			{3 * second, due{1}, []action{start{1}}},
			{3 * second, started{1, nil}, nil},
			{minute, completes(0), nil},
			{minute, completes(1), nil},
		}), ""},
		{"the plan kills it again before it is seen to be dead", minute, false, true, slices.Concat(begunWithFaults, []step{
			{2 * second, killed, []action{noteOf(killed), kill{1}}},
			{2 * second, back, []action{noteOf(back)}},
			{2 * second, killed, []action{noteOf(killed), kill{1}}},
			{3 * second, dies(1, control.Killed), nil},
			{4 * second, back, []action{noteOf(back), restartAt(1, 4*second)}},
			{4 * second, due{1}, []action{start{1}}},
			{4 * second, started{1, nil}, nil},
			{minute, completes(0), nil},
			{minute, completes(1), nil},
		}), ""},
		{"the plan kills one that is dead, and its own return does not count", minute, restart, true, slices.Concat(begunWithFaults, []step{
			{2 * second, dies(1, control.Killed), []action{restartAt(1, 2020*time.Millisecond)}},
			{2 * second, killed, []action{noteOf(killed)}},
			{2020 * time.Millisecond, due{1}, nil},
			{3 * second, back, []action{noteOf(back), restartAt(1, 3*second)}},
			{3 * second, due{1}, []action{start{1}}},
			{3 * second, started{1, nil}, nil},
			{3 * second, due{1}, nil},
			{minute, completes(0), nil},
			{minute, completes(1), nil},
		}), ""},
		{"a due of before comes too early", minute, restart, true, slices.Concat(begunWithFaults, []step{
			{2 * second, dies(1, control.Killed), []action{restartAt(1, 2020*time.Millisecond)}},
			{2 * second, killed, []action{noteOf(killed)}},
			{2001 * time.Millisecond, back, []action{noteOf(back), restartAt(1, 2001*time.Millisecond)}},
			{2001 * time.Millisecond, due{1}, []action{start{1}}},
			{2001 * time.Millisecond, started{1, nil}, nil},
			{2002 * time.Millisecond, dies(1, control.Killed), []action{restartAt(1, 2042*time.Millisecond)}},
			{2020 * time.Millisecond, due{1}, nil},
			{2042 * time.Millisecond, due{1}, []action{start{1}}},
			{2042 * time.Millisecond, started{1, nil}, nil},
			{minute, completes(0), nil},
			{minute, completes(1), nil},
		}), ""},
		{"one ends in order before the plan's kill reaches it", minute, false, true, slices.Concat(begunWithFaults, []step{
			{2 * second, killed, []action{noteOf(killed), kill{1}}},
			{2 * second, completes(1), nil},
			{3 * second, back, []action{noteOf(back)}},
			{minute, completes(0), nil},
		}), ""},
		{"the run stops while the plan has one dead", minute, false, true, slices.Concat(begunWithFaults, []step{
			{2 * second, killed, []action{noteOf(killed), kill{1}}},
			{2 * second, dies(1, control.Killed), nil},
			{3 * second, interrupted{}, slices.Insert(stopLong(3*second), 1, action(restartAt(1, 3*second)))},
			{3 * second, back, nil},
			{3 * second, due{1}, []action{start{1}}},
			{3 * second, started{1, nil}, []action{stop{1, 10 * second}}},
			{3 * second, completes(0), nil},
			{4 * second, completes(1), nil},
		}), ""},
		{"the run stops before the plan's kill is seen", minute, false, true, slices.Concat(begunWithFaults, []step{
			{2 * second, killed, []action{noteOf(killed), kill{1}}},
			{2 * second, interrupted{}, stopLong(2 * second)},
			{3 * second, dies(1, control.Killed), []action{restartAt(1, 3*second)}},
			{3 * second, due{1}, []action{start{1}}},
			{3 * second, started{1, nil}, []action{stop{1, 10 * second}}},
			{3 * second, killed, nil},
			{4 * second, completes(1), nil},
			{4 * second, completes(0), nil},
		}), ""},
		{"the plan pauses one", minute, false, true, slices.Concat(begunWithFaults, []step{
			{2 * second, paused, []action{noteOf(paused), hold{1, true}}},
			{3 * second, goesOn, []action{noteOf(goesOn), hold{1, false}}},
			{3 * second, interrupted{}, stopLong(3 * second)},
			{4 * second, completes(1), nil},
			{4 * second, completes(0), nil},
		}), ""},
		{"the run stops while the plan has one paused", minute, false, true, slices.Concat(begunWithFaults, []step{
			{2 * second, paused, []action{noteOf(paused), hold{1, true}}},
			{3 * second, interrupted{}, slices.Insert(stopLong(3*second), 1, action(hold{1, false}))},
			{3 * second, goesOn, nil},
			{4 * second, completes(1), nil},
			{4 * second, completes(0), nil},
		}), ""},
		{"the plan pauses one that is dead", minute, restart, true, slices.Concat(begunWithFaults, []step{
			{2 * second, dies(1, control.Killed), []action{restartAt(1, 2020*time.Millisecond)}},
			{2 * second, paused, []action{noteOf(paused), hold{1, true}}}, // which is noted as not done
			{3 * second, due{1}, []action{start{1}}},
			{3 * second, started{1, nil}, nil},
			{3 * second, interrupted{}, stopLong(3 * second)},
			{4 * second, completes(1), nil},
			{4 * second, completes(0), nil},
		}), ""},
		{"what happens to connections is only noted", minute, false, true, slices.Concat(begunWithFaults, []step{
			{2 * second, plan(fault.StopReading, false, 1), []action{noteOf(plan(fault.StopReading, false, 1))}},
			{minute, completes(1), nil},
			{minute, completes(0), nil},
		}), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSupervisor(configOf(2, tt.duration, tt.restarts), testLimits)
			s.faults = tt.faults
			require.Equal(t, []action{overdueAt{at(38 * second)}}, s.begin(epoch))
			for i, step := range tt.steps {
				require.False(t, s.over(), "step %d", i)
				require.Equal(t, step.want, s.on(at(step.at), step.e), "step %d: %T%+v", i, step.e, step.e)
			}
			assert.True(t, s.over())
			if tt.first == "" {
				assert.Nil(t, s.first)
			} else if assert.NotNil(t, s.first) {
				assert.Equal(t, tt.first, fmt.Sprintf("%d: %s", s.first.ID, s.first.State))
			}
		})
	}
}

func configOf(machines int, duration time.Duration, restarts bool) *Config {
	cfg := &Config{Restart: restarts}
	cfg.Rates, cfg.Duration = make([]clock.Rate, machines), duration
	return cfg
}

func restartAt(id int, d time.Duration) restart { return restart{id, at(d)} }

// How often and how long a machine was dead is counted from death to start.
func TestRestartsAreCounted(t *testing.T) {
	s := newSupervisor(configOf(1, 0, true), testLimits)
	for i, down := range []time.Duration{time.Second, 3 * time.Second} {
		d := time.Duration(i) * time.Minute
		s.on(at(d), dies(0, control.Killed))
		s.on(at(d+down), due{0})
		s.on(at(d+down), started{0, nil})
	}
	assert.Equal(t, 2, s.machines[0].restarts)
	assert.Equal(t, 4*time.Second, s.machines[0].down)
}

func TestRevive(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		name  string
		quick int
		e     exited
		pause time.Duration // negative: it is given up
	}{
		{"killed", 0, exited{ending: control.Killed, milestone: begun, lived: time.Second}, 20 * ms},
		{"killed before it said a word", 0, exited{ending: control.Killed}, 20 * ms},
		{"for the third time", 2, exited{ending: control.Killed}, 80 * ms},
		{"for the eighth time", 7, exited{ending: control.Killed}, 2 * time.Second},
		{"for the tenth time", 9, exited{ending: control.Killed}, 2 * time.Second},
		{"for the eleventh time", 10, exited{ending: control.Killed}, -1},
		{"after a long life", 10, exited{ending: control.Killed, lived: soon + 1}, 20 * ms},
		{"after a life that was just too short", 10, exited{ending: control.Killed, lived: soon}, -1},
		{"as its record says", 10, exited{ending: control.Crashed, milestone: begun}, 20 * ms},
		{"not as its record says", 0, exited{ending: control.Differed, milestone: begun, lived: time.Hour}, -1},
		{"failed", 0, exited{ending: control.Failed, milestone: arrived}, 20 * ms},
		{"failed before it said a word", 0, exited{ending: control.Failed}, -1},
		{"refused to begin", 0, exited{ending: control.Refused, milestone: arrived}, -1},
		{"was hindered", 0, exited{ending: control.Hindered, milestone: arrived}, 20 * ms},
		{"panicked", 0, exited{ending: control.Refused, milestone: begun}, 20 * ms},
		{"ended well, but without a result", 0, exited{ending: control.Completed, milestone: begun}, 20 * ms},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := supervised{quick: tt.quick}
			pause, ok := m.revive(tt.e)
			assert.Equal(t, tt.pause >= 0, ok)
			if ok {
				assert.Equal(t, tt.pause, pause)
			}
		})
	}
}

func TestWhatCannotFollow(t *testing.T) {
	assert.Len(t, nextStages, int(killing)+1)
	assert.PanicsWithValue(t, "cluster: a machine that is lost cannot become up", func() { (&supervised{phase: lost}).become(up) })
	assert.PanicsWithValue(t, "cluster: a run that is killing cannot become running", func() { (&supervisor{stage: killing}).become(running) })
}

// The table of phases in the documentation is that of the code.
func TestDocumentedPhases(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "reliability.md"))
	require.NoError(t, err)
	require.Len(t, nextPhases, int(ended)+1)
	for p, next := range nextPhases {
		var names []string
		for _, n := range next {
			names = append(names, n.String())
		}
		row := fmt.Sprintf(`(?m)^\| %v \| [^|]+ \| %s ?\|$`, phase(p), strings.Join(names, ", "))
		assert.Regexp(t, row, string(doc))
	}
}

// world is what a supervisor's actions have come to: processes that live as chance
// will have it, and timers.
type world struct {
	t       *rapid.T
	s       *supervisor
	now     time.Time
	alive   []*milestone // by machine; nil: no process
	gone    []bool       // by machine: it was given up, or has ended
	killed  []bool       // by machine: its process can only die
	timers  []restart
	overdue time.Time // zero: none
	gates   int
	playing bool
}

func newWorld(t *rapid.T) *world {
	machines := rapid.IntRange(1, 4).Draw(t, "machines")
	cfg := configOf(machines, rapid.SampledFrom([]time.Duration{0, time.Minute}).Draw(t, "duration"), rapid.Bool().Draw(t, "restart"))
	w := &world{t: t, s: newSupervisor(cfg, testLimits), now: epoch, gone: make([]bool, machines), killed: make([]bool, machines)}
	w.s.faults = rapid.Bool().Draw(t, "faults")
	for range machines {
		w.alive = append(w.alive, new(milestone))
	}
	w.carryOut(w.s.begin(w.now))
	return w
}

// on tells the supervisor of an event and carries out what it decides, which may be
// said about w before and after.
func (w *world) on(e event) {
	w.carryOut(w.s.on(w.now, e))
	w.check()
}

func (w *world) carryOut(actions []action) {
	for _, a := range actions {
		switch a := a.(type) {
		case openGate:
			w.gates++
		case restart:
			w.timers = append(w.timers, a)
		case start:
			require.Nil(w.t, w.alive[a.id], "machine %d has a process", a.id)
			require.False(w.t, w.gone[a.id], "machine %d is gone", a.id)
			var err error
			if rapid.IntRange(0, 9).Draw(w.t, "start") == 0 {
				err = errors.New("no memory")
			} else {
				w.alive[a.id], w.killed[a.id] = new(milestone), false
			}
			w.carryOut(w.s.on(w.now, started{a.id, err}))
		case kill:
			w.killed[a.id] = true
		case killAll:
			for id := range w.killed {
				w.killed[id] = true
			}
		case playFaults:
			require.False(w.t, w.playing)
			w.playing = true
		case endFaults:
			w.playing = false
		case overdueAt:
			w.overdue = a.at
		}
	}
}

// check says what is true after each event.
func (w *world) check() {
	require.LessOrEqual(w.t, w.gates, 1)
	anyLost := false
	for id, m := range w.s.machines {
		switch m.phase {
		case up, held, doomed, recalled:
			require.NotNil(w.t, w.alive[id], "machine %d is waited for, and has no process", id)
		case felled:
			require.True(w.t, w.playing, "machine %d waits for a plan that has ended", id)
			require.Nil(w.t, w.alive[id])
		case down:
			require.Nil(w.t, w.alive[id])
			require.True(w.t, slices.ContainsFunc(w.timers, func(r restart) bool {
				return r.id == id && !r.at.Before(m.restartAt)
			}), "machine %d waits for a restart that does not come", id)
			require.NotEqual(w.t, killing, w.s.stage)
		case lost, ended:
			w.gone[id] = true
			require.Nil(w.t, w.alive[id], "a process of machine %d is left", id)
			anyLost = anyLost || m.phase == lost
		default:
			require.Fail(w.t, "unexpected", "machine %d is %v", id, m.phase)
		}
		require.Equal(w.t, m.phase >= lost, w.gone[id], "machine %d came back from the dead", id)
	}
	require.Equal(w.t, anyLost, w.s.first != nil)
	if anyLost {
		require.GreaterOrEqual(w.t, w.s.stage, stopping)
	}
	if w.s.stage == stopping {
		require.False(w.t, w.overdue.IsZero(), "nobody looks after those that do not stop")
		require.False(w.t, w.playing)
	}
}

// exits ends a process somehow.
func (w *world) exits(id int) {
	e := exited{id: id, milestone: *w.alive[id], lived: rapid.SampledFrom([]time.Duration{0, time.Minute}).Draw(w.t, "lived")}
	if !w.killed[id] && rapid.Bool().Draw(w.t, "in order") {
		e.ending = control.Completed
	} else {
		e.death = &Death{ID: id}
		e.ending = control.Killed
		if !w.killed[id] {
			e.ending = rapid.SampledFrom([]control.Ending{control.Failed, control.Hindered, control.Refused, control.Differed, control.Crashed, control.Killed}).Draw(w.t, "ending")
		}
	}
	w.alive[id] = nil
	w.on(e)
}

// fires lets the timer at i run out.
func (w *world) fires(i int) {
	r := w.timers[i]
	w.timers = slices.Delete(w.timers, i, i+1)
	if r.at.After(w.now) {
		w.now = r.at
	}
	w.on(due{r.id})
}

func (w *world) isOverdue() {
	if w.overdue.After(w.now) {
		w.now = w.overdue
	}
	w.overdue = time.Time{}
	w.on(overdue{})
}

func (w *world) living() (ids []int) {
	for id, p := range w.alive {
		if p != nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// Whatever happens, and in what order: a machine that is gone is not started again,
// none is waited for that cannot come, and the run is over at the end.
func TestRunAlwaysComesToAnEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		stopped := false
		for range rapid.IntRange(0, 60).Draw(t, "events") {
			if w.s.over() {
				break
			}
			w.now = w.now.Add(time.Duration(rapid.IntRange(0, 100).Draw(t, "ms")) * time.Millisecond)
			living := w.living()
			switch what := rapid.IntRange(0, 9).Draw(t, "what"); {
			case what < 3 && len(living) > 0:
				id := rapid.SampledFrom(living).Draw(t, "reports")
				if m := w.alive[id]; *m < begun {
					*m = rapid.SampledFrom([]milestone{arrived, begun}[*m:]).Draw(t, "milestone")
					w.on(reached{id, *m, epoch.Add(time.Second)})
				}
			case what < 5 && len(living) > 0:
				w.exits(rapid.SampledFrom(living).Draw(t, "exits"))
			case what < 7 && len(w.timers) > 0:
				w.fires(rapid.IntRange(0, len(w.timers)-1).Draw(t, "timer"))
			case what < 8 && w.playing:
				machines := rapid.SliceOfNDistinct(rapid.IntRange(0, len(w.alive)-1), 1, -1, rapid.ID).Draw(t, "machines")
				kind := rapid.SampledFrom([]fault.Kind{fault.Kill, fault.Pause, fault.StopReading}).Draw(t, "kind")
				w.on(plan(kind, rapid.Bool().Draw(t, "over"), machines...))
			case what == 8 && !stopped && rapid.Bool().Draw(t, "interrupt"):
				stopped = true
				w.on(interrupted{})
			case what == 9 && !w.overdue.IsZero() && rapid.Bool().Draw(t, "overdue"):
				w.isOverdue()
			}
		}
		// It is stopped, and then nobody ends before all are killed.
		if !stopped && !w.s.over() {
			w.on(interrupted{})
		}
		if w.s.stage == stopping && !w.s.over() {
			w.isOverdue()
		}
		for _, id := range w.living() {
			require.False(t, w.s.over())
			w.exits(id)
		}
		require.True(t, w.s.over())
	})
}

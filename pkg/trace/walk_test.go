package trace_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/trace"
	"github.com/scalemodel/lamport/pkg/trace/tracetest"
)

// visited is an event in the order of a walk.
type visited struct {
	naiveEvent
	vector []uint64
	sent   int // line of the send
}

// order returns the events of a run in the order of a walk.
func order(t require.TestingT, run *trace.Run, o trace.Options) ([]visited, *trace.Verdict) {
	var all []visited
	v, err := run.Walk(o, trace.VisitorFunc(func(s *trace.Step) error {
		require.NotEqual(t, s.Event == nil, s.Other == nil)
		if s.Event == nil {
			return nil
		}
		e := visited{naiveEvent: naiveEvent{s.Machine, s.Line - 1}, vector: slices.Clone(s.Vector)}
		if s.Sent != nil {
			e.sent = s.Sent.Line
		}
		all = append(all, e)
		return nil
	}))
	require.NoError(t, err)
	return all, v
}

// respects checks that nothing comes before what happened before it, against all
// pairs by brute force.
func respects(t require.TestingT, n *naive, events []visited) {
	place := make(map[naiveEvent]int)
	for i, e := range events { // of many runs, so require is called where something is wrong
		if _, twice := place[e.naiveEvent]; twice {
			require.Fail(t, "an event twice", "%v", e.naiveEvent)
		}
		place[e.naiveEvent] = i
	}
	edges := n.edges()
	for e, i := range place {
		for after := range reach(edges, e) {
			if i >= place[after] {
				require.Fail(t, "not in order", "%v happened before %v", e, after)
			}
		}
	}
}

// The order of a walk respects happened-before, and its vector clocks are what they
// say: counts of the events that happened before.
func TestWalkRespectsHappenedBefore(t *testing.T) {
	shelf := newShelf(t)
	rapid.Check(t, func(t *rapid.T) {
		run := shelf.open(t, goodRun(t))
		n, err := naiveRead(t, run.Dir)
		require.NoError(t, err)
		plain, _ := order(t, run, trace.Options{})
		events, v := order(t, run, trace.Options{Vectors: true})
		require.Len(t, events, int(v.Events))
		respects(t, n, events)

		want := make(map[naiveEvent][]uint64)
		for _, e := range events {
			want[e.naiveEvent] = make([]uint64, run.Machines)
			want[e.naiveEvent][e.machine] = 1 // itself
		}
		edges := n.edges()
		for _, e := range events {
			for after := range reach(edges, e.naiveEvent) {
				want[after][e.machine]++
			}
		}
		for i, e := range events {
			require.Equal(t, want[e.naiveEvent], e.vector)
			require.Equal(t, plain[i].naiveEvent, e.naiveEvent, "vectors do not change the order")
			require.Equal(t, plain[i].sent, e.sent)
			rec := n.logs[e.machine].lines[e.line]
			if rec.Event.Kind != event.Receive {
				require.Zero(t, e.sent)
				continue
			}
			m := rec.Event.Messages()[0]
			sends, _, _, _ := n.sendsAndReceives()
			require.Equal(t, sends[naiveMessage{naiveLink{int(m.From), e.machine}, m.Seq}][0].line+1, e.sent)
		}
	})
}

// Of what is free to come, the earliest by global time comes first; on one instant,
// the smallest machine.
func TestWalkGoesByTime(t *testing.T) {
	run, err := trace.Open(filepath.Join("testdata", "small"))
	require.NoError(t, err)
	var got []string
	var last int64
	_, err = run.Walk(trace.Options{}, trace.VisitorFunc(func(s *trace.Step) error {
		require.GreaterOrEqual(t, s.Micro, last)
		last = s.Micro
		got = append(got, fmt.Sprintf("%d:%d", s.Machine, s.Line))
		return nil
	}))
	require.NoError(t, err)
	require.Equal(t, "0:1 1:1 1:2 0:2 1:3 1:4 0:3 1:5 1:6 0:4 1:7 1:8 0:5 1:9 1:10 0:6 1:11 0:7 1:12", strings.Join(got, " "))
}

// Where the clocks of hosts are apart, or set back, a receive waits for its send.
func TestWalkWaitsForSends(t *testing.T) {
	for _, off := range []time.Duration{-time.Hour, -time.Second, time.Second, time.Hour} {
		l := record(t, tracetest.Config{
			Rates: tracetest.Hertz(20, 50, 40), Duration: 3 * time.Second, Seed: 3, Delay: 30 * time.Millisecond,
			Time: func(machine int, elapsed time.Duration) time.Duration {
				switch machine {
				case 0:
					return elapsed + off
				case 1:
					return -elapsed
				}
				return elapsed
			},
		})
		run, err := trace.Open(l.dir(t))
		require.NoError(t, err)
		events, v := order(t, run, trace.Options{})
		require.Equal(t, trace.Correct, v.State)
		n, err := naiveRead(t, run.Dir)
		require.NoError(t, err)
		respects(t, n, events)
	}
}

// A ring of machines each of which receives before it sends.
func TestCycles(t *testing.T) {
	for _, n := range []int{2, 3, 7, 300} {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			l := make(logs)
			cycle(l, n)
			v := l.check(t)
			require.Equal(t, trace.Broken, v.State)
			require.EqualValues(t, 1, v.Broken[trace.LawAcyclic])
			require.EqualValues(t, n, v.Received)
			require.Zero(t, v.Unmatched, "a receive that goes before its send is held against it")
			i := slices.IndexFunc(v.Violations, func(v trace.Violation) bool { return v.Law == trace.LawAcyclic })
			violation := v.Violations[i]
			shown := min(n, 4) // of the machines
			require.Len(t, violation.Events, 2*shown)
			for j := range shown {
				receive, send := violation.Events[2*j], violation.Events[2*j+1]
				require.Equal(t, receive.File, send.File)
				require.Equal(t, 2, receive.Line)
				require.Equal(t, 3, send.Line)
			}
			if n > 4 {
				require.Contains(t, violation.What, fmt.Sprintf("; and so on round %d machines", n))
			}
		})
	}
}

// Two cycles at a time, one machine that waits outside of them, messages that
// come twice and one that never comes: each is told apart.
func TestCyclesAndMore(t *testing.T) {
	l := logs{
		"vm_0_1.log": script(0, 6, "receive clock=2 from=1 seq=1 sent=1", "receive clock=3 from=1 seq=1 sent=1", "send clock=4 to=1:1", "send clock=5 to=4:1", `stop clock=5 queue=0 pending=""`),
		"vm_1_1.log": script(1, 6, "receive clock=5 from=0 seq=1 sent=4", "send clock=6 to=0:1", "send clock=7 to=0:1", `stop clock=7 queue=0 pending=""`),
		"vm_2_1.log": script(2, 6, "receive clock=2 from=3 seq=1 sent=1", "send clock=3 to=3:1", `stop clock=3 queue=0 pending=""`),
		"vm_3_1.log": script(3, 6, "receive clock=4 from=2 seq=1 sent=3", "send clock=5 to=2:1", `stop clock=5 queue=0 pending=""`),
		"vm_4_1.log": script(4, 6, "receive clock=6 from=0 seq=1 sent=5", `stop clock=6 queue=0 pending=""`),
		"vm_5_1.log": script(5, 6, "receive clock=6 from=4 seq=9 sent=5", "receive clock=7 from=5 seq=1 sent=0", `stop clock=7 queue=0 pending=""`),
	}
	v, err := l.walk(t, trace.Options{All: true})
	require.NoError(t, err)
	require.Equal(t, map[trace.Law]uint64{
		trace.LawAcyclic:      2, // 0–1 and 2–3
		trace.LawMatch:        5, // two stamps of cycles, a send twice, nobody's message 9, one of oneself
		trace.LawCondition:    2,
		trace.LawFIFO:         2, // a receive twice, message 9 first
		trace.LawConservation: 1, // message 9
	}, v.Broken, "%v", v.Violations)
	require.EqualValues(t, 12, v.Violated())
}

// An invented receive that holds up its machine is no cycle, though all wait.
func TestInventedReceiveIsNoCycle(t *testing.T) {
	l := logs{
		"vm_0_1.log": script(0, 2, "receive clock=9 from=1 seq=5 sent=8", "send clock=10 to=1:1", `stop clock=10 queue=0 pending=""`),
		"vm_1_1.log": script(1, 2, "receive clock=11 from=0 seq=1 sent=10", "send clock=12 to=0:1", `stop clock=12 queue=0 pending=""`),
	}
	v := l.check(t)
	require.Equal(t, map[trace.Law]uint64{trace.LawMatch: 1, trace.LawFIFO: 1}, v.Broken)
	require.Contains(t, v.Violations[1].String(), "vm_0_1.log:2: match: machine 1 never sent message 5 to machine 0")

	// Where machine 1 breaks off, it may have sent it.
	l["vm_1_1.log"] = script(1, 2, "receive clock=11 from=0 seq=1 sent=10", "send clock=12 to=0:1")
	v = l.check(t)
	require.Equal(t, map[trace.Law]uint64{trace.LawFIFO: 1}, v.Broken)
	require.EqualValues(t, 1, v.Unmatched)
}

// A machine that stopped long before the receive has not sent what is invented; one that
// broke off then may have.
func TestInventedReceiveAfterTheEnd(t *testing.T) {
	l := logs{
		"vm_0_1.log": script(0, 2, "internal clock=1", "internal clock=2", "receive clock=3 from=1 seq=1 sent=0", `stop clock=3 queue=0 pending=""`),
		"vm_1_1.log": script(1, 2, `stop clock=0 queue=0 pending=""`),
	}
	v := l.check(t)
	require.Equal(t, map[trace.Law]uint64{trace.LawMatch: 1, trace.LawConservation: 1}, v.Broken)
	require.Contains(t, v.Violations[0].String(), "vm_0_1.log:4: match: machine 1 never sent message 1 to machine 0")
	require.Zero(t, v.Unmatched)

	l["vm_1_1.log"] = script(1, 2)
	v = l.check(t)
	require.Equal(t, trace.Incomplete, v.State)
	require.EqualValues(t, 1, v.Unmatched)
}

// Many messages in flight, received in order, in the reverse order, and not.
func TestManyInFlight(t *testing.T) {
	const n = 20_000
	sends := make([]string, 0, n+1)
	receives, reversed := make([]string, 0, n+1), make([]string, 0, n+1)
	for i := 1; i <= n; i++ {
		sends = append(sends, fmt.Sprintf("send clock=%d to=1:%d", i, i))
		receives = append(receives, fmt.Sprintf("receive clock=%d from=0 seq=%d sent=%d", i+1, i, i))
		reversed = append(reversed, fmt.Sprintf("receive clock=%d from=0 seq=%d sent=%d", n+i, n+1-i, n+1-i))
	}
	sends = append(sends, fmt.Sprintf("stop clock=%d queue=0 pending=\"\"", n))
	receives = append(receives, fmt.Sprintf("stop clock=%d queue=0 pending=\"\"", n+1))
	reversed = append(reversed, fmt.Sprintf("stop clock=%d queue=0 pending=\"\"", 2*n))

	v := logs{"vm_0_1.log": script(0, 2, sends...), "vm_1_1.log": script(1, 2, receives...)}.check(t)
	require.Equal(t, trace.Correct, v.State, "%v", v)
	require.EqualValues(t, n, v.Received)

	v = logs{"vm_0_1.log": script(0, 2, sends...), "vm_1_1.log": script(1, 2, reversed...)}.check(t)
	require.Equal(t, map[trace.Law]uint64{trace.LawFIFO: n}, v.Broken)

	v = logs{"vm_0_1.log": script(0, 2, sends...), "vm_1_1.log": script(1, 2, fmt.Sprintf("stop clock=0 queue=%d pending=0:%d", n, n))}.check(t)
	require.Equal(t, trace.Correct, v.State, "%v", v)
	require.EqualValues(t, n, v.Pending)
}

// A thousand machines, each with all others as peers.
func TestManyMachines(t *testing.T) {
	if testing.Short() {
		t.Skip("a thousand files")
	}
	rates := tracetest.Hertz(slices.Repeat([]uint64{2, 3}, 500)...)
	l := record(t, tracetest.Config{Rates: rates, Duration: 10 * time.Second, Seed: 5, Delay: 100 * time.Millisecond})
	v := l.check(t)
	require.Equal(t, trace.Correct, v.State, "%v", v)
	require.Equal(t, 1000, v.Machines)
	require.EqualValues(t, 25_000, v.Events)
	require.Equal(t, v.Sent, v.Received+v.Pending)

	l.edit(t, "vm_700_2.log", ": step=3 ", ": step=4 ")
	require.Equal(t, map[trace.Law]uint64{trace.LawStep: 2}, l.check(t).Broken)
}

// An error of visit ends the walk, and when it is over nothing of it runs on.
func TestVisitEndsWalk(t *testing.T) {
	run, err := trace.Open(three(t).dir(t))
	require.NoError(t, err)
	before := goleak.IgnoreCurrent()
	enough := errors.New("enough")
	for _, at := range []int{1, 2, 500} {
		n := 0
		v, err := run.Walk(trace.Options{}, trace.VisitorFunc(func(*trace.Step) error {
			if n++; n == at {
				return enough
			}
			return nil
		}))
		require.ErrorIs(t, err, enough)
		require.Nil(t, v)
		require.Equal(t, at, n)
		goleak.VerifyNone(t, before)
	}
	require.Panics(t, func() {
		_, _ = run.Walk(trace.Options{}, trace.VisitorFunc(func(*trace.Step) error { panic("visit") }))
	})
	goleak.VerifyNone(t, before)
	_, err = run.Walk(trace.Options{})
	require.NoError(t, err)
	goleak.VerifyNone(t, before)
}

// Logs with as many oddities as lines are walked to their end.
func TestHostileLogs(t *testing.T) {
	const n = 20_000
	descending, odd, receives, cyclic0, cyclic1 := make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	for i := range n {
		descending[i] = fmt.Sprintf("send clock=%d to=1:%d", i+1, 2*(n-i))
		odd[i] = fmt.Sprintf("send clock=%d to=1:%d", i+1, 2*i)
		receives[i] = fmt.Sprintf("receive clock=%d from=0 seq=%d sent=1", i+1, 3*i)
		cyclic := "receive clock=%d from=%d seq=%d sent=1"
		if i%2 == 1 {
			cyclic = "send clock=%d to=%d:%d"
		}
		cyclic0[i] = fmt.Sprintf(cyclic, i+1, 1, i/2+1)
		cyclic1[i] = fmt.Sprintf(cyclic, i+1, 0, i/2+1)
	}
	for name, l := range map[string]logs{
		"numbers that fall":    {"vm_0_1.log": script(0, 2, descending...), "vm_1_1.log": script(1, 2, receives...)},
		"a hole at each":       {"vm_0_1.log": script(0, 2, odd...), "vm_1_1.log": script(1, 2, receives...)},
		"a cycle at each line": {"vm_0_1.log": script(0, 2, cyclic0...), "vm_1_1.log": script(1, 2, cyclic1...)},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := l.walk(t, trace.Options{All: true})
			require.NoError(t, err)
			require.Equal(t, trace.Broken, v.State)
			require.EqualValues(t, 2*n, v.Events)
			require.GreaterOrEqual(t, v.Violated(), uint64(2*n))
		})
	}
}

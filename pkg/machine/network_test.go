package machine

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
)

type link struct{ from, to int32 }

// numbered names a message of a whole run.
type numbered struct {
	link
	seq uint64
}

func nameOf(msg event.Message) numbered { return numbered{link{msg.From, msg.To}, msg.Seq} }

// logged is an event and the machine that executed it.
type logged struct {
	event.Event
	id int
}

func (l logged) stamp() clock.Stamp { return clock.Stamp{Time: l.Clock, ID: l.id} }

// A network in a test: machines step in any order, and a message is under way as
// long as it likes, but no message overtakes another on its link.
func TestRunsObeyTheLaws(t *testing.T) { // Lamport 1978, the Clock Condition
	rapid.Check(t, func(t *rapid.T) {
		machines := make([]*Machine, rapid.IntRange(1, 6).Draw(t, "machines"))
		die, seed := rapid.IntRange(1, 8).Draw(t, "die"), rapid.Uint64().Draw(t, "seed")
		for id := range machines {
			var err error
			machines[id], err = New(Config{ID: id, Machines: len(machines), Die: die, Seed: seed})
			require.NoError(t, err)
		}

		var run []logged
		underWay := make(map[link][]event.Message)
		var links []link // with messages under way, in the order of their first
		for range rapid.IntRange(1, 300).Draw(t, "moves") {
			// Moves beyond the machines deliver from a link.
			move := rapid.IntRange(0, 2*len(machines)-1).Draw(t, "move")
			if move < len(machines) {
				ev := step(t, machines[move])
				run = append(run, logged{ev, move})
				if ev.Kind == event.Send {
					for _, msg := range ev.Messages() {
						l := nameOf(msg).link
						if len(underWay[l]) == 0 {
							links = append(links, l)
						}
						underWay[l] = append(underWay[l], msg)
					}
				}
				continue
			}
			if len(links) == 0 {
				continue
			}
			i := rapid.IntRange(0, len(links)-1).Draw(t, "link")
			l := links[i]
			machines[l.to].Deliver(underWay[l][0])
			if underWay[l] = underWay[l][1:]; len(underWay[l]) == 0 {
				links = slices.Delete(links, i, i+1)
			}
		}
		checkLaws(t, machines, run, underWay)
	})
}

func checkLaws(t *rapid.T, machines []*Machine, run []logged, underWay map[link][]event.Message) {
	sends, receipts := make(map[numbered]logged), make(map[numbered]logged)
	lastReceived := make(map[link]uint64)
	previous := make([]event.Event, len(machines))
	for _, e := range run {
		before := previous[e.id]
		require.Equal(t, before.Step+1, e.Step, "one event a step")
		require.Greater(t, e.Clock, before.Clock, "C1: time goes on within a machine")
		previous[e.id] = e.Event

		switch e.Kind {
		case event.Internal:
			require.Empty(t, e.Messages())
			require.Equal(t, before.Clock+1, e.Clock, "IR1")
		case event.Send:
			require.Equal(t, before.Clock+1, e.Clock, "IR1")
			for _, msg := range e.Messages() {
				require.NotContains(t, sends, nameOf(msg), "a number names one message")
				require.Equal(t, e.Clock, msg.Sent)
				require.NotEqual(t, msg.From, msg.To)
				sends[nameOf(msg)] = e
			}
		case event.Receive:
			msg := e.Messages()[0]
			name := nameOf(msg)
			require.Equal(t, max(before.Clock, msg.Sent)+1, e.Clock, "IR2")
			require.EqualValues(t, e.id, msg.To)
			require.Contains(t, sends, name, "nothing is received that was not sent")
			require.Equal(t, sends[name].Clock, msg.Sent)
			require.Greater(t, e.Clock, sends[name].Clock, "C2: the Clock Condition")
			lastReceived[name.link]++
			require.Equal(t, lastReceived[name.link], msg.Seq, "FIFO on link %v", name.link)
			receipts[name] = e
		}
	}

	// Conservation: what was sent is received, in a queue, or under way.
	waiting := 0
	for l := range underWay {
		waiting += len(underWay[l])
	}
	for _, m := range machines {
		waiting += m.QueueLen()
	}
	require.Equal(t, len(sends), len(receipts)+waiting)

	// The total order (clock, id) names every event once and respects
	// happened-before: program order and messages generate all of it.
	slices.SortFunc(run, func(a, b logged) int { return a.stamp().Compare(b.stamp()) })
	place := make(map[clock.Stamp]int)
	done := make([]uint64, len(machines))
	for i, e := range run {
		require.NotContains(t, place, e.stamp())
		place[e.stamp()] = i
		done[e.id]++
		require.Equal(t, done[e.id], e.Step)
	}
	for name, receipt := range receipts {
		require.Less(t, place[sends[name].stamp()], place[receipt.stamp()])
	}
}

// What the model is for: a machine's events depend on the messages that it gets and
// on nothing else, so a run can be done again from the order of deliveries.
func TestReplayFromDeliveriesIsTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := configs.Draw(t, "config")
		type call struct {
			deliver bool
			msg     event.Message
		}
		var calls []call
		for i := range rapid.IntRange(1, 100).Draw(t, "calls") {
			calls = append(calls, call{
				deliver: rapid.Bool().Draw(t, "deliver"),
				msg:     event.Message{Seq: uint64(i), Sent: clock.Time(rapid.IntRange(0, 300).Draw(t, "sent"))},
			})
		}
		execute := func() (run []event.Event) {
			m, err := New(cfg)
			require.NoError(t, err)
			for _, c := range calls {
				if c.deliver {
					m.Deliver(c.msg)
				} else {
					run = append(run, step(t, m))
				}
			}
			return run
		}
		require.Equal(t, execute(), execute())
	})
}

// The worked example of docs/model.md: what the default cluster does in a minute,
// predicted from its rates alone (λ = p · the idle rates of the others),
// and observed as the mean of 500 runs without delays. The seeds are fixed, so
// the observed figures are always the same.
func TestDefaultClusterDoesWhatIsPredicted(t *testing.T) {
	const runs, seconds = 500, 60
	rates := []clock.Rate{1 * clock.Hertz, 5 * clock.Hertz, 4 * clock.Hertz}
	var idle, arrived, queue, clocks [3]float64 // summed over the runs
	var drift float64                           // of machine 0, likewise
	for seed := range uint64(runs) {
		var machines [3]*Machine
		for id := range machines {
			var err error
			machines[id], err = New(Config{ID: id, Machines: 3, Die: DefaultDie, Seed: seed})
			require.NoError(t, err)
		}
		for {
			next, due := 0, int64(math.MaxInt64) // ties: the smaller id
			for id, m := range machines {
				if d := rates[id].Due(m.Steps() + 1); d < due {
					next, due = id, d
				}
			}
			if due > seconds*1e9 {
				break
			}
			ev := step(t, machines[next])
			if ev.Kind == event.Receive {
				continue
			}
			idle[next]++
			for _, msg := range ev.Messages() {
				machines[msg.To].Deliver(msg)
				arrived[msg.To]++
			}
		}
		for id, m := range machines {
			queue[id] += float64(m.QueueLen())
			clocks[id] += float64(m.Clock())
		}
		drift += float64(max(machines[1].Clock(), machines[2].Clock()) - machines[0].Clock())
	}

	for id, want := range []struct{ idle, arrived float64 }{{0, 1.5}, {4.375, 0.625}, {3.125, 0.875}} {
		require.InDelta(t, want.idle, idle[id]/runs/seconds, 0.02, "idle steps per second of machine %d", id)
		require.InDelta(t, want.arrived, arrived[id]/runs/seconds, 0.02, "arrivals per second at machine %d", id)
	}
	// Machine 0 is saturated: its queue grows by 0.5 a second. By the end it reads
	// messages of second 60/1.5 = 40, and its clock stands where the fastest
	// stood at that time.
	require.InDelta(t, 30, queue[0]/runs, 1)
	require.InDelta(t, clocks[1]/1.5, clocks[0], 0.02*clocks[0])

	// As printed in docs/model.md.
	require.InDelta(t, 30.8, queue[0]/runs, 0.05)
	require.InDelta(t, 0.12, queue[1]/runs, 0.005)
	require.InDelta(t, 0.03, queue[2]/runs, 0.005)
	require.InDelta(t, 203, clocks[0]/runs, 0.5)
	require.InDelta(t, 307, clocks[1]/runs, 0.5)
	require.InDelta(t, 307, clocks[2]/runs, 0.5)
	require.InDelta(t, 105, drift/runs, 0.5)
}

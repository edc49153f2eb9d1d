package machine

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/event"
)

// A machine that redoes any prefix of its events goes on exactly as the one that
// was not interrupted.
func TestRedoLeadsBackToTheSameMachine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := Config{
			ID: 0, Machines: rapid.IntRange(1, 5).Draw(t, "machines"),
			Die: rapid.IntRange(1, 10).Draw(t, "die"), Seed: rapid.Uint64().Draw(t, "seed"),
		}
		steps := rapid.IntRange(1, 60).Draw(t, "steps")
		cut := rapid.IntRange(0, steps).Draw(t, "cut")
		m, err := New(cfg)
		require.NoError(t, err)
		again, err := New(cfg)
		require.NoError(t, err)
		var seq uint64
		for i := range steps {
			if i == cut { // what waited is delivered again, as its senders do
				for j := range m.queue.len() {
					again.Deliver(m.queue.at(j))
				}
			}
			if cfg.Machines > 1 && rapid.Bool().Draw(t, "arrives") {
				seq++
				msg := event.Message{From: 1, Seq: seq, Sent: 3}
				m.Deliver(msg)
				if i >= cut {
					again.Deliver(msg)
				}
			}
			var want, got event.Event
			require.NoError(t, m.Step(&want))
			if i < cut {
				require.NoError(t, again.Redo(&want))
				continue
			}
			require.NoError(t, again.Step(&got))
			require.Equal(t, want, got)
		}
		require.Equal(t, m.Clock(), again.Clock())
		require.Equal(t, m.Steps(), again.Steps())
	})
}

func TestRedoRefusesWhatTheMachineWouldNotDo(t *testing.T) {
	cfg := Config{ID: 0, Machines: 3, Die: 10, Seed: 42}
	m, err := New(cfg)
	require.NoError(t, err)
	var ev event.Event
	for ev.Kind != event.Send {
		require.NoError(t, m.Step(&ev))
	}
	for name, change := range map[string]func(*event.Event){
		"clock":     func(e *event.Event) { e.Clock++ },
		"step":      func(e *event.Event) { e.Step++ },
		"kind":      func(e *event.Event) { *e = event.Event{Step: e.Step, Clock: e.Clock, Kind: event.Internal} },
		"recipient": func(e *event.Event) { e.Messages()[0].To = 3 - e.Messages()[0].To },
		"number":    func(e *event.Event) { e.Messages()[0].Seq++ },
	} {
		t.Run(name, func(t *testing.T) {
			again, err := New(cfg)
			require.NoError(t, err)
			replay, err := New(cfg)
			require.NoError(t, err)
			for range ev.Step - 1 {
				var e event.Event
				require.NoError(t, replay.Step(&e))
				require.NoError(t, again.Redo(&e))
			}
			wrong := ev
			change(&wrong)
			require.ErrorContains(t, again.Redo(&wrong), "recorded is")
		})
	}
}

package machine

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
)

// A shell that has no Machine, only a State, comes to the same events.
func TestAStateStepsAsAMachineDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := configs.Draw(t, "config")
		m, err := New(cfg)
		require.NoError(t, err)
		rules, s := Rules{Machines: cfg.Machines, Die: cfg.Die}, NewState(cfg.Seed, cfg.ID)
		var queue []clock.Time
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			if rapid.IntRange(0, 3).Draw(t, "deliver") == 0 {
				sent := clock.Time(rapid.Uint64Range(0, 1000).Draw(t, "sent"))
				m.Deliver(event.Message{Sent: sent})
				queue = append(queue, sent)
			}
			ev := step(t, m)
			if len(queue) > 0 {
				require.NoError(t, s.Receive(queue[0]))
				queue = queue[1:]
				require.Equal(t, event.Receive, ev.Kind)
			} else {
				recipients, err := rules.Idle(&s, cfg.ID)
				require.NoError(t, err)
				require.Equal(t, to(ev), ids(recipients))
			}
			require.Equal(t, m.State(), s)
			require.Equal(t, ev.Clock, s.Clock())
			require.Equal(t, ev.Step, s.Steps())
		}
	})
}

func TestSaturatedStateStandsStill(t *testing.T) {
	s := NewState(1, 0)
	require.NoError(t, s.Receive(clock.Max-1))
	last := s
	_, err := Rules{Machines: 3, Die: 1}.Idle(&s, 0)
	require.ErrorIs(t, err, clock.ErrSaturated)
	require.ErrorIs(t, s.Receive(1), clock.ErrSaturated)
	require.Equal(t, last, s)
}

// Virtual time holds millions of them.
func TestStateIsSmall(t *testing.T) {
	assert.EqualValues(t, 32, unsafe.Sizeof(State{}))
}

func TestNoSuchRecipient(t *testing.T) {
	one := Rules{Machines: 2, Die: 1}
	to := one.Recipients(NewDice(42, 0), 0, 1)
	assert.Equal(t, 1, to.Len())
	assert.Equal(t, 1, to.At(0))
	assert.Panics(t, func() { to.At(1) })
	assert.Panics(t, func() { to.At(-1) })
}

package vm

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
)

// What an inbox takes when the machine's clock stands at 100.
func TestInboxChecksStamps(t *testing.T) {
	stamps := func(sent ...clock.Time) (payloads [][]byte) {
		for _, s := range sent {
			payloads = append(payloads, appendPayload(nil, s))
		}
		return payloads
	}
	for _, c := range []struct {
		name     string
		maxJump  uint64
		payloads [][]byte
		err      string
	}{
		{"behind", 10, stamps(1, 99, 100), ""},
		{"ahead", 10, stamps(101, 110), ""},
		{"too far ahead", 10, stamps(101, 111), "message 6 of machine 1: logical clock jumps too far: from 100 to 111, 10 allowed"},
		{"as far as by default", 0, stamps(100 + DefaultMaxJump), ""},
		{"further than by default", 0, stamps(101 + DefaultMaxJump), "message 5 of machine 1: logical clock jumps too far: from 100 to 281474976710757, 281474976710656 allowed"},
		{"the largest", 1<<64 - 1, stamps(clock.Max), "message 5 of machine 1: " + clock.ErrSaturated.Error()},
		{"no stamp", 0, [][]byte{appendPayload(nil, 1), {}}, "message 6 of machine 1 has a payload of 0 bytes, want 8"},
		{"more than a stamp", 0, [][]byte{make([]byte, 9)}, "message 5 of machine 1 has a payload of 9 bytes, want 8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newInbox(0, c.maxJump)
			b.clock.Store(100)
			err := b.Deliver(1, 5, c.payloads)
			var got []event.Message
			b.drain(func(m []event.Message) { got = append(got, m...) })
			if c.err != "" {
				require.EqualError(t, err, c.err)
				assert.Empty(t, got, "none of them is taken")
				assert.Empty(t, b.wake)
				return
			}
			require.NoError(t, err)
			require.Len(t, got, len(c.payloads))
			for i, m := range got {
				assert.Equal(t, event.Message{From: 1, To: 0, Seq: 5 + uint64(i), Sent: stamp(c.payloads[i])}, m)
			}
			assert.Len(t, b.wake, 1)
		})
	}
}

// Many stamps, none of which is too far ahead, cannot use up a clock either.
func TestManyForgedStampsDoNotSpendTheClock(t *testing.T) {
	for _, maxJump := range []uint64{0, 1 << 40} {
		b := newInbox(0, maxJump)
		var now clock.Time
		var refused error
		var seq uint64
		for ; refused == nil && seq < 1<<20; seq++ {
			to := now + clock.Time(b.maxJump) - 1
			if refused = b.Deliver(2, seq+1, [][]byte{appendPayload(nil, 1), appendPayload(nil, to)}); refused == nil {
				now = to + 1
				b.clock.Store(uint64(now)) // it is received
			}
		}
		require.ErrorIs(t, refused, clock.ErrJump)
		assert.ErrorContains(t, refused, fmt.Sprintf("message %d of machine 2: logical clock jumps too far: to ", seq+1))
		assert.Less(t, uint64(now), uint64(1<<52), "it has come to a fraction of what there is")
		require.NoError(t, b.Deliver(1, 1, [][]byte{appendPayload(nil, now)}), "others are heard as before")
	}
}

// Honest stamps are not held against anybody, however far a busy machine is ahead of an idle one,
// however many there are and however small a jump is allowed.
func TestHonestStampsRaiseTheClockForEver(t *testing.T) {
	b := newInbox(0, 1000)
	now := clock.Time(0)
	for seq := range uint64(100_000) {
		now += 500
		require.NoError(t, b.Deliver(1, seq+1, [][]byte{appendPayload(nil, now)}))
		require.NoError(t, b.Deliver(2, seq+1, [][]byte{appendPayload(nil, now-1)}))
		if seq%2 == 0 {
			b.clock.Store(uint64(now))
		}
	}
	assert.EqualValues(t, now, b.raised, "no part is counted twice")
}

// In a year, a run may come further than any jump leads.
func TestClockOfALongRun(t *testing.T) {
	b := newInbox(0, 0)
	b.front, b.raised = 1<<49, 1<<49
	b.clock.Store(1 << 49)
	next := [][]byte{appendPayload(nil, 1<<49+1000)}
	require.ErrorIs(t, b.Deliver(1, 1, next), clock.ErrJump)
	b.began = b.began.Add(-365 * 24 * time.Hour)
	require.NoError(t, b.Deliver(1, 1, next))
	b.began = b.began.Add(-99 * 365 * 24 * time.Hour) // no overflow
	require.NoError(t, b.Deliver(1, 2, [][]byte{appendPayload(nil, 1<<49+2000)}))
}

// What a machine's clock has come to by its last commit is what stamps are held
// against, also right after it was started again.
func TestInboxKnowsTheClock(t *testing.T) {
	f := newFleet(t, []string{"max", "1"}, func(_ int, cfg *Config) { cfg.MaxJump = 10 })
	r, err := newRunner(f.cfgs[0], f.lns[0])
	require.NoError(t, err)
	defer func() { _ = r.file.Discard() }()
	s := r.steps
	s.journal.log.Start(time.Now(), r.cfg.Start(r.cfg.ID, len(r.cfg.Peers)+1, r.cfg.Rate))
	require.Error(t, s.inbox.Deliver(1, 1, [][]byte{appendPayload(nil, 11)}))
	for range 5 {
		var ev event.Event
		_, err := s.step(&ev)
		require.NoError(t, err)
		s.record(time.Now(), &ev)
	}
	require.Error(t, s.inbox.Deliver(1, 1, [][]byte{appendPayload(nil, 15)}), "they are not committed")
	require.NoError(t, s.commit())
	require.NoError(t, s.inbox.Deliver(1, 1, [][]byte{appendPayload(nil, 15)}))
	require.NoError(t, r.file.Close())

	f.cfgs[0].Resume = true
	keepLinks(t, f.cfgs[0])
	again, err := newRunner(f.cfgs[0], listen(t))
	require.NoError(t, err)
	defer func() { _ = again.file.Discard() }()
	require.Equal(t, clock.Time(5), again.steps.machine.Clock())
	require.NoError(t, again.steps.inbox.Deliver(1, 1, [][]byte{appendPayload(nil, 15)}))
}

package transport

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// What a sending end makes of the numbers in a frame. Which frames may come at
// all is the table of phases, see TestEveryFrameInEveryPhase.
func TestOutTake(t *testing.T) {
	s := outState{phase: phaseSending, sent: 7, held: 5, acked: 3}
	for _, c := range []struct {
		name string
		t    frameType
		say  []uint64
		want func(s *outState) // what it changes
		err  string
	}{
		{"the next is consumed", frameAck, []uint64{4}, func(s *outState) { s.acked = 4 }, ""},
		{"all is consumed", frameAck, []uint64{7}, func(s *outState) { s.acked = 7 }, ""},
		{"an old ACK", frameAck, []uint64{2}, func(*outState) {}, ""},
		{"an ACK too early", frameAck, []uint64{8}, nil, "message 8 is acknowledged before it was sent"},
		{"more is held", frameHeld, []uint64{7}, func(s *outState) { s.held = 7 }, ""},
		{"less is held", frameHeld, []uint64{4}, func(*outState) {}, ""},
		{"a HELD too early", frameHeld, []uint64{8}, nil, "message 8 is held before it was sent"},
		{"CLOSED behind all", frameClosed, []uint64{7}, func(s *outState) { s.phase, s.held = phaseLeft, 7 }, ""},
		{"CLOSED at what is consumed", frameClosed, []uint64{3}, func(s *outState) { s.phase, s.held = phaseLeft, 3 }, ""},
		{"a CLOSED too late", frameClosed, []uint64{8}, nil, "CLOSED at message 8, with 7 sent and 3 consumed"},
		{"a CLOSED too early", frameClosed, []uint64{2}, nil, "CLOSED at message 2, with 7 sent and 3 consumed"},
		{"PONG", framePong, []uint64{1, 2, 3}, func(*outState) {}, ""},
		{"a short PONG", framePong, []uint64{1, 2}, nil, "PONG of 16 bytes, want 24"},
		{"a long HELD", frameHeld, []uint64{1, 2}, nil, "HELD of 16 bytes, want 8"},
	} {
		step, err := s.take(c.t, body(c.say))
		if c.err != "" {
			assert.Equal(t, refuse(CodeProtocol, "%s", c.err), err, c.name)
			continue
		}
		require.NoError(t, err, c.name)
		want := s
		c.want(&want)
		assert.Equal(t, want, step.outState, c.name)
		assert.Equal(t, c.say, step.says[:len(c.say)], c.name)
	}
	s.phase = phaseFinishing
	step, err := s.take(frameClosed, body([]uint64{6}))
	require.NoError(t, err)
	assert.Equal(t, outState{phase: phaseDone, sent: 7, held: 6, acked: 3}, step.outState)
}

func TestInTake(t *testing.T) {
	s := inState{phase: phaseReceiving, consumed: 3, held: 5, window: 10}
	for _, c := range []struct {
		name string
		in   func(s *inState) // what is other than in s
		t    frameType
		say  []uint64
		want func(s *inState) // what it changes
		due  frameSet
		err  string
	}{
		{"PING", nil, framePing, []uint64{9}, nil, setOf(framePong), ""},
		{"a short PING", nil, framePing, nil, nil, 0, "PING of 0 bytes, want 8"},
		{"READY", nil, frameReady, []uint64{9}, nil, 0, ""},
		{"STARTED", nil, frameStarted, []uint64{9, 5}, nil, 0, ""},
		{"FIN", nil, frameFin, []uint64{5, 0, 0}, func(s *inState) { s.phase = phaseFinished }, setOf(frameHeld), ""},
		{"FIN too early", nil, frameFin, []uint64{6, 0, 0}, nil, 0, "FIN after 6 messages, with 5 here"},
		{"FIN too late", nil, frameFin, []uint64{4, 0, 0}, nil, 0, "FIN after 4 messages, with 5 here"},
		{"FIN again", func(s *inState) { s.phase = phaseFinished }, frameFin, []uint64{5, 0, 0}, nil, setOf(frameHeld), ""},
		{"FIN when it is too late", func(s *inState) { s.phase = phaseCut }, frameFin, []uint64{8, 0, 0}, nil, 0, ""},
		{"a long FIN when it is too late", func(s *inState) { s.phase = phaseCut }, frameFin, []uint64{8, 8, 8, 8}, nil, 0, "FIN of 32 bytes, want 24"},
		{"FIN of a peer that has left", func(s *inState) { s.peerLeft = true }, frameFin, []uint64{5, 0, 0}, func(s *inState) { s.phase = phaseFinished }, setOf(frameHeld), ""},
		{
			"FIN of a peer that has left, all consumed", func(s *inState) { s.peerLeft, s.consumed = true, 5 }, frameFin, []uint64{5, 0, 0},
			func(s *inState) { s.phase = phaseClosed }, setOf(frameHeld), "",
		},
		{"BYE", func(s *inState) { s.phase = phaseClosed }, frameBye, nil, func(s *inState) { s.phase = phaseGone }, 0, ""},
		{"a long BYE", func(s *inState) { s.phase = phaseClosed }, frameBye, []uint64{1}, nil, 0, "BYE of 8 bytes, want 0"},
		{"BYE without CLOSED", nil, frameBye, nil, nil, 0, "unexpected BYE on a link"},
	} {
		before := s
		if c.in != nil {
			c.in(&before)
		}
		step, err := before.take(c.t, body(c.say))
		if c.err != "" {
			assert.Equal(t, refuse(CodeProtocol, "%s", c.err), err, c.name)
			continue
		}
		require.NoError(t, err, c.name)
		want := before
		if c.want != nil {
			c.want(&want)
		}
		assert.Equal(t, want, step.inState, c.name)
		assert.Equal(t, c.due, step.due, c.name)
	}
}

func body(v []uint64) (b []byte) {
	for _, n := range v {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return b
}

func TestTakeData(t *testing.T) {
	for p := phaseReceiving; p <= phaseGone; p++ {
		s := inState{phase: p, consumed: 3, held: 5, window: 10}
		late := p != phaseReceiving && p != phaseFinished
		for last := uint64(6); last <= 20; last++ {
			taken, err := s.takeData(last)
			assert.Equal(t, !late && last <= 13, taken, "message %d in %v", last, p)
			if !late && last > 13 {
				assert.Equal(t, refuse(CodeProtocol, "more than 10 messages unconsumed"), err)
			} else {
				assert.NoError(t, err)
			}
		}
	}
}

// A peer may go when it has left, has finished, and all that it sent is consumed.
func TestReleased(t *testing.T) {
	for p := phaseReceiving; p <= phaseGone; p++ {
		for _, left := range []bool{false, true} {
			for consumed := uint64(4); consumed <= 5; consumed++ {
				s := inState{phase: p, peerLeft: left, consumed: consumed, held: 5}
				want := s
				if left && consumed == 5 && (p == phaseFinished || p == phaseDrained) {
					want.phase = phaseClosed
				}
				assert.Equal(t, want, s.released())
			}
		}
	}
}

// Whatever comes, in whatever state: the invariants hold afterwards, phases and
// numbers only rise, and an error is one that the peer is told, or has told us.
func TestTakeKeepsTheInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		typ := rapid.SampledFrom(allFrames).Draw(t, "type")
		b := body(rapid.SliceOfN(rapid.Uint64Range(0, 12), 0, 3).Draw(t, "body"))
		p := phase(rapid.IntRange(0, len(phases)-1).Draw(t, "phase"))
		_, legal := p.after(typ)
		judge := func(err error) bool {
			var refused *RefusedError
			if err != nil && assert.ErrorAs(t, err, &refused) {
				assert.Equal(t, legal && typ == frameError, refused.heard)
				assert.True(t, refused.heard || refused.Code == CodeProtocol)
			}
			assert.True(t, legal || err != nil, "%v may not come in %v", typ, p)
			return err == nil
		}
		if isOut(p) {
			s := outState{phase: p, sent: rapid.Uint64Range(0, 10).Draw(t, "sent")}
			s.acked = rapid.Uint64Range(0, s.sent).Draw(t, "acked")
			s.held = rapid.Uint64Range(0, 10).Draw(t, "held")
			if step, err := s.take(typ, b); judge(err) {
				assert.LessOrEqual(t, step.acked, s.sent)
				assert.GreaterOrEqual(t, step.acked, s.acked)
				assert.LessOrEqual(t, step.held, max(s.held, s.sent))
				assert.GreaterOrEqual(t, step.phase, s.phase)
				assert.Equal(t, s.sent, step.sent)
			}
			return
		}
		s := inState{phase: p, peerLeft: rapid.Bool().Draw(t, "left"), window: 10, held: rapid.Uint64Range(0, 10).Draw(t, "held")}
		s.consumed = rapid.Uint64Range(0, s.held).Draw(t, "consumed")
		if step, err := s.take(typ, b); judge(err) {
			want := s
			want.phase = step.phase
			assert.Equal(t, want, step.inState, "a frame without a message changes the phase only")
			assert.GreaterOrEqual(t, step.phase, s.phase)
			assert.Zero(t, step.due&^(setOf(framePong, frameHeld)))
			assert.Zero(t, step.due&^phases[step.phase].sends, "an answer may go out at once")
		}
	})
}

package transport

// What a frame does to a link is decided here, from the link's phase, the frame
// and some numbers, by functions that touch nothing. The links carry it out.

// outState is what a frame can change of a sending end, and what that depends on.
type outState struct {
	phase phase
	sent  uint64 // the last message that was given to this connection
	held  uint64 // the peer is known to hold all up to here
	acked uint64 // the peer has consumed all up to here
}

// outStep is what a frame asks of a sending end.
type outStep struct {
	outState         // afterwards
	says     numbers // the numbers of the frame
}

// take decides about a frame that has come. Its error is a [RefusedError]: the
// end of the connection, which changes nothing else.
func (s outState) take(t frameType, body []byte) (outStep, error) {
	next, legal := s.phase.after(t)
	if !legal {
		return outStep{}, refuse(CodeProtocol, "unexpected %v on a link's way back", t)
	}
	says, err := parseControl(t, body)
	if err != nil {
		return outStep{}, err
	}
	step := outStep{s, says}
	step.phase = next
	switch seq := says[0]; t {
	case frameAck:
		if seq > s.sent {
			return outStep{}, refuse(CodeProtocol, "message %d is acknowledged before it was sent", seq)
		}
		step.acked = max(s.acked, seq)
	case frameHeld:
		// The peer may still lose what it has not consumed, so all that is kept.
		if seq > s.sent {
			return outStep{}, refuse(CodeProtocol, "message %d is held before it was sent", seq)
		}
		step.held = max(s.held, seq)
	case frameClosed:
		if seq > s.sent || seq < s.acked {
			return outStep{}, refuse(CodeProtocol, "CLOSED at message %d, with %d sent and %d consumed", seq, s.sent, s.acked)
		}
		step.held = seq // the last word, even if more was held once
	}
	return step, nil
}

// inState is what a frame can change of a receiving end, and what that depends on.
// Invariant: consumed ≤ held ≤ consumed + window.
type inState struct {
	phase    phase
	peerLeft bool // the peer has left the run, as it said on the other link, and may go
	consumed uint64
	held     uint64
	window   uint64
}

// inStep is what a frame asks of a receiving end.
type inStep struct {
	inState          // afterwards
	due     frameSet // the answers
	says    numbers  // the numbers of the frame
}

// take decides about a frame that has come and holds no message. Its error is a
// [RefusedError]: the end of the connection, which changes nothing else.
func (s inState) take(t frameType, body []byte) (inStep, error) {
	next, legal := s.phase.after(t)
	if !legal {
		return inStep{}, refuse(CodeProtocol, "unexpected %v on a link", t)
	}
	says, err := parseControl(t, body)
	if err != nil {
		return inStep{}, err
	}
	step := inStep{inState: s, says: says}
	step.phase = next
	switch {
	case s.phase.ignores(t):
	case t == framePing:
		step.due = setOf(framePong)
	case t == frameFin:
		if says[0] != s.held {
			return inStep{}, refuse(CodeProtocol, "FIN after %s, with %d here", plural(says[0], "message"), s.held)
		}
		step.due = setOf(frameHeld)
	}
	step.inState = step.released()
	return step, nil
}

// takeData decides about messages, the next ones up to number last: whether they
// are taken, which changes held, or passed over.
func (s inState) takeData(last uint64) (taken bool, err error) {
	switch {
	case s.phase.ignores(frameData):
		return false, nil
	case last-s.consumed > s.window:
		return false, refuse(CodeProtocol, "more than %d messages unconsumed", s.window)
	}
	return true, nil
}

// released returns the state in which a peer that has left may go, if it may: all
// that it has sent is consumed. One that has not left has to wait for this
// machine's own end: were this machine killed before, and started again, it
// would find nobody.
func (s inState) released() inState {
	if s.peerLeft && (s.phase == phaseFinished || s.phase == phaseDrained) && s.consumed == s.held {
		s.phase = s.phase.moved(moveClose)
	}
	return s
}

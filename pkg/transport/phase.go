package transport

import "fmt"

// phase is how far the life of a link has come, at one of its ends. It only ever
// rises, and it outlives connections: what one of them leaves unsaid is said
// again on the next. The phases of the two ends have nothing to do with each
// other but by the frames that the table [phases] lets them send.
type phase uint8

// The phases of a sending end, then those of a receiving one.
const (
	phaseSending   phase = iota // messages are sent as they come
	phaseFinishing              // nothing follows: FIN when all is sent
	phaseLeft                   // the peer has left the run: it said CLOSED while we were sending
	phaseDone                   // the peer said CLOSED after we had finished

	phaseReceiving // messages are taken
	phaseFinished  // the peer's FIN is here, and all that it sent before
	phaseCut       // nothing more is taken, and the peer had not finished
	phaseDrained   // nothing more is taken, and the peer had finished
	phaseClosed    // CLOSED is said on each connection: the peer may forget its messages
	phaseGone      // the peer knows that: it has said BYE
)

// move is what this machine does to a link's life of its own accord.
type move uint8

const (
	moveFinish move = iota // its run is over: it sends nothing more
	moveFreeze             // it has waited for the peers' FINs for long enough
	moveClose              // what came is safe: noted for good, or all consumed and the peer has left
)

func (m move) String() string { return [...]string{"finish", "freeze", "close"}[m] }

// frameSet is a set of frame types.
type frameSet uint32

func setOf(types ...frameType) (s frameSet) {
	for _, t := range types {
		s |= 1 << t
	}
	return s
}

func (s frameSet) has(t frameType) bool { return s&(1<<t) != 0 }

// phases is the table of what may happen in each phase. What it does not allow
// does not happen: a frame that it does not let come closes the connection, a
// frame that it does not let go out stays due until a later phase does, and a
// move for which it names no phase changes nothing.
//
// It stands in docs/protocol.md, too; a test holds the one against the other.
var phases = [...]struct {
	name string
	// sends are the frames that may go out once the handshake is over.
	sends frameSet
	// takes are the frames that may come, each with the phase after it.
	takes map[frameType]phase
	// ignores are those of them that change nothing.
	ignores frameSet
	// moves has the phase after a move, where that is another one.
	moves map[move]phase
}{
	phaseSending: {
		name:  "sending",
		sends: setOf(framePing, frameReady, frameStarted, frameData, frameError),
		takes: map[frameType]phase{
			frameAck: phaseSending, frameHeld: phaseSending, framePing: phaseSending, framePong: phaseSending,
			frameClosed: phaseLeft, frameError: phaseSending,
		},
		moves: map[move]phase{moveFinish: phaseFinishing},
	},
	phaseFinishing: {
		name:  "finishing",
		sends: setOf(framePing, frameReady, frameStarted, frameData, frameFin, frameError),
		takes: map[frameType]phase{
			frameAck: phaseFinishing, frameHeld: phaseFinishing, framePing: phaseFinishing, framePong: phaseFinishing,
			frameClosed: phaseDone, frameError: phaseFinishing,
		},
	},
	// From CLOSED on nothing more is read, and no other connection is made.
	phaseLeft: {name: "left", sends: setOf(frameBye)},
	phaseDone: {name: "done", sends: setOf(frameBye)},

	phaseReceiving: {
		name:  "receiving",
		sends: setOf(frameAck, framePing, framePong, frameError),
		takes: map[frameType]phase{
			frameData: phaseReceiving, framePing: phaseReceiving, frameReady: phaseReceiving, frameStarted: phaseReceiving,
			frameFin: phaseFinished, frameError: phaseReceiving,
		},
		moves: map[move]phase{moveFreeze: phaseCut, moveClose: phaseClosed},
	},
	// Messages may follow a FIN: a machine that was killed after it, and started
	// again, goes on with its run.
	phaseFinished: {
		name:  "finished",
		sends: setOf(frameAck, framePing, framePong, frameHeld, frameError),
		takes: map[frameType]phase{
			frameData: phaseFinished, framePing: phaseFinished, frameReady: phaseFinished, frameStarted: phaseFinished,
			frameFin: phaseFinished, frameError: phaseFinished,
		},
		moves: map[move]phase{moveFreeze: phaseDrained, moveClose: phaseClosed},
	},
	phaseCut: {
		name:  "cut",
		sends: setOf(frameAck, framePing, framePong, frameError),
		takes: map[frameType]phase{
			frameData: phaseCut, framePing: phaseCut, frameReady: phaseCut, frameStarted: phaseCut,
			frameFin: phaseCut, frameError: phaseCut,
		},
		ignores: setOf(frameData, frameFin),
		moves:   map[move]phase{moveClose: phaseClosed},
	},
	phaseDrained: {
		name:  "drained",
		sends: setOf(frameAck, framePing, framePong, frameHeld, frameError),
		takes: map[frameType]phase{
			frameData: phaseDrained, framePing: phaseDrained, frameReady: phaseDrained, frameStarted: phaseDrained,
			frameFin: phaseDrained, frameError: phaseDrained,
		},
		ignores: setOf(frameData, frameFin),
		moves:   map[move]phase{moveClose: phaseClosed},
	},
	phaseClosed: {
		name:  "closed",
		sends: setOf(frameAck, framePing, framePong, frameHeld, frameClosed, frameError),
		takes: map[frameType]phase{
			frameData: phaseClosed, framePing: phaseClosed, frameReady: phaseClosed, frameStarted: phaseClosed,
			frameFin: phaseClosed, frameBye: phaseGone, frameError: phaseClosed,
		},
		ignores: setOf(frameData, frameFin),
	},
	// A process that is started after its machine's end has to be told again.
	phaseGone: {
		name:  "gone",
		sends: setOf(frameAck, framePing, framePong, frameHeld, frameClosed, frameError),
		takes: map[frameType]phase{
			frameData: phaseGone, framePing: phaseGone, frameReady: phaseGone, frameStarted: phaseGone,
			frameFin: phaseGone, frameBye: phaseGone, frameError: phaseGone,
		},
		ignores: setOf(frameData, frameFin),
	},
}

func (p phase) String() string {
	if int(p) >= len(phases) {
		return fmt.Sprintf("phase %d", uint8(p))
	}
	return phases[p].name
}

// closed reports whether the peer takes nothing more of a sending end.
func (p phase) closed() bool { return !phases[p].sends.has(frameData) }

// finished reports whether the peer has finished, at a receiving end that still takes
// messages, or nothing more is taken.
func (p phase) finished() bool { return p >= phaseFinished }

// ignores reports whether a frame changes nothing.
func (p phase) ignores(t frameType) bool { return phases[p].ignores.has(t) }

// after returns the phase after a frame that has come, and whether it may come.
func (p phase) after(t frameType) (next phase, legal bool) {
	next, legal = phases[p].takes[t]
	return next, legal
}

// moved returns the phase after a move.
func (p phase) moved(m move) phase {
	if next, ok := phases[p].moves[m]; ok {
		return next
	}
	return p
}

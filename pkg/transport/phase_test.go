package transport

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// allFrames are the types of all frames, and one that there is not.
var allFrames = func() (types []frameType) {
	for t := frameHello; t <= frameHeld+1; t++ {
		types = append(types, t)
	}
	return types
}()

const allMoves = moveClose + 1

func isOut(p phase) bool { return p < phaseReceiving }

// A life rises from phase to phase, at one end of a link, and whatever a phase
// is there for can be come to.
func TestLivesAreMonotone(t *testing.T) {
	reached := map[phase]bool{phaseSending: true, phaseReceiving: true}
	for i, row := range phases {
		p := phase(i)
		rises := func(why fmt.Stringer, next phase) {
			assert.GreaterOrEqual(t, next, p, "%v in %v", why, p)
			assert.Equal(t, isOut(p), isOut(next), "%v in %v", why, p)
			if next != p {
				reached[next] = true
			}
		}
		for typ, next := range row.takes {
			rises(typ, next)
			if row.ignores.has(typ) {
				assert.Equal(t, p, next, "%v changes nothing in %v", typ, p)
			}
		}
		for m, next := range row.moves {
			rises(m, next)
		}
		for _, typ := range allFrames {
			if _, legal := p.after(typ); !legal {
				assert.False(t, row.ignores.has(typ), "%v may not come in %v", typ, p)
			}
		}
	}
	assert.Len(t, reached, len(phases))
	assert.Equal(t, "phase 10", phase(len(phases)).String())
}

// docs/protocol.md has the table of the code.
func TestPhasesAreDocumented(t *testing.T) {
	list := func(s frameSet) string {
		var names []string
		for _, typ := range allFrames {
			if s.has(typ) {
				names = append(names, typ.String())
			}
		}
		return strings.Join(names, ", ")
	}
	table := func(from, to phase) string {
		var b strings.Builder
		b.WriteString("| phase | may come | of these, without effect | may go out | next phase |\n|---|---|---|---|---|\n")
		for p := from; p <= to; p++ {
			var takes frameSet
			var next []string
			for _, typ := range allFrames {
				after, legal := p.after(typ)
				if legal {
					takes |= setOf(typ)
				}
				if legal && after != p {
					next = append(next, fmt.Sprintf("%v: %v", typ, after))
				}
			}
			for m := range allMoves {
				if after := p.moved(m); after != p {
					next = append(next, fmt.Sprintf("*%v*: %v", m, after))
				}
			}
			fmt.Fprintf(&b, "| %v | %s | %s | %s | %s |\n", p, list(takes), list(phases[p].ignores), list(phases[p].sends), strings.Join(next, ", "))
		}
		return b.String()
	}
	doc := section(t, "## The life of a link")
	for _, want := range []string{table(phaseSending, phaseDone), table(phaseReceiving, phaseGone)} {
		assert.Contains(t, doc, want)
	}
}

// frame is a good frame of a type in a conversation of [newTalk].
func frame(typ frameType) []byte {
	switch typ {
	case frameHello:
		return hello{version: Version, machines: 2, from: 1, life: 1, window: 10, run: "test"}.frame()
	case frameWelcome:
		return welcome{version: Version, id: 1, window: 10, consumed: 1, held: 2}.frame()
	case frameData:
		return appendData(nil, 3, numbered(3))
	case framePong:
		return appendNumbers(nil, typ, 1, 2, 3)
	case frameStarted:
		return appendNumbers(nil, typ, 2, 3)
	case frameFin:
		return appendNumbers(nil, typ, 2, 0, 0)
	case frameBye:
		return appendNumbers(nil, typ)
	case frameError:
		return errorFrame(refuse(CodeProtocol, "I do not like you"))
	default:
		return appendNumbers(nil, typ, 2)
	}
}

// newTalk is a duet in which each end has sent two messages, of which one is
// consumed.
func newTalk(t *testing.T) *duet {
	t.Helper()
	d := newDuet(t, 10, nil)
	d.sendAll(1, 2)
	d.in.hearData(1, 2)
	d.in.say(frameAck, 1)
	d.out.data(1, 2)
	synctest.Wait()
	d.Consumed(1, 1)
	assert.EqualValues(t, 1, d.out.hearNumber(frameAck))
	return d
}

// lives has a way to each phase, and leaves nothing to hear.
var lives = map[phase]func(t *testing.T, d *duet){
	phaseSending: func(*testing.T, *duet) {},
	phaseFinishing: func(t *testing.T, d *duet) {
		d.byID[1].finish(0, heldAfter)
		assert.EqualValues(t, 2, d.in.hearNumber(frameFin))
	},
	phaseLeft: func(_ *testing.T, d *duet) {
		d.in.say(frameClosed, 2)
		d.in.hear(frameBye)
	},
	phaseDone: func(_ *testing.T, d *duet) {
		d.byID[1].finish(0, heldAfter)
		d.in.hear(frameFin)
		d.in.say(frameClosed, 2)
		d.in.hear(frameBye)
	},
	phaseReceiving: func(*testing.T, *duet) {},
	phaseFinished: func(t *testing.T, d *duet) {
		d.out.say(frameFin, 2, 0, uint64(heldAfter))
		assert.EqualValues(t, 2, d.out.hearNumber(frameHeld))
	},
	phaseCut: func(_ *testing.T, d *duet) { d.Drain(cancelled()) },
	phaseDrained: func(t *testing.T, d *duet) {
		d.out.say(frameFin, 2, 0, uint64(heldAfter))
		d.out.hear(frameHeld)
		d.Drain(cancelled())
	},
	phaseClosed: func(t *testing.T, d *duet) {
		d.Settle(cancelled())
		assert.EqualValues(t, 2, d.out.hearNumber(frameClosed))
	},
	phaseGone: func(t *testing.T, d *duet) {
		d.Settle(cancelled())
		d.out.hear(frameClosed)
		d.out.say(frameBye)
		d.out.hearEnd()
		assert.EqualValues(t, 2, d.call(t, 2).held) // started again after its end
		assert.EqualValues(t, 2, d.out.hearNumber(frameClosed))
	},
}

// snapshot is all that a frame can change for longer than its connection.
type snapshot struct {
	out      outState
	next     uint64
	window   uint64
	clocks   clocks
	in       inState
	peer     proposal
	got      uint64
	messages Stats
}

func (d *duet) snapshot() snapshot {
	synctest.Wait()
	out, in := d.byID[1], d.Node.in[1]
	out.mu.Lock()
	defer out.mu.Unlock()
	in.mu.Lock()
	defer in.mu.Unlock()
	s := snapshot{out.state(), out.box.next, out.window, out.clocks, in.inState, in.start, d.box.got(1), Stats{}}
	s.messages.Acks, s.messages.Duplicates = in.stats.Acks, in.stats.Duplicates
	return s
}

// Every frame in every phase, over connections: what the table does not allow
// closes the connection with CodeProtocol and changes nothing, and the link goes
// on; what it allows has its effect.
func TestEveryFrameInEveryPhase(t *testing.T) {
	for i := range phases {
		for _, typ := range allFrames {
			p := phase(i)
			t.Run(fmt.Sprintf("%v/%v", p, typ), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					d := newTalk(t)
					lives[p](t, d)
					if isOut(p) {
						require.Equal(t, p, d.byID[1].life())
						d.hearBack(t, p, typ)
					} else {
						require.Equal(t, p, d.Node.in[1].life())
						d.hearOut(t, p, typ)
					}
				})
			})
		}
	}
}

// hearBack says a frame to a sending end in a phase.
func (d *duet) hearBack(t *testing.T, p phase, typ frameType) {
	before := d.snapshot()
	want := before
	next, legal := p.after(typ)
	d.in.send(frame(typ))
	switch {
	case p.closed(): // it is passed over, and the link is not made again
		d.in.hearEnd()
		time.Sleep(10 * redialMax)
		assert.Empty(t, d.ln.conns)
	case !legal:
		assert.Equal(t, &RefusedError{Code: CodeProtocol, Text: fmt.Sprintf("unexpected %v on a link's way back", typ), heard: true}, d.in.hearError())
		d.in.conn.Close()
		assert.Equal(t, want, d.snapshot())
		d.goesOn(t, p)
		return
	case typ == frameError:
		d.in.hearEnd()
		assert.Equal(t, want, d.snapshot())
		d.goesOn(t, p)
		return
	case typ == frameAck:
		want.out.acked = 2
	case typ == frameHeld:
		want.out.held = 2
	case typ == frameClosed:
		want.out.held = 2
		d.in.hear(frameBye)
		if next == phaseLeft {
			want.in.peerLeft = true
		}
	case typ == framePing:
		d.in.hear(framePing)
	case typ == framePong:
		synctest.Wait()
		want.clocks = d.byID[1].measured()
		assert.True(t, want.clocks.synced)
	}
	if legal {
		want.out.phase = next
	}
	assert.Equal(t, want, d.snapshot())
	d.in.hearNoMore(t)
}

// goesOn makes the sending link again: nothing is lost.
func (d *duet) goesOn(t *testing.T, p phase) {
	d.accept(t, welcome{window: 10, consumed: 1, held: 1})
	d.in.hearData(2, 2)
	if p == phaseFinishing {
		assert.EqualValues(t, 2, d.in.hearNumber(frameFin))
	}
	assert.Equal(t, p, d.byID[1].life())
}

// hearOut says a frame to a receiving end in a phase.
func (d *duet) hearOut(t *testing.T, p phase, typ frameType) {
	before := d.snapshot()
	want := before
	next, legal := p.after(typ)
	ignored := p.ignores(typ)
	d.out.send(frame(typ))
	switch {
	case !legal:
		assert.Equal(t, &RefusedError{Code: CodeProtocol, Text: fmt.Sprintf("unexpected %v on a link", typ), heard: true}, d.out.hearError())
		d.out.hearEnd()
		assert.Equal(t, want, d.snapshot())
		w := d.call(t, 2)
		assert.EqualValues(t, 1, w.consumed)
		assert.EqualValues(t, 2, w.held)
		if p >= phaseClosed {
			d.out.hear(frameClosed) // once more
		}
		assert.Equal(t, want, d.snapshot())
	case typ == frameData && !ignored:
		want.in.held, want.got = 3, 3
	case typ == framePing:
		d.out.hear(framePong)
	case typ == frameReady || typ == frameStarted:
		want.peer = proposal{at: 2, agreed: typ == frameStarted}
		if want.peer.agreed {
			want.peer.began = d.now() - 3
			want.peer.delay = d.now() - d.Node.in[1].welcomed
		}
	case typ == frameFin && !ignored:
		assert.EqualValues(t, 2, d.out.hearNumber(frameHeld))
	case typ == frameError || typ == frameBye:
		d.out.hearEnd()
	}
	if legal {
		want.in.phase = next
	}
	assert.Equal(t, want, d.snapshot())
	d.out.hearNoMore(t)
}

// hearNoMore hears that nothing more has been sent: were there anything, the test's
// end of the connection would have it by now.
func (p *puppet) hearNoMore(t *testing.T) {
	t.Helper()
	synctest.Wait()
	_ = p.conn.SetReadDeadline(time.Now())
	typ, body, err := p.frames.next()
	assert.Error(t, err, "%v %x", typ, body)
}

// What this machine does of its own accord, in every phase.
func TestEveryMoveInEveryPhase(t *testing.T) {
	for i := range phases {
		for m := range allMoves {
			p := phase(i)
			synctest.Test(t, func(t *testing.T) {
				d := newTalk(t)
				lives[p](t, d)
				want := d.snapshot()
				if isOut(p) {
					if m == moveFinish {
						d.byID[1].finish(0, heldAfter)
					}
					want.out.phase = p.moved(m)
				} else {
					switch m {
					case moveFreeze:
						d.Node.in[1].freeze()
					case moveClose:
						d.Node.in[1].close()
					}
					want.in.phase = p.moved(m)
				}
				assert.Equal(t, want, d.snapshot(), "%v in phase %v", m, p)
			})
		}
	}
}

// Whatever is due, a phase lets out what the table says; the rest stays due.
func TestOnlyWhatThePhaseLetsOut(t *testing.T) {
	all := ^frameSet(0)
	for i, row := range phases {
		n, _ := fuzzNode(t)
		n.start.Store(&proposal{at: 1})
		var b []byte
		var left frameSet
		if p := phase(i); isOut(p) {
			l := n.out[0]
			l.phase, l.due, l.cur.seq = p, all, 1
			b, _ = l.controls(nil)
			left = l.due
			l.box.append([][]byte{numbered(1)})
			assert.Equal(t, row.sends.has(frameData), l.sendable() == 1, "DATA in %v", p)
			l.due = all
			assert.False(t, l.dueNow().has(frameFin), "FIN comes last")
		} else {
			l := n.in[1]
			l.phase, l.due = p, all
			b, _ = l.answers(nil)
			left = l.due
		}
		var sent frameSet
		for f := newFrameReader(strings.NewReader(string(b)), MaxFrame); ; {
			typ, _, err := f.next()
			if err != nil {
				break
			}
			sent |= setOf(typ)
		}
		may := row.sends & setOf(framePing, frameReady, frameFin, framePong, frameHeld, frameClosed)
		if may.has(frameClosed) {
			may &^= setOf(frameHeld) // CLOSED says as much
		}
		assert.Equal(t, may, sent, "%v", phase(i))
		assert.Equal(t, all&^row.sends, left, "%v", phase(i))
	}
}

// Before the handshake is over, only its own frames may come.
func TestEveryFrameInsteadOfAHandshake(t *testing.T) {
	for _, typ := range allFrames {
		if typ != frameHello {
			synctest.Test(t, func(t *testing.T) {
				d := newTalk(t)
				before := d.snapshot()
				p := d.net.call(t, "0")
				p.send(frame(typ))
				assert.Equal(t, &RefusedError{Code: CodeProtocol, Text: fmt.Sprintf("%v, expected HELLO", typ), heard: true}, p.hearError())
				p.hearEnd()
				assert.Equal(t, before, d.snapshot())
			})
		}
		if typ != frameWelcome && typ != frameError {
			synctest.Test(t, func(t *testing.T) {
				d := newTalk(t)
				before := d.snapshot()
				require.NoError(t, d.in.conn.Close())
				conn, err := d.ln.Accept()
				require.NoError(t, err)
				p := newPuppet(t, conn)
				p.hear(frameHello)
				p.send(frame(typ))
				assert.Equal(t, &RefusedError{Code: CodeProtocol, Text: fmt.Sprintf("%v from 1, expected WELCOME", typ), heard: true}, p.hearError())
				p.conn.Close()
				assert.Equal(t, before, d.snapshot())
			})
		}
	}
}

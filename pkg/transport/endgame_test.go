package transport

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// settling is a machine with two peers, one of which is settled, and how it comes to its end.
type settling struct {
	name        string
	in          phase           // of the other peer
	edit        func(e *outEnd) // what that lacks of being settled
	wait        bool            // unless it has waited for long enough
	undelivered uint64          // where it does not wait, or no longer
}

// check holds settle against it.
func (c settling) check(t *testing.T, leaving bool) {
	all := outEnd{phase: phaseFinishing, sent: 9, acked: 4, held: 9, standing: true, met: true}
	out := all
	c.edit(&out)
	links := []ends{{peer: 1, in: phaseFinished, out: all}, {peer: 2, in: c.in, out: out}}
	want := map[int]uint64{}
	if c.undelivered > 0 {
		want[2] = c.undelivered
	}
	wait, undelivered := settle(links, leaving, false)
	assert.Equal(t, c.wait, wait, c.name)
	if !c.wait {
		assert.Equal(t, want, undelivered, c.name)
	}
	wait, undelivered = settle(links, leaving, true)
	assert.False(t, wait, c.name)
	assert.Equal(t, want, undelivered, c.name)
}

func TestSettle(t *testing.T) {
	for _, c := range []settling{
		{"both directions are settled", phaseFinished, func(*outEnd) {}, false, 0},
		{"the peer may send more", phaseReceiving, func(*outEnd) {}, true, 0},
		{"it does not hold all", phaseFinished, func(e *outEnd) { e.held = 7 }, true, 2},
		{"it held all, and may have died since", phaseFinished, func(e *outEnd) { e.standing = false }, true, 5},
		{"it has consumed all, and may have died since", phaseFinished, func(e *outEnd) { e.acked, e.standing = 9, false }, false, 0},
		{"nothing was sent", phaseFinished, func(e *outEnd) { *e = outEnd{phase: phaseFinishing, met: true} }, false, 0},
		{"it was never there", phaseFinished, func(e *outEnd) { *e = outEnd{phase: phaseFinishing} }, true, 0},
		{"it has come to its end", phaseFinished, func(e *outEnd) { e.phase, e.held, e.standing = phaseDone, 7, false }, false, 2},
		{"it has left, and not finished", phaseReceiving, func(e *outEnd) { e.phase, e.held = phaseLeft, 7 }, true, 2},
	} {
		c.check(t, false)
	}
}

// A machine that leaves waits for no end of those that go on, and for all else.
func TestSettleOfOneThatLeaves(t *testing.T) {
	for _, c := range []settling{
		{"the peer has finished, too", phaseFinished, func(*outEnd) {}, false, 0},
		{"it goes on", phaseReceiving, func(*outEnd) {}, false, 5},
		{"it goes on, as it turned out", phaseCut, func(*outEnd) {}, false, 5},
		{"it goes on, and has consumed all", phaseReceiving, func(e *outEnd) { e.acked = 9 }, false, 0},
		{"it goes on, and has not said that it holds all", phaseReceiving, func(e *outEnd) { e.held = 7 }, true, 2},
		{"it has finished, and has not said so", phaseFinished, func(e *outEnd) { e.held = 7 }, true, 2},
		{"it may have died", phaseReceiving, func(e *outEnd) { e.standing = false }, true, 5},
		{"it may have died when it had consumed all", phaseReceiving, func(e *outEnd) { e.acked, e.standing = 9, false }, true, 0},
		{"it has left before", phaseReceiving, func(e *outEnd) { e.phase, e.held, e.standing = phaseLeft, 7, false }, false, 2},
	} {
		c.check(t, true)
	}
}

// world is a run that comes to its end: the decisions of all machines, and between
// them a network that does what it likes. What happens next is for the test to say.
type world struct {
	machines int
	ends     [3]worldEnd
	links    [3][3]worldLink // by sender and recipient
	breaks   int             // connections that may still break, and be made again
	messages uint64          // of each link, at most
}

// worldEnd is how far a machine has come.
type worldEnd struct {
	over     bool // its run; it sends and consumes nothing more
	leaving  bool // it waits no more for those that go on
	enough   bool // it has waited for long enough
	gone     bool // its process, which had left
	rejoined bool // it was killed, and started again
	life     uint64
	// stopped says that the stop line is written. These are its figures, by peer.
	stopped              bool
	pending, undelivered [3]uint64
}

// worldLink is a link: its two ends, and the frames that are on their way.
type worldLink struct {
	linkState
	fwd, back []worldFrame
}

// linkState is all of a link that can be compared.
type linkState struct {
	out    outState
	holds  uint64 // of the other link's messages, as its FIN says
	life   uint64 // of the process at the other end, as its sender knows
	in     inState
	word   word // the sender's, with its FIN
	owes   bool // HELD, which can wait
	mortal bool // the connection can die, and will not be made again
	broken bool // there is none, and the sender knows
	dead   bool // nothing is carried any more
}

type worldFrame struct {
	t    frameType
	seq  uint64
	word word // of a FIN
}

func newWorld(machines, breaks int, messages uint64, mortal func(from, to int) bool) *world {
	w := &world{machines: machines, breaks: breaks, messages: messages}
	for i := range machines {
		for j := range machines {
			w.links[i][j].linkState = linkState{
				out:    outState{phase: phaseSending},
				in:     inState{phase: phaseReceiving, window: messages},
				mortal: i != j && mortal(i, j),
			}
		}
	}
	return w
}

// pair is all that is true of a world of two machines.
type pair struct {
	ends   [2]worldEnd
	links  [2]linkState
	frames string // on their way: each type with its numbers, which are small
}

func (w *world) pair() pair {
	p := pair{ends: [2]worldEnd(w.ends[:2])}
	var frames []byte
	for i := range p.links {
		l := &w.links[i][1-i]
		p.links[i] = l.linkState
		for _, way := range [][]worldFrame{l.fwd, l.back} {
			for _, f := range way {
				frames = append(frames, byte(f.t), byte(f.seq), byte(f.word.life), byte(f.word.held))
			}
			frames = append(frames, 0) // the end of a way; no frame has this type
		}
	}
	p.frames = string(frames)
	return p
}

func (w *world) clone() *world {
	c := *w
	for i := range c.links {
		for j := range c.links[i] {
			l := &c.links[i][j]
			l.fwd, l.back = slices.Clone(l.fwd), slices.Clone(l.back)
		}
	}
	return &c
}

// peers calls f for each other machine.
func (w *world) peers(i int, f func(j int)) {
	for j := range w.machines {
		if j != i {
			f(j)
		}
	}
}

func (l *worldLink) say(t frameType, seq uint64) {
	if !l.dead && phases[l.out.phase].sends.has(t) {
		l.fwd = append(l.fwd, worldFrame{t: t, seq: seq})
	}
}

// fin says that nothing follows on i → j.
func (w *world) fin(i, j int) {
	l := &w.links[i][j]
	if l.say(frameFin, l.out.sent); len(l.fwd) > 0 && l.fwd[len(l.fwd)-1].t == frameFin {
		l.fwd[len(l.fwd)-1].word = word{w.ends[i].life, l.holds}
	}
}

func (l *worldLink) answer(t frameType, seq uint64) {
	if !l.dead && phases[l.in.phase].sends.has(t) {
		l.back = append(l.back, worldFrame{t: t, seq: seq})
	}
}

// ends is what machine i knows of its links.
func (w *world) known(i int) (links []ends) {
	w.peers(i, func(j int) {
		l := &w.links[i][j]
		links = append(links, ends{peer: j, in: w.links[j][i].in.phase, out: outEnd{
			phase: l.out.phase, sent: l.out.sent, acked: l.out.acked, held: l.out.held, standing: !l.broken, life: l.life, met: true,
		}.told(w.links[j][i].word)})
	})
	return links
}

// happens returns all that can happen next, but that a machine waits no longer.
func (w *world) happens() (events []func(w *world)) {
	for i := range w.machines {
		if m := &w.ends[i]; !m.over {
			events = append(events, func(w *world) { w.over(i) })
		} else if wait, _ := settle(w.known(i), m.leaving, m.enough); !m.stopped && !wait {
			events = append(events, func(w *world) { w.stop(i) })
		}
		w.peers(i, func(j int) {
			l := &w.links[i][j]
			if !w.ends[i].over && l.out.sent < w.messages {
				events = append(events, func(w *world) {
					l := &w.links[i][j]
					l.out.sent++
					l.say(frameData, l.out.sent)
				})
			}
			if !w.ends[j].over && l.in.consumed < l.in.held {
				events = append(events, func(w *world) {
					l := &w.links[i][j]
					l.in.consumed++
					w.change(i, j, l.in)
					l.answer(frameAck, l.in.consumed)
				})
			}
			if l.owes && !l.dead && l.in.phase < phaseClosed && !w.links[j][i].out.phase.closed() {
				events = append(events, func(w *world) {
					l := &w.links[i][j]
					l.owes = false
					l.answer(frameHeld, l.in.held)
				})
			}
			if len(l.fwd) > 0 {
				events = append(events, func(w *world) { w.forth(i, j) })
			}
			if len(l.back) > 0 {
				events = append(events, func(w *world) { w.back(i, j) })
			}
			if l.mortal && !l.dead {
				events = append(events, func(w *world) {
					l := &w.links[i][j]
					l.dead, l.fwd, l.back = true, nil, nil
				})
			}
			if l.dead && !l.broken { // which is noticed later, or never
				events = append(events, func(w *world) { w.links[i][j].broken = true })
			}
			if w.breaks > 0 && !l.dead && !l.out.phase.closed() {
				events = append(events, func(w *world) { w.reconnect(i, j) })
			}
		})
	}
	return events
}

// over ends the run of machine i.
func (w *world) over(i int) {
	w.ends[i].over = true
	w.peers(i, func(j int) {
		l := &w.links[i][j]
		l.out.phase = l.out.phase.moved(moveFinish)
		l.holds = w.links[j][i].in.held
		w.fin(i, j)
	})
}

// stop writes machine i's stop line and says CLOSED.
func (w *world) stop(i int) {
	m := &w.ends[i]
	_, undelivered := settle(w.known(i), m.leaving, m.enough)
	m.stopped = true
	w.peers(i, func(j int) {
		in := w.links[j][i].in
		in.phase = in.phase.moved(moveFreeze)
		m.pending[j], m.undelivered[j] = in.held-in.consumed, undelivered[j]
		in.phase = in.phase.moved(moveClose)
		w.change(j, i, in)
	})
}

// change sets the state of the receiving end of i → j.
func (w *world) change(i, j int, to inState) {
	l := &w.links[i][j]
	was := l.in.phase
	l.in = to.released()
	l.closed(was)
}

// closed says CLOSED where the receiving end has come to it.
func (l *worldLink) closed(was phase) {
	if l.in.phase != was && l.in.phase == phaseClosed {
		l.answer(frameClosed, l.in.held)
	}
}

// forth carries a frame from i to j.
func (w *world) forth(i, j int) {
	l := &w.links[i][j]
	f := l.fwd[0]
	l.fwd = l.fwd[1:]
	if f.t == frameData {
		if taken, err := l.in.takeData(f.seq); err != nil {
			panic(err)
		} else if taken {
			l.in.held = f.seq
		}
		return
	}
	says := []uint64{f.seq}
	switch f.t {
	case frameFin:
		says = append(says, f.word.held, 0)
		l.word = f.word
	case frameBye:
		says = nil
	}
	step, err := l.in.take(f.t, body(says))
	if err != nil {
		panic(err)
	}
	was := l.in.phase
	l.in = step.inState
	l.owes = l.owes || step.due.has(frameHeld)
	l.closed(was)
}

// back carries an answer from j to i.
func (w *world) back(i, j int) {
	l := &w.links[i][j]
	f := l.back[0]
	l.back = l.back[1:]
	step, err := l.out.take(f.t, body([]uint64{f.seq}))
	if err != nil {
		panic(err)
	}
	l.out = step.outState
	if l.out.phase.closed() { // nothing more is said or heard
		l.say(frameBye, 0)
		l.fwd, l.back = slices.DeleteFunc(l.fwd, func(f worldFrame) bool { return f.t != frameBye }), nil
		if l.out.phase == phaseLeft && !w.ends[i].rejoined {
			in := w.links[j][i].in
			in.peerLeft = true
			w.change(j, i, in)
		}
	}
}

// leave ends the process of machine i, which has left and waits for nobody any more.
func (w *world) leave(i int) {
	w.ends[i].gone = true
	w.peers(i, func(j int) {
		for _, l := range []*worldLink{&w.links[i][j], &w.links[j][i]} {
			l.dead, l.broken, l.fwd, l.back = true, true, nil, nil
		}
	})
}

// kill kills machine j in its run and starts it again: what it had not consumed is gone, and is
// sent again by those who are there.
func (w *world) kill(j int) {
	w.ends[j].rejoined = true
	w.ends[j].life++
	w.peers(j, func(i int) {
		to, from := &w.links[i][j], &w.links[j][i]
		to.in = inState{phase: phaseReceiving, window: to.in.window, consumed: to.in.consumed, held: to.in.consumed}
		to.word, from.holds = word{}, 0
		from.out.phase = phaseSending
		if w.ends[i].gone {
			return
		}
		w.breaks += 2
		if w.reconnect(i, j); !w.ends[i].over { // FIN
			to.fwd = slices.DeleteFunc(to.fwd, func(f worldFrame) bool { return f.t == frameFin })
		}
		w.reconnect(j, i)
	})
}

// reconnect breaks the connection of i → j and makes the next.
func (w *world) reconnect(i, j int) {
	w.breaks--
	l := &w.links[i][j]
	l.out.held = l.in.held
	l.out.acked = max(l.out.acked, l.in.consumed)
	l.life = w.ends[j].life
	l.fwd, l.back, l.owes = nil, nil, false
	for seq := l.in.held + 1; seq <= l.out.sent; seq++ {
		l.say(frameData, seq)
	}
	w.fin(i, j)
	l.answer(frameClosed, l.in.held)
}

// conserved holds the stop lines of each two machines that have stopped against what
// was sent, as the law of conservation does.
func (w *world) conserved() error {
	for i := range w.machines {
		for j := range w.machines {
			if i == j || !w.ends[i].stopped || !w.ends[j].stopped {
				continue
			}
			l := &w.links[i][j]
			there, undelivered := l.in.consumed+w.ends[j].pending[i], w.ends[i].undelivered[j]
			if there > l.out.sent || l.out.sent > there+undelivered {
				return fmt.Errorf("machine %d sent %d messages to machine %d, where %d are received or pending, with %d undelivered", i, l.out.sent, j, there, undelivered)
			}
		}
	}
	return nil
}

// finish has everybody wait for long enough, and returns what is wrong with the end.
func (w *world) finish() error {
	for i := range w.machines {
		w.ends[i].enough = true
	}
	for i := range w.machines {
		if wait, _ := settle(w.known(i), w.ends[i].leaving, true); wait {
			return fmt.Errorf("machine %d waits for longer than it may", i)
		}
		if !w.ends[i].stopped {
			w.stop(i)
		}
	}
	return w.conserved()
}

// whole returns what is wrong with an end at which nothing was missing.
func (w *world) whole() error {
	for i := range w.machines {
		if m := &w.ends[i]; !m.stopped || m.undelivered != [3]uint64{} {
			return fmt.Errorf("machine %d: %+v", i, *m)
		}
	}
	return nil
}

// Two machines, and everything that can happen to them, in every order: no link dies, and
// nothing is missing; or either may at any instant, or both.
func TestEveryEndOfTwo(t *testing.T) {
	for _, mortal := range []bool{false, true} {
		t.Run(fmt.Sprintf("mortal=%t", mortal), func(t *testing.T) {
			start := newWorld(2, 0, 1, func(int, int) bool { return mortal })
			for i := range 2 { // a message is under way on each link, and all that there will be
				l := &start.links[i][1-i]
				l.out.sent = 1
				l.say(frameData, 1)
			}
			seen := map[pair]bool{}
			ends := 0
			var explore func(w *world)
			explore = func(w *world) {
				key := w.pair()
				if seen[key] {
					return
				}
				seen[key] = true
				require.NoError(t, w.conserved())
				require.NoError(t, w.clone().finish())
				events := w.happens()
				if len(events) == 0 {
					ends++
					if !mortal && !w.ends[0].enough && !w.ends[1].enough {
						require.NoError(t, w.whole())
					}
				}
				for i := range 2 { // it waits no longer, whatever the others do
					if m := &w.ends[i]; m.over && !m.stopped {
						next := w.clone()
						next.ends[i].enough = true
						next.stop(i)
						explore(next)
					}
				}
				for _, event := range events {
					next := w.clone()
					event(next)
					explore(next)
				}
			}
			explore(start)
			t.Logf("%d states, %d ends", len(seen), ends)
			assert.Greater(t, len(seen), 1000)
		})
	}
}

// Three machines have six links. Whichever of them die, at whatever instants, and in
// whatever order all else happens: no stop line claims too much, nobody waits for
// longer than it may, and where all links live nothing is missing.
func TestEveryEndOfThree(t *testing.T) {
	links := [][2]int{{0, 1}, {0, 2}, {1, 0}, {1, 2}, {2, 0}, {2, 1}}
	for dead := range 1 << len(links) {
		rapid.Check(t, func(t *rapid.T) {
			w := newWorld(3, 2, 2, func(i, j int) bool { return dead&(1<<slices.Index(links, [2]int{i, j})) != 0 })
			impatient := dead != 0 && rapid.Bool().Draw(t, "impatient")
			for {
				events := w.happens()
				for i := range 3 {
					if m := &w.ends[i]; impatient && m.over && !m.enough {
						events = append(events, func(w *world) { w.ends[i].enough = true })
					}
				}
				if len(events) == 0 {
					break
				}
				events[rapid.IntRange(0, len(events)-1).Draw(t, "event")](w)
				require.NoError(t, w.conserved(), "dead links: %06b", dead)
			}
			if dead == 0 {
				require.NoError(t, w.whole())
			}
			require.NoError(t, w.finish(), "dead links: %06b", dead)
		})
	}
}

// Of two machines the one leaves at any instant, and the other goes on, may be killed at any
// instant and comes back. Nothing is lost that the stop line of the one does not know of, and
// neither has to wait for the other for longer than it may.
func TestEveryEndOfOneThatLeaves(t *testing.T) {
	start := newWorld(2, 0, 1, func(int, int) bool { return false })
	for i := range 2 {
		l := &start.links[i][1-i]
		l.out.sent = 1
		l.say(frameData, 1)
	}
	seen := map[pair]bool{}
	left, killedAfterwards := 0, 0
	var explore func(w *world)
	explore = func(w *world) {
		key := w.pair()
		if seen[key] {
			return
		}
		seen[key] = true
		require.NoError(t, w.conserved())
		require.NoError(t, w.clone().finish())
		try := func(event func(w *world)) {
			next := w.clone()
			event(next)
			explore(next)
		}
		for _, event := range w.happens() {
			try(event)
		}
		zero, one := &w.ends[0], &w.ends[1]
		if zero.over && !zero.leaving && !zero.stopped {
			try(func(w *world) { w.ends[0].leaving = true })
		}
		if zero.leaving && zero.stopped && !zero.gone {
			if left++; one.over {
				return
			}
			try(func(w *world) { w.leave(0) })
		}
		if !one.over && !one.rejoined {
			if zero.gone {
				killedAfterwards++
			}
			try(func(w *world) { w.kill(1) })
		}
	}
	explore(start)
	t.Logf("%d states, %d in which it has left, killed afterwards in %d", len(seen), left, killedAfterwards)
	assert.Greater(t, left, 100)
	assert.Greater(t, killedAfterwards, 50)
}

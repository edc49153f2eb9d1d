package transport

import (
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// hasRoom reports whether the node has said that a link has room again.
func (d *duet) hasRoom() bool {
	synctest.Wait()
	select {
	case to := <-d.box.room:
		return to == 1
	default:
		return false
	}
}

// sendAll sends messages first … last, window or not.
func (d *duet) sendAll(first, last uint64) {
	for seq := first; seq <= last; seq++ {
		d.Send(1, numbered(seq))
	}
}

// The sender never has more than a window of messages unconsumed on the way,
// and says when there is room again: once, and only if it was asked.
func TestSenderStopsAtTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDuet(t, 10, nil)
		began := time.Now()
		assert.Equal(t, 10, d.Room(1))
		d.sendAll(1, 4)
		assert.Equal(t, 6, d.Room(1))
		d.sendAll(5, 10)
		d.in.hearData(1, 10)
		d.in.say(frameAck, 10)
		assert.False(t, d.hasRoom(), "nobody has asked")

		d.sendAll(11, 25) // more than allowed
		d.in.hearData(11, 20)
		d.in.hearNothing()
		assert.Equal(t, 0, d.Room(1))
		d.in.say(frameAck, 13)
		assert.False(t, d.hasRoom(), "15 are sent, 3 are consumed")
		d.in.hearData(21, 23)
		d.in.hearNothing()
		d.in.say(frameAck, 15)
		d.in.hearData(24, 25)
		assert.False(t, d.hasRoom(), "10 are unconsumed")
		d.in.say(frameAck, 16)
		assert.True(t, d.hasRoom())
		assert.Equal(t, 1, d.Room(1))
		d.in.say(frameAck, 25)
		assert.False(t, d.hasRoom(), "it has been said")
		assert.Equal(t, 10, d.Room(1))
		assert.Less(t, time.Since(began), 10*time.Millisecond, "nothing waits for a timer")
	})
}

// Of the two ends' windows the smaller holds.
func TestSmallerWindowHolds(t *testing.T) {
	for _, c := range []struct{ mine, peers, want int }{{5, 10, 5}, {10, 5, 5}, {7, 7, 7}, {7, MaxWindow, 7}, {0, MaxWindow, DefaultWindow}} {
		synctest.Test(t, func(t *testing.T) {
			d := newDuet(t, c.peers, func(cfg *Config) { cfg.Window = c.mine })
			assert.Equal(t, c.want, d.Room(1))
		})
	}
}

// What a broken connection leaves unsaid is said by the next WELCOME: that the
// messages are consumed, so that there is room again.
func TestRoomAfterAReconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDuet(t, 3, nil)
		d.sendAll(1, 3)
		d.in.hearData(1, 3)
		require.Zero(t, d.Room(1))
		require.NoError(t, d.in.conn.Close())
		d.accept(t, welcome{window: 3, consumed: 2, held: 3})
		assert.True(t, d.hasRoom())
		assert.Equal(t, 2, d.Room(1))
	})
}

// A peer that comes back with a smaller window gets no more than that, whatever
// was sent before.
func TestWindowShrinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDuet(t, 10, nil)
		d.sendAll(1, 10)
		d.in.hearData(1, 10)
		require.NoError(t, d.in.conn.Close())
		d.accept(t, welcome{window: 4, consumed: 0, held: 2})
		assert.Zero(t, d.Room(1))
		d.in.hearData(3, 4)
		d.in.hearNothing()
		d.in.say(frameAck, 4)
		d.in.hearData(5, 8)
		d.in.hearNothing()
		d.in.say(frameAck, 7)
		d.in.hearData(9, 10)
		assert.True(t, d.hasRoom())
		assert.Equal(t, 1, d.Room(1))
	})
}

// A receiver closes the connection of a peer that overruns its window.
func TestReceiverRefusesAnOverrun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDuet(t, 10, func(c *Config) { c.Window = 5 })
		d.out.data(1, 5)
		synctest.Wait()
		d.Consumed(1, 2)
		assert.EqualValues(t, 2, d.out.hearNumber(frameAck))
		d.out.data(6, 7)
		synctest.Wait()
		assert.EqualValues(t, 7, d.box.got(1))
		d.out.data(8, 8)
		assert.Equal(t, &RefusedError{Code: CodeProtocol, Text: "more than 5 messages unconsumed", heard: true}, d.out.hearError())
		d.out.hearEnd()
		assert.EqualValues(t, 7, d.box.got(1))
		assert.EqualValues(t, 7, d.call(t, 1).held)
		assert.EqualValues(t, 1, d.Stats().Refused, "it is counted")
	})
}

// What whoever uses the node refuses closes the connection, is not held, and comes
// again on the next.
func TestDeliverRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log diary
		d := newDuet(t, 10, func(c *Config) { c.Logger = log.logger() })
		d.out.data(1, 2)
		synctest.Wait()
		d.box.mu.Lock()
		d.box.refuse = errors.New("message 3 is nonsense")
		d.box.mu.Unlock()
		d.out.data(3, 5)
		assert.Equal(t, &RefusedError{Code: CodeProtocol, Text: "message 3 is nonsense", heard: true}, d.out.hearError())
		d.out.hearEnd()
		synctest.Wait()
		assert.EqualValues(t, 1, d.Stats().Refused)
		assert.True(t, log.contains("connection closed: machine=1 by=this machine reason=message 3 is nonsense"), "%s", &log)
		assert.NoError(t, d.Err())

		d.box.mu.Lock()
		d.box.refuse = nil
		d.box.mu.Unlock()
		assert.EqualValues(t, 2, d.call(t, 1).held)
		d.out.data(3, 5)
		synctest.Wait()
		assert.EqualValues(t, 5, d.box.got(1))
		d.box.check(t)
	})
}

// An acknowledgement means consumed, is cumulative, and many are said as one.
func TestAcknowledgements(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDuet(t, 10, nil)
		d.out.data(1, 9)
		synctest.Wait()
		for seq := uint64(1); seq <= 2; seq++ { // the cable holds one ACK, the writer the next, until the puppet reads
			d.Consumed(1, seq)
			synctest.Wait()
		}
		for seq := uint64(3); seq <= 7; seq++ {
			d.Consumed(1, seq)
			d.Consumed(1, seq-1)
		}
		assert.EqualValues(t, 1, d.out.hearNumber(frameAck))
		assert.EqualValues(t, 2, d.out.hearNumber(frameAck))
		assert.EqualValues(t, 7, d.out.hearNumber(frameAck))
		d.out.say(framePing, 1)
		d.out.hear(framePong) // and nothing before it
		assert.EqualValues(t, 3, d.Stats().Acks)
		w := d.call(t, 1)
		assert.EqualValues(t, 7, w.consumed)
		assert.EqualValues(t, 9, w.held)

		// What WELCOME says is not said again.
		require.NoError(t, d.out.conn.Close())
		synctest.Wait()
		d.Consumed(1, 9)
		assert.EqualValues(t, 9, d.call(t, 1).consumed)
		d.out.hearNothing()
	})
}

// On a busy link an acknowledgement waits until it is worth a write, but only while
// part of a frame is here: then the rest is on its way.
func TestAcknowledgementsOfABusyLink(t *testing.T) {
	const window, most = 160, 10
	data := func(seq uint64) []byte { return appendData(nil, seq, numbered(seq)) }
	for _, c := range []struct {
		name string
		rest func(t *testing.T, d *duet)
	}{
		{"the rest of a message", func(_ *testing.T, d *duet) { d.out.send(data(110)[20:]) }},
		{"a message before it", func(_ *testing.T, d *duet) { d.out.send(append(data(110)[20:], data(111)...)) }},
		{"the connection breaks", func(t *testing.T, d *duet) {
			require.NoError(t, d.out.conn.Close())
			synctest.Wait()
			assert.EqualValues(t, 20, d.call(t, 1).consumed)
			d.out.data(110, 130)
			synctest.Wait()
			d.Consumed(1, 21)
		}},
		{"a PING", func(_ *testing.T, d *duet) {
			d.out.send(append(data(110)[20:], appendNumbers(nil, framePing, 7)[:6]...))
			synctest.Wait()
			d.out.hearNothing()
			d.out.send(appendNumbers(nil, framePing, 7)[6:])
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDuet(t, 10, func(c *Config) { c.Window = window })
				d.out.data(1, 109)
				d.out.send(data(110)[:20])
				synctest.Wait()
				d.Consumed(1, most)
				d.out.hearNothing()
				d.Consumed(1, most+1)
				assert.EqualValues(t, most+1, d.out.hearNumber(frameAck))
				d.Consumed(1, 20)
				d.out.hearNothing()
				c.rest(t, d)
				typ, body := d.out.next()
				if typ == framePong { // which may go out first
					typ, body = d.out.next()
				}
				var acked uint64
				require.Equal(t, frameAck, typ)
				require.NoError(t, parseNumbers(frameAck, body, &acked))
				assert.GreaterOrEqual(t, acked, uint64(20))
				synctest.Wait()
				d.Consumed(1, 22)
				if typ, body = d.out.next(); typ == framePong {
					typ, body = d.out.next()
				}
				require.Equal(t, frameAck, typ)
				require.NoError(t, parseNumbers(frameAck, body, &acked))
				assert.EqualValues(t, 22, acked)
			})
		})
	}
}

// However the stream is cut and whenever messages are consumed: by the time that all is here that
// was sent, what is consumed is acknowledged, or the sender has room for half of its window. So
// however small that is, it does not wait in vain; and no more than a share of it is ever owed.
func TestAcknowledgementsAlwaysCome(t *testing.T) {
	for seed := range uint64(50) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 0))
			window := 1 + rng.Uint64N(2000)
			theirs := 1 + rng.Uint64N(window)
			d := newDuet(t, 10, func(c *Config) { c.Window = int(window) })
			require.NoError(t, d.out.conn.Close())
			synctest.Wait()
			d.out = d.net.call(t, "0")
			d.out.hello(func(h *hello) { h.window = uint32(theirs) })
			d.out.hearWelcome()
			acks := make(chan uint64, 1000)
			go func() {
				for {
					typ, body, err := d.out.frames.next()
					if err != nil {
						return
					}
					var seq uint64
					if assert.Equal(t, frameAck, typ) && assert.NoError(t, parseNumbers(typ, body, &seq)) {
						acks <- seq
					}
				}
			}()
			var built, consumed, acked uint64
			var stream []byte
			for range 200 {
				if rng.IntN(2) == 0 { // as many as it may send
					for built < acked+1+rng.Uint64N(theirs) {
						built++
						stream = appendData(stream, built, numbered(built))
					}
				}
				if n := rng.IntN(len(stream) + 1); n > 0 {
					if rng.IntN(3) == 0 {
						n = len(stream)
					}
					d.out.send(stream[:n])
					stream = stream[n:]
				}
				synctest.Wait()
				if held := d.box.got(1); held > consumed && rng.IntN(2) == 0 {
					consumed += 1 + rng.Uint64N(held-consumed)
					d.Consumed(1, consumed)
				}
				synctest.Wait()
				for len(acks) > 0 {
					acked = <-acks
				}
				if held := d.box.got(1); held == built && len(stream) == 0 && consumed > acked {
					assert.Less(t, built-acked, theirs/2)
					assert.Less(t, consumed-acked, uint64(ackCount))
				}
				assert.LessOrEqual(t, consumed-acked, theirs/acksPerWindow)
			}
		})
		require.False(t, t.Failed(), "seed %d", seed)
	}
}

// What is acknowledged is forgotten.
func TestMemoryIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const count = 100_000
		nodes, boxes := newNetwork().nodes(t, 2, func(c *Config) { c.Window = count })
		for i, b := range boxes {
			b.onDeliver = consumeAll(t, nodes, i)
		}
		connect(t, nodes)
		for seq := range uint64(count) {
			nodes[0].Send(1, numbered(seq+1))
		}
		synctest.Wait()
		time.Sleep(ackAge + time.Second) // for the acknowledgement of the last few
		synctest.Wait()
		assert.Equal(t, count, nodes[0].Room(1))
		assert.Len(t, nodes[0].out[0].box.chunks, 1)
		finish(t, nodes)
	})
}

func TestConsumedBeforeDelivered(t *testing.T) {
	n, _ := fuzzNode(t)
	assert.PanicsWithValue(t, "transport: message 1 of machine 1 is consumed before it was delivered", func() { n.Consumed(1, 1) })
}

func TestPayloadTooLong(t *testing.T) {
	n, _ := fuzzNode(t)
	assert.NotPanics(t, func() { n.Send(1, make([]byte, MaxPayload)) })
	assert.PanicsWithValue(t, "transport: payload of 65528 bytes, at most 65527 are allowed", func() { n.Send(1, make([]byte, MaxPayload+1)) })
}

// A message that is there already is dropped and counted; a gap is refused.
func TestDuplicatesAndGaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDuet(t, 10, nil)
		d.out.data(1, 4)
		d.out.data(2, 6)
		d.out.data(1, 1)
		synctest.Wait()
		assert.EqualValues(t, 6, d.box.got(1))
		d.box.check(t)
		assert.EqualValues(t, 4, d.Stats().Duplicates)
		d.out.data(8, 8)
		assert.Equal(t, &RefusedError{Code: CodeProtocol, Text: "message 8 follows message 6", heard: true}, d.out.hearError())
	})
}

// What breaks the rules is answered with an ERROR and the end of the
// connection, in both directions.
func TestBrokenRules(t *testing.T) {
	in := func(d *duet) *puppet { return d.in }
	out := func(d *duet) *puppet { return d.out }
	for _, c := range []struct {
		name string
		who  func(*duet) *puppet
		say  func(*puppet)
		want string
	}{
		{"a second HELLO", out, func(p *puppet) { p.hello(nil) }, "unexpected HELLO on a link"},
		{"an unknown frame", out, func(p *puppet) { p.say(14) }, "unexpected frame type 14 on a link"},
		{"a large frame", out, func(p *puppet) { p.send([]byte{0, 1, 0, 1}) }, "a frame of 65537 bytes, want 1 to 65536"},
		{"a short DATA", out, func(p *puppet) { p.send([]byte{0, 0, 0, 8, byte(frameData), 1, 2, 3, 4, 5, 6, 7}) }, "DATA of 7 bytes"},
		{"a short PING", out, func(p *puppet) { p.say(framePing) }, "PING of 0 bytes, want 8"},
		{"a short READY", out, func(p *puppet) { p.say(frameReady) }, "READY of 0 bytes, want 8"},
		{"a short STARTED", out, func(p *puppet) { p.say(frameStarted) }, "STARTED of 0 bytes, want 16"},
		{"a long FIN", out, func(p *puppet) { p.say(frameFin, 1, 2, 3, 4) }, "FIN of 32 bytes, want 24"},
		{"a wrong FIN", out, func(p *puppet) { p.say(frameFin, 1, 0, uint64(heldAfter)) }, "FIN after 1 message, with 0 here"},
		{"a frame of the other way", out, func(p *puppet) { p.say(frameAck, 0) }, "unexpected ACK on a link"},
		{"DATA on the way back", in, func(p *puppet) { p.data(1, 1) }, "unexpected DATA on a link's way back"},
		{"an ACK too early", in, func(p *puppet) { p.say(frameAck, 4) }, "message 4 is acknowledged before it was sent"},
		{"a short ACK", in, func(p *puppet) { p.say(frameAck) }, "ACK of 0 bytes, want 8"},
		{"a HELD too early", in, func(p *puppet) { p.say(frameHeld, 4) }, "message 4 is held before it was sent"},
		{"a short HELD", in, func(p *puppet) { p.say(frameHeld) }, "HELD of 0 bytes, want 8"},
		{"a short PONG", in, func(p *puppet) { p.say(framePong, 1) }, "PONG of 8 bytes, want 24"},
		{"a short CLOSED", in, func(p *puppet) { p.say(frameClosed) }, "CLOSED of 0 bytes, want 8"},
		{"a CLOSED too late", in, func(p *puppet) { p.say(frameClosed, 4) }, "CLOSED at message 4, with 3 sent and 1 consumed"},
		{"a CLOSED too early", in, func(p *puppet) { p.say(frameClosed, 0) }, "CLOSED at message 0, with 3 sent and 1 consumed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDuet(t, 2, nil)
				d.sendAll(1, 4) // the window keeps the last one back
				d.in.hearData(1, 2)
				d.in.say(frameAck, 1)
				d.in.hearData(3, 3)
				p := c.who(d)
				c.say(p)
				assert.Equal(t, &RefusedError{Code: CodeProtocol, Text: c.want, heard: true}, p.hearError())
				p.conn.Close()
				synctest.Wait()
				// Nothing of it counts, and the link is made again.
				if p == d.in {
					d.accept(t, welcome{window: 10, consumed: 1, held: 1})
					d.in.hearData(2, 4)
				} else {
					d.call(t, 1)
					d.out.data(1, 1)
					synctest.Wait()
					assert.EqualValues(t, 1, d.box.got(1))
				}
			})
		})
	}
}

// A peer that closes with a reason is not told a reason.
func TestErrorIsNotAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log diary
		d := newDuet(t, 10, func(c *Config) { c.Logger = log.logger() })
		d.out.send(errorFrame(refuse(CodeProtocol, "I do not like you")))
		d.out.hearEnd()
		d.in.send(errorFrame(refuse(CodeProtocol, "nor do I")))
		d.in.hearEnd()
		synctest.Wait()
		assert.True(t, log.contains("connection closed: machine=1 by=peer reason=I do not like you"), "%s", &log)
		assert.True(t, log.contains("connection lost: to=1 reason=nor do I"), "%s", &log)
	})
}

// A peer that asks and does not read costs no memory: of its PINGs that wait,
// only the newest is answered.
func TestPingsDoNotPileUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDuet(t, 10, nil)
		for i := range uint64(1000) {
			time.Sleep(time.Millisecond)
			d.out.say(framePing, i)
		}
		synctest.Wait()
		var sent, got, answered uint64
		hear := func() {
			require.NoError(t, parseNumbers(framePong, d.out.hear(framePong), &sent, &got, &answered))
		}
		hear() // this one was in the network
		assert.EqualValues(t, 0, sent)
		hear() // this one in the writer's hands
		assert.EqualValues(t, 1, sent)
		hear()
		assert.EqualValues(t, 999, sent)
		assert.EqualValues(t, time.Now().UnixNano(), got)
		assert.EqualValues(t, time.Now().UnixNano(), answered)
		d.out.say(framePing, 1000)
		hear()
		assert.EqualValues(t, 1000, sent)
	})
}

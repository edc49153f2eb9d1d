package transport

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The end as it should be: nothing is missing and nobody waits, however many
// there are and whoever is the first.
func TestFinishTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const count = 100
		nodes, boxes := newNetwork().nodes(t, 5, nil)
		connect(t, nodes)
		began := time.Now()
		each(nodes, func(i int, n *Node) {
			for seq := range uint64(count) {
				for j := range nodes {
					if j != i {
						n.Send(j, numbered(seq+1))
					}
				}
			}
			time.Sleep(time.Duration(i) * time.Second)
			assert.Empty(t, n.Finish(t.Context()))
			for j := range nodes {
				if j != i {
					assert.EqualValues(t, count, boxes[i].got(j), "%d holds all of %d", i, j)
				}
			}
			assert.Empty(t, n.Left())
			n.Close(t.Context())
		})
		assert.Equal(t, 4*time.Second, time.Since(began), "nobody waits for more than the last machine")
	})
}

// One is stopped, and the others go on: it has gone as soon as they have said what they hold,
// and they are told what it has. What they have not consumed may be lost with them.
func TestLeaveOthersThatGoOn(t *testing.T) {
	const company = time.Second
	synctest.Test(t, func(t *testing.T) {
		nodes, boxes := newNetwork().nodes(t, 3, nil)
		connect(t, nodes)
		began := time.Now()
		for to := 1; to < 3; to++ {
			for seq := range uint64(4) {
				nodes[0].Send(to, numbered(seq+1))
			}
		}
		for seq := range uint64(3) {
			nodes[1].Send(0, numbered(seq+1))
		}
		synctest.Wait()
		nodes[1].Consumed(0, 4)
		nodes[2].Consumed(0, 1)
		synctest.Wait()

		together, cancel := context.WithTimeout(t.Context(), company)
		defer cancel()
		assert.Equal(t, map[int]uint64{2: 3}, nodes[0].Leave(t.Context(), together))
		assert.Equal(t, company, time.Since(began))
		assert.True(t, nodes[0].Settle(t.Context()))
		nodes[0].Close(t.Context())
		assert.Equal(t, company, time.Since(began), "nobody is waited for")
		assert.EqualValues(t, 3, boxes[0].got(1))

		nodes[1].Send(0, numbered(4)) // too late
		nodes[1].Send(2, numbered(1))
		synctest.Wait()
		nodes[2].Consumed(0, 4)
		each(nodes[1:], func(i int, n *Node) {
			want := map[int]uint64{0: 1}
			if i == 1 {
				want = map[int]uint64{}
			}
			assert.Equal(t, want, n.Finish(t.Context()))
			assert.Equal(t, []int{0}, n.Left())
			n.Close(t.Context())
		})
		assert.Equal(t, company, time.Since(began))
	})
}

// All are stopped, by one Ctrl-C: nothing is missing then.
func TestLeaveTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, _ := newNetwork().nodes(t, 3, nil)
		connect(t, nodes)
		began := time.Now()
		each(nodes, func(i int, n *Node) {
			time.Sleep(time.Duration(i) * 10 * time.Millisecond)
			for j := range nodes {
				if j != i {
					n.Send(j, numbered(1))
				}
			}
			together, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			assert.Empty(t, n.Leave(t.Context(), together))
			assert.Empty(t, n.Left())
			assert.True(t, n.Settle(t.Context()))
			n.Close(t.Context())
		})
		assert.Equal(t, 20*time.Millisecond, time.Since(began))
	})
}

// Who has waited for all for as long as it may leaves nobody behind: what a peer holds counts as
// delivered, also where the end of the company is heard first.
func TestWaitingLongEnoughIsNotLeaving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, _ := newNetwork().nodes(t, 2, nil)
		connect(t, nodes)
		nodes[0].Send(1, numbered(1))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		company, leave := context.WithCancel(ctx)
		defer leave()
		assert.Empty(t, nodes[0].Leave(heardLate{ctx, afterwards(ctx)}, company))
		for _, n := range nodes {
			n.Close(cancelled())
		}
	})
}

// heardLate is a context whose end is heard a moment later.
type heardLate struct {
	context.Context
	done <-chan struct{}
}

func (c heardLate) Done() <-chan struct{} { return c.done }

func afterwards(ctx context.Context) <-chan struct{} {
	done := make(chan struct{})
	context.AfterFunc(ctx, func() {
		time.Sleep(time.Millisecond)
		close(done)
	})
	return done
}

// Who does not answer is waited for, in case that it comes back.
func TestLeaveWaitsForWhoDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDuet(t, 10, nil)
		d.sendAll(1, 3)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		assert.Equal(t, map[int]uint64{1: 3}, d.Leave(ctx, cancelled()))
		assert.Equal(t, time.Minute, time.Since(began))
		assert.False(t, d.Settle(ctx))
	})
}

// The answer of a peer that goes on is enough as soon as it comes, and not only with the
// next PONG.
func TestLeaveAtTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDuet(t, 10, nil)
		d.sendAll(1, 3)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		left := make(chan map[int]uint64)
		go func() { left <- d.Leave(ctx, cancelled()) }()
		d.in.hearData(1, 3)
		assert.EqualValues(t, 3, d.in.hearNumber(frameFin))
		time.Sleep(300 * time.Millisecond)
		d.in.say(frameHeld, 3)
		assert.Equal(t, map[int]uint64{1: 3}, <-left, "it holds them, and has consumed none")
		assert.Equal(t, 300*time.Millisecond, time.Since(began))
	})
}

// The frames of an end, one by one.
func TestTheLastFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDuet(t, 10, nil)
		d.sendAll(1, 3)
		ended := make(chan time.Time)
		go func() {
			assert.Empty(t, d.Finish(t.Context()))
			d.Close(t.Context())
			ended <- time.Now()
		}()
		d.in.hearData(1, 3)
		assert.EqualValues(t, 3, d.in.hearNumber(frameFin))
		d.in.say(frameClosed, 3)
		d.in.hear(frameBye)

		d.out.data(1, 2)
		d.out.say(frameFin, 2, 0, uint64(heldAfter))
		assert.EqualValues(t, 2, d.out.hearNumber(frameClosed), "and no HELD, which says less")
		time.Sleep(time.Second / 2)
		d.out.say(frameBye)
		d.out.hearEnd()
		// It still waits for the puppet to have read its BYE.
		time.Sleep(time.Second / 4)
		d.in.conn.Close()
		assert.Zero(t, time.Since(<-ended))
	})
}

// A machine that stops before the others tells them how far it has come, and
// both sides know exactly how many messages it does not hold.
func TestEarlyLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logs [3]diary
		nodes, boxes := newNetwork().nodes(t, 3, func(c *Config) { c.Window = 50; c.Logger = logs[c.ID].logger() })
		connect(t, nodes)
		sent := func(n *Node, to int, count uint64) {
			for range count {
				n.Send(to, numbered(n.byID[to].box.next))
			}
		}
		sent(nodes[0], 2, 60) // ten more than its window, which will never be sent
		sent(nodes[1], 2, 20)
		sent(nodes[2], 0, 5)
		synctest.Wait()
		require.Zero(t, nodes[0].Room(2))

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		assert.Empty(t, nodes[2].Finish(ctx), "the others hold all of machine 2")
		require.Error(t, ctx.Err(), "it would have waited for more")
		nodes[2].Close(t.Context())
		synctest.Wait()
		assert.EqualValues(t, 50, boxes[2].got(0))
		assert.EqualValues(t, 20, boxes[2].got(1))
		for i, n := range nodes[:2] {
			assert.Equal(t, []int{2}, n.Left(), "machine %d", i)
			assert.Equal(t, 1, logs[i].count("a machine has left the run"))
		}
		select {
		case to := <-boxes[0].room:
			assert.Equal(t, 2, to, "whoever waits for room need not any more")
		default:
			t.Error("machine 0 is left to wait for room")
		}
		assert.Equal(t, 50, nodes[0].Room(2))

		sent(nodes[0], 2, 7)
		sent(nodes[0], 1, 3)
		var undelivered [2]map[int]uint64
		each(nodes[:2], func(i int, n *Node) {
			undelivered[i] = n.Finish(t.Context())
			n.Close(t.Context())
		})
		assert.Equal(t, map[int]uint64{2: 17}, undelivered[0])
		assert.Empty(t, undelivered[1])
		assert.EqualValues(t, 50, boxes[2].got(0), "nothing more is delivered to who has left")
		for _, b := range boxes {
			b.check(t)
		}
	})
}

// A machine leaves while others send as fast as they can: what it holds and
// what they count as undelivered are all that they sent.
func TestEarlyLeaveUnderLoad(t *testing.T) {
	nodes, boxes := mesh(t, 3, nil)
	for i, b := range boxes {
		b.onDeliver = consumeAll(t, nodes, i)
	}
	connect(t, nodes)
	left := make(chan struct{})
	sent := make([]uint64, 2)
	var wg sync.WaitGroup
	for i, n := range nodes[:2] {
		wg.Go(func() {
			for more := 1000; more > 0; { // some after it has left
				if len(n.Left()) > 0 {
					more--
				}
				if n.Room(2) > 0 {
					sent[i]++
					n.Send(2, numbered(sent[i]))
				}
			}
		})
	}
	wg.Go(func() {
		eventually(t, "traffic", func() bool { return boxes[2].got(0) > 1000 && boxes[2].got(1) > 1000 })
		nodes[2].Finish(cancelled()) // it waits for nobody
		nodes[2].Close(within(t))
		close(left)
	})
	wg.Wait()
	<-left
	ctx := within(t)
	each(nodes[:2], func(i int, n *Node) {
		undelivered := n.Finish(ctx)
		assert.Equal(t, sent[i], boxes[2].got(i)+undelivered[2])
		assert.GreaterOrEqual(t, undelivered[2], uint64(1000))
		assert.Len(t, undelivered, 1)
		n.Close(ctx)
	})
	require.NoError(t, ctx.Err())
	for _, b := range boxes {
		b.check(t)
	}
}

// A peer that does not answer at the end is waited for as long as ctx lasts, and
// no longer. What it is not known to hold is counted.
func TestFinishWithoutAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDuet(t, 10, nil)
		d.sendAll(1, 10)
		d.in.hearData(1, 7)
		d.in.say(frameAck, 4)
		d.out.data(1, 2)
		synctest.Wait()
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		assert.Equal(t, map[int]uint64{1: 6}, d.Finish(ctx))
		assert.Equal(t, 5*time.Second, time.Since(began))
		assert.Empty(t, d.Left())

		// It has taken nothing since, and says so.
		d.out.data(3, 4)
		assert.EqualValues(t, 2, d.out.hearNumber(frameClosed))
		synctest.Wait()
		assert.EqualValues(t, 2, d.box.got(1))

		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		d.Close(ctx)
		assert.Equal(t, 6*time.Second, time.Since(began))
	})
}

// Peers that have died do not keep a machine longer than it wants to wait.
func TestCloseWithPeersGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, _ := newNetwork().nodes(t, 3, nil)
		connect(t, nodes)
		nodes[0].Send(1, numbered(1))
		synctest.Wait()
		each(nodes[1:], func(_ int, n *Node) { n.Close(cancelled()) })
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		assert.Equal(t, map[int]uint64{1: 1}, nodes[0].Finish(ctx), "held, but that was never said")
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		nodes[0].Close(ctx)
		assert.Equal(t, 2*time.Second, time.Since(began))
	})
}

// What was lost with its connection is said again on the next: HELD as long as it
// matters, then CLOSED.
func TestLastWordsAreSaidAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDuet(t, 10, nil)
		again := func() {
			synctest.Wait()
			require.NoError(t, d.out.conn.Close())
			assert.EqualValues(t, 2, d.call(t, 1).held)
			d.out.say(frameFin, 2, 0, uint64(heldAfter))
		}
		d.out.data(1, 2)
		d.out.say(frameFin, 2, 0, uint64(heldAfter))
		again()
		assert.EqualValues(t, 2, d.out.hearNumber(frameHeld))
		assert.Empty(t, d.Drain(t.Context()))
		go d.Settle(t.Context())
		again()
		assert.EqualValues(t, 2, d.out.hearNumber(frameClosed))
		again()
		assert.EqualValues(t, 2, d.out.hearNumber(frameClosed))
		d.out.say(frameBye)
		d.out.hearEnd()
		assert.Zero(t, d.in.hearNumber(frameFin))
		d.in.say(frameClosed, 0) // or Settle waits for it
	})
}

// The claim of the protocol, looked at byte by byte: wherever a connection
// breaks, in the handshake, among the messages, in the last frames, the next
// one goes on so that each message is delivered once, and the end is clean.
func TestCutAfterEveryByte(t *testing.T) {
	for _, side := range []string{"dialer", "acceptor"} {
		t.Run("what the "+side+" says", func(t *testing.T) {
			cuts := 0
			for n := 0; ; n++ {
				cut := false
				synctest.Test(t, func(t *testing.T) { cut = converse(t, side, n) })
				if t.Failed() {
					t.Fatalf("cut after %d bytes", n)
				}
				if !cut {
					break // the conversation has no more bytes than that
				}
				cuts++
			}
			t.Logf("%d places to cut", cuts)
			assert.Greater(t, cuts, 100)
		})
	}
}

// converse runs a short conversation in which the first connection from machine
// 0 to machine 1 is cut after n bytes of one side. It reports whether it was.
func converse(t *testing.T, side string, n int) (cut bool) {
	const count = 4
	w := newNetwork()
	var first *cable
	w.onDial = func(c *cable) {
		if first == nil && c.from == 0 {
			first = c
			c.left[map[string]int{"dialer": 0, "acceptor": 1}[side]].Store(int64(n))
		}
	}
	nodes, boxes := w.nodes(t, 2, nil)
	for i, b := range boxes {
		b.onDeliver = consumeAll(t, nodes, i)
	}
	connect(t, nodes)
	began := time.Now()
	each(nodes, func(i int, node *Node) {
		waitForAll(t.Context(), t, node)
		for seq := range uint64(count) {
			node.Send(1-i, numbered(seq+1))
			time.Sleep(time.Millisecond)
		}
		assert.Empty(t, node.Finish(t.Context()))
		assert.Empty(t, node.Left())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		node.Close(ctx)
	})
	for i, b := range boxes {
		b.check(t)
		assert.EqualValues(t, count, b.got(1-i), "machine %d", i)
	}
	// A break costs a few attempts to dial and, if it takes the BYE with it, the
	// time that Close allows; it never costs a time-out.
	assert.Less(t, time.Since(began), 2*time.Second)
	cut = first.left[map[string]int{"dialer": 0, "acceptor": 1}[side]].Load() <= 0
	return cut
}

// consumeAll returns an onDeliver that consumes whatever machine i is delivered,
// and ends with the test.
func consumeAll(t testing.TB, nodes []*Node, i int) func(from int, last uint64) {
	var wg sync.WaitGroup
	t.Cleanup(wg.Wait)
	return func(from int, last uint64) { wg.Go(func() { nodes[i].Consumed(from, last) }) }
}

// The same over TCP, with resets, which destroy what is under way in both
// directions; the places are drawn.
func TestResetsAnywhereInAShortConversation(t *testing.T) {
	t.Parallel()
	const count = 20
	for round := range 50 {
		t.Run(strconv.Itoa(round), func(t *testing.T) {
			t.Parallel() // they mostly wait to dial again
			r := newResetter(uint64(round), 12, func(rng int) int { return rng % 200 })
			nodes, boxes := mesh(t, 2, func(c *Config) { c.Dial = r.dial })
			for i, b := range boxes {
				b.onDeliver = consumeAll(t, nodes, i)
			}
			connect(t, nodes)
			ctx := within(t)
			var finished [2]context.Context
			var finish [2]context.CancelFunc
			for i := range nodes {
				finished[i], finish[i] = context.WithCancel(ctx)
			}
			each(nodes, func(i int, n *Node) {
				waitForAll(ctx, t, n)
				for seq := range uint64(count) {
					n.Send(1-i, numbered(seq+1))
				}
				assert.Empty(t, n.Finish(ctx))
				finish[i]()
				n.Close(finished[1-i]) // for which BYE is awaited, and it may be lost
			})
			for i, b := range boxes {
				b.check(t)
				assert.EqualValues(t, count, b.got(1-i), "machine %d", i)
			}
		})
	}
}

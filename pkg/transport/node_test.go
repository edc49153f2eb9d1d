package transport

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMessagesArriveInOrderOnEveryLink(t *testing.T) {
	const count = 5000
	nodes, boxes := mesh(t, 4, nil)
	connect(t, nodes)
	each(nodes, func(i int, n *Node) {
		for seq := uint64(1); seq <= count; seq++ {
			for j := range nodes {
				if j != i {
					assert.Equal(t, seq, n.Send(j, numbered(seq)))
				}
			}
		}
	})
	finish(t, nodes)
	for i, b := range boxes {
		b.check(t)
		for j := range nodes {
			if j != i {
				assert.EqualValues(t, count, b.got(j), "%d → %d", j, i)
			}
		}
	}
}

// Many messages sent at once are what they would be one by one: numbered, copied,
// kept, and held back by the window.
func TestSendAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDuet(t, 5, nil)
		payloads := func(first, last uint64) (all [][]byte) {
			for seq := first; seq <= last; seq++ {
				all = append(all, numbered(seq))
			}
			return all
		}
		three := payloads(1, 3)
		assert.EqualValues(t, 1, d.SendAll(1, three))
		for _, p := range three {
			clear(p)
		}
		assert.EqualValues(t, 4, d.Send(1, numbered(4)))
		assert.EqualValues(t, 5, d.SendAll(1, nil))
		assert.EqualValues(t, 5, d.SendAll(1, payloads(5, 7)))
		d.in.hearData(1, 5)
		d.in.hearNothing()
		assert.Zero(t, d.Room(1))
		assert.Panics(t, func() { d.SendAll(1, [][]byte{numbered(8), make([]byte, MaxPayload+1)}) })
		d.in.say(frameAck, 4)
		d.in.hearData(6, 7)
		d.in.hearNothing() // what cannot all be sent is not sent in part
		require.NoError(t, d.in.conn.Close())
		d.accept(t, welcome{window: 5, consumed: 4, held: 4})
		d.in.hearData(5, 7)

		d.in.say(frameClosed, 6)
		d.in.hear(frameBye)
		synctest.Wait()
		assert.EqualValues(t, 8, d.SendAll(1, payloads(8, 10)))
		assert.EqualValues(t, 11, d.Send(1, numbered(11)))
		assert.EqualValues(t, 11, d.Stats().Messages)
		assert.EqualValues(t, 5, d.byID[1].end().undelivered())
	})
}

func TestSendAllocatesNothing(t *testing.T) {
	n, _ := fuzzNode(t)
	l := n.byID[1]
	payloads := [][]byte{numbered(1), numbered(2), numbered(3)}
	for name, send := range map[string]func(){
		"Send":    func() { n.Send(1, payloads[0]) },
		"SendAll": func() { n.SendAll(1, payloads) },
	} {
		assert.Zero(t, testing.AllocsPerRun(1000, func() {
			send()
			l.box.ack(l.box.next - 1)
			l.box.free(l.box.next)
		}), name)
	}
}

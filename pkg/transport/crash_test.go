package transport

import (
	"context"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// beginner is a machine that dies again and again in its start, and has between its lives
// what it has kept.
type beginner struct {
	t    *testing.T
	id   int
	w    *network
	rng  *rand.Rand
	box  *inbox
	left int // deaths that it has before it

	life   uint64        // of the process that kept something; 0: none has
	kept   []LinkSecrets // by it; nil: nothing
	start  time.Time     // its log says that the run began then; zero: it does not
	deaths map[string]int
}

const beginners = 3

// dies reports whether the machine dies here, and kills it.
func (b *beginner) dies(where string, n *Node) bool {
	if b.left == 0 || b.rng.IntN(3) > 0 {
		return false
	}
	b.left--
	b.deaths[where]++
	n.Close(cancelled())
	time.Sleep(time.Duration(b.rng.IntN(50)) * time.Millisecond)
	return true
}

// live makes its next process.
func (b *beginner) live() *Node {
	b.box = newInbox()
	cfg := Config{ID: b.id, Run: "test", Handler: b.box, Life: b.life + 1, Dial: b.w.dialer(b.id)}
	for id := range beginners {
		if id != b.id {
			cfg.Peers = append(cfg.Peers, Peer{ID: id, Addr: strconv.Itoa(id)})
		}
	}
	if b.kept != nil {
		b.life++ // it is noted that this life begins
		for _, s := range b.kept {
			cfg.Secrets = append(cfg.Secrets, s.To)
			if !b.start.IsZero() {
				cfg.Past = append(cfg.Past, Past{Peer: s.Peer, Secret: s.From})
			}
		}
	}
	n, err := New(cfg, b.w.listen(strconv.Itoa(b.id)))
	require.NoError(b.t, err)
	return n
}

// inTime is a context that ends early while there are deaths left.
func (b *beginner) inTime() (context.Context, context.CancelFunc) {
	if b.left == 0 {
		return context.WithCancel(b.t.Context())
	}
	return context.WithTimeout(b.t.Context(), time.Duration(b.rng.IntN(100_000))*time.Microsecond)
}

// begin brings the machine into the run, however often it has to try.
func (b *beginner) begin() *Node {
	for {
		n := b.live()
		if !b.start.IsZero() { // it died after its log had said so
			hear, cancel := context.WithTimeout(b.t.Context(), 5*time.Second)
			_, err := n.Rejoin(b.t.Context(), hear, nil)
			cancel()
			assert.NoError(b.t, err)
			n.Resume(b.start, time.Since(b.start))
			return n
		}
		ctx, cancel := b.inTime()
		err := n.Connect(ctx)
		cancel()
		if err != nil {
			assert.NotErrorAs(b.t, err, new(*RefusedError), "machine %d", b.id)
			b.left = max(b.left-1, 0)
			b.deaths["while it connects"]++
			n.Close(cancelled())
			continue
		}
		if b.dies("before it keeps anything", n) {
			continue
		}
		b.kept = n.Secrets()
		if b.life == 0 {
			b.life = 1
		}
		if b.dies("after it has kept its secrets", n) {
			continue
		}
		ctx, cancel = b.inTime()
		start, err := n.Barrier(ctx)
		cancel()
		if err != nil {
			assert.NotErrorAs(b.t, err, new(*RefusedError), "machine %d", b.id)
			b.left = max(b.left-1, 0)
			b.deaths["while it waits for READY"]++
			n.Close(cancelled())
			continue
		}
		if b.dies("before it keeps what it has heard", n) {
			continue
		}
		b.kept = n.Secrets()
		if b.dies("before its log says that the run began", n) {
			continue
		}
		b.start = start
		n.Begun()
		if b.dies("after that", n) {
			continue
		}
		return n
	}
}

// Whenever machines die in their start, they come back, nobody is refused for ever, and
// all begin at one instant.
func TestKilledInTheStart(t *testing.T) {
	deaths := map[string]int{}
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) {
			w := newNetwork()
			machines := make([]*beginner, beginners)
			nodes := make([]*Node, beginners)
			var wg sync.WaitGroup
			for id := range machines {
				b := &beginner{t: t, id: id, w: w, rng: rand.New(rand.NewPCG(seed, uint64(id))), left: 8, deaths: map[string]int{}}
				machines[id] = b
				wg.Go(func() { nodes[id] = b.begin() })
			}
			wg.Wait()
			for id, b := range machines {
				assert.True(t, b.start.Equal(machines[0].start), "machine %d begins at %v, machine 0 at %v", id, b.start, machines[0].start)
				for where, n := range b.deaths {
					deaths[where] += n
				}
			}
			for id, n := range nodes {
				for to := range nodes {
					if to != id {
						n.Send(to, numbered(1))
					}
				}
			}
			finish(t, nodes)
			for _, b := range machines {
				assert.Len(t, b.box.last, beginners-1)
				b.box.check(t)
			}
		})
		require.False(t, t.Failed(), "seed %d", seed)
	}
	for _, where := range []string{
		"while it connects", "before it keeps anything", "after it has kept its secrets", "while it waits for READY",
		"before it keeps what it has heard", "before its log says that the run began", "after that",
	} {
		assert.NotZero(t, deaths[where], where)
	}
	t.Log(deaths)
}

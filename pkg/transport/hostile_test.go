package transport

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// What strangers try with a run that goes on, and what they get for it: the same
// bytes, whatever they have right.

// stranger is somebody at a machine's port.
type stranger struct {
	t    testing.TB
	dial func() (net.Conn, error)
}

// ask sends something on a new connection and returns all that comes back before it
// ends, and how long that took.
func (s stranger) ask(frame []byte) (answer []byte, took time.Duration) {
	s.t.Helper()
	conn, err := s.dial()
	require.NoError(s.t, err)
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(deadline))
	began := time.Now()
	_, err = conn.Write(frame)
	require.NoError(s.t, err)
	answer, err = io.ReadAll(conn)
	if !errors.Is(err, io.ErrClosedPipe) { // in memory
		require.NoError(s.t, err)
	}
	return answer, time.Since(began)
}

// toldStrangers is all that anybody gets who does not belong.
var toldStrangers = errorFrame(&RefusedError{Code: CodeStranger, Text: strangerText})

// begun is a duet in whose run machine 1 has said READY and sent two messages.
func begun(t *testing.T, edit func(*Config)) (*duet, stranger) {
	d := newDuet(t, 10, edit)
	d.out.say(frameReady, 1)
	d.out.data(1, 2)
	synctest.Wait()
	require.EqualValues(t, 2, d.box.got(1))
	return d, stranger{t, func() (net.Conn, error) { return d.net.dialer(-1)(t.Context(), "", "0") }}
}

// Everything can be wrong with a HELLO, and nothing of it shows: not in the bytes, not in
// the time. Of the run nothing is said.
func TestStrangersHearOneAnswer(t *testing.T) {
	right := hello{version: Version, machines: 2, from: 1, to: 0, life: 1, secret: puppetSecret, window: 10, run: "test"}
	for name, c := range map[string]struct {
		edit func(h *hello)
		why  string
	}{
		"run":                  {func(h *hello) { h.run = "?" }, `machine 1 of 2 in run "?" meets machine 0 of 2 in run "test"`},
		"no run":               {func(h *hello) { h.run = "" }, `machine 1 of 2 in run "" meets machine 0 of 2 in run "test"`},
		"machines":             {func(h *hello) { h.machines = 3 }, "machine 1 is in a run of 3 machines, machine 0 in one of 2"},
		"no machines":          {func(h *hello) { h.machines = 0 }, "machine 1 is in a run of 0 machines, machine 0 in one of 2"},
		"id":                   {func(h *hello) { h.from = 2 }, "machine id 2 in a run of 2 machines: ids are 0 to 1"},
		"any id":               {func(h *hello) { h.from = anyID }, "machine id 4294967295 in a run of 2 machines: ids are 0 to 1"},
		"its own id":           {func(h *hello) { h.from = 0 }, "two machines with id 0"},
		"destination":          {func(h *hello) { h.to = 1 }, "machine 1 wants machine 1, but this is machine 0"},
		"secret":               {func(h *hello) { h.secret[0] ^= 1 }, "machine 1 does not know the secret of its link"},
		"secret, later life":   {func(h *hello) { h.secret[14] ^= 1; h.life = 2 }, "machine 1 does not know the secret of its link"},
		"secret, last life":    {func(h *hello) { h.secret[7] ^= 1; h.life = math.MaxUint64 }, "machine 1 does not know the secret of its link"},
		"secret, to whoever":   {func(h *hello) { h.secret[7] ^= 1; h.to = anyID }, "machine 1 does not know the secret of its link"},
		"secret, earlier life": {func(h *hello) { h.secret[7] ^= 1; h.life = 0 }, "machine 1 does not know the secret of its link"},
		"life":                 {func(h *hello) { h.life = 0 }, "machine 1 has been started again: this process of it is not the newest"},
	} {
		for _, up := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, link up %v", name, up), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var log diary
					d, s := begun(t, func(c *Config) { c.Logger = log.logger() })
					if !up {
						d.out.conn.Close()
						synctest.Wait()
					}
					h := right
					c.edit(&h)
					answer, took := s.ask(h.frame())
					assert.Equal(t, toldStrangers, answer)
					assert.Zero(t, took, "nothing is waited for")
					synctest.Wait()
					assert.True(t, log.contains("reason="+c.why), "%s", &log)
					assert.EqualValues(t, 1, d.Stats().Refused)
					if !up {
						assert.EqualValues(t, 2, d.call(t, 1).held)
					}
					d.out.data(3, 3)
					synctest.Wait()
					assert.EqualValues(t, 3, d.box.got(1), "the machine is not disturbed")
				})
			})
		}
	}
}

// Bisection found the life of a process, when an earlier one was refused at once and a
// later one had to wait. Now 2,000 probes over all 64 bits, with all else but the
// secret right, while the link is up and while it is down, get one answer.
func TestLifeIsNotFoundByBisection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s := begun(t, nil)
		rng := rand.New(rand.NewPCG(1, 2))
		low, high := uint64(0), uint64(math.MaxUint64)
		for i := range 2000 {
			if i == 1000 {
				d.out.conn.Close()
				synctest.Wait()
			}
			h := hello{version: Version, machines: 2, from: 1, to: anyID, secret: NewSecret(), window: 10, run: "test"}
			h.life = low + (high-low)/2
			answer, took := s.ask(h.frame())
			require.Equal(t, toldStrangers, answer)
			require.Zero(t, took)
			// There is nothing to go by.
			if rng.IntN(2) == 0 {
				low = h.life
			} else {
				high = h.life
			}
			if high-low < 2 {
				low, high = 0, math.MaxUint64
			}
		}
		assert.EqualValues(t, 2, d.call(t, 1).held, "the machine comes back")
		d.box.check(t)
	})
}

// The machine comes back in its next life, and in the same one, while strangers knock.
// What they sent in between is not in its stream.
func TestMachineResumesAmongStrangers(t *testing.T) {
	nodes, boxes := mesh(t, 2, func(c *Config) { c.Window = 10 })
	for i, b := range boxes {
		b.onDeliver = consumeAll(t, nodes, i)
	}
	connect(t, nodes)
	each(nodes, func(_ int, n *Node) {
		_, err := n.Barrier(within(t))
		assert.NoError(t, err)
		n.Begun()
	})
	addr := nodes[0].ln.Addr().String()
	s := stranger{t, func() (net.Conn, error) { return net.Dial("tcp", addr) }}
	over := make(chan struct{})
	var wg sync.WaitGroup
	for k := range 2 {
		wg.Go(func() {
			for i := uint64(0); ; i++ {
				select {
				case <-over:
					return
				default:
				}
				h := hello{version: Version, machines: 2, from: 1, to: 0, life: uint64(k) + i, secret: NewSecret(), window: 10, run: "test"}
				conn, err := net.Dial("tcp", addr)
				if err != nil {
					continue
				}
				// It does not wait for an answer before it sends messages.
				_, _ = conn.Write(appendData(h.frame(), 1+i, []byte("forged")))
				_ = conn.SetReadDeadline(time.Now().Add(deadline))
				b, _ := io.ReadAll(conn) // what was not read may reset it
				if !bytes.HasPrefix(toldStrangers, b) {
					t.Errorf("a stranger hears %x", b)
				}
				conn.Close()
			}
		})
	}
	for seq := uint64(1); seq <= 2000; seq++ {
		for nodes[1].Room(0) == 0 {
			<-boxes[1].room
		}
		nodes[1].Send(0, numbered(seq))
		if seq%200 == 0 { // the link breaks, and is made again among them
			l := nodes[1].out[0]
			l.mu.Lock()
			if l.session != nil {
				_ = l.session.conn.Close()
			}
			l.mu.Unlock()
		}
	}
	close(over)
	wg.Wait()
	answer, _ := s.ask(hello{version: Version, machines: 2, from: 1, secret: NewSecret(), window: 10, run: "test"}.frame())
	assert.Equal(t, toldStrangers, answer)
	finish(t, nodes)
	assert.EqualValues(t, 2000, boxes[0].got(1))
	boxes[0].check(t)
	assert.NotZero(t, nodes[1].Stats().Reconnects)
}

// The answer to a HELLO that belongs here holds no secret: whoever sees one WELCOME
// cannot come again with it.
func TestWelcomeHoldsNoSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, s := begun(t, nil)
		near := d.net.call(t, "0")
		near.hello(nil)
		typ, body := near.next()
		require.Equal(t, frameWelcome, typ)
		assert.NotContains(t, string(body), string(puppetSecret[:]))
		for i := range len(body) - len(Secret{}) + 1 {
			h := hello{version: Version, machines: 2, from: 1, life: 1, secret: Secret(body[i:]), window: 10, run: "test"}
			if h.secret == (Secret{}) {
				continue
			}
			answer, _ := s.ask(h.frame())
			assert.Equal(t, toldStrangers, answer)
		}
	})
}

// Before a link is settled, whoever comes with another secret has to wait for the
// connection that stands: a machine that was started afresh gets in, one beside a living
// one does not.
func TestIntroductionBeforeTheStart(t *testing.T) {
	other := func(h *hello) { h.secret = Secret{1} }
	t.Run("the old connection has ended", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := newDuet(t, 10, nil)
			d.out.conn.Close()
			synctest.Wait()
			p := d.net.call(t, "0")
			p.hello(other)
			p.hearWelcome()
			p.say(frameReady, 1)
			synctest.Wait()
			assert.Equal(t, Secret{1}, d.Secrets()[0].From)

			late := d.net.call(t, "0")
			late.hello(nil)
			assert.Equal(t, CodeStranger, late.hearError().Code, "now the link is settled")
		})
	})
	t.Run("the largest life locks nobody out", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := newDuet(t, 10, nil)
			d.out.conn.Close()
			synctest.Wait()
			p := d.net.call(t, "0")
			p.hello(func(h *hello) { h.secret = Secret{1}; h.life = math.MaxUint64 })
			p.hearWelcome()
			p.conn.Close()
			synctest.Wait()
			d.call(t, 1)
			synctest.Wait()
			assert.Equal(t, puppetSecret, d.Secrets()[0].From)
		})
	})
	t.Run("the old one lives", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := newDuet(t, 10, nil)
			p := d.net.call(t, "0")
			p.hello(other)
			time.Sleep(2 * underWay)
			d.out.say(framePing, 1)
			assert.Equal(t, CodeStranger, p.hearError().Code)
			d.out.hear(framePong)
			assert.Equal(t, puppetSecret, d.Secrets()[0].From)
		})
	})
}

// Of those that wait for a link the newest stays, and none waits for ever: however they
// introduce themselves, no more than two are held.
func TestWaitersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, _ := begun(t, func(c *Config) { c.PingInterval = time.Hour }) // nobody falls silent
		var waiting []*puppet
		for life := range uint64(50) {
			p := d.net.call(t, "0")
			p.hello(func(h *hello) { h.life = 2 + life })
			synctest.Wait()
			waiting = append(waiting, p)
		}
		for _, p := range waiting[:len(waiting)-1] {
			assert.Equal(t, errDisplaced.Text, p.hearError().Text)
			p.hearEnd()
		}
		last := waiting[len(waiting)-1]
		last.hearNothing()
		began := time.Now()
		assert.Equal(t, errNotFree.Text, last.hearError().Text)
		assert.InDelta(t, AttachTimeout, time.Since(began), float64(time.Second))
		synctest.Wait()
		assert.EqualValues(t, 50, d.Stats().Refused)
		d.out.data(3, 3)
		synctest.Wait()
		assert.EqualValues(t, 3, d.box.got(1))
		assert.Nil(t, d.Node.in[1].next)
		assert.Empty(t, d.Node.in[1].turn)
	})
}

// A machine behind a connection that has died without a word comes in, although
// strangers hold all places that they can have.
func TestMachineComesInThroughAFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, _ := begun(t, nil)
		for range 2 * d.gate.perSource {
			d.net.call(t, "0") // silent
		}
		began := time.Now()
		assert.EqualValues(t, 2, d.call(t, 2).held)
		assert.LessOrEqual(t, time.Since(began), 4*DefaultPingInterval)
		synctest.Wait()
		assert.LessOrEqual(t, len(d.gate.at), d.gate.perSource)
	})
}

// Who may have a link is one table.
func TestSenderAdmits(t *testing.T) {
	mine, other := Secret{1}, Secret{2}
	known := sender{secret: mine, life: 5}
	settled := sender{secret: mine, life: 5, settled: true}
	for _, c := range []struct {
		name   string
		sender sender
		secret Secret
		life   uint64
		want   entrance
	}{
		{"nobody has come", sender{}, mine, 1, entranceOpen},
		{"the same process", known, mine, 5, entranceOpen},
		{"the same process, settled", settled, mine, 5, entranceOpen},
		{"a later one", known, mine, 6, entranceOnceFree},
		{"a later one, settled", settled, mine, 6, entranceOnceFree},
		{"an earlier one", known, mine, 4, entranceClosed},
		{"an earlier one, settled", settled, mine, 4, entranceClosed},
		{"another secret", known, other, 1, entranceOnceFree},
		{"another secret, settled", settled, other, 5, entranceClosed},
		{"another secret, settled, a later life", settled, other, math.MaxUint64, entranceClosed},
	} {
		way, err := c.sender.admits(1, c.secret, c.life)
		assert.Equal(t, c.want, way, c.name)
		assert.Equal(t, c.want == entranceClosed, err != nil, c.name)
	}
	assert.Equal(t, sender{mine, 6, true}, settled.succeeded(mine, 6))
	assert.Equal(t, sender{other, 1, false}, known.succeeded(other, 1))
}

// Whatever comes, a settled link stays with its secret, and its life does not fall.
func TestSettledForGood(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secrets := rapid.SampledFrom([]Secret{{1}, {2}, {3}})
		lives := rapid.SampledFrom([]uint64{0, 1, 2, 3, math.MaxUint64})
		var s sender
		t.Repeat(map[string]func(*rapid.T){
			"come": func(t *rapid.T) {
				secret, life := secrets.Draw(t, "secret"), lives.Draw(t, "life")
				way, err := s.admits(1, secret, life)
				if (way == entranceClosed) != (err != nil) {
					t.Fatal("who is refused hears why")
				}
				if way == entranceClosed {
					return
				}
				next := s.succeeded(secret, life)
				if s.settled && (next.secret != s.secret || next.life < s.life || !next.settled) {
					t.Fatalf("%+v after %+v", next, s)
				}
				s = next
			},
			"ready": func(t *rapid.T) {
				if s.secret == (Secret{}) {
					t.Skip("nobody has come")
				}
				s.settled = true
			},
		})
	})
}

func TestSecret(t *testing.T) {
	s := NewSecret()
	assert.NotEqual(t, s, NewSecret())
	assert.True(t, s.is(s))
	assert.False(t, s.is(NewSecret()))
	text, err := s.MarshalText()
	require.NoError(t, err)
	assert.NotContains(t, fmt.Sprintf("%v %+v %#v %v", s, struct{ S Secret }{s}, s, LinkSecrets{To: s}), string(text))
	var back Secret
	require.NoError(t, back.UnmarshalText(text))
	assert.Equal(t, s, back)
	for _, bad := range []string{"", "00", string(text[1:]), string(text) + "0", "x" + string(text[1:])} {
		require.Error(t, back.UnmarshalText([]byte(bad)), bad)
	}
}

// A HELLO of the version before, byte for byte, is told that the versions differ, in the
// ERROR that it knows; and what was said before is understood here.
func TestVersion1(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := begun(t, nil)
		b, start := beginFrame(nil, frameHello)
		b = append(b, magic...)
		b = binary.BigEndian.AppendUint16(b, 1)
		b = append(b, strings.Repeat("\x00", 20)...)
		answer, _ := s.ask(endFrame(append(b, "test"...), start))
		const text = "protocol version 1 meets version 4"
		assert.Equal(t, append([]byte{0, 0, 0, byte(3 + len(text)), byte(frameError), 0, 2}, text...), answer)
	})
	synctest.Test(t, func(t *testing.T) {
		w := newNetwork()
		n, err := New(Config{Run: "test", Peers: []Peer{{1, "1"}}, Handler: newInbox(), Dial: w.dialer(0)}, w.listen("0"))
		require.NoError(t, err)
		ln := w.listen("1")
		go func() {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			p := newPuppet(t, conn)
			body := p.hear(frameHello)
			assert.Equal(t, magic+"\x00\x04", string(body[:6]), "where version 1 looks for it")
			p.send(errorFrame(refuse(CodeVersion, "protocol version 2 meets version 1")))
			p.conn.Close()
		}()
		var refused *RefusedError
		require.ErrorAs(t, n.Connect(within(t)), &refused)
		assert.Equal(t, CodeVersion, refused.Code)
		assert.Equal(t, "1 refuses this machine: protocol version 2 meets version 1", refused.Text)
		n.Close(cancelled())
	})
}

// A link that was settled in an earlier process of the acceptor is so from the beginning.
func TestSettledByThePast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := startDuet(t, func(c *Config) { c.Past = []Past{{Peer: 1, Secret: puppetSecret, Consumed: 2}} })
		require.NoError(t, d.rejoin(t.Context(), time.Now()))
		s := stranger{t, func() (net.Conn, error) { return d.net.dialer(-1)(t.Context(), "", "0") }}
		answer, _ := s.ask(hello{version: Version, machines: 2, from: 1, life: 9, secret: Secret{9}, window: 10, run: "test"}.frame())
		assert.Equal(t, toldStrangers, answer)
		assert.EqualValues(t, 2, d.call(t, 1).held)
	})
}

// The log has a line for the first of each reason, whatever else floods it.
func TestEachReasonIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log diary
		_, s := begun(t, func(c *Config) { c.Logger = log.logger() })
		for range 1000 {
			s.ask(hello{version: Version, machines: 2, from: 1, secret: Secret{9}, window: 10, run: "flood"}.frame())
		}
		s.ask(hello{version: Version, machines: 7, from: 1, secret: Secret{9}, window: 10, run: "test"}.frame())
		synctest.Wait()
		assert.Equal(t, 1, log.count(`in run "flood" meets`))
		assert.True(t, log.contains("machine 1 is in a run of 7 machines, machine 0 in one of 2 so-far=1"), "%s", &log)
		time.Sleep(thinnedPause)
		s.ask(hello{version: Version, machines: 2, from: 1, secret: Secret{9}, window: 10, run: "flood"}.frame())
		synctest.Wait()
		assert.True(t, log.contains("so-far=1001"), "what goes on is not forgotten")
	})
}

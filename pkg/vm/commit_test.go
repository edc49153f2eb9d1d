package vm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/summary"
	"github.com/scalemodel/lamport/pkg/transport"
)

// The rules of docs/reliability.md seen from the other end of the wire: I1, a
// message leaves only after the line of its send has been written; I2, it is
// acknowledged only after the line of its receive has been.

// ledger lies between machine 0's log and its file, and knows up to which number
// the messages to and from machine 1 stand in the file.
type ledger struct {
	w      io.Writer
	before func(lines []byte) error // each write
	sent   atomic.Uint64
	taken  atomic.Uint64
}

func (l *ledger) Write(lines []byte) (int, error) {
	if l.before != nil {
		if err := l.before(lines); err != nil {
			return 0, err
		}
	}
	n, err := l.w.Write(lines)
	l.enter(logging.NewReader(bytes.NewReader(lines[:n]), "ledger"))
	return n, err
}

func (l *ledger) enter(r *logging.Reader) {
	var rec logging.Record
	for r.Next(&rec) == nil {
		switch rec.Event.Kind {
		case event.Send:
			l.sent.Store(rec.Event.Messages()[0].Seq)
		case event.Receive:
			l.taken.Store(rec.Event.Messages()[0].Seq)
		}
	}
}

// audited are links that hold each call against the ledger, at the moment when it is
// made: what is wrong shows at once, however late it would come by wire.
type audited struct {
	links
	t testing.TB
	l *ledger
}

func (a audited) SendAll(to int, payloads [][]byte) (first uint64) {
	first = a.links.SendAll(to, payloads)
	assert.LessOrEqual(a.t, first+uint64(len(payloads))-1, a.l.sent.Load(), "I1: sent, but not logged")
	return first
}

func (a audited) Consumed(from int, seq uint64) {
	assert.LessOrEqual(a.t, seq, a.l.taken.Load(), "I2: acknowledged, but not logged")
	a.links.Consumed(from, seq)
}

// startWith starts machine 0 with a ledger.
func (f *fleet) startWith(before func(lines []byte) error) *ledger {
	f.t.Helper()
	r, err := newRunner(f.cfgs[0], f.lns[0])
	require.NoError(f.t, err)
	l := &ledger{w: r.file, before: before}
	r.steps.journal.log = logging.NewWriter(l, 0)
	r.steps.journal.out = audited{r.node, f.t, l}
	go func() {
		defer close(f.ended[0])
		f.results[0], f.errs[0] = r.run(f.ctxs[0])
	}()
	return l
}

// untilEnding makes the machine's Watch close a channel when it says goodbye, or
// has died.
func (f *fleet) untilEnding() <-chan struct{} {
	over := make(chan struct{})
	once := sync.OnceFunc(func() { close(over) })
	f.cfgs[0].Watch = func(s summary.Status) {
		if s.Phase == summary.Ending {
			once()
		}
	}
	go func() {
		<-f.ended[0]
		once()
	}()
	return over
}

// correspond keeps sending to the machine until it is over, and holds what comes
// back against its ledger. It returns how many messages it has sent.
func (p *peer) correspond(l *ledger, window int, over <-chan struct{}) (sent uint64) {
	for {
		room := p.node.Room(0)
		select {
		case <-over: // a machine that has left takes everything
			return sent
		default:
		}
		acked := sent - uint64(window-room)
		assert.LessOrEqual(p.t, acked, l.taken.Load(), "I2: acknowledged, but not logged")
		if room > 0 {
			sent++
			p.node.Send(0, appendPayload(nil, clock.Time(sent)))
			continue
		}
		select {
		case <-p.room:
		case <-over:
			return sent
		}
	}
}

func (p *peer) holdAgainst(l *ledger) {
	p.onDeliver = func(seq uint64, _ clock.Time) {
		assert.LessOrEqual(p.t, seq, l.sent.Load(), "I1: sent, but not logged")
	}
}

// A slow disk gives everything that is not logged the time to be seen.
func TestOutsideSeesOnlyWhatIsLogged(t *testing.T) {
	const window = 8
	for _, rate := range []string{"500", "max"} {
		t.Run(rate, func(t *testing.T) {
			f := newFleet(t, []string{rate, "1"}, func(_ int, cfg *Config) {
				// Mostly receives, some sends.
				cfg.Die, cfg.Duration = 3, 500*time.Millisecond
			})
			over := f.untilEnding()
			p := newPeer(f, func(cfg *transport.Config) { cfg.Window = window })
			writes := 0
			l := f.startWith(func([]byte) error {
				writes++
				time.Sleep(time.Duration(1+20*(writes%10/9)) * time.Millisecond)
				return nil
			})
			p.holdAgainst(l)
			p.connect(true)
			sent := p.correspond(l, window, over)
			ctx, cancel := context.WithTimeout(context.Background(), deadline)
			defer cancel()
			assert.Empty(t, p.node.Drain(ctx))
			assert.True(t, p.node.Settle(ctx))
			soon(t, "its end", f.ended[0])
			require.NoError(t, f.errs[0])
			m := f.results[0]
			assert.Equal(t, sent, m.Receives+m.Pending[1])
			assert.Equal(t, m.Sent, p.got.Load())
			assert.Greater(t, m.Sends, uint64(5))
			assert.Greater(t, m.Receives, uint64(5))
		})
	}
}

// While a write to the log hangs, so does what it says.
func TestLogThatBlocks(t *testing.T) {
	for _, kind := range []string{" send: ", " receive: "} {
		t.Run(kind, func(t *testing.T) {
			f := newFleet(t, []string{"200", "1"}, func(_ int, cfg *Config) {
				cfg.Die, cfg.Duration = 1, 0
			})
			blocked, release := make(chan struct{}), make(chan struct{})
			once := true
			lines := make(chan net.Conn, 100) // the peer's, as they are made
			p := newPeer(f, func(cfg *transport.Config) {
				cfg.Window = 1
				cfg.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
					conn, err := new(net.Dialer).DialContext(ctx, network, addr)
					if err == nil {
						lines <- conn
					}
					return conn, err
				}
			})
			l := f.startWith(func(lines []byte) error {
				if once && bytes.Contains(lines, []byte(kind)) {
					once = false
					close(blocked)
					<-release
				}
				return nil
			})
			p.holdAgainst(l)
			p.connect(true)
			if kind == " receive: " {
				require.EqualValues(t, 1, p.node.Send(0, appendPayload(nil, 1)))
			}
			soon(t, "the write", blocked)
			if kind == " send: " {
				// It is in the machine's hands, but it ticks no more.
				require.EqualValues(t, 1, p.node.Send(0, appendPayload(nil, 1)))
			}
			// On a new connection, the machine says anew what it has consumed.
			_ = (<-lines).Close()
			require.Eventually(t, func() bool { return p.node.Stats().Reconnects == 1 }, deadline, time.Millisecond)
			assert.LessOrEqual(t, p.got.Load(), l.sent.Load(), "I1: sent, but not logged")
			assert.Zero(t, p.node.Room(0), "I2: acknowledged, but not logged")
			close(release)
			for p.node.Room(0) == 0 {
				soon(t, "the acknowledgement", p.room)
			}
			assert.EqualValues(t, 1, l.taken.Load())
			require.Eventually(t, func() bool { return p.got.Load() > 5 }, deadline, time.Millisecond, "and it goes on")
			f.stops[0](StopWithin{time.Millisecond})
			soon(t, "its end", f.ended[0])
			require.NoError(t, f.errs[0])
		})
	}
}

// A log that cannot be written ends the machine, at once and without a goodbye.
func TestLogThatFails(t *testing.T) {
	const window = 8
	tests := []struct {
		name string
		at   func(write int, lines []byte) bool // fails
		want string
		left bool // a log
	}{
		{"the first line", func(write int, _ []byte) bool { return write == 1 }, "at step 0 ", false},
		{"the first event", func(write int, _ []byte) bool { return write == 2 }, "at step ", true},
		{"a later one", func(write int, _ []byte) bool { return write > 50 }, "at step ", true},
		{"the last line", func(_ int, lines []byte) bool { return bytes.Contains(lines, []byte(" stop: ")) }, "at step ", true},
	}
	for _, rate := range []string{"500", "max"} {
		for _, tt := range tests {
			t.Run(rate+", "+tt.name, func(t *testing.T) {
				f := newFleet(t, []string{rate, "1"}, func(_ int, cfg *Config) {
					// Linger: the peer does not finish.
					cfg.Die, cfg.Duration, cfg.Linger = 3, 300*time.Millisecond, time.Millisecond
				})
				over := f.untilEnding()
				p := newPeer(f, func(cfg *transport.Config) { cfg.Window = window })
				writes := 0
				l := f.startWith(func(lines []byte) error {
					if writes++; tt.at(writes, lines) {
						return fmt.Errorf("event log: %w", syscall.ENOSPC)
					}
					return nil
				})
				p.holdAgainst(l)
				if tt.left {
					p.connect(true)
					p.correspond(l, window, over)
				} else { // it dies so early that its peer may wait for it in vain
					ctx, cancel := context.WithCancel(context.Background())
					defer cancel()
					go func() {
						if p.node.Connect(ctx) == nil {
							_, _ = p.node.Barrier(ctx)
						}
					}()
				}
				soon(t, "its end", f.ended[0])
				err := f.errs[0]
				require.ErrorIs(t, err, syscall.ENOSPC)
				assert.NotErrorAs(t, err, new(*StartError), "it had begun")
				require.ErrorContains(t, err, "the event log cannot be written, so the machine stops "+tt.want)
				require.ErrorContains(t, err, "(nothing that is not logged was sent or acknowledged): event log: no space left on device")
				assert.Nil(t, f.results[0])
				p.close()
				if !tt.left {
					onlyLinks(t, f.cfgs[0])
					return
				}
				requireBrokenOff(t, f.logName(0))
				inFile := &ledger{}
				b, err := os.ReadFile(f.logName(0))
				require.NoError(t, err)
				inFile.enter(logging.NewReader(bytes.NewReader(b), "file"))
				assert.LessOrEqual(t, p.got.Load(), inFile.sent.Load())
			})
		}
	}
}

// requireBrokenOff requires a log of whole lines without a stop line.
func requireBrokenOff(t *testing.T, name string) {
	t.Helper()
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	require.True(t, bytes.HasSuffix(b, []byte("\n")), "it ends with a whole line")
	for _, rec := range read(t, name) {
		require.NotEqual(t, logging.StopRecord, rec.Kind)
	}
}

// The order of a commit: first the lines, then what they say.
func TestCommitAfterAFailureDoesNothing(t *testing.T) {
	f := newFleet(t, []string{"max", "1"}, func(_ int, cfg *Config) { cfg.Die = 1 })
	r, err := newRunner(f.cfgs[0], f.lns[0])
	require.NoError(t, err)
	defer func() { _ = r.file.Discard() }()
	full := errors.New("full")
	r.steps.journal.log = logging.NewWriter(&ledger{w: r.file, before: func([]byte) error { return full }}, 0)
	require.NoError(t, r.steps.inbox.Deliver(1, 1, [][]byte{appendPayload(nil, 1)}))
	for range 3 { // a receive, then sends
		var ev event.Event
		going, err := r.steps.step(&ev)
		require.NoError(t, err)
		require.True(t, going)
		r.steps.record(time.Now(), &ev)
	}
	for range 2 {
		require.ErrorIs(t, r.steps.commit(), full)
		assert.Equal(t, []int{1}, r.steps.journal.unsent.to)
		assert.Equal(t, 2, r.steps.journal.unsent.waiting(1))
		assert.Equal(t, []int{1}, r.steps.journal.unacked)
		assert.Zero(t, r.node.Stats().Messages)
		assert.Zero(t, r.steps.watcher.steps.Load(), "it is not even talked about")
	}
}

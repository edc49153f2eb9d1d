package vm

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/summary"
	"github.com/scalemodel/lamport/pkg/transport"
)

// requireStartError requires that a run has not begun, for this reason.
func requireStartError(t *testing.T, err error, want string) {
	t.Helper()
	require.EqualError(t, err, want)
	start := (*StartError)(nil)
	require.ErrorAs(t, err, &start)
}

func TestConfigThatCannotRun(t *testing.T) {
	tests := []struct {
		name string
		edit func(*Config)
		want string
	}{
		{"no run", func(c *Config) { c.Run = "" }, `run "": want a name of 1 to 64 letters, digits, dots, dashes or underscores`},
		{"no rate", func(c *Config) { c.Rate = 0 }, "rate 0: want above 0 and at most 1000000 ticks per second, or max"},
		{"too fast", func(c *Config) { c.Rate = clock.MaxRate + 1 }, "rate 1000000.000000001: want above 0 and at most 1000000 ticks per second, or max"},
		{"no die", func(c *Config) { c.Die = 0 }, "die 0: a die has at least 1 face"},
		{"negative duration", func(c *Config) { c.Duration = -1 }, "duration -1ns: a duration cannot be negative"},
		{"negative connect timeout", func(c *Config) { c.ConnectTimeout = -1 }, "connect timeout -1ns, linger 1m0s: neither can be negative"},
		{"negative linger", func(c *Config) { c.Linger = -1 }, "connect timeout 1m0s, linger -1ns: neither can be negative"},
		{"negative window", func(c *Config) { c.Window = -1 }, "window -1: want 1 to 2147483647 messages"},
		{"id too low", func(c *Config) { c.ID = -1 }, "machine id -1: want 0 to 1"},
		{"id too high", func(c *Config) { c.ID = 2 }, "machine id 2: want 0 to 1"},
		{"own id among the peers", func(c *Config) { c.Peers = []transport.Peer{{ID: 0, Addr: "b:1"}} }, "peer b:1 has this machine's own id 0"},
		{"peer's id too high", func(c *Config) { c.Peers = []transport.Peer{{ID: 2, Addr: "b:1"}} }, "peer b:1 has id 2: with 1 peer, ids are 0 to 1"},
		{"two peers with one id", func(c *Config) {
			c.Peers = []transport.Peer{{ID: 1, Addr: "b:1"}, {ID: 1, Addr: "c:1"}}
		}, "peers b:1 and c:1 have one id, 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFleet(t, []string{"1", "1"}, nil)
			cfg := f.cfgs[0]
			tt.edit(&cfg)
			m, err := Run(t.Context(), cfg, f.lns[0])
			assert.Nil(t, m)
			requireStartError(t, err, tt.want)
			empty(t, cfg.LogDir)
			cfg.Resume = true // an empty log, which is opened early, goes too
			_, err = Run(t.Context(), cfg, f.lns[0])
			requireStartError(t, err, tt.want)
			empty(t, cfg.LogDir)
			_ = f.lns[0].(*net.TCPListener).SetDeadline(time.Now())
			_, err = f.lns[0].Accept()
			require.ErrorIs(t, err, net.ErrClosed, "the listener is closed")
		})
	}
}

func TestWindowTooLarge(t *testing.T) {
	if strconv.IntSize == 32 {
		t.Skip("an int has 32 bits here")
	}
	bits := 32
	window := 1 << bits // of which the wire would see 0
	f := newFleet(t, []string{"1"}, func(_ int, cfg *Config) { cfg.Window = window })
	_, err := Run(t.Context(), f.cfgs[0], f.lns[0])
	requireStartError(t, err, "window 4294967296: want 1 to 2147483647 messages")
}

func TestLogThatCannotBeCreated(t *testing.T) {
	t.Run("an earlier log is in the way", func(t *testing.T) {
		f := newFleet(t, []string{"1"}, nil)
		name := f.logName(0)
		require.NoError(t, os.WriteFile(name, []byte("precious\n"), 0o600))
		_, err := Run(t.Context(), f.cfgs[0], f.lns[0])
		requireStartError(t, err, fmt.Sprintf("cannot create event log %q: file exists (a log is never overwritten: move it away or choose another directory)", name))
		require.ErrorIs(t, err, os.ErrExist)
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		assert.Equal(t, "precious\n", string(b), "it is untouched")
	})
	t.Run("no directory", func(t *testing.T) {
		f := newFleet(t, []string{"1"}, func(_ int, cfg *Config) { cfg.LogDir = filepath.Join(cfg.LogDir, "missing") })
		_, err := Run(t.Context(), f.cfgs[0], f.lns[0])
		requireStartError(t, err, fmt.Sprintf("cannot create an event log in %q: no such file or directory (create the directory first or choose another)", f.cfgs[0].LogDir))
	})
	t.Run("a file for a directory", func(t *testing.T) {
		f := newFleet(t, []string{"1"}, func(_ int, cfg *Config) {
			cfg.LogDir = filepath.Join(cfg.LogDir, "file")
			require.NoError(t, os.WriteFile(cfg.LogDir, nil, 0o600))
		})
		_, err := Run(t.Context(), f.cfgs[0], f.lns[0])
		requireStartError(t, err, fmt.Sprintf("cannot create an event log in %q: not a directory (choose a directory)", f.cfgs[0].LogDir))
	})
	t.Run("not writable", func(t *testing.T) {
		f := newFleet(t, []string{"1"}, func(_ int, cfg *Config) { cfg.LogDir = notWritable(t) })
		_, err := Run(t.Context(), f.cfgs[0], f.lns[0])
		require.ErrorContains(t, err, fmt.Sprintf("cannot create an event log in %q: ", f.cfgs[0].LogDir))
		require.ErrorContains(t, err, "(make the directory writable or choose another)")
	})
}

// notWritable returns a directory in which this user cannot make a file.
func notWritable(t *testing.T) string {
	if runtime.GOOS == "linux" {
		return "/sys" // where not even root can
	}
	if os.Getuid() <= 0 {
		t.Skip("this user may write everywhere")
	}
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o500))
	return dir
}

func TestStoppedBeforeTheRun(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	stop()
	for _, rates := range [][]string{{"1"}, {"1", "1"}} {
		f := newFleet(t, rates, nil)
		_, err := Run(ctx, f.cfgs[0], f.lns[0])
		require.ErrorIs(t, err, context.Canceled)
		requireStartError(t, err, "context canceled")
		empty(t, f.cfgs[0].LogDir)
	}
}

func TestStoppedWhileItLooksForItsPeers(t *testing.T) {
	f := newFleet(t, []string{"1", "1"}, func(_ int, cfg *Config) { cfg.ConnectTimeout = 0 })
	f.cfgs[0].Watch = func(s summary.Status) {
		assert.Equal(t, summary.Connecting, s.Phase)
		assert.FileExists(t, f.logName(0))
		f.stops[0](nil)
	}
	f.start(0)
	soon(t, "its end", f.ended[0])
	require.ErrorIs(t, f.errs[0], context.Canceled)
	empty(t, f.cfgs[0].LogDir)
}

// asked is a listener that counts how often it is asked for a connection.
type asked struct {
	net.Listener
	asked atomic.Int32
}

func (a *asked) Accept() (net.Conn, error) {
	a.asked.Add(1)
	return a.Listener.Accept()
}

// A machine that is held back neither dials nor answers.
func TestGate(t *testing.T) {
	gate := make(chan struct{})
	f := newFleet(t, []string{"1000", "1000"}, func(_ int, cfg *Config) {
		cfg.Gate, cfg.Duration = gate, 10*time.Millisecond
	})
	ln := &asked{Listener: f.lns[0]}
	f.lns[0] = ln
	conn, err := net.Dial("tcp", f.lns[0].Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.Write([]byte("no HELLO, which is answered at once"))
	require.NoError(t, err)
	f.start(0)
	waitsIn(t, "vm.(*runner).passGate")
	require.Zero(t, ln.asked.Load(), "nobody is let in")
	f.start(1)
	close(gate)
	_ = conn.SetReadDeadline(time.Now().Add(deadline))
	_, err = conn.Read(make([]byte, 1))
	require.NoError(t, err, "its answer to nonsense")
	f.wait()
	f.check()
}

// The time there is not one in which peers could have been found.
func TestStoppedAtTheGate(t *testing.T) {
	f := newFleet(t, []string{"1", "1"}, func(_ int, cfg *Config) {
		cfg.Gate, cfg.ConnectTimeout = make(chan struct{}), time.Nanosecond
	})
	f.cfgs[0].Watch = func(s summary.Status) {
		assert.Equal(t, summary.Connecting, s.Phase)
	}
	f.start(0)
	waitsIn(t, "vm.(*runner).passGate")
	f.stops[0](nil)
	soon(t, "its end", f.ended[0])
	require.ErrorIs(t, f.errs[0], context.Canceled)
	empty(t, f.cfgs[0].LogDir)
}

// A machine that comes back to its run finds the others there.
func TestNoGateForAMachineThatComesBack(t *testing.T) {
	f := newFleet(t, []string{"200"}, nil)
	f.run()
	cfg := f.cfgs[0]
	cfg.Resume, cfg.Gate = true, make(chan struct{})
	_, err := Run(t.Context(), cfg, listen(t))
	require.Equal(t, &OverError{Step: f.results[0].Steps}, err)
}

// A machine that is started again alone when its run is over waits for nobody: not even to hear
// who is behind which address.
func TestStartedAgainAfterTheEnd(t *testing.T) {
	f := newFleet(t, []string{"50", "50", "50"}, func(_ int, cfg *Config) {
		for i := range cfg.Peers {
			cfg.Peers[i].ID = transport.AnyID
		}
	})
	f.run()
	before, err := os.ReadFile(f.logName(0))
	require.NoError(t, err)
	for range 2 {
		cfg := f.cfgs[0]
		cfg.Resume, cfg.Linger, cfg.ConnectTimeout = true, 10*time.Millisecond, 0 // for ever
		ctx, cancel := context.WithTimeout(t.Context(), deadline)
		m, err := Run(ctx, cfg, listen(t))
		require.Equal(t, &OverError{Step: f.results[0].Steps}, err)
		require.NoError(t, ctx.Err())
		cancel()
		assert.Equal(t, f.results[0].Steps, m.Steps)
	}
	after, err := os.ReadFile(f.logName(0))
	require.NoError(t, err)
	assert.Equal(t, string(before), string(after))
}

func TestPeerIsNeverThere(t *testing.T) {
	f := newFleet(t, []string{"1", "1", "1"}, func(id int, cfg *Config) {
		if id == 0 {
			cfg.ConnectTimeout = 500 * time.Millisecond
		}
	})
	require.NoError(t, f.lns[2].Close())
	f.start(1)
	f.start(0)
	soon(t, "its end", f.ended[0])
	f.stops[1](nil)
	soon(t, "its end", f.ended[1])
	requireStartError(t, f.errs[0], fmt.Sprintf("machine 2 (%s) cannot be reached: connect: connection refused", f.lns[2].Addr()))
	empty(t, f.cfgs[0].LogDir)
}

func TestTwoMachinesWithOneID(t *testing.T) {
	var said sharedBuffer
	f := newFleet(t, []string{"1", "1", "1"}, func(id int, cfg *Config) {
		// What three hosts would be started with, had the last been given
		// the id of the second.
		cfg.LogDir = t.TempDir()
		for i := range cfg.Peers {
			cfg.Peers[i].ID = transport.AnyID
		}
		cfg.ID = min(id, 1)
		cfg.ConnectTimeout = time.Second
		cfg.Logger = logging.Diagnostics(&said, "test", hclog.Info)
	})
	for id := range f.cfgs {
		f.start(id)
	}
	f.wait()
	// Who meets whom first is open.
	const pattern = "two machines with id 1|both say that they are machine 1|does not take this machine for one of its run"
	for id, err := range f.errs {
		require.Error(t, err, "machine %d", id)
		require.ErrorAs(t, err, new(*StartError))
		empty(t, f.cfgs[id].LogDir)
	}
	assert.Regexp(t, pattern, f.errs[1].Error()+f.errs[2].Error())
	// Whoever refuses one of them says why.
	if strings.Contains(f.errs[1].Error()+f.errs[2].Error(), "does not take this machine") {
		assert.Regexp(t, "two machines with id 1|a machine with id 1 is connected already, from 127.0.0.1", said.String())
	}
}

// peer is machine 1 of 2, made by hand around a transport node. It consumes
// whatever comes.
type peer struct {
	t    testing.TB
	node *transport.Node

	onDeliver func(seq uint64, sent clock.Time) // called in order
	got       atomic.Uint64                     // the last message
	arrived   chan struct{}
	room      chan struct{}
	done      chan struct{}
	close     func() // breaks all links without a word
}

func newPeer(f *fleet, edit func(*transport.Config)) *peer {
	f.t.Helper()
	p := &peer{t: f.t, arrived: make(chan struct{}, 1), room: make(chan struct{}, 1), done: make(chan struct{})}
	cfg := transport.Config{
		ID: 1, Run: f.cfgs[0].Run, Handler: p, Life: 1,
		Peers: []transport.Peer{{ID: 0, Addr: f.lns[0].Addr().String()}},
	}
	if edit != nil {
		edit(&cfg)
	}
	var err error
	p.node, err = transport.New(cfg, f.lns[1])
	require.NoError(f.t, err)
	go func() {
		for {
			select {
			case <-p.arrived:
				p.node.Consumed(0, p.got.Load())
			case <-p.done:
				return
			}
		}
	}()
	p.close = sync.OnceFunc(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		p.node.Close(ctx)
		close(p.done)
	})
	f.t.Cleanup(p.close)
	return p
}

func (p *peer) Deliver(_ int, first uint64, payloads [][]byte) error {
	for i, b := range payloads {
		seq := first + uint64(i)
		assert.Len(p.t, b, payloadLen)
		if p.onDeliver != nil {
			p.onDeliver(seq, clock.Time(binary.BigEndian.Uint64(b)))
		}
		p.got.Store(seq)
	}
	ring(p.arrived)
	return nil
}

func ring(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (p *peer) Room(int) { ring(p.room) }

// connect makes the links and, if start is set, agrees to the start.
func (p *peer) connect(start bool) {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	require.NoError(p.t, p.node.Connect(ctx))
	if start {
		_, err := p.node.Barrier(ctx)
		require.NoError(p.t, err)
	}
}

// heard is a logger's output that tells when a text came by.
type heard struct {
	text  []byte
	there chan struct{}
}

func (h *heard) Write(b []byte) (int, error) {
	if h.text != nil && bytes.Contains(b, h.text) {
		h.text = nil
		close(h.there)
	}
	return len(b), nil
}

func hears(text string) (hclog.Logger, <-chan struct{}) {
	h := &heard{[]byte(text), make(chan struct{})}
	return logging.Diagnostics(h, "test", hclog.Info), h.there
}

// All links stand, but a peer never says that its own do.
func TestNobodyElseIsReady(t *testing.T) {
	t.Run("stopped", func(t *testing.T) {
		var there <-chan struct{}
		f := newFleet(t, []string{"1", "1"}, func(id int, cfg *Config) {
			if id == 0 {
				cfg.Logger, there = hears("all links are up")
			}
		})
		p := newPeer(f, nil)
		f.start(0)
		p.connect(false)
		soon(t, "all links", there)
		f.stops[0](nil)
		soon(t, "its end", f.ended[0])
		requireStartError(t, f.errs[0], "context canceled")
		require.ErrorIs(t, f.errs[0], context.Canceled)
		onlyLinks(t, f.cfgs[0])
	})
	t.Run("timeout", func(t *testing.T) {
		f := newFleet(t, []string{"1", "1"}, func(_ int, cfg *Config) { cfg.ConnectTimeout = time.Second })
		p := newPeer(f, nil)
		f.start(0)
		p.connect(false)
		soon(t, "its end", f.ended[0])
		requireStartError(t, f.errs[0], "the other machines are connected to this one, but not all to each other: does each have all others as peers?")
		onlyLinks(t, f.cfgs[0])
	})
}

// The cause of a stop says how long to wait for a peer that does not say goodbye.
func TestStopWithin(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "stopped, with 10ms for last messages", StopWithin{10 * time.Millisecond}.Error())
	within := func(d time.Duration) error { return fmt.Errorf("the supervisor says: %w", StopWithin{d}) }
	// begin starts a machine, and tells when it waits for its peer's end.
	begin := func(t *testing.T, duration, linger time.Duration) (f *fleet, p *peer, there, ending <-chan struct{}) {
		ends := make(chan struct{})
		f = newParallelFleet(t, []string{"500", "1"}, func(id int, cfg *Config) {
			cfg.Duration, cfg.Linger, cfg.Die = duration, linger, 1
			cfg.WatchEvery = time.Millisecond
			if id == 0 {
				var watch func(summary.Status)
				watch, there = after(5)
				once := sync.OnceFunc(func() { close(ends) })
				cfg.Watch = func(s summary.Status) {
					watch(s)
					if s.Phase == summary.Ending {
						once()
					}
				}
			}
		})
		p = newPeer(f, nil)
		f.start(0)
		p.connect(true)
		return f, p, there, ends
	}
	stopLine := func(f *fleet) logging.Stop {
		soon(f.t, "its end", f.ended[0])
		require.NoError(f.t, f.errs[0])
		records := read(f.t, f.logName(0))
		return records[len(records)-1].Stop
	}
	t.Run("less than its linger", func(t *testing.T) {
		t.Parallel()
		f, _, there, _ := begin(t, 0, time.Hour)
		soon(t, "five steps", there)
		f.stops[0](within(time.Second))
		stop := stopLine(f)
		assert.GreaterOrEqual(t, stop.Step, uint64(5))
		assert.Empty(t, stop.Undelivered, "the peer has said what it holds, if not goodbye")
	})
	t.Run("less than its linger, when it lingers already", func(t *testing.T) {
		t.Parallel()
		f, _, _, ending := begin(t, 20*time.Millisecond, time.Hour)
		soon(t, "the end of its duration", ending)
		f.stops[0](within(time.Second))
		assert.Empty(t, stopLine(f).Undelivered)
	})
	t.Run("more than its linger", func(t *testing.T) {
		t.Parallel()
		f, p, there, ending := begin(t, 0, time.Nanosecond)
		soon(t, "five steps", there)
		f.stops[0](within(deadline))
		soon(t, "its ending", ending)
		for range 3 {
			p.node.Send(0, appendPayload(nil, 1))
		}
		ctx, cancel := context.WithTimeout(context.Background(), deadline)
		defer cancel()
		assert.Empty(t, p.node.Drain(ctx))
		p.node.Settle(ctx)
		assert.Equal(t, []logging.Count{{Peer: 1, Messages: 3}}, stopLine(f).Pending)
	})
	t.Run("another cause does not change it", func(t *testing.T) {
		t.Parallel()
		f, _, there, _ := begin(t, 0, 10*time.Millisecond)
		soon(t, "five steps", there)
		f.stops[0](nil)
		stopLine(f)
	})
}

// refuses runs a machine whose peer sends a good message and then nonsense. The
// peer is told why it is refused; the machine goes on, and receives nothing of it.
func refuses(t *testing.T, maxJump uint64, nonsense []byte, want string) {
	f := newFleet(t, []string{"1000", "1"}, func(_ int, cfg *Config) { cfg.Duration, cfg.MaxJump = deadline, maxJump })
	l, told := hears(want)
	p := newPeer(f, func(cfg *transport.Config) { cfg.Logger = logging.Slog(l) })
	f.start(0)
	p.connect(true)
	p.node.Send(0, appendPayload(nil, 7))
	p.node.Send(0, nonsense)
	p.node.Send(0, appendPayload(nil, 8))
	soon(t, "the refusal", told)
	f.stops[0](StopWithin{10 * time.Millisecond})
	soon(t, "its end", f.ended[0])
	require.NoError(t, f.errs[0])
	assert.Positive(t, f.results[0].Wire.Refused)
	records := read(t, f.logName(0))
	for _, rec := range records {
		if rec.Kind == logging.EventRecord && rec.Event.Kind == event.Receive {
			require.EqualValues(t, 1, rec.Event.Messages()[0].Seq)
		}
	}
	assert.Equal(t, logging.StopRecord, records[len(records)-1].Kind, "it has come to its end")
}

func TestPeerWithBadPayload(t *testing.T) {
	refuses(t, 0, []byte("seven"), "message 2 of machine 1 has a payload of 5 bytes, want 8")
}

// A clock does not follow a stamp that no honest machine can have.
func TestPeerWithTheLargestStamp(t *testing.T) {
	refuses(t, 0, appendPayload(nil, clock.Max), "message 2 of machine 1: "+clock.ErrJump.Error())
	refuses(t, math.MaxUint64, appendPayload(nil, clock.Max), "message 2 of machine 1: "+clock.ErrSaturated.Error())
	refuses(t, 1e6, appendPayload(nil, 1e7), "message 2 of machine 1: "+clock.ErrJump.Error())
}

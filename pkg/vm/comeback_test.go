package vm

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/summary"
	"github.com/scalemodel/lamport/pkg/transport"
)

func TestElapsed(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		name      string
		peers     []time.Duration
		log, wall time.Duration
		want      time.Duration
	}{
		{"the clock agrees with the peers", []time.Duration{9900 * time.Millisecond, 10 * s}, 5 * s, 10*s + 1, 10*s + 1},
		{"the clock was put forward", []time.Duration{10 * s}, 5 * s, time.Hour, 10 * s},
		{"the clock was put back", []time.Duration{10 * s}, 5 * s, -time.Hour, 10 * s},
		{"one of two peers is wrong", []time.Duration{10 * s, time.Hour}, 5 * s, time.Hour, 10 * s},
		{"one of three peers is wrong", []time.Duration{s, 10 * s, 11 * s}, 5 * s, s, 10 * s},
		{"the log knows better than a peer", []time.Duration{3 * s}, 5 * s, 0, 5 * s},
		{"nobody answers", nil, 5 * s, 7 * s, 7 * s},
		{"nobody answers, and the clock was put back", nil, 5 * s, 3 * s, 5 * s},
	} {
		assert.Equal(t, c.want, evidence{peers: c.peers, log: c.log, wall: c.wall}.elapsed(), c.name)
	}
}

// A run in which nobody is, and which somebody has left to come back, stands still.
func TestElapsedOfARunThatStoodStill(t *testing.T) {
	const s = time.Second
	crashed := func(at time.Duration) comeback { return comeback{at: at} }
	paused := func(at time.Duration) comeback { return comeback{at: at, paused: true} }
	for _, c := range []struct {
		name  string
		peers []time.Duration
		own   comeback
		back  []comeback
		stood bool // before
		still bool
		want  time.Duration
	}{
		{"alone", nil, paused(19 * s), nil, false, true, 19 * s},
		{"all were paused at once", nil, paused(19*s + 3), []comeback{paused(19*s + 2), paused(19*s + 4)}, false, true, 19*s + 2},
		{"one was paused before the others", nil, paused(30 * s), []comeback{paused(10 * s), paused(31 * s)}, false, true, 10 * s},
		{"it was the one", nil, paused(10 * s), []comeback{paused(30 * s)}, false, true, 10 * s},
		{"another was killed", nil, paused(19*s + 3), []comeback{crashed(20 * s)}, false, true, 19*s + 3},
		{"another was killed long before", nil, paused(30 * s), []comeback{crashed(11 * s)}, false, true, 11 * s},
		{"it was killed, and another paused", nil, crashed(20 * s), []comeback{paused(19 * s)}, false, true, 19 * s},
		{"all were killed", nil, crashed(20 * s), []comeback{crashed(20 * s)}, false, false, time.Hour},
		{"the others have gone on", []time.Duration{40 * s}, paused(19 * s), []comeback{paused(19 * s)}, false, false, 40 * s},
		{"the others are back where it was ahead of them", []time.Duration{11 * s}, paused(19 * s), []comeback{paused(10 * s)}, false, false, 11 * s},
		{"killed ahead of the others, in a run that stood still", []time.Duration{11 * s}, crashed(20 * s), nil, true, false, 11 * s},
		{"killed in a run that stood still", []time.Duration{time.Hour + 1}, crashed(20 * s), nil, true, false, time.Hour + 1},
		{"killed where others have come back long ago", []time.Duration{40 * s}, crashed(20 * s), []comeback{paused(10 * s)}, false, false, 40 * s},
	} {
		e := evidence{peers: c.peers, log: c.own.at - s/2, wall: time.Hour, stood: c.stood, own: c.own, back: c.back}
		assert.Equal(t, c.want, e.elapsed(), c.name)
		assert.Equal(t, c.still, e.standsStill(), c.name)
	}
}

// The log of a machine that was killed does not show by its times that its run stood still while
// it was away: its resume line has to say so, if the others were back before it.
func TestTheRunStoodMeanwhile(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		name  string
		peers []time.Duration
		wall  time.Duration
		want  bool
	}{
		{"nobody is in the run", nil, 100 * s, false},
		{"it went on", []time.Duration{100*s - 3}, 100 * s, false},
		{"it stood", []time.Duration{20 * s}, 100 * s, true},
		{"the clock was put back", []time.Duration{100 * s}, 20 * s, false},
	} {
		assert.Equal(t, c.want, evidence{peers: c.peers, log: 19 * s, wall: c.wall}.stoodMeanwhile(), c.name)
	}
}

// What a machine says of itself when it comes back is when it misses its first tick.
func TestComeback(t *testing.T) {
	begun := time.Unix(1000, 0)
	p := past{start: begun, began: begun, last: begun.Add(9 * time.Second)}
	assert.Equal(t, comeback{at: 2500 * time.Millisecond}, p.comeback(parseRate(t, "2"), 4))
	assert.Equal(t, comeback{at: 9 * time.Second}, p.comeback(clock.Unpaced, 1_000_000))
	p.paused = 10 * time.Second
	assert.Equal(t, comeback{at: 10 * time.Second, paused: true}, p.comeback(parseRate(t, "2"), 4))

	p = past{start: begun, began: begun.Add(time.Hour), stood: true, last: begun.Add(time.Hour + 7*time.Second)}
	assert.Equal(t, 7*time.Second, p.proven(parseRate(t, "2"), 20), "not the 10 s of its ticks: the others had fewer")
}

var errKilled = errors.New("killed")

// mortal starts machine 0. The returned function breaks it off, as a kill does, and
// returns when it is gone: nothing more is in its log, and nobody has heard a goodbye.
func (f *fleet) mortal() (kill func()) {
	var killed atomic.Bool
	f.startWith(func([]byte) error {
		if killed.Load() {
			return errKilled
		}
		return nil
	})
	return func() {
		f.t.Helper()
		killed.Store(true)
		soon(f.t, "the end of the process", f.ended[0])
		require.ErrorIs(f.t, f.errs[0], errKilled)
	}
}

// comeBack starts machine 0 again, where it was.
func (f *fleet) comeBack() {
	f.t.Helper()
	f.lns[0], f.ended[0], f.cfgs[0].Resume = relisten(f.t, f.lns[0]), make(chan struct{}), true
	f.start(0)
}

// relisten listens where a process did that has ended.
func relisten(t testing.TB, ln net.Listener) net.Listener {
	t.Helper()
	again, err := net.Listen("tcp", ln.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = again.Close() })
	return again
}

// A log that lacks whole lines that a peer knows of is refused before a line is written,
// on whichever link the peer says so: one that lacks sends on the link that the machine
// dials, one that lacks nothing but receives on the one that it accepts.
func TestLogWithoutItsLastLines(t *testing.T) {
	for _, c := range []struct {
		name string
		peer string // its rate: slow, and the machine does little but send; quick, and it does nothing but receive
		// window is so small where the lines are receives that each is acknowledged at once: one of which
		// nobody knows may be lost.
		window int
		want   string
	}{
		{"sends", "1", 0, "machine 0 was started again without its log"},
		{"receives", "5000", 16, "machine 0 was started again without its log"},
	} {
		t.Run(c.name, func(t *testing.T) {
			watch, there := after(200)
			f := newFleet(t, []string{"1000", c.peer}, func(id int, cfg *Config) {
				cfg.Duration, cfg.Linger, cfg.Die = 0, 100*time.Millisecond, 3
				cfg.Window = c.window
				if id == 0 {
					cfg.Watch, cfg.WatchEvery = watch, time.Millisecond
				}
			})
			kill := f.mortal()
			f.start(1)
			soon(t, "some events", there)
			kill()
			f.cfgs[0].Watch = nil
			b, err := os.ReadFile(f.logName(0))
			require.NoError(t, err)
			b = b[:lastLines(b, 60)]
			require.NoError(t, os.WriteFile(f.logName(0), b, 0o666))
			f.comeBack()
			soon(t, "its end", f.ended[0])
			require.ErrorContains(t, f.errs[0], c.want)
			after, err := os.ReadFile(f.logName(0))
			require.NoError(t, err)
			assert.True(t, bytes.Equal(b, after), "the log is as it was")
			f.stops[1](StopWithin{time.Millisecond})
			f.wait()
		})
	}
}

// The system's clock is set during a run, then a machine dies and comes back: it does the
// rest of the run, and no more.
func TestClockIsSetInARun(t *testing.T) {
	t.Parallel()
	for _, step := range []time.Duration{time.Hour, -time.Hour} {
		t.Run(step.String(), func(t *testing.T) {
			t.Parallel()
			const duration = 2 * time.Second
			watch, there := after(20)
			var set atomic.Int64
			f := newParallelFleet(t, []string{"200", "100"}, func(id int, cfg *Config) {
				cfg.Duration = duration
				if id == 0 {
					cfg.Watch, cfg.WatchEvery = watch, time.Millisecond
					cfg.wall = func() time.Time { // without a monotonic reading, which cannot be set
						return time.Now().Round(0).Add(time.Duration(set.Load()))
					}
				}
			})
			kill := f.mortal()
			f.start(1)
			soon(t, "some events", there)
			set.Store(int64(step))
			kill()
			records := read(t, f.logName(0))
			began := records[0].Time()
			var start time.Time
			f.cfgs[0].Watch = func(s summary.Status) {
				if s.Phase == summary.Running {
					start = s.Start
				}
			}
			f.comeBack()
			f.wait()
			require.NoError(t, errors.Join(f.errs...))
			assert.GreaterOrEqual(t, time.Since(began), duration, "it has not ended before its time")
			assert.WithinDuration(t, began, start, sameTime)
			assert.EqualValues(t, 400, f.results[0].Steps+f.results[0].Missed)
			assert.Greater(t, f.results[0].Steps, uint64(len(records)), "it has gone on")
			requireCorrect(t, f.cfgs[0].LogDir)
		})
	}
}

// A machine that comes back to a run and finds nobody is stopped by the first word, like
// any other: where it can go on without its peers, in an order that its log shows.
func TestStoppedWhileItResumes(t *testing.T) {
	prepare := func(t *testing.T, id int) *fleet {
		watch, there := after(5)
		f := newFleet(t, []string{"200", "100"}, func(_ int, cfg *Config) {
			cfg.Duration, cfg.Linger, cfg.Watch, cfg.WatchEvery = 0, 100*time.Millisecond, watch, time.Millisecond
		})
		kill := f.mortal()
		f.start(1)
		soon(t, "some events", there)
		kill()
		f.stops[1](StopWithin{time.Millisecond})
		soon(t, "the peer's end", f.ended[1])
		f.cfgs[0].Watch = nil
		f.cfgs[0].Peers[0].ID = id
		f.cfgs[0].hear = time.Hour // it does not wait for this once it is stopped
		return f
	}
	// A peer of which only the address is known is the one that was there before.
	for name, id := range map[string]int{"peers that are known": 1, "peers whose ids are not said": transport.AnyID} {
		t.Run(name, func(t *testing.T) {
			f := prepare(t, id)
			f.comeBack()
			waitsIn(t, "transport.(*Node).await")
			f.stops[0](context.Canceled)
			soon(t, "its end", f.ended[0])
			require.NoError(t, f.errs[0])
			records := read(t, f.logName(0))
			assert.Equal(t, f.results[0].Steps, records[len(records)-1].Stop.Step)
		})
	}
}

// idle is a mode that does nothing of what it should.
type idle struct{ mode }

func (idle) drive() error { return nil }

// A machine that stops before its time, and was not told to, has failed: it writes no stop
// line.
func TestStopBeforeItsTime(t *testing.T) {
	for _, duration := range []time.Duration{0, time.Hour} {
		f := newFleet(t, []string{"100"}, func(_ int, cfg *Config) { cfg.Duration = duration })
		r, err := newRunner(f.cfgs[0], f.lns[0])
		require.NoError(t, err)
		r.mode = idle{r.mode}
		_, err = r.run(t.Context())
		require.EqualError(t, err, "the machine has come to rest at step 0, before its time, and nobody has stopped it")
		assert.NotErrorAs(t, err, new(*StartError), "it had begun")
		records := read(t, f.logName(0))
		assert.Equal(t, logging.StartRecord, records[len(records)-1].Kind)
	}
}

// A machine that is killed behind its stop line comes back to say CLOSED. What a peer sends it
// until then is in no log of its own, so the peer has to hear that it was not taken.
func TestNothingIsTakenBehindTheStopLine(t *testing.T) {
	f := newFleet(t, []string{"1", "1"}, nil)
	r, err := newRunner(f.cfgs[0], f.lns[0])
	require.NoError(t, err)
	r.steps.journal.log.Start(time.Now(), r.cfg.Start(0, 2, r.cfg.Rate))
	r.steps.journal.log.Stop(time.Now(), logging.Stop{})
	require.NoError(t, r.steps.commit())
	require.NoError(t, r.file.Close())
	r.node.Close(t.Context())

	f.cfgs[0].Resume = true
	keepLinks(t, f.cfgs[0])
	keepLinks(t, f.cfgs[1])
	kept, err := openKept(&f.cfgs[1], true)
	require.NoError(t, err)
	ln := listen(t)
	r, err = newRunner(f.cfgs[0], ln)
	require.NoError(t, err)
	defer func() { _ = r.file.Discard() }()
	secrets, err := kept.to([]transport.Peer{{ID: 0}}, true)
	require.NoError(t, err)
	peer, err := transport.New(transport.Config{
		ID: 1, Run: "test", Life: kept.Life, Handler: newInbox(1, 0), Secrets: secrets,
		Peers: []transport.Peer{{ID: 0, Addr: ln.Addr().String()}},
		Past:  []transport.Past{{Peer: 0, Secret: kept.from(0)}},
	}, f.lns[1])
	require.NoError(t, err)
	defer peer.Close(t.Context())
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	go func() { _, _ = r.node.Rejoin(ctx, ctx, nil) }()
	_, err = peer.Rejoin(ctx, ctx, nil)
	require.NoError(t, err)
	peer.Resume(time.Now(), time.Second)
	before := r.node.Received()
	const messages = 100
	for range messages {
		peer.Send(0, appendPayload(nil, 1))
	}
	const dataFrame = 21 // bytes; other frames may come, too, and are few
	require.Eventually(t, func() bool { return r.node.Received() > before+dataFrame*messages/2 }, deadline, time.Millisecond)
	undelivered := make(chan map[int]uint64, 1)
	go func() {
		undelivered <- peer.Drain(ctx)
		peer.Settle(ctx)
	}()
	_, err = r.end(ctx)
	require.NoError(t, err)
	assert.Equal(t, map[int]uint64{0: messages}, <-undelivered)
}

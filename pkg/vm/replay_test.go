package vm

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/replay"
	"github.com/scalemodel/lamport/pkg/sim"
	"github.com/scalemodel/lamport/pkg/sim/hunt"
	"github.com/scalemodel/lamport/pkg/transport"
)

// replayOf prepares machines that do again what the logs of a run say, by id.
func replayOf(t testing.TB, logs []string, edit func(id int, cfg *Config)) *fleet {
	t.Helper()
	return newFleet(t, slices.Repeat([]string{"1"}, len(logs)), func(id int, cfg *Config) {
		cfg.Replay = openRecord(t, logs[id])
		s := cfg.Replay.Start()
		cfg.Rate, cfg.Seed, cfg.Die, cfg.Run, cfg.Duration = s.Rate, s.Seed, s.Die, s.Run, 0
		if edit != nil {
			edit(id, cfg)
		}
	})
}

func openRecord(t testing.TB, path string) *replay.Track {
	t.Helper()
	track, err := replay.Open(path)
	require.NoError(t, err)
	t.Cleanup(track.Close)
	return track
}

func (f *fleet) logNames() (names []string) {
	for id := range f.cfgs {
		names = append(names, f.logName(id))
	}
	return names
}

func requireSame(t testing.TB, records []string, f *fleet) {
	t.Helper()
	for id, record := range records {
		c, err := replay.Compare(record, f.logName(id), replay.ButTimes)
		require.NoError(t, err)
		require.NoError(t, c.Err())
	}
}

func TestReplay(t *testing.T) {
	for _, c := range []struct {
		rates  []string
		die    int
		window int
	}{
		{[]string{"200"}, 10, 0},
		{[]string{"1000", "333.3"}, 3, 0},
		{[]string{"1000", "5000", "4000"}, 10, 0},
		{[]string{"max", "max", "max"}, 10, 0},
		{[]string{"max", "max", "max"}, 1, 20}, // full links all the time
		{[]string{"100", "max", "500", "max", "1"}, 4, 1},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			f := newFleet(t, c.rates, func(_ int, cfg *Config) { cfg.Die, cfg.Window = c.die, c.window })
			f.run()
			again := replayOf(t, f.logNames(), func(_ int, cfg *Config) { cfg.Window = c.window })
			again.run()
			requireSame(t, f.logNames(), again)
		})
	}
}

// Processes replay what ran in virtual time, with all its crashes: a machine dies
// where its record says so, and comes back.
func TestReplayOfCrashes(t *testing.T) {
	crashes := 0
	for i := range uint64(60) {
		spec, err := hunt.Draw(5, i)
		require.NoError(t, err)
		dir := t.TempDir()
		_, err = sim.Run(t.Context(), sim.Config{Spec: spec, LogDir: dir})
		require.NoError(t, err)
		var logs []string
		for id := range spec.Rates {
			logs = append(logs, newestLog(t, dir, id))
		}
		f := replayOf(t, logs, nil)
		crashes += f.runThroughCrashes(logs)
		requireSame(t, logs, f)
	}
	assert.GreaterOrEqual(t, crashes, 15)
}

func newestLog(t testing.TB, dir string, id int) string {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(dir, fmt.Sprintf("vm_%d_*.log", id)))
	require.NoError(t, err)
	require.Len(t, logs, 1)
	return logs[0]
}

// runThroughCrashes runs machines that replay these records, and starts those that
// crash again.
func (f *fleet) runThroughCrashes(logs []string) (crashes int) {
	type end struct {
		id  int
		err error
	}
	ends := make(chan end)
	start := func(id int) {
		go func() {
			_, err := Run(f.ctxs[id], f.cfgs[id], f.lns[id])
			ends <- end{id, err}
		}()
	}
	for id := range f.cfgs {
		start(id)
	}
	for left := len(f.cfgs); left > 0; {
		select {
		case e := <-ends:
			if e.err == nil {
				left--
				continue
			}
			require.ErrorIs(f.t, e.err, ErrCrash)
			crashes++
			ln, err := net.Listen("tcp", f.lns[e.id].Addr().String())
			require.NoError(f.t, err)
			f.lns[e.id] = ln
			f.cfgs[e.id].Resume = true
			f.cfgs[e.id].Replay = openRecord(f.t, logs[e.id])
			start(e.id)
		case <-time.After(deadline):
			f.t.Fatal("the replay does not end")
		}
	}
	return crashes
}

// A machine that does something else than its record says stops there: what it would
// have done is in no log and reaches nobody. The other waits for it until it is
// stopped, be it by Ctrl-C, and then no longer than it lingers.
func TestReplayDiffers(t *testing.T) {
	for name, c := range map[string]struct {
		rates []string
		cause error
	}{
		"stopped by the launcher":           {[]string{"1000", "1000"}, StopWithin{}},
		"stopped by hand":                   {[]string{"1000", "1000"}, nil},
		"stopped by hand, after its record": {[]string{"0.01", "1000"}, nil}, // which has no event
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t, c.rates, nil)
			f.run()
			again := replayOf(t, []string{f.logName(0), forgeClock(t, f.logName(1), 21)}, func(_ int, cfg *Config) { cfg.Linger = time.Millisecond })
			again.start(0)
			again.start(1)
			soon(t, "the end of the machine that differs", again.ended[1])
			var differs *replay.Difference
			require.ErrorAs(t, again.errs[1], &differs)
			assert.Equal(t, 21, differs.Line)
			written := read(t, again.logName(1))
			assert.LessOrEqual(t, len(written), 20, "the line that differs was not written")
			again.stops[0](c.cause)
			again.wait()
			assert.NoError(t, again.errs[0])
		})
	}
}

// forgeClock copies a log and changes the clock in one of its lines, 1, 2, 3, ….
func forgeClock(t *testing.T, name string, line int) (forged string) {
	t.Helper()
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	lines := strings.SplitAfter(string(b), "\n")
	lines[line-1] = strings.Replace(lines[line-1], " clock=", " clock=9", 1)
	forged = filepath.Join(t.TempDir(), filepath.Base(name))
	require.NoError(t, os.WriteFile(forged, []byte(strings.Join(lines, "")), 0o666))
	return forged
}

// At the pace of the record, no event comes before its time.
func TestReplayAtPace(t *testing.T) {
	f := newFleet(t, []string{"100", "20"}, nil)
	f.run()
	again := replayOf(t, f.logNames(), func(_ int, cfg *Config) { cfg.AtPace = true })
	again.run()
	requireSame(t, f.logNames(), again)
	for id := range again.cfgs {
		was, is := read(t, f.logName(id)), read(t, again.logName(id))
		for i := range was {
			assert.GreaterOrEqual(t, is[i].UnixMicro-is[0].UnixMicro, was[i].UnixMicro-was[0].UnixMicro, "machine %d, line %d", id, i+1)
		}
	}
}

func TestReplayIsInterrupted(t *testing.T) {
	f := newFleet(t, []string{"100", "100"}, nil)
	f.run()
	again := replayOf(t, f.logNames(), nil)
	again.stops[0](StopWithin{}) // one machine never starts in time
	again.start(1)
	again.stops[1](context.Canceled)
	soon(t, "the end", again.ended[1])
	require.ErrorIs(t, again.errs[1], context.Canceled)
	_ = again.lns[0].Close()
	close(again.ended[0])
}

func TestReplayOfAnotherMachine(t *testing.T) {
	f := newFleet(t, []string{"100", "100"}, nil)
	f.run()
	another := " is of another machine: its id, run, rate, seed and die must be the record's"
	for name, c := range map[string]struct {
		edit func(*Config)
		want string
	}{
		"id":       {func(c *Config) { c.ID = 1 }, another},
		"rate":     {func(c *Config) { c.Rate = clock.Unpaced }, another},
		"seed":     {func(c *Config) { c.Seed++ }, another},
		"die":      {func(c *Config) { c.Die++ }, another},
		"run":      {func(c *Config) { c.Run = "other" }, another},
		"duration": {func(c *Config) { c.Duration = time.Second }, "duration 1s: a replay is over when its record is"},
		"machines": {func(c *Config) { c.Peers = append(c.Peers, transport.Peer{ID: 2, Addr: "localhost:1"}) }, " is of a run of 2 machines: want 1 peer, not 2"},
	} {
		t.Run(name, func(t *testing.T) {
			again := replayOf(t, f.logNames(), nil)
			c.edit(&again.cfgs[0])
			_, err := Run(t.Context(), again.cfgs[0], again.lns[0])
			var notStarted *StartError
			require.ErrorAs(t, err, &notStarted)
			assert.ErrorContains(t, err, c.want)
			empty(t, again.cfgs[0].LogDir)
		})
	}
}

// A turn waits for its message, and for as many others as waited behind it.
func TestFollowerWaits(t *testing.T) {
	turn := &replay.Turn{Here: 3}
	turn.Event.Kind = event.Receive
	turn.Event.SetMessages(event.Message{From: 1, Seq: 1})
	f := newFollower(nil, 3)
	f.hold([]event.Message{{From: 2, Seq: 1}})
	f.hold([]event.Message{{From: 2, Seq: 2}})
	f.hold([]event.Message{{From: 2, Seq: 3}})
	assert.False(t, f.may(turn), "not its message")
	f.hold([]event.Message{{From: 1, Seq: 1}})
	assert.True(t, f.may(turn))
	turn.Here = 5
	assert.False(t, f.may(turn), "too few")
	turn.Here = 4
	assert.True(t, f.may(turn))

	var given []event.Message
	f.give(turn, func(m event.Message) { given = append(given, m) })
	f.release(func(m event.Message) { given = append(given, m) })
	assert.Equal(t, []event.Message{{From: 1, Seq: 1}, {From: 2, Seq: 1}, {From: 2, Seq: 2}, {From: 2, Seq: 3}}, given)
	assert.True(t, f.may(&replay.Turn{}), "what receives nothing needs nothing")
}

package vm

import (
	"bytes"
	"context"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/logging"
)

// stubborn are peers that do not answer, and never read a goodbye.
type stubborn struct{ fakePeers }

func (p *stubborn) Settle(ctx context.Context) bool {
	<-ctx.Done()
	return false
}

func (p *stubborn) Close(ctx context.Context) { <-ctx.Done() }

// A machine whose peers do not answer waits twice for as long as it lingers, at most, and for
// those that live for as long as they take to read.
func TestEndingWithDeadPeers(t *testing.T) {
	for linger, want := range map[time.Duration]time.Duration{
		0:                      companyTime,
		100 * time.Millisecond: 200 * time.Millisecond,
		500 * time.Millisecond: time.Second,
		time.Minute:            time.Minute + endGrace,
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, stop := context.WithCancel(t.Context())
			stop()
			e := ending{
				stepper: newStepper(t, &fakeDisk{}), mode: &fakeClosing{}, linger: linger, logger: hclog.NewNullLogger(),
				peers: &stubborn{fakePeers{after: 1000 * time.Hour}},
			}
			began := time.Now()
			_, _, err := e.run(ctx, nil)
			require.NoError(t, err)
			assert.Equal(t, want, time.Since(began), "with a linger of %v", linger)
		})
	}
}

// A machine that is paused while it waits for its last messages writes no stop line and waits
// no longer; one that has written it finishes what it began.
func TestEndingThatIsPaused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { stop(ErrPause) })
		disk, left := &fakeDisk{}, &PausedError{Step: 7}
		e := ending{
			stepper: newStepper(t, disk), mode: &fakeClosing{}, linger: time.Minute, logger: hclog.NewNullLogger(),
			peers: &fakePeers{after: 1000 * time.Hour}, leave: func() error { return left },
		}
		began := time.Now()
		_, _, err := e.run(ctx, nil)
		assert.Equal(t, left, err)
		assert.Equal(t, time.Second, time.Since(began))
		assert.Zero(t, disk.stops)

		ctx, stop = context.WithCancelCause(t.Context())
		stop(ErrPause)
		_, _, err = e.run(ctx, &logging.Stop{Step: 7})
		require.NoError(t, err)
		assert.True(t, e.peers.(*fakePeers).settled)
	})
}

// No tick is lost to a pause, nor done twice, whenever it comes: the pause is at the due time of the
// tick that comes next, at the latest.
func TestPacedLeaves(t *testing.T) {
	for _, tt := range []struct {
		steps  uint64
		now    time.Duration
		want   time.Duration
		resume uint64 // the tick that comes then
	}{
		{0, 0, 0, 1},
		{0, 300 * time.Millisecond, 300 * time.Millisecond, 1},
		{2, 1200 * time.Millisecond, 1200 * time.Millisecond, 3},
		{2, 1500 * time.Millisecond, 1500 * time.Millisecond, 3},
		{2, 1580 * time.Millisecond, 1500 * time.Millisecond, 3}, // it is late
		{2, 1980 * time.Millisecond, 1500 * time.Millisecond, 3},
		{2, 2300 * time.Millisecond, 2000 * time.Millisecond, 4}, // and missed
		{2, time.Minute + 1, time.Minute, 120},
	} {
		s := newStepper(t, &fakeDisk{})
		p := newPaced(&Config{Common: experiment.Common{Duration: time.Hour}, Rate: parseRate(t, "2"), Logger: hclog.NewNullLogger()}, s, new(past))
		p.schedule.next = tt.steps + 1
		got := time.Duration(p.leave(int64(tt.now)))
		assert.Equal(t, tt.want, got)
		back := newPaced(&Config{Common: experiment.Common{Duration: time.Hour}, Rate: parseRate(t, "2")}, s, &past{paused: logging.Elapsed(got)})
		assert.Equal(t, tt.resume, back.schedule.next)
	}
	// What was missed before is not missed again.
	back := newPaced(&Config{Rate: clock.Hertz}, newStepper(t, &fakeDisk{}), &past{paused: 19500 * time.Millisecond})
	assert.EqualValues(t, 20, back.schedule.next)
}

// All machines of a run are paused, at any instant, again and again, and the run goes on.
func TestRunIsPausedAsAWhole(t *testing.T) {
	t.Parallel()
	f := newParallelFleet(t, []string{"100", "max", "30"}, func(_ int, cfg *Config) {
		cfg.Duration, cfg.Die, cfg.Resume = 0, 4, true
	})
	// size is that of a machine's log, and lines are those behind so much of it, as far as
	// they are a few.
	size := func(id int) int64 {
		info, err := os.Stat(f.logName(id))
		require.NoError(t, err)
		return info.Size()
	}
	lines := func(id int, behind int64) int {
		file, err := os.Open(f.logName(id))
		if err != nil {
			return 0
		}
		defer file.Close()
		b := make([]byte, 4<<10)
		n, _ := file.ReadAt(b, behind)
		return bytes.Count(b[:n], []byte("\n"))
	}
	const rounds = 3
	for round := range rounds {
		var before [3]int64
		for id := range f.cfgs {
			if round > 0 {
				f.again(id)
				before[id] = size(id)
			}
			f.start(id)
		}
		for id := range f.cfgs {
			require.Eventually(t, func() bool { return lines(id, before[id]) > round+1 }, deadline, time.Millisecond, "machine %d goes on", id)
		}
		for id := range f.cfgs {
			if round == rounds-1 {
				f.stops[id](StopWithin{deadline})
			} else {
				f.stops[id](ErrPause)
			}
		}
		f.wait()
		for id, err := range f.errs {
			if round == rounds-1 {
				require.NoError(t, err, "machine %d", id)
			} else {
				require.ErrorAs(t, err, new(*PausedError), "machine %d", id)
			}
		}
	}
	requireCorrect(t, f.cfgs[0].LogDir)
	for id := range f.cfgs {
		paused, resumed := 0, 0
		for _, rec := range read(t, f.logName(id)) {
			switch rec.Kind {
			case logging.PauseRecord:
				paused++
			case logging.ResumeRecord:
				resumed++
				assert.Positive(t, rec.Resume.Elapsed)
			}
		}
		assert.Equal(t, []int{rounds - 1, rounds - 1}, []int{paused, resumed})
	}
}

// again prepares a machine's next process, at the same address.
func (f *fleet) again(id int) {
	f.t.Helper()
	ln := relisten(f.t, f.lns[id])
	ctx, stop := context.WithCancelCause(context.Background())
	f.t.Cleanup(func() { stop(nil) })
	f.lns[id], f.ctxs[id], f.stops[id], f.ended[id] = ln, ctx, stop, make(chan struct{})
}

// A log that goes on after a pause as if there had been none is not one that a machine writes.
func TestLogGoesOnAfterAPause(t *testing.T) {
	f := newFleet(t, []string{"100"}, func(_ int, cfg *Config) { cfg.Resume = true })
	f.run()
	whole, err := os.ReadFile(f.logName(0))
	require.NoError(t, err)
	at := lastLines(whole, 2)
	rec := read(t, f.logName(0))
	last := rec[len(rec)-3]
	file, err := os.Create(f.logName(0))
	require.NoError(t, err)
	_, err = file.Write(whole[:at])
	require.NoError(t, err)
	w := logging.NewWriter(file, 0)
	w.Pause(last.Time(), logging.Pause{Step: last.Event.Step, Clock: last.Event.Clock, Elapsed: time.Second})
	require.NoError(t, w.Flush())
	_, err = file.Write(whole[at:])
	require.NoError(t, err)
	require.NoError(t, file.Close())
	_, err = Run(t.Context(), f.cfgs[0], listen(t))
	require.ErrorContains(t, err, "expected a resume line after the pause line")
}

func TestOver(t *testing.T) {
	begun := time.Unix(1000, 0)
	for _, c := range []struct {
		name     string
		rate     clock.Rate
		duration time.Duration
		step     uint64
		ran      time.Duration
		stood    time.Duration
		want     string
	}{
		{"all ticks", clock.Hertz, 50 * time.Second, 50, 50 * time.Second, 0, ""},
		{"some missed", clock.Hertz, 50 * time.Second, 47, 50 * time.Second, 0, ""},
		{"stopped", clock.Hertz, 50 * time.Second, 19, 19500 * time.Millisecond, 0, "19 of 50 ticks"},
		{"stopped, the clock was set", clock.Hertz, 50 * time.Second, 50, -time.Hour, 0, ""},
		{"stopped after a pause", clock.Hertz, 50 * time.Second, 19, time.Hour, time.Hour - 20*time.Second, "19 of 50 ticks"},
		{"without end", clock.Hertz, 0, 19, 19 * time.Second, 0, ""},
		{"without a pace", clock.Unpaced, 50 * time.Second, 1 << 20, 12 * time.Second, 0, "12.0 s of 50.0 s"},
		{"without a pace, to its end", clock.Unpaced, 50 * time.Second, 1 << 20, 50 * time.Second, 0, ""},
	} {
		p := past{start: begun, began: begun.Add(c.stood), last: begun.Add(c.ran), stop: &logging.Stop{Step: c.step}}
		got := p.over(&Config{Common: experiment.Common{Duration: c.duration}, Rate: c.rate})
		assert.Equal(t, &OverError{c.step, c.want}, got, c.name)
	}
	assert.EqualError(t, &OverError{Step: 50}, "the run is over already: this machine had come to its end, at step 50")
	assert.EqualError(t, &OverError{19, "19 of 50 ticks"}, "the run is over already: this machine was stopped for good after 19 of 50 ticks")
}

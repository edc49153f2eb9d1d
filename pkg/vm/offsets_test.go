package vm

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/replay"
	"github.com/scalemodel/lamport/pkg/transport"
)

// ahead is a system clock that is wrong, and has no monotonic reading.
func ahead(by time.Duration) func() time.Time {
	return func() time.Time { return time.Now().Round(0).Add(by) }
}

// offsetsOf returns the offsets in a log.
func offsetsOf(records []logging.Record) (offsets []logging.Offset) {
	for i := range records {
		if records[i].Kind == logging.OffsetRecord {
			offsets = append(offsets, records[i].Offset)
		}
	}
	return offsets
}

// Machines whose clocks differ start together all the same, and their logs say how far
// apart the clocks are: of two, that of the machine with the lower id.
func TestOffsetsInALog(t *testing.T) {
	wrong := []time.Duration{0, time.Hour, -3 * time.Second}
	f := newFleet(t, []string{"100", "100", "100"}, func(id int, cfg *Config) {
		cfg.Duration, cfg.wall = time.Second, ahead(wrong[id])
	})
	f.run()
	for id := range wrong {
		records := read(t, f.logName(id))
		offsets := offsetsOf(records)
		said := make(map[int]int)
		for _, o := range offsets {
			said[o.Peer]++
			truth := wrong[o.Peer] - wrong[id]
			assert.InDelta(t, truth.Microseconds(), o.Ahead, float64(o.Within), "machine %d of machine %d", id, o.Peer)
			assert.LessOrEqual(t, o.Within, o.RTT/2+100+time.Minute.Microseconds()/1000, "as the drift is small")
		}
		for peer := range wrong {
			if peer > id {
				assert.GreaterOrEqual(t, said[peer], 1, "machine %d of machine %d", id, peer)
			} else {
				assert.Zero(t, said[peer], "machine %d of machine %d", id, peer)
			}
		}
		assert.Equal(t, logging.StartRecord, records[0].Kind)
		assert.Equal(t, logging.StopRecord, records[len(records)-1].Kind)
		assert.WithinDuration(t, time.Now().Add(wrong[id]), records[0].Time(), deadline, "stamped by its own clock")
		assert.EqualValues(t, 100, f.results[id].Steps+f.results[id].Missed)
	}
	requireCorrect(t, f.cfgs[0].LogDir)

	// What the logs say of clocks is none of a replay's business.
	g := newFleet(t, []string{"100", "100", "100"}, func(id int, cfg *Config) {
		track, err := replay.Open(f.logName(id))
		require.NoError(t, err)
		t.Cleanup(track.Close)
		cfg.Replay, cfg.Duration, cfg.wall = track, 0, ahead(-wrong[id])
	})
	g.run()
	for id := range wrong {
		c, err := replay.Compare(f.logName(id), g.logName(id), replay.ButTimes)
		require.NoError(t, err)
		assert.NoError(t, c.Err())
	}
	requireCorrect(t, g.cfgs[0].LogDir)
}

// Machines on one host have one clock, and nothing to say of it.
func TestNoOffsetsOnOneHost(t *testing.T) {
	f := newFleet(t, []string{"100", "100"}, nil)
	f.run()
	for id := range f.cfgs {
		assert.Empty(t, offsetsOf(read(t, f.logName(id))))
	}
}

// A clock that is set while a machine is down, and a machine whose log has offsets.
func TestOffsetsOfOneThatComesBack(t *testing.T) {
	t.Parallel()
	watch, there := after(50)
	f := newParallelFleet(t, []string{"200", "100"}, func(id int, cfg *Config) {
		cfg.Duration = 2 * time.Second
		if id == 0 {
			cfg.Watch, cfg.WatchEvery, cfg.wall = watch, time.Millisecond, ahead(time.Hour)
		}
	})
	kill := f.mortal()
	f.start(1)
	soon(t, "some events", there)
	kill()
	f.cfgs[0].Watch, f.cfgs[0].wall = nil, ahead(-time.Hour)
	f.comeBack()
	f.wait()
	require.NoError(t, f.errs[0])
	require.NoError(t, f.errs[1])
	before := true
	for _, rec := range read(t, f.logName(0)) {
		switch rec.Kind {
		case logging.ResumeRecord:
			before = false
		case logging.OffsetRecord:
			truth := time.Hour
			if before {
				truth = -time.Hour
			}
			assert.InDelta(t, truth.Microseconds(), rec.Offset.Ahead, float64(rec.Offset.Within))
		}
	}
	assert.False(t, before)
	requireCorrect(t, f.cfgs[0].LogDir)
}

func TestOffsetLine(t *testing.T) {
	us := time.Microsecond
	for _, c := range []struct {
		offset transport.Offset
		want   logging.Offset
	}{
		{transport.Offset{Peer: 3, Ahead: -5 * us, Within: 7 * us, RTT: 13 * us}, logging.Offset{Peer: 3, Ahead: -5, Within: 7, RTT: 13}},
		{transport.Offset{Ahead: -5*us - 1, Within: 7 * us, RTT: 13*us + 1}, logging.Offset{Ahead: -5, Within: 8, RTT: 14}},
		{transport.Offset{Ahead: 5*us + 600, Within: 7*us - 400}, logging.Offset{Ahead: 6, Within: 7}},
		{transport.Offset{Ahead: 5*us + 600, Within: 7*us - 399}, logging.Offset{Ahead: 6, Within: 8}},
		{transport.Offset{Ahead: math.MinInt64 / 2, Within: 0}, logging.Offset{Ahead: -4611686018427388, Within: 1}},
	} {
		assert.Equal(t, c.want, offsetLine(c.offset))
	}
}

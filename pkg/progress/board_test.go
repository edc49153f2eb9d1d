package progress

import (
	"flag"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/summary"
)

var update = flag.Bool("update", false, "write the golden files")

// three is a run of three that has gone on for 18 of 60 seconds.
func three() *board {
	b := &board{duration: time.Minute, disk: Disk{Logged: 12_345_678, PerSecond: 3_100_000}}
	for _, rate := range []clock.Rate{1 * clock.Hertz, 5 * clock.Hertz, 4 * clock.Hertz} {
		b.machines = append(b.machines, sighting{rate: rate})
	}
	start := epoch.Add(-18 * time.Second)
	for id, s := range []summary.Status{
		{Steps: 18, Clock: 83, Queue: 21, Sent: 4, Received: 14, Process: summary.Process{State: summary.Paused, Since: epoch.Add(-2 * time.Second)}},
		{Steps: 90, Clock: 93, Queue: 0, Sent: 31, Received: 18},
		{Steps: 1_234_567, Clock: 1_234_569, Queue: 3, Sent: 23, Received: 20, Late: 150 * time.Millisecond},
	} {
		s.Phase, s.Start = summary.Running, start
		b.update(id, s, epoch)
	}
	return b
}

// thirty is a run of thirty of which some are in trouble.
func thirty() *board {
	b := &board{duration: 10 * time.Minute}
	for range 30 {
		b.machines = append(b.machines, sighting{rate: clock.Unpaced})
	}
	for id := range b.machines {
		s := summary.Status{
			Phase: summary.Running, Start: epoch.Add(-time.Minute), Steps: uint64(100_000 + 10*id), Clock: clock.Time(200_000 + 100*id),
			Queue: id * 7 % 30, Sent: 40_000, Received: 39_000, Stalled: id%10 == 4,
		}
		switch id {
		case 7:
			s.Phase, s.Process = summary.Connecting, summary.Process{State: summary.Down, Since: epoch.Add(-12 * time.Second)}
		case 22:
			s.Phase, s.Process = summary.Connecting, summary.Process{State: summary.Restarting, Since: epoch.Add(-time.Second)}
		}
		b.update(id, s, epoch)
	}
	return b
}

func TestPictures(t *testing.T) {
	endless := three()
	endless.duration = 0
	over := three()
	over.end = epoch.Add(time.Hour)
	over.disk = Disk{}
	for id := range over.machines {
		over.machines[id].status.Phase, over.machines[id].status.Process = summary.Done, summary.Process{}
	}
	single := &board{first: 7, machines: []sighting{{rate: 2 * clock.Hertz}}}
	single.update(7, summary.Status{Phase: summary.Running, Start: epoch.Add(-time.Hour), Steps: 7200, Clock: 9000, Queue: 2, Sent: 2100, Received: 2200}, epoch)
	for _, tt := range []struct {
		name          string
		board         *board
		width, height int
	}{
		{"three-79x23", three(), 79, 23},
		{"three-59x19", three(), 59, 19},
		{"three-40x19", three(), 40, 19},
		{"three-20x19", three(), 20, 19},
		{"three-59x4", three(), 59, 4},
		{"endless-59x19", endless, 59, 19},
		{"over-79x23", over, 79, 23},
		{"single-79x23", single, 79, 23},
		{"connecting-59x19", &board{duration: time.Minute, machines: make([]sighting, 2)}, 59, 19},
		{"thirty-79x23", thirty(), 79, 23},
		{"thirty-59x9", thirty(), 59, 9},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := strings.Join(tt.board.picture(epoch, tt.width, tt.height), "\n") + "\n"
			golden := filepath.Join("testdata", tt.name+".txt")
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(got), 0o666))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			assert.Equal(t, string(want), got)
		})
	}
}

// However little room there is, a picture fits in it, and every machine that has no
// row is counted.
func TestPicturesFit(t *testing.T) {
	statuses := rapid.Custom(func(t *rapid.T) summary.Status {
		phases := []summary.Phase{"", summary.Connecting, summary.Running, summary.Ending, summary.Done}
		return summary.Status{
			Phase: rapid.SampledFrom(phases).Draw(t, "phase"), Start: epoch.Add(-time.Duration(rapid.Int64Range(-1e10, 1e15).Draw(t, "start"))),
			Steps: rapid.Uint64().Draw(t, "steps"), Clock: clock.Time(rapid.Uint64().Draw(t, "clock")), Queue: rapid.IntRange(0, int(min(1<<40, int64(math.MaxInt)))).Draw(t, "queue"),
			Sent: rapid.Uint64().Draw(t, "sent"), Received: rapid.Uint64().Draw(t, "received"),
			Late: time.Duration(rapid.Int64Min(0).Draw(t, "late")), Stalled: rapid.Bool().Draw(t, "stalled"),
			Process: summary.Process{State: summary.ProcessState(rapid.IntRange(0, 4).Draw(t, "process")), Since: epoch.Add(-time.Duration(rapid.Int64Range(0, 1e15).Draw(t, "since")))},
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		b := &board{duration: time.Duration(rapid.Int64Range(0, 1e15).Draw(t, "duration"))}
		if rapid.Bool().Draw(t, "logs") {
			b.disk = Disk{Logged: rapid.Uint64().Draw(t, "logged"), PerSecond: rapid.Float64Range(0, 1e19).Draw(t, "speed")}
		}
		for id := range rapid.IntRange(1, 40).Draw(t, "machines") {
			b.machines = append(b.machines, sighting{rate: clock.Rate(rapid.Int64Range(1, 1e9).Draw(t, "rate"))})
			b.update(id, statuses.Draw(t, "status"), epoch)
		}
		width, height := rapid.IntRange(1, 200).Draw(t, "width"), rapid.IntRange(1, 60).Draw(t, "height")
		lines := b.picture(epoch, width, height)
		require.LessOrEqual(t, len(lines), height)
		for _, line := range lines {
			require.LessOrEqual(t, utf8.RuneCountInString(line), width, line)
		}
		shown, rest := b.choose(epoch, height)
		require.Len(t, append(shown, rest...), len(b.machines))
		require.NotContains(t, b.line(epoch), "\n")
	})
}

func TestLine(t *testing.T) {
	assert.Equal(t, "18s, 42s left: 1,234,675 events, clock 1,234,569, 24 waiting; vm-0 paused 2s, vm-2 late 150 ms, 1 running; logs 12.3 MB, 3.10 MB/s", three().line(epoch))
	assert.Equal(t, "1m0s, 9m0s left: 3,004,350 events, clock 202,900, 435 waiting; vm-7 down 12s, vm-22 restarting, 3 stalled, 25 running", thirty().line(epoch))
	b := three()
	b.duration, b.disk = 0, Disk{}
	assert.True(t, strings.HasPrefix(b.line(epoch), "18s: 1,234,675 events"))
	assert.Equal(t, "connecting: 0 events, clock 0, 0 waiting; 2 connecting", (&board{duration: time.Minute, machines: make([]sighting, 2)}).line(epoch))
}

func TestClock(t *testing.T) {
	tests := []struct {
		duration, begun time.Duration
		want, closed    string
	}{
		{time.Minute, -time.Hour, "1m0s left", "0s"}, // agreed, but to come
		{time.Minute, 20 * time.Second, "40s left", "20s"},
		{time.Minute, time.Hour, "ending", "1m0s"},
		{time.Hour, 90 * time.Second, "58m30s left", "1m30s"},
		{0, 100 * time.Hour, "100h0m0s, Ctrl-C stops", "100h0m0s"},
	}
	for _, tt := range tests {
		b := &board{duration: tt.duration, start: epoch.Add(-tt.begun)}
		assert.Equal(t, tt.want, b.clockText(epoch))
		b.end = epoch
		assert.Equal(t, tt.closed, b.clockText(epoch.Add(time.Hour)))
	}
	assert.Equal(t, "connecting", (&board{duration: time.Minute}).clockText(epoch))
}

func TestBarIsFullAtTheEndAlone(t *testing.T) {
	for _, width := range []int{minBar, 20, maxBar} {
		for _, share := range []float64{-1, 0, 0.5, 0.99999} {
			bar := bracketed(share, width)
			assert.Len(t, bar, width)
			assert.Contains(t, bar, ">", share)
		}
		assert.NotContains(t, bracketed(1, width), ">")
	}
}

func TestBytes(t *testing.T) {
	for n, want := range map[float64]string{0: "0 B", 999: "999 B", 999.6: "1.00 kB", 12_345: "12.3 kB", 99_960: "100 kB", 999_600: "1.00 MB", 1 << 30: "1.07 GB", 1e21: "1000 EB"} {
		assert.Equal(t, want, Bytes(n))
	}
}

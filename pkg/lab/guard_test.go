package lab

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/internal/disk"
	"github.com/scalemodel/lamport/pkg/progress"
)

func TestParseMinFree(t *testing.T) {
	for text, want := range map[string]MinFree{
		"0":        {},
		" 0 ":      {},
		"0MB":      {},
		"500MB":    {Bytes: 500_000_000},
		"500 mb":   {Bytes: 500_000_000},
		"1.5kB":    {Bytes: 1500},
		"2GiB":     {Bytes: 2 << 30},
		"1TiB":     {Bytes: 1 << 40},
		"7B":       {Bytes: 7},
		"5%":       {Percent: 5},
		"0.5 %":    {Percent: 0.5},
		"100%":     {Percent: 100},
		"0.1e1 GB": {Bytes: 1_000_000_000},
	} {
		got, err := ParseMinFree(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "5", "-1MB", "MB", "%", "101%", "5%%", "1 GBit", "1e300TB", "9e18kB", "NaN", "Inf", "0x5MB", "1_0MB,"} {
		_, err := ParseMinFree(text)
		assert.ErrorContains(t, err, "want a size such as 500MB, 2GiB or 5%", text)
	}
}

func TestMinFree(t *testing.T) {
	const gib = 1 << 30
	for _, tt := range []struct {
		m           MinFree
		total, want uint64
	}{
		{MinFree{}, 100 * gib, 0},
		{MinFree{Bytes: 7}, 100 * gib, 7},
		{MinFree{Percent: 50}, 100 * gib, 50 * gib},
		{DefaultMinFree(), 100 * gib, gib},
		{DefaultMinFree(), 10 * gib, gib / 5},
		{DefaultMinFree(), 0, 0},
	} {
		assert.Equal(t, tt.want, tt.m.of(tt.total), "%v of %d", tt.m, tt.total)
	}
}

func TestUsage(t *testing.T) {
	const mb = 1_000_000
	epoch := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	type at struct {
		second       int
		logged, free uint64 // MB
		speed        float64
		low          string // "": the run goes on
	}
	for _, tt := range []struct {
		name    string
		minFree MinFree
		total   uint64 // MB
		looks   []at
	}{
		{"a slow run", MinFree{Bytes: 100 * mb}, 1000, []at{
			{0, 0, 200, 0, ""},
			{1, 1, 199, 1, ""},
			{2, 2, 198, 1, ""},
			{97, 97, 104, 1, ""}, // over the whole time since the last look
			{98, 98, 102, 1, "stopped early, in order: 102 MB are left on the disk of run, where 100 MB must stay free and the logs take 2.00 MB/s"},
		}},
		{"a fast run is ended while there is time", MinFree{Bytes: 100 * mb}, 1000, []at{
			{0, 0, 500, 0, ""},
			{1, 90, 410, 90, ""},
			{2, 180, 230, 90, "stopped early, in order: 230 MB are left on the disk of run, where 100 MB must stay free and the logs take 135 MB/s"},
		}},
		{"others fill the disk", MinFree{Percent: 10}, 1000, []at{
			{0, 0, 500, 0, ""},
			{2, 0, 240, 0, "stopped early, in order: 240 MB are left on the disk of run, where 100 MB must stay free and the logs take 130 MB/s"},
		}},
		{"others make room", MinFree{Percent: 10}, 1000, []at{
			{0, 0, 110, 0, ""},
			{1, 1, 900, 1, ""},
		}},
		{"nothing is to stay free", MinFree{}, 1000, []at{{0, 0, 1, 0, ""}, {1, 1, 0, 1, ""}}},
		{"the disk has no limit, or is not known", DefaultMinFree(), 0, []at{{0, 0, 0, 0, ""}, {1, 5, 0, 5, ""}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u := usage{dir: "run", minFree: tt.minFree}
			for _, l := range tt.looks {
				shown, err := u.take(look{epoch.Add(time.Duration(l.second) * time.Second), l.logged * mb, disk.Space{Free: l.free * mb, Total: tt.total * mb}})
				assert.Equal(t, progress.Disk{Logged: l.logged * mb, PerSecond: l.speed * mb}, shown, "at %d s", l.second)
				if l.low == "" {
					assert.NoError(t, err, "at %d s", l.second)
				} else {
					assert.EqualError(t, err, l.low, "at %d s", l.second)
					assert.ErrorIs(t, err, ErrLowDisk)
				}
			}
			assert.LessOrEqual(t, len(u.looks), 7)
		})
	}
}

// The scarcer the room, the closer the look, whatever the speed so far.
func TestLooksComeCloser(t *testing.T) {
	const mb = 1_000_000
	epoch := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		room, speed uint64 // MB, MB/s
		want        time.Duration
	}{
		{5000, 0, lookEvery},
		{400, 0, lookEvery / 2},
		{400, 100, lookEvery / 2},
		{4000, 2000, lookEvery},
		{3200, 2000, 800 * time.Millisecond},
		{5, 0, closeLook},
	} {
		u := usage{dir: "run", minFree: MinFree{Bytes: 100 * mb}}
		_, err := u.take(look{epoch, 0, disk.Space{Free: (100 + tt.room + tt.speed) * mb, Total: 9000 * mb}})
		require.NoError(t, err)
		_, err = u.take(look{epoch.Add(time.Second), tt.speed * mb, disk.Space{Free: (100 + tt.room) * mb, Total: 9000 * mb}})
		require.NoError(t, err)
		assert.Equal(t, tt.want, u.next, "%+v", tt)
	}
}

// filling is a disk that loses 10 of 1000 MB a second.
func filling(free uint64) *guard {
	began := time.Now()
	gone := func() uint64 { return uint64(time.Since(began)/time.Second) * 10e6 }
	g := newGuard("run", MinFree{Bytes: 100e6})
	g.space = func(string) (disk.Space, error) { return disk.Space{Free: free - gone(), Total: 1000e6}, nil }
	g.logged = func(string) uint64 { return gone() }
	return g
}

func TestGuardEndsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := filling(500e6)
		var last progress.Disk
		g.tell = func(d progress.Disk) { last = d }
		require.NoError(t, g.admit())
		began := time.Now()
		ctx, unwatch := g.watch(t.Context())
		defer unwatch()
		<-ctx.Done()
		assert.InDelta(t, 39, time.Since(began).Seconds(), 0.5, "as late as can be")
		assert.ErrorContains(t, early(ctx), "stopped early, in order: 110 MB are left on the disk of run, where 100 MB must stay free and the logs take ")
		assert.InDelta(t, 385e6, last.Logged, 5e6)
	})
}

func TestGuardIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent, cancel := context.WithCancel(t.Context())
		ctx, unwatch := filling(500e6).watch(parent)
		time.Sleep(10 * time.Second)
		unwatch()
		unwatch()
		time.Sleep(time.Minute)
		assert.NoError(t, ctx.Err(), "nobody looks any more")
		cancel()
		assert.Error(t, ctx.Err())
		assert.NoError(t, early(ctx), "it was ordered to")
	})
}

func TestGuardDoesNotKnow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := filling(50e6)
		err := g.admit()
		assert.EqualError(t, err, "50.0 MB are left on the disk of run, where 100 MB must stay free")
		assert.Equal(t, exit.Retry, exit.Code(err))
		g.space = func(string) (disk.Space, error) { return disk.Space{}, errors.ErrUnsupported }
		assert.NoError(t, g.admit())
		ctx, unwatch := g.watch(t.Context())
		defer unwatch()
		time.Sleep(time.Minute)
		assert.NoError(t, ctx.Err())
	})
}

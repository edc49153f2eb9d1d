package progress

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/summary"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// show shows a run of n machines, all of which report twice at once.
func show(terminal io.Writer, n int, duration time.Duration, start time.Time) *Display {
	d := New(terminal, slices.Repeat([]clock.Rate{5 * clock.Hertz}, n), duration)
	var wg sync.WaitGroup
	for id := range n {
		wg.Go(func() {
			d.Update(id, summary.Status{Phase: summary.Connecting})
			d.Update(id, summary.Status{Phase: summary.Running, Start: start, Steps: 100, Clock: clock.Time(1000 + id), Queue: 7})
		})
	}
	wg.Wait()
	return d
}

// draw shows such a run and returns everything that was written. What is no
// terminal is taken for a narrow one, so of long lines there is the beginning.
func draw(n int, duration time.Duration, start time.Time) string {
	var terminal bytes.Buffer
	show(&terminal, n, duration, start).Close()
	return terminal.String()
}

func TestLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := show(io.Discard, 12, time.Minute, time.Now())
		defer d.Close()
		assert.Equal(t, " 1,200 events, clock 1,011, 84 waiting", d.totalText())
		assert.Equal(t, "vm-3   rate 5  running     clock      1003  events       100  queue       7", d.machineText(3, 5*clock.Hertz))
		assert.Equal(t, "vm-11  rate 5  running     clock      1011  events       100  queue       7", d.machineText(11, 5*clock.Hertz))
	})
}

func TestEachMachineHasALine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, n := range []int{1, 3, maxLines} {
			text := draw(n, time.Minute, time.Now())
			for id := range n {
				assert.Contains(t, text, fmt.Sprintf("\nvm-%-*d  rate 5  running ", len(strconv.Itoa(n-1)), id))
			}
		}
	})
}

func TestManyMachinesHaveOneLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, n := range []int{maxLines + 1, 1000} {
			text := draw(n, time.Minute, time.Now())
			assert.NotContains(t, text, "vm-")
			assert.Contains(t, text, fmt.Sprintf(" %s events, clock ", figure.Count(100*n)))
			d := show(io.Discard, n, time.Minute, time.Now())
			assert.Equal(t, fmt.Sprintf(" %s events, clock %s, %s waiting", figure.Count(100*n), figure.Count(1000+n-1), figure.Count(7*n)), d.totalText())
			d.Close()
		}
	})
}

func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
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
			d := show(io.Discard, 1, tt.duration, time.Now().Add(-tt.begun))
			assert.Equal(t, fmt.Sprintf("%-11s ", tt.want), d.clockText())
			d.Close()
			assert.Equal(t, fmt.Sprintf("%-11s ", tt.closed), d.clockText())
		}
		d := show(io.Discard, 1, time.Minute, time.Time{})
		defer d.Close()
		assert.Equal(t, "connecting  ", d.clockText())
	})
}

// In every state of a run something is drawn, and nothing panics: mpb would
// swallow that, and draw it instead.
func TestStatesOfARun(t *testing.T) {
	tests := []struct {
		name     string
		duration time.Duration
		agreed   bool
		begun    time.Duration // ago
	}{
		{"connecting", time.Minute, false, 0},
		{"connecting, without end", 0, false, 0},
		{"agreed, but not begun", time.Minute, true, -time.Hour},
		{"begun", time.Minute, true, 0},
		{"without end", 0, true, 100 * time.Hour},
		{"over", time.Minute, true, time.Hour},
		{"shorter than a second", time.Millisecond, true, 0},
		{"the shortest", 1, true, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Time{}
				if tt.agreed {
					start = time.Now().Add(-tt.begun)
				}
				text := draw(3, tt.duration, start)
				assert.Contains(t, text, " 300 events")
				assert.NotContains(t, strings.ToLower(text), "panic")
			})
		})
	}
}

func TestBarIsFullAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tests := []struct {
			duration, begun time.Duration
			full            bool
		}{
			{time.Minute, 2 * time.Minute, true},
			{time.Minute, 30 * time.Second, false},
			{time.Millisecond, time.Second, true},
		}
		for _, tt := range tests {
			d := show(io.Discard, 1, tt.duration, time.Now().Add(-tt.begun))
			assert.False(t, d.picture.bar.Completed(), "not before Close")
			d.Close()
			assert.Equal(t, tt.full, d.picture.bar.Completed())
		}
	})
}

func TestCloseIsQuickAndMayComeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var terminal bytes.Buffer
		d := New(&terminal, []clock.Rate{clock.Hertz}, time.Hour)
		d.Update(0, summary.Status{Phase: summary.Running, Start: time.Now(), Steps: 123})
		began := time.Now()
		d.Close()
		assert.LessOrEqual(t, time.Since(began), time.Second, "it does not wait for the end of the run")
		text := terminal.String()
		assert.Contains(t, text, "123 events")

		d.Close()
		d.Update(0, summary.Status{Phase: summary.Done, Steps: 456})
		assert.Equal(t, text, terminal.String(), "what comes later is not drawn")
	})
}

type brokenTerminal struct{}

func (brokenTerminal) Write([]byte) (int, error) { return 0, errors.New("gone") }

// A terminal that has gone is no reason to stop a run.
func TestTerminalIsGone(t *testing.T) {
	d := New(brokenTerminal{}, []clock.Rate{clock.Hertz, clock.Unpaced}, time.Minute)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 1000 {
			d.Update(1, summary.Status{Phase: summary.Running, Start: time.Now()})
		}
		d.Close()
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		require.FailNow(t, "it hangs")
	}
}

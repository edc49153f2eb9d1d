package progress

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/summary"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tape keeps what is written to it.
type tape struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (t *tape) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.Write(p)
}

// String returns all of it, take what has come since the last take.
func (t *tape) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.String()
}

func (t *tape) take() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	defer t.buf.Reset()
	return t.buf.String()
}

func itRuns() summary.Status {
	return summary.Status{Phase: summary.Running, Start: time.Now(), Steps: 100, Clock: 1000, Queue: 7}
}

// Each picture is drawn over the one before, whole, and the last one stays.
func TestPicturesAreDrawnOverEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var terminal tape
		d := New(Out{Writer: &terminal}, []clock.Rate{clock.Hertz, clock.Hertz}, time.Minute)
		synctest.Wait()
		assert.Empty(t, terminal.String(), "there is nothing to show yet")
		d.Update(0, summary.Status{Phase: summary.Connecting})
		synctest.Wait()
		first := terminal.String()
		assert.Equal(t, 5, strings.Count(first, "\n"), first)
		assert.NotContains(t, first, "A", "there is nothing to go up over")
		d.Update(1, itRuns())
		time.Sleep(refresh)
		synctest.Wait()
		second := strings.TrimPrefix(terminal.String(), first)
		assert.True(t, strings.HasPrefix(second, "\x1b[5A\r"), "%q", second)
		assert.True(t, strings.HasSuffix(second, "\n\x1b[J"), "%q", second)
		assert.Contains(t, second, "vm-1  ")
		assert.Equal(t, 5, strings.Count(second, "\x1b[K\n"), "what was longer before is gone")
		d.Update(0, summary.Status{Phase: summary.Done, Steps: 123_456})
		d.Close()
		text := terminal.String()
		assert.Contains(t, text, "123,556 events")
		d.Update(0, summary.Status{Phase: summary.Done, Steps: 654_321})
		d.Close()
		assert.Equal(t, text, terminal.String(), "what comes later is not drawn")
	})
}

// Lines that are printed meanwhile stand above the picture.
func TestLinesStandAboveThePicture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var terminal tape
		screen := NewScreen(&terminal)
		_, _ = io.WriteString(screen, "before\n")
		d := NewMachine(Out{Writer: screen}, 7, clock.Hertz, time.Minute)
		d.Update(7, itRuns())
		synctest.Wait()
		terminal.take()
		_, _ = io.WriteString(screen, "one\n")
		_, _ = io.WriteString(screen, "two\n")
		assert.Equal(t, "\x1b[4A\r\x1b[Jone\ntwo\n", terminal.String(), "the picture is wiped once")
		time.Sleep(refresh)
		synctest.Wait()
		assert.Contains(t, terminal.String(), "two\n\r1m0s left ", "and drawn again below")
		d.Close()
		terminal.take()
		_, _ = io.WriteString(screen, "after\n")
		assert.Equal(t, "after\n", terminal.String(), "the last picture stays")
	})
}

// Nowhere, nothing is shown.
func TestNothingIsShown(t *testing.T) {
	d := New(Out{}, []clock.Rate{clock.Hertz}, time.Minute)
	d.Update(0, itRuns())
	d.Close()
	NewMachine(Out{Writer: brokenTerminal{}}, 7, clock.Hertz, 0).Close()
}

func TestUpdatesComeFromMany(t *testing.T) {
	d := New(Out{Writer: io.Discard}, slices.Repeat([]clock.Rate{clock.Hertz}, 30), 0)
	defer d.Close()
	var all sync.WaitGroup
	for id := range 30 {
		all.Go(func() {
			for range 100 {
				d.Update(id, itRuns())
				d.Disk(Disk{Logged: 1})
			}
		})
	}
	all.Wait()
}

// Without a terminal there is a line every ten seconds of a run that lasts longer
// than twenty.
func TestLinesComeNowAndThen(t *testing.T) {
	for _, tt := range []struct {
		name           string
		duration, gone time.Duration
		want           []string // how the lines begin
	}{
		{"a short run", 20 * time.Second, 15 * time.Second, nil},
		{"a short run that does not end", 5 * time.Second, 31 * time.Second, []string{"5s: ", "5s: "}},
		{"a longer one", time.Minute, 35 * time.Second, []string{"10s, 50s left: ", "20s, 40s left: ", "30s, 30s left: "}},
		{"one without end", 0, 41 * time.Second, []string{"20s: ", "30s: ", "40s: "}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out tape
				d := New(Out{Writer: &out, Lines: true}, []clock.Rate{clock.Hertz}, tt.duration)
				d.Update(0, itRuns())
				time.Sleep(tt.gone)
				d.Close()
				lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
				if tt.want == nil {
					assert.Empty(t, out.String())
					return
				}
				require.Len(t, lines, len(tt.want), out.String())
				for i, want := range tt.want {
					assert.True(t, strings.HasPrefix(lines[i], want), lines[i])
				}
				assert.NotContains(t, out.String(), "\x1b")
			})
		})
	}
}

func TestCloseIsQuick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, lines := range []bool{false, true} {
			began := time.Now()
			New(Out{Writer: io.Discard, Lines: lines}, []clock.Rate{clock.Hertz}, time.Hour).Close()
			assert.Zero(t, time.Since(began), "it does not wait for the end of the run")
		}
	})
}

// A terminal that is held holds the display, and nothing else.
func TestTerminalIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		person, terminal := io.Pipe()
		d := New(Out{Writer: terminal}, []clock.Rate{clock.Hertz}, time.Hour)
		for range 100 {
			d.Update(0, itRuns())
		}
		closed := make(chan struct{})
		go func() {
			d.Close()
			close(closed)
		}()
		synctest.Wait()
		select {
		case <-closed:
			assert.Fail(t, "the last picture is not drawn")
		default:
		}
		go func() { _, _ = io.Copy(io.Discard, person) }()
		<-closed
		_ = terminal.Close()
	})
}

type brokenTerminal struct{}

func (brokenTerminal) Write([]byte) (int, error) { return 0, errors.New("gone") }

// A terminal that has gone is no reason to stop a run.
func TestTerminalIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := New(Out{Writer: brokenTerminal{}}, []clock.Rate{clock.Hertz, clock.Unpaced}, time.Minute)
		for range 100 {
			d.Update(1, itRuns())
			time.Sleep(refresh)
		}
		d.Close()
	})
}

func TestVirtual(t *testing.T) {
	v := &virtual{began: epoch, duration: time.Minute}
	later := func(s int) time.Time { return epoch.Add(time.Duration(s) * time.Second) }
	assert.Equal(t, "…", v.leftText(later(1)))
	v.at, v.events, v.disk = 15*time.Second, 30_000_000, Disk{Logged: 2e9, PerSecond: 2e8}
	assert.Equal(t, []string{
		"30s left    [=====>               ]  logs 2.00 GB, 200 MB/s",
		"15s of virtual time, 30,000,000 events, 3.00 M/s",
	}, v.picture(later(10), 59, 20))
	assert.Equal(t, "30s left: 15s of virtual time, 30,000,000 events, 3.00 M/s; logs 2.00 GB, 200 MB/s", v.line(later(10)))
	v.at = time.Minute
	assert.Equal(t, "…", v.leftText(later(40)))
	v.closed = true
	assert.NotContains(t, v.picture(later(40), 59, 20)[0], ">")
	endless := &virtual{began: epoch, at: time.Hour, events: 1}
	assert.Equal(t, "Ctrl-C stops", endless.picture(later(1), 59, 20)[0])
}

func TestSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSweep(Out{Writer: io.Discard}, 10, 2, time.Minute)
		text := func() (left string, counts string) {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.view.leftText(time.Now()), strings.Join(s.view.counts(), ", ")
		}
		is := func(left, counts string) {
			t.Helper()
			l, c := text()
			assert.Equal(t, left, l)
			assert.Equal(t, counts, c)
		}
		is("…", "2 of 10 runs, 0 under way") // nothing is known yet
		s.Begin("a")
		s.Begin("b")
		time.Sleep(30 * time.Second)
		// One run's worth in half a minute: seven more take three and a half.
		is("3m30s left", "2 of 10 runs, 2 under way")
		time.Sleep(2 * time.Minute) // a run that does not end is not quite one
		assert.InDelta(t, 4.0, s.view.parts(time.Now()), 0.01)
		s.Done("a")
		s.Done("b")
		_, counts := text()
		assert.Equal(t, "4 of 10 runs, 0 under way", counts)
		s.Close()

		var out tape
		s = NewSweep(Out{Writer: &out}, 4, 0, 0)
		s.Begin("a")
		time.Sleep(time.Second)
		is("…", "0 of 4 runs, 1 under way") // nobody knows how long a run takes
		s.Done("a")
		is("3s left", "1 of 4 runs, 0 under way")
		for range 3 {
			s.Begin("b")
			s.Done("b")
		}
		is("1s", "4 of 4 runs, 0 under way")
		s.Close()
		last := out.String()[strings.LastIndex(out.String(), "\x1b["+"2A"):]
		assert.NotContains(t, last, ">", "it is whole at the end")
	})
}

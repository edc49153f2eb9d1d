package control_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/control"
	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/summary"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestArgs(t *testing.T) {
	for _, tt := range []struct {
		options control.Options
		want    []string
	}{
		{control.Options{}, nil},
		{control.Options{Supervised: true}, []string{"--supervised"}},
		{
			control.Options{Supervised: true, Gated: true, StatusEvery: 200 * time.Millisecond, ListenFD: 3},
			[]string{"--gated", "--listen-fd", "3", "--status-every", "200ms", "--supervised"},
		},
	} {
		assert.Equal(t, tt.want, tt.options.Args())
	}
}

// What the launcher says by arguments the vm understands.
func TestOptionsGoRound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := control.Options{
			Supervised:  rapid.Bool().Draw(t, "supervised"),
			Gated:       rapid.Bool().Draw(t, "gated"),
			StatusEvery: time.Duration(rapid.Int64().Draw(t, "every")),
			ListenFD:    rapid.Int().Draw(t, "fd"),
			Warded:      rapid.Bool().Draw(t, "warded"),
			Orphan:      time.Duration(rapid.Int64().Draw(t, "orphan")),
			ProbePorts:  rapid.SampledFrom([]string{"", "0", "2050,0"}).Draw(t, "ports"),
		}
		var got control.Options
		flags := flag.NewFlagSet("vm", flag.ContinueOnError)
		got.Register(flags)
		require.NoError(t, flags.Parse(want.Args()))
		assert.Empty(t, flags.Args())
		assert.Equal(t, want, got)
	})
}

func TestEndingOf(t *testing.T) {
	for code, want := range map[int]control.Ending{
		exit.OK:          control.Completed,
		exit.Interrupted: control.Stopped,
		exit.Misused:     control.Refused,
		exit.Retry:       control.Hindered,
		exit.Broken:      control.Differed,
		exit.Crashed:     control.Crashed,
		exit.Died:        control.Failed,
		-1:               control.Killed,
		137:              control.Killed,
		66:               control.Failed,
	} {
		assert.Equal(t, want, control.EndingOf(code), "%d", code)
	}
}

// stop is the cause with which these tests' machines are stopped.
type stop struct{ linger time.Duration }

func (s stop) Error() string { return "stopped" }

func asStop(linger time.Duration) error { return stop{linger} }

// pair is a launcher and a vm that talk to each other in one process.
type pair struct {
	*control.Lifeline
	*control.Session
	reports *io.PipeReader
	ran     chan error
	close   func() // the vm's standard output, as its end does
}

// newPair starts a machine at its session. It must be in a bubble of synctest.
func newPair(machine func(context.Context, *control.Session) error) *pair {
	in, toVM := io.Pipe()
	reports, out := io.Pipe()
	p := &pair{
		Lifeline: control.NewLifeline(toVM),
		Session:  control.NewSession(in, out),
		reports:  reports,
		ran:      make(chan error, 1),
		close:    func() { _ = out.Close() },
	}
	go func() {
		p.ran <- p.Run(context.Background(), time.Second, asStop, func(ctx context.Context) error { return machine(ctx, p.Session) })
		p.close()
	}()
	return p
}

// untilStopped is a machine that ends as soon as it is told to.
func untilStopped(ctx context.Context, _ *control.Session) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

func TestLauncherReadsWhatTheMachineReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		want := []summary.Status{
			{Phase: summary.Connecting},
			{Phase: summary.Running, Start: time.Unix(1_800_000_000, 0).UTC(), Steps: 7, Clock: 9, Queue: 2},
			{Phase: summary.Done, Machine: &summary.Machine{ID: 1, Steps: 7}},
		}
		p := newPair(func(_ context.Context, s *control.Session) error {
			for _, status := range want {
				s.Report(status)
			}
			return nil
		})
		var got []summary.Status
		for s := range control.Reports(p.reports) {
			got = append(got, s)
		}
		assert.Equal(t, want, got)
		assert.NoError(t, <-p.ran)
		p.Cut()
	})
}

func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		open := false
		p := newPair(func(ctx context.Context, s *control.Session) error {
			select {
			case <-s.Gate():
				open = true
			case <-ctx.Done():
			}
			return untilStopped(ctx, s)
		})
		synctest.Wait()
		assert.False(t, open, "nobody has opened it")
		p.Go()
		p.Go() // again says nothing new
		synctest.Wait()
		assert.True(t, open)
		p.Cut()
		assert.Equal(t, stop{time.Second}, <-p.ran)
	})
}

// A launcher that is gone opens no gate, but stops what waits there.
func TestLauncherGoesBeforeTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(func(ctx context.Context, s *control.Session) error {
			select {
			case <-s.Gate():
				return errors.New("it was opened")
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		})
		p.Cut()
		assert.Equal(t, stop{time.Second}, <-p.ran, "the machine's own time to linger")
	})
}

func TestStop(t *testing.T) {
	for _, linger := range []time.Duration{0, time.Nanosecond, 10 * time.Second, 26*time.Hour + 10*time.Second, math.MaxInt64} {
		synctest.Test(t, func(t *testing.T) {
			p := newPair(untilStopped)
			p.Stop(linger)
			assert.Equal(t, stop{linger}, <-p.ran)
			p.Go()
			p.Stop(0) // to one that has ended
		})
	}
}

// inPieces returns a reader of bytes, or of pieces where bytes would take too long.
func inPieces(length int) func(io.Reader) io.Reader {
	if length > 1<<20 {
		return iotest.HalfReader
	}
	return iotest.OneByteReader
}

// What is no line of the conversation does not stop a machine, and is no order.
func TestMachineHearsNonsense(t *testing.T) {
	for _, tt := range []struct {
		said string
		want time.Duration
	}{
		{"", time.Second},
		{"nonsense\n", time.Second},
		{"\n\n\x00\xff\n", time.Second},
		{"-5s\n", time.Second},
		{"5\n", time.Second},
		{"300000000h\n", time.Second},
		{"Go\ngo!\n go\n", time.Second},
		{"3s\nnonsense\n", 3 * time.Second},
		{"3s\r\n", 3 * time.Second},
		{"3s\n4s\n", 4 * time.Second},
		{"3s\n1m", 3 * time.Second}, // of 1ms
		{strings.Repeat("9", 3<<20) + "\n3s\n", 3 * time.Second},
		{strings.Repeat("9", 3<<20), time.Second},
	} {
		for name, slow := range map[string]func(io.Reader) io.Reader{
			"at once":        func(r io.Reader) io.Reader { return r },
			"piece by piece": inPieces(len(tt.said)),
			"with the end":   iotest.DataErrReader,
			"until it fails": func(r io.Reader) io.Reader {
				return io.MultiReader(r, iotest.ErrReader(errors.New("the pipe is broken")))
			},
		} {
			t.Run(fmt.Sprintf("%.20q %s", tt.said, name), func(t *testing.T) {
				s := control.NewSession(slow(strings.NewReader(tt.said)), io.Discard)
				err := s.Run(t.Context(), time.Second, asStop, func(ctx context.Context) error { return untilStopped(ctx, s) })
				assert.Equal(t, stop{tt.want}, err)
				select {
				case <-s.Gate():
					assert.Fail(t, "the gate is open")
				default:
				}
			})
		}
	}
}

// Nobody waits for ever for a machine that does not stop.
func TestMachineIsStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		p := newPair(func(context.Context, *control.Session) error {
			<-release
			return nil
		})
		time.Sleep(time.Hour) // it may run for as long as it likes
		began := time.Now()
		p.Stop(2 * time.Second)
		assert.EqualError(t, <-p.ran, "did not stop in order within 7s")
		assert.Equal(t, 2*time.Second+control.Grace, time.Since(began))
		close(release)
	})
}

func TestMachineStopsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failed := errors.New("the disk is full")
		p := newPair(func(ctx context.Context, _ *control.Session) error {
			<-ctx.Done()
			time.Sleep(2*time.Second + control.Grace - 1)
			return failed
		})
		p.Stop(2 * time.Second)
		assert.Equal(t, failed, <-p.ran)
	})
}

// The machine's context ends with that of its process too.
func TestProcessIsInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, lifeline := io.Pipe()
		ctx, interrupt := context.WithCancel(t.Context())
		s := control.NewSession(in, io.Discard)
		interrupt()
		err := s.Run(ctx, 0, asStop, func(ctx context.Context) error { return untilStopped(ctx, s) })
		assert.Equal(t, context.Canceled, err)
		_ = lifeline.Close()
	})
}

// A machine goes on where nobody reads what it reports.
func TestLauncherDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(func(_ context.Context, s *control.Session) error {
			for range 1000 {
				s.Report(summary.Status{Phase: summary.Running})
			}
			return nil
		})
		_ = p.reports.Close()
		assert.NoError(t, <-p.ran)
		p.Cut()
	})
}

// What a process prints beside its reports is passed over, however long.
func TestMachineBabbles(t *testing.T) {
	running := `{"phase":"running","steps":7,"clock":0,"queue":0}` + "\n"
	for said, want := range map[string]int{
		"":                                             0,
		running:                                        1,
		running + running:                              2,
		strings.TrimSpace(running):                     0, // broken off, as far as one can know
		running + `{"phase":"do`:                       1,
		"Hello! \x00\xff\n" + running:                  1,
		`{"phase": 7}` + "\n" + running:                1,
		"[]\nnull\n{}\n\n7\n" + running:                1,
		`{"steps":7}` + "\n":                           0,
		`{"phase":"running"} ` + running:               0, // two on one line
		`{"phase":"running","new":1}` + "\n":           1, // of another release
		strings.Repeat("x", 3<<20) + running + running: 1,
		`{"phase":"running"}` + strings.Repeat(" ", 3<<20) + "\n":      0,
		strings.Repeat("x", 3<<20) + "\n" + running:                    1,
		`{"phase":"` + strings.Repeat("x", 3<<20) + "\"}\n" + running:  1,
		running + "panic: oh no\n\ngoroutine 1 [running]:\nmain.f()\n": 1,
	} {
		for _, r := range []io.Reader{strings.NewReader(said), inPieces(len(said))(strings.NewReader(said))} {
			n := 0
			for s := range control.Reports(r) {
				assert.Equal(t, summary.Running, s.Phase)
				n++
			}
			assert.Equal(t, want, n, "%.100q", said)
		}
	}
}

// A launcher may lose its interest.
func TestReportsAreLeft(t *testing.T) {
	r := strings.NewReader(strings.Repeat(`{"phase":"running"}`+"\n", 3))
	for range control.Reports(r) {
		break
	}
}

// FuzzReports says that whatever a process prints, the launcher takes from it what
// a reader of whole lines takes, and nothing else.
func FuzzReports(f *testing.F) {
	f.Add([]byte(`{"phase":"connecting","steps":0,"clock":0,"queue":0}` + "\n" + `{"phase":"done","machine":{"id":1}}` + "\n"))
	f.Add([]byte("panic: oh no\n\n{\"phase\":\"running\",\"start\":\"2026-11-22T17:13:40Z\"}\r\n{\"phase\""))
	f.Add([]byte("null\n[]\n{}\n\x00\xff\n"))
	f.Fuzz(func(t *testing.T, said []byte) {
		var want []summary.Status
		all := bytes.Split(said, []byte("\n"))
		for _, line := range all[:len(all)-1] {
			var s summary.Status
			if json.Unmarshal(line, &s) == nil && s.Phase != "" {
				want = append(want, s)
			}
		}
		var got []summary.Status
		for s := range control.Reports(iotest.OneByteReader(bytes.NewReader(said))) {
			got = append(got, s)
		}
		assert.Equal(t, want, got)
	})
}

// FuzzLifeline says that a machine always stops when its lifeline ends, with a time
// that can be waited.
func FuzzLifeline(f *testing.F) {
	f.Add("go\n10s\n")
	f.Add("go\ngo\n-1s\n1h\n5")
	f.Fuzz(func(t *testing.T, said string) {
		s := control.NewSession(strings.NewReader(said), io.Discard)
		err := s.Run(t.Context(), time.Second, asStop, func(ctx context.Context) error { return untilStopped(ctx, s) })
		cause, ok := errors.AsType[stop](err)
		require.True(t, ok)
		assert.GreaterOrEqual(t, cause.linger, time.Duration(0))
	})
}

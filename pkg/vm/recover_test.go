package vm

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/trace"
	"github.com/scalemodel/lamport/pkg/transport"
)

// lastLines returns where the last n lines of a log begin.
func lastLines(b []byte, n int) int {
	at := len(b)
	for range n {
		at = bytes.LastIndexByte(b[:at-1], '\n') + 1
	}
	return at
}

// unlessOver leaves out what is said of a run that an earlier process has ended.
func unlessOver(err error) error {
	if _, over := errors.AsType[*OverError](err); over {
		return nil
	}
	return err
}

// A log may end at any byte: what is a whole line counts, what is not is cut off.
func TestLogIsTornAtAnyByte(t *testing.T) {
	f := newFleet(t, []string{"200"}, nil)
	f.run()
	whole, err := os.ReadFile(f.logName(0))
	require.NoError(t, err)
	records := read(t, f.logName(0))
	for cut := lastLines(whole, 3); cut <= len(whole); cut++ {
		cfg := f.cfgs[0]
		cfg.Resume, cfg.LogDir = true, t.TempDir()
		name := filepath.Join(cfg.LogDir, logging.FileName(0, cfg.Rate))
		require.NoError(t, os.WriteFile(name, whole[:cut], 0o666))
		m, ended := Run(t.Context(), cfg, listen(t))
		require.NoError(t, unlessOver(ended), "cut after byte %d", cut)

		after, err := os.ReadFile(name)
		require.NoError(t, err)
		if cut == len(whole) { // nothing was left to do
			require.Equal(t, string(whole), string(after))
			require.Equal(t, &OverError{Step: m.Steps}, ended)
			continue
		}
		kept := whole[:bytes.LastIndexByte(whole[:cut], '\n')+1]
		require.Equal(t, string(kept), string(after[:len(kept)]))
		lines := bytes.Count(kept, []byte("\n"))
		last := records[lines-1].Event
		resumed := read(t, name)
		require.Len(t, resumed, lines+2, "the rest of the ticks were missed")
		require.Equal(t, logging.Resume{Step: last.Step, Clock: last.Clock}, resumed[lines].Resume)
		require.Equal(t, logging.StopRecord, resumed[lines+1].Kind)
		require.Equal(t, last.Step, m.Steps)
	}
}

// The same where there is a peer, which may know more than the log that is left
// says. Then the run is broken off, and else it is correct.
func TestPeerRemembersATornLog(t *testing.T) {
	f := newFleet(t, []string{"300", "200"}, func(_ int, cfg *Config) { cfg.Die = 3 })
	f.run()
	var whole [2][]byte
	for id := range whole {
		var err error
		whole[id], err = os.ReadFile(f.logName(id))
		require.NoError(t, err)
	}
	records := read(t, f.logName(0))
	// The other cannot do without what it has consumed.
	consumed := uint64(0)
	for _, rec := range read(t, f.logName(1)) {
		if rec.Kind == logging.EventRecord && rec.Event.Kind == event.Receive {
			consumed = rec.Event.Messages()[0].Seq
		}
	}
	var cuts []int
	for n := 1; n <= 3; n++ {
		at := lastLines(whole[0], n)
		cuts = append(cuts, at, at+40)
	}
	resumed, refused := 0, 0
	for _, cut := range cuts {
		g := newFleet(t, []string{"300", "200"}, func(_ int, cfg *Config) {
			cfg.Die, cfg.Resume, cfg.Linger, cfg.ConnectTimeout = 3, true, 300*time.Millisecond, 5*time.Second
		})
		for id, b := range whole {
			if id == 0 {
				b = b[:cut]
			}
			require.NoError(t, os.WriteFile(g.logName(id), b, 0o666))
			keepLinks(t, g.cfgs[id])
		}
		sent := uint64(0)
		for _, rec := range records[:bytes.Count(whole[0][:cut], []byte("\n"))] {
			if rec.Kind == logging.EventRecord && rec.Event.Kind == event.Send {
				sent = rec.Event.Messages()[0].Seq
			}
		}
		g.start(0)
		g.start(1)
		g.wait()
		if err := errors.Join(unlessOver(g.errs[0]), unlessOver(g.errs[1])); err != nil {
			refused++
			continue
		}
		resumed++
		assert.GreaterOrEqual(t, sent, consumed, "cut after byte %d", cut)
		requireCorrect(t, g.cfgs[0].LogDir)
	}
	assert.NotZero(t, resumed)
	t.Logf("%d resumed, %d refused", resumed, refused)
}

// Of the messages to a peer at least a window is remembered, and never two; also where two windows
// are more than an int of 32 bits holds.
func TestPastRemembersAWindow(t *testing.T) {
	for _, window := range []int{1, 3, 100, transport.MaxWindow} {
		p := past{sent: make([][]clock.Time, 1), seq: make([]uint64, 1)}
		for seq := uint64(1); seq <= 1000; seq++ {
			p.keep(event.Message{Seq: seq, Sent: clock.Time(seq)}, window)
			n := len(p.sent[0])
			require.GreaterOrEqual(t, n, min(int(seq), window))
			require.Less(t, n-window, window)
			require.Equal(t, clock.Time(seq), p.sent[0][n-1])
		}
	}
}

// requireCorrect holds a run against the laws, as the launcher does.
func requireCorrect(t *testing.T, dir string) {
	t.Helper()
	run, err := trace.Open(dir)
	require.NoError(t, err)
	v, err := run.Walk(trace.Options{})
	require.NoError(t, err)
	require.Equal(t, trace.Correct, v.State, "%v", v)
}

// Machines that are broken off at some instant and come back from their logs, in
// one process, where the race detector sees all.
func TestMachinesComeBack(t *testing.T) {
	f := newFleet(t, []string{"max", "500", "max"}, func(_ int, cfg *Config) {
		cfg.Window, cfg.Duration, cfg.Die = 64, time.Second, 4
	})
	f.run()
	f.check()
	// All at once, long after.
	for id := range f.cfgs {
		b, err := os.ReadFile(f.logName(id))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(f.logName(id), b[:lastLines(b, 1)], 0o666)) // no stop line
	}
	g := newFleet(t, []string{"max", "500", "max"}, func(id int, cfg *Config) {
		cfg.Window, cfg.Duration, cfg.Die, cfg.Resume, cfg.LogDir = 64, time.Second, 4, true, f.cfgs[id].LogDir
	})
	g.run()
	requireCorrect(t, g.cfgs[0].LogDir)
	for _, m := range g.results {
		assert.Empty(t, m.Undelivered)
	}
}

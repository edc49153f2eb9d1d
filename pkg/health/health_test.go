package health

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"go.uber.org/goleak"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/summary"
	"github.com/scalemodel/lamport/pkg/transport"
	"github.com/scalemodel/lamport/pkg/vm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// status is a report of a machine with one peer.
func status(s summary.Status, links ...transport.LinkStats) vm.Report {
	return vm.Report{Status: s, ID: 0, Machines: 2, Rate: 5 * clock.Hertz, Links: links}
}

var (
	up      = transport.LinkStats{Peer: 1, To: true, From: true}
	halfUp  = transport.LinkStats{Peer: 1, To: true}
	hasLeft = transport.LinkStats{Peer: 1, Left: true}
)

func TestJudge(t *testing.T) {
	running := summary.Status{Phase: summary.Running, Steps: 3}
	late := running
	late.Late = 101 * time.Millisecond
	stalled := running
	stalled.Stalled = true
	unpaced := status(late, up)
	unpaced.Rate = clock.Unpaced
	replay := status(running, up)
	replay.Waits = true
	for _, c := range []struct {
		report vm.Report
		idle   int
		state  State
	}{
		{vm.Report{}, 0, Connecting},
		{status(summary.Status{Phase: summary.Connecting}, halfUp), 1000, Connecting},
		{status(running, up), 0, Running},
		{status(running, up), 30, Running},
		{status(running, up), 31, Stuck},
		{status(running), 0, Running}, // a machine without peers
		{status(running, hasLeft), 0, Running},
		{status(running, up, halfUp), 0, Reconnecting},
		{status(late, up), 0, Late},
		{unpaced, 0, Running},
		{unpaced, 31, Stuck},
		{status(stalled, up), 0, Stalled},
		{replay, 1000, Running},
		{status(summary.Status{Phase: summary.Ending}, halfUp), 1000, Ending},
		{status(summary.Status{Phase: summary.Done}), 0, Done},
	} {
		assert.Equal(t, c.state, judge(&c.report, c.idle), "%+v", c)
	}
}

// What an engine makes of it: a machine that waits for its peers lives, and is not ready.
func TestLiveAndReady(t *testing.T) {
	for s, want := range map[State]struct {
		name        string
		live, ready bool
	}{
		Connecting: {"connecting", true, false}, Running: {"running", true, true}, Late: {"late", true, true},
		Stalled: {"stalled", true, true}, Reconnecting: {"reconnecting", true, false}, Stuck: {"stuck", false, false},
		Ending: {"ending", true, false}, Done: {"done", true, false},
	} {
		assert.Equal(t, want.name, s.String())
		assert.Equal(t, want.live, s.Live(), s)
		assert.Equal(t, want.ready, s.Ready(), s)
	}
}

// A machine that is slow by its rate, or whose run has not begun, is not stuck; one that does
// nothing is, and no longer when it goes on.
func TestMonitorSeesAStuckMachine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now atomic.Pointer[vm.Report]
		set := func(r vm.Report) { now.Store(&r) }
		start := time.Now().Add(time.Minute)
		set(status(summary.Status{Phase: summary.Running, Start: start}, up))
		m := NewMonitor(func() vm.Report { return *now.Load() }, "v", nil)
		defer m.Close()
		time.Sleep(70 * time.Second)
		assert.Equal(t, Running, m.State(), "the run has begun ten seconds ago")
		time.Sleep(30 * time.Second)
		assert.Equal(t, Stuck, m.State())
		set(status(summary.Status{Phase: summary.Running, Start: start, Steps: 1}, up))
		time.Sleep(2 * time.Second)
		assert.Equal(t, Running, m.State())
		slow := status(summary.Status{Phase: summary.Running, Start: start, Steps: 1}, up)
		slow.Rate = clock.Hertz / 100
		set(slow)
		time.Sleep(5 * time.Minute)
		assert.Equal(t, Running, m.State())
		time.Sleep(time.Minute)
		assert.Equal(t, Stuck, m.State())
		set(status(summary.Status{Phase: summary.Running, Start: start, Steps: 1, Stalled: true}, up))
		time.Sleep(2 * time.Second)
		assert.Equal(t, Stalled, m.State())
		set(status(summary.Status{Phase: summary.Running, Start: start, Steps: 1}, up))
		assert.Equal(t, Running, m.State(), "what it waited for does not count")
	})
}

func TestMonitorTells(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := 0
		m := NewMonitor(func() vm.Report { return status(summary.Status{Phase: summary.Running, Steps: 3}, up) }, "v", func(s State, r *vm.Report) {
			assert.Equal(t, Running, s)
			assert.EqualValues(t, 3, r.Steps)
			told++
		})
		time.Sleep(3500 * time.Millisecond)
		m.Close()
		assert.Equal(t, 3, told)
	})
}

package vm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/machine"
)

func TestLingering(t *testing.T) {
	const linger = 2 * time.Second
	byHand := context.Canceled
	within := func(d time.Duration) error { return fmt.Errorf("the supervisor says: %w", StopWithin{d}) }
	tests := []struct {
		name    string
		endless bool
		cause   error
		failed  bool
		want    time.Duration
	}{
		{"its time is over", false, nil, false, linger},
		{"stopped by hand", false, byHand, false, linger},
		{"stopped, for less", false, within(time.Second), false, time.Second},
		{"stopped, for more", false, within(time.Minute), false, time.Minute},
		{"stopped, for nothing", false, within(0), false, 0},
		{"its record is over", true, nil, false, forEver},
		{"a replay stopped by hand", true, byHand, false, linger},
		{"a replay stopped", true, within(time.Minute), false, time.Minute},
		{"contradicted by its peers", false, errors.New("contradicted"), true, 0},
		{"contradicted, and stopped", false, within(time.Minute), true, 0},
		{"a replay contradicted", true, nil, true, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			assert.Equal(t, tt.want, lingering{linger, tt.endless}.left(tt.cause, tt.failed))
			assert.Equal(t, strings.Contains(tt.name, "by hand"), errors.Is(tt.cause, byHand) && lingering{}.alone(tt.cause))
		})
	}
}

// fakePeers come to their end after some time, or never. Those that do not live do not
// answer, either.
type fakePeers struct {
	after   time.Duration
	live    bool
	err     error
	settled bool
	closed  bool
}

func (p *fakePeers) Leave(ctx, company context.Context) map[int]uint64 {
	if !p.live {
		company = ctx
	}
	select {
	case <-time.After(p.after):
		return nil
	case <-company.Done():
	case <-ctx.Done():
	}
	return map[int]uint64{1: 3}
}

func (p *fakePeers) Settle(ctx context.Context) bool {
	p.settled = ctx.Err() == nil
	return p.settled
}

func (p *fakePeers) Close(context.Context) { p.closed = true }
func (p *fakePeers) Left() []int           { return []int{2} }
func (p *fakePeers) Err() error            { return p.err }

// fakeClosing is the end of some mode.
type fakeClosing struct {
	forever  bool
	released bool
	checked  logging.Stop
	all      bool
	differs  error
}

func (c *fakeClosing) endless() bool { return c.forever }
func (c *fakeClosing) release()      { c.released = true }

func (c *fakeClosing) check(stop logging.Stop, all bool) error {
	c.checked, c.all = stop, all
	return c.differs
}

// newStepper returns machine 0 of three, between a disk and links that are not
// real.
func newStepper(t require.TestingT, disk *fakeDisk) *stepper {
	m, err := machine.New(machine.Config{Machines: 3, Die: 4, Seed: 42})
	require.NoError(t, err)
	disk.sent, disk.taken = map[int]uint64{}, map[int]uint64{}
	out := &fakeLinks{t: t, disk: disk, rooms: []int{0, 1 << 20, 1 << 20}, got: map[int][]clock.Time{}, acked: map[int]uint64{}}
	s := &stepper{machine: m, inbox: newInbox(0, 0), watcher: newWatcher(nil, false), take: m.DeliverAll, wall: time.Now}
	s.journal = newJournal(0, disk, false, out, make([]uint64, 3))
	return s
}

func TestEndingWaitsForItsPeers(t *testing.T) {
	const never = 1000 * time.Hour
	stopped := func(d time.Duration) error { return StopWithin{d} }
	tests := []struct {
		name    string
		endless bool
		live    bool          // the peers
		peers   time.Duration // until they come to their ends
		before  error         // why the run ended
		at      time.Duration // of what comes while it waits
		during  error
		want    time.Duration
		all     bool
	}{
		{"until they end", false, true, time.Second, nil, never, nil, time.Second, true},
		{"as long as it lingers", false, false, never, nil, never, nil, 2 * time.Second, false},
		{"as long as it is told", false, false, never, stopped(5 * time.Second), never, nil, 5 * time.Second, false},
		{"told while it waits", false, false, never, nil, time.Second, stopped(100 * time.Millisecond), 1100 * time.Millisecond, false},
		{"told while it waits, but not longer", false, false, never, nil, time.Second, stopped(time.Minute), 2 * time.Second, false},
		{"interrupted while it waits", false, false, never, nil, time.Second, context.Canceled, 2 * time.Second, false},
		{"interrupted before, while they go on", false, true, never, context.Canceled, never, nil, companyTime, false},
		{"interrupted before, as they are", false, true, companyTime / 2, context.Canceled, never, nil, companyTime / 2, true},
		{"interrupted while it waits for those that go on", false, true, never, nil, time.Second, context.Canceled, time.Second + companyTime, false},
		{"told to stop, as the others are", false, true, never, stopped(5 * time.Second), never, nil, 5 * time.Second, false},
		{"in a replay, interrupted while they go on", true, true, never, context.Canceled, never, nil, companyTime, false},
		{"in a replay, for ever", true, false, 100 * time.Hour, nil, never, nil, 100 * time.Hour, true},
		{"in a replay, until interrupted", true, false, never, nil, time.Hour, context.Canceled, time.Hour + 2*time.Second, false},
		{"in a replay, interrupted before", true, false, never, context.Canceled, never, nil, 2 * time.Second, false},
		{"in a replay, until told", true, false, never, nil, time.Hour, stopped(time.Minute), time.Hour + time.Minute, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithCancelCause(t.Context())
				if tt.before != nil {
					stop(tt.before)
				}
				told := time.AfterFunc(tt.at, func() { stop(tt.during) })
				defer told.Stop()
				disk := &fakeDisk{}
				peers, mode := &fakePeers{after: tt.peers, live: tt.live}, &fakeClosing{forever: tt.endless}
				e := ending{stepper: newStepper(t, disk), mode: mode, peers: peers, linger: 2 * time.Second, logger: hclog.NewNullLogger()}
				require.NoError(t, e.inbox.Deliver(1, 1, [][]byte{appendPayload(nil, 7)}))
				began := time.Now()
				line, left, err := e.run(ctx, nil)
				require.NoError(t, err)
				assert.Equal(t, tt.want, time.Since(began))
				want := logging.Stop{Queue: 1, Pending: []logging.Count{{Peer: 1, Messages: 1}}}
				if !tt.all {
					want.Undelivered = []logging.Count{{Peer: 1, Messages: 3}}
				}
				assert.Equal(t, &want, line)
				assert.Equal(t, []int{2}, left)
				assert.Equal(t, 1, disk.stops)
				assert.True(t, mode.released)
				assert.Equal(t, want, mode.checked)
				assert.Equal(t, tt.all, mode.all)
				assert.Equal(t, tt.all || tt.live && tt.want < 2*time.Second, peers.settled, "with those that it has not waited for in vain")
				assert.True(t, peers.closed && disk.closed)
			})
		})
	}
}

// A stop line that an earlier process has written is not written again, but the
// goodbye is said.
func TestEndingAfterAStopLine(t *testing.T) {
	disk, peers, mode := &fakeDisk{}, &fakePeers{}, &fakeClosing{}
	e := ending{stepper: newStepper(t, disk), mode: mode, peers: peers, linger: deadline, logger: hclog.NewNullLogger()}
	past := &logging.Stop{Step: 7}
	line, _, err := e.run(t.Context(), past)
	require.NoError(t, err)
	assert.Same(t, past, line)
	assert.Zero(t, disk.stops)
	assert.False(t, mode.released)
	assert.True(t, peers.settled && peers.closed && disk.closed)
}

// What breaks the end off leaves the peers their messages.
func TestEndingThatFails(t *testing.T) {
	bad := errors.New("bad")
	for name, c := range map[string]struct {
		edit  func(*ending, *fakeDisk)
		lines int // written
		want  string
	}{
		"contradicted by the peers": {func(e *ending, _ *fakeDisk) { e.peers.(*fakePeers).err = bad }, 0, "bad"},
		"another end than recorded": {func(e *ending, _ *fakeDisk) { e.mode.(*fakeClosing).differs = bad }, 1, "bad"},
		"no stop line": {func(_ *ending, d *fakeDisk) { d.fails = true }, 0,
			"the event log cannot be written, so the machine stops at step 0 (nothing that is not logged was sent or acknowledged): disk error"},
	} {
		t.Run(name, func(t *testing.T) {
			disk, peers := &fakeDisk{}, &fakePeers{}
			e := ending{stepper: newStepper(t, disk), mode: &fakeClosing{}, peers: peers, linger: deadline, logger: hclog.NewNullLogger()}
			c.edit(&e, disk)
			_, _, err := e.run(t.Context(), nil)
			require.EqualError(t, err, c.want)
			assert.Equal(t, c.lines, disk.stops)
			assert.False(t, peers.settled)
			assert.False(t, disk.closed)
		})
	}
}

// A paced machine in virtual time: each instruction is executed when it is due, and
// is in the log by then.
func TestPacedInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &fakeDisk{}
		s := newStepper(t, disk)
		p := newPaced(&Config{Common: experiment.Common{Duration: 10 * time.Second}, Rate: parseRate(t, "3"), Logger: hclog.NewNullLogger()}, s, new(past))
		start := time.Now().Add(time.Second)
		disk.onEvent = func(ev *event.Event) {
			assert.EqualValues(t, p.schedule.rate.Due(ev.Step), time.Since(start), "step %d", ev.Step)
		}
		s.begin(start, 10*time.Second, false, nil)
		require.True(t, s.until(0))
		require.NoError(t, p.drive())
		assert.Equal(t, 10*time.Second, time.Since(start))
		assert.EqualValues(t, 30, s.machine.Steps())
		_, measured := p.over(10 * time.Second)
		assert.False(t, measured)
		m := s.figures.Machine(0, p.schedule.rate, 0)
		assert.EqualValues(t, 30, m.Steps)
		assert.Zero(t, m.Missed)
	})
}

// An unpaced machine lets its peers wait for no more than a commit of so many
// steps or bytes, and hears of a stop between two.
func TestUnpacedCommits(t *testing.T) {
	disk := &fakeDisk{}
	s := newStepper(t, disk)
	u := newUnpaced(s)
	stop := make(chan struct{})
	var writes []uint64 // at which step each was made
	disk.onEvent = func(ev *event.Event) {
		if s.machine.Steps()-ev.Step >= commitSteps {
			t.Errorf("step %d is written at step %d", ev.Step, s.machine.Steps())
		}
		if len(writes) == 0 || writes[len(writes)-1] != s.machine.Steps() {
			writes = append(writes, s.machine.Steps())
		}
		if ev.Step == 40_000 {
			close(stop)
		}
	}
	s.begin(time.Now(), 0, u.exact(), stop)
	defer s.pacer.close()
	require.NoError(t, u.drive())
	assert.Equal(t, writes[len(writes)-1], s.machine.Steps(), "nothing is left")
	assert.Less(t, s.machine.Steps(), uint64(40_000+commitSteps))
	assert.Greater(t, len(writes), 10)
	assert.Less(t, len(writes), 100)
	elapsed, measured := u.over(time.Minute)
	assert.Equal(t, time.Minute, elapsed)
	assert.True(t, measured)
}

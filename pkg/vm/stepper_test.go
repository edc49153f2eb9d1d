package vm

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/event"
)

// Steps share a reading of the clock, but none carries one from before a message came or
// a commit was made: else a message could be stamped as received before it was sent. Here
// the clock counts what happens, so each time tells after what it was read.
func TestInstantsAreNeverOlderThanWhatTheyFollow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		disk := &fakeDisk{}
		s := newStepper(t, disk)
		happened := time.Unix(1, 0)
		readings := 0
		s.wall = func() time.Time {
			readings++
			return happened
		}
		var follows time.Time // what the next instant must not be older than
		carried := map[time.Time]int{}
		sent := uint64(0)
		var ev event.Event
		for range rapid.IntRange(1, 100).Draw(t, "times") {
			happened = happened.Add(time.Second)
			switch rapid.SampledFrom([]string{"step", "step", "step", "step", "message", "commit"}).Draw(t, "what") {
			case "step":
				going, err := s.step(&ev)
				require.NoError(t, err)
				require.True(t, going)
				at := s.instant()
				require.False(t, at.Before(follows), "%v is older than what came before", at)
				carried[at]++
				s.record(at, &ev)
			case "message":
				sent++
				require.NoError(t, s.inbox.Deliver(1, sent, [][]byte{appendPayload(nil, 1)}))
				follows = happened
			case "commit":
				require.NoError(t, s.commit())
				follows = happened
			}
		}
		for at, steps := range carried {
			require.LessOrEqual(t, steps, sharing, "at %v", at)
		}
		require.Len(t, carried, readings)
	})
}

// A step that had to wait is stamped when it was executed.
func TestAStepThatWaitedReadsTheClock(t *testing.T) {
	s := newStepper(t, &fakeDisk{})
	now := time.Unix(1, 0)
	s.wall = func() time.Time { return now }
	var ev event.Event
	_, err := s.step(&ev)
	require.NoError(t, err)
	s.record(s.instant(), &ev)
	now = now.Add(time.Hour)
	s.begin(time.Now(), 0, false, nil)
	defer s.pacer.close()
	going, err := s.stall()
	require.NoError(t, err)
	require.True(t, going)
	assert.Equal(t, now, s.instant())
}

// A slow machine next to one that floods it takes in what has come while it waits. At its
// tick it would be late by the time that takes.
func TestAFloodIsTakenInBeforeTheTick(t *testing.T) {
	for _, tt := range []struct {
		name     string
		messages int
		waiting  int // in the machine's queue, at the tick
	}{
		{"a few messages wait for the tick", crowd - 1, 0},
		{"many do not", crowd, crowd},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStepper(t, &fakeDisk{})
				s.begin(time.Now(), 0, false, nil)
				defer s.pacer.close()
				time.AfterFunc(time.Second, func() {
					payloads := make([][]byte, tt.messages)
					for i := range payloads {
						payloads[i] = appendPayload(nil, 1)
					}
					assert.NoError(t, s.inbox.Deliver(1, 1, payloads))
				})
				require.True(t, s.until(int64(2*time.Second)))
				assert.Equal(t, int64(2*time.Second), s.pacer.now(), "the tick is on time")
				assert.Equal(t, tt.waiting, s.machine.QueueLen())
				s.collect()
				assert.Equal(t, tt.messages, s.machine.QueueLen())
			})
		})
	}
}

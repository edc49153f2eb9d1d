package vm

import (
	"runtime/debug"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// slackless are starters that say whether timers may be late.
func slackless() (s *starters, late *bool) {
	late = new(bool)
	return &starters{loosen: func(by time.Duration) func() {
		*late = by == startingSlack
		return func() { *late = false }
	}}, late
}

// heapPercent returns what holds.
func heapPercent() int {
	p := debug.SetGCPercent(usualHeap)
	debug.SetGCPercent(p)
	return p
}

// The heap grows while any machine of the process starts, and never where somebody has said
// otherwise.
func TestHeapGrowsAtTheStartOnly(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(usualHeap))
	s, _ := slackless()
	one := s.begin()
	assert.Equal(t, startingHeap, heapPercent())
	two := s.begin()
	one()
	one()
	assert.Equal(t, startingHeap, heapPercent(), "the other still starts")
	two()
	assert.Equal(t, usualHeap, heapPercent())

	for _, said := range []int{50, -1, 1000} { // -1: GOGC=off
		debug.SetGCPercent(said)
		enough := s.begin()
		assert.Equal(t, said, heapPercent())
		enough()
		assert.Equal(t, said, heapPercent())
	}
}

// Timers are late while machines start, but for a process in which a machine has begun.
func TestTimersAreLateAtTheStartOnly(t *testing.T) {
	s, late := slackless()
	one := s.begin()
	assert.True(t, *late)
	two := s.begin()
	one()
	assert.True(t, *late, "the other still starts")
	two()
	assert.False(t, *late)

	one, two = s.begin(), s.begin()
	two()
	over := s.beExact()
	assert.False(t, *late, "the second runs")
	one()
	three := s.begin()
	assert.False(t, *late, "what the second has chosen would be lost")
	three()
	over()
	one = s.begin()
	assert.True(t, *late)
	one()
	assert.False(t, *late)
}

package vm

import (
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/assert"
)

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
	one := growHeap()
	assert.Equal(t, startingHeap, heapPercent())
	two := growHeap()
	one()
	one()
	assert.Equal(t, startingHeap, heapPercent(), "the other still starts")
	two()
	assert.Equal(t, usualHeap, heapPercent())

	for _, said := range []int{50, -1, 1000} { // -1: GOGC=off
		debug.SetGCPercent(said)
		enough := growHeap()
		assert.Equal(t, said, heapPercent())
		enough()
		assert.Equal(t, said, heapPercent())
	}
}

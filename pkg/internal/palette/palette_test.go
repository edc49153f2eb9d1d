package palette

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestColoursOfMachines(t *testing.T) {
	assert.Equal(t, "#0072B2", Hex(0))
	assert.Equal(t, "#7B6FD0", Hex(7))
	assert.Equal(t, Hex(1), Hex(1+Size))

	assert.Equal(t, 16+0*36+1*6+3, Indexed(0))
	assert.Equal(t, Indexed(2), Indexed(2+Size))
	seen := make(map[int]bool)
	for id := range Size {
		assert.False(t, seen[Indexed(id)], "machine %d can be told from the others", id)
		seen[Indexed(id)] = true
	}
}

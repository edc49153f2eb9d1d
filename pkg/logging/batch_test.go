package logging_test

import (
	"strconv"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"

	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/logging"
)

// An entry fills two lines of a cache, and an event without messages needs the first one alone.
func TestEntryFillsLinesOfACache(t *testing.T) {
	if strconv.IntSize < 64 {
		t.Skip("an int is smaller here")
	}
	const line = 64
	var e logging.Entry
	assert.EqualValues(t, 2*line, unsafe.Sizeof(e))
	const twoMessages = 2 * unsafe.Sizeof(event.Message{})
	assert.LessOrEqual(t, unsafe.Offsetof(e.Event)+unsafe.Sizeof(e.Event)-twoMessages, uintptr(line))
	assert.Less(t, unsafe.Offsetof(e.Other), unsafe.Offsetof(e.Event))
}

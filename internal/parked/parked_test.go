package parked_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/internal/parked"
)

type waiter struct{ a, b chan struct{} }

func (w *waiter) wait() {
	select {
	case <-w.a:
	case <-w.b:
	}
}

func (w *waiter) outer() { w.wait() }

func TestIn(t *testing.T) {
	w := &waiter{make(chan struct{}), make(chan struct{})}
	const function = "parked_test.(*waiter).wait"
	assert.False(t, parked.In(function))
	var wg sync.WaitGroup
	for range 200 { // more than one buffer of traces
		wg.Go(func() { deep(50, w.outer) })
	}
	require.Eventually(t, func() bool { return parked.In(function) }, time.Minute, time.Millisecond)
	assert.False(t, parked.In("parked_test.(*waiter).outer"), "it waits in another function")
	assert.False(t, parked.In(strings.TrimSuffix(function, "t")), "a part of the name")
	close(w.a)
	wg.Wait()
	require.Eventually(t, func() bool { return !parked.In(function) }, time.Minute, time.Millisecond)
}

func deep(n int, f func()) {
	if n > 0 {
		deep(n-1, f)
		return
	}
	f()
}

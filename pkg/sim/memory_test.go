package sim

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A machine of a large run takes less than 400 bytes, its messages included: what
// lives at the end, and what the process ever had to ask for.
func TestBytesPerMachine(t *testing.T) {
	const n = 50_000
	cfg := random(n)
	cfg.Duration = 20 * time.Second
	if testing.Short() {
		cfg.Duration = 5 * time.Second
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	r, err := Run(context.Background(), cfg)
	require.NoError(t, err)
	runtime.ReadMemStats(&after)
	asked := float64(after.TotalAlloc-before.TotalAlloc) / n
	runtime.GC()
	runtime.ReadMemStats(&after)
	lives := float64(after.HeapAlloc-before.HeapAlloc) / n
	t.Logf("%.0f bytes live, %.0f were allocated in all", lives, asked)
	require.Less(t, lives, 400.0)
	require.Less(t, asked, 600.0)
	runtime.KeepAlive(r)
}

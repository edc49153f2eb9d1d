package main

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/summary"
	"github.com/scalemodel/lamport/pkg/transport"
	"github.com/scalemodel/lamport/pkg/vm"
)

// A signal that comes when all is done does not make an interrupted run of it; one that comes
// in a run without an end does.
func TestSignalAtTheVeryEnd(t *testing.T) {
	rate, err := clock.ParseRate("1000")
	require.NoError(t, err)
	for name, c := range map[string]struct {
		duration time.Duration
		code     int
	}{"whole": {20 * time.Millisecond, exit.OK}, "without an end": {0, exit.Interrupted}} {
		t.Run(name, func(t *testing.T) {
			ln, err := transport.Listen("127.0.0.1", 0)
			require.NoError(t, err)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			cfg := vm.Config{
				Common: experiment.Common{Run: "test", Die: 10, Duration: c.duration},
				Rate:   rate, LogDir: t.TempDir(), Logger: hclog.NewNullLogger(),
			}
			if c.duration == 0 {
				onPhase(&cfg, func(p summary.Phase) {
					if p == summary.Running {
						cancel()
					}
				})
			}
			err = runMachine(ctx, life{}, cfg, ln, cancel, io.Discard)
			assert.Equal(t, c.code, exit.Code(err), "%v", err)
		})
	}
}

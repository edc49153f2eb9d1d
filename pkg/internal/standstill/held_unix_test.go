//go:build unix

package standstill_test

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// requireHeld waits until a child stands still.
func requireHeld(t *testing.T, pid int) {
	t.Helper()
	var status syscall.WaitStatus
	_, err := syscall.Wait4(pid, &status, syscall.WUNTRACED, nil)
	require.NoError(t, err)
	require.True(t, status.Stopped())
}

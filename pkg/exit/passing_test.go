package exit_test

import (
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/exit"
)

// A port that another process has is one, and nothing else is.
func TestPortTaken(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = ln.Close() }()
	_, err = net.Listen("tcp", ln.Addr().String())
	require.Error(t, err)
	assert.True(t, exit.PortTaken(fmt.Errorf("cannot listen: %w", err)))
	assert.False(t, exit.DiskFull(err))
	assert.False(t, exit.PortTaken(errors.New("address already in use")))
	assert.False(t, exit.PortTaken(nil))
}

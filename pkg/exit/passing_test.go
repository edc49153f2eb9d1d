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

// Of errors that come together, all are said in one line, and the first one has the exit code.
func TestJoin(t *testing.T) {
	full, silent := exit.With(exit.Retry, errors.New("the disk is full")), exit.With(exit.Interrupted, nil)
	other := errors.New("no")
	assert.NoError(t, exit.Join())
	assert.NoError(t, exit.Join(nil, nil))
	assert.Equal(t, full, exit.Join(nil, full, nil, silent))
	err := exit.Join(full, silent, other)
	assert.EqualError(t, err, "the disk is full; no")
	assert.Equal(t, exit.Retry, exit.Code(err))
	assert.ErrorIs(t, err, other)
	assert.Equal(t, exit.Interrupted, exit.Code(exit.Join(silent, nil)))
}

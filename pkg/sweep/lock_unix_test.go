//go:build unix

package sweep

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Two processes would remove each other's runs.
func TestOneAtATime(t *testing.T) {
	path := t.TempDir()
	d, err := Open(path, grid())
	require.NoError(t, err)
	_, err = Open(path, grid())
	require.ErrorIs(t, err, ErrBusy)
	assert.EqualError(t, err, path+": another process is at work on this sweep")
	require.NoError(t, d.Close())
	d, err = Open(path, grid())
	require.NoError(t, err)
	require.NoError(t, d.Close())
}

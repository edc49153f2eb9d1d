package logging

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDataFile(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	require.NoError(t, err)
	assert.NoError(t, dataFile{f}.Sync())
	require.NoError(t, f.Close())
	assert.ErrorContains(t, dataFile{f}.Sync(), "closed")

	r, w, err := os.Pipe() // which has nothing to be synced
	require.NoError(t, err)
	defer r.Close()
	defer w.Close()
	assert.ErrorContains(t, dataFile{w}.Sync(), "fdatasync |1: invalid argument")
}

package disk_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/internal/disk"
)

func TestOf(t *testing.T) {
	dir := t.TempDir()
	here, err := disk.Of(dir)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	require.NoError(t, err)
	assert.LessOrEqual(t, here.Free, here.Total)
	there, err := disk.Of(filepath.Join(dir, "not", "yet"))
	require.NoError(t, err)
	assert.Equal(t, here.Total, there.Total)
	_, err = disk.Of(filepath.Join(dir, "\x00"))
	assert.Error(t, err)
}

package manyfiles_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/internal/manyfiles"
)

const many = 500

func files(t *testing.T) []string {
	dir := t.TempDir()
	paths := make([]string, many)
	for i := range paths {
		paths[i] = filepath.Join(dir, fmt.Sprint(i))
		require.NoError(t, os.WriteFile(paths[i], []byte(fmt.Sprintf("content of file %d", i)), 0o600))
	}
	return paths
}

func closed(f *manyfiles.File) { _ = f.Close() }

// Many files are read side by side, a few bytes at a time, as one would be.
func TestReadMany(t *testing.T) {
	var all sync.WaitGroup
	for i, path := range files(t) {
		f, err := manyfiles.Open(path)
		require.NoError(t, err)
		all.Go(func() {
			defer closed(f)
			got, err := io.ReadAll(io.LimitReader(f, 5))
			assert.NoError(t, err)
			rest, err := io.ReadAll(f)
			assert.NoError(t, err)
			assert.Equal(t, fmt.Sprintf("content of file %d", i), string(got)+string(rest))
		})
	}
	all.Wait()
}

// Few of them are open, whatever their number.
func TestFewAreOpen(t *testing.T) {
	const here = "/proc/self/fd"
	open := func() int {
		entries, err := os.ReadDir(here)
		if err != nil {
			t.Skip(here + " is needed to count")
		}
		return len(entries)
	}
	before := open()
	for _, path := range files(t) {
		f, err := manyfiles.Open(path)
		require.NoError(t, err)
		defer closed(f)
	}
	assert.Less(t, open()-before, 100)
}

// What one has given back, another one can have.
func TestCloseGivesBack(t *testing.T) {
	path := files(t)[0]
	for range many {
		f, err := manyfiles.Open(path)
		require.NoError(t, err)
		require.NoError(t, f.Close())
		_, err = manyfiles.Open(path + ".not")
		require.ErrorIs(t, err, os.ErrNotExist)
	}
	// All that are held stay open, so this one would be replaced unnoticed.
	f, err := manyfiles.Open(path)
	require.NoError(t, err)
	defer closed(f)
	require.NoError(t, os.Remove(path))
	b, err := io.ReadAll(f)
	require.NoError(t, err)
	assert.Equal(t, "content of file 0", string(b))
}

// A file that takes the place of another one is not read on.
func TestReplaced(t *testing.T) {
	paths := files(t)
	var last *manyfiles.File
	for _, path := range paths {
		f, err := manyfiles.Open(path)
		require.NoError(t, err)
		defer closed(f)
		last = f
	}
	path := paths[len(paths)-1]
	_, err := last.Read(make([]byte, 3))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path+".new", []byte("another content"), 0o600))
	require.NoError(t, os.Rename(path+".new", path))
	_, err = last.Read(make([]byte, 3))
	assert.ErrorContains(t, err, "was replaced while it was read")
	require.NoError(t, os.Remove(path))
	_, err = last.Read(make([]byte, 3))
	assert.ErrorIs(t, err, os.ErrNotExist)
}

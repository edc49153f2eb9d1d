package guarded

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// both calls a test with ReadFile, and with ReadFileIn inside of the directory.
func both(t *testing.T, dir string, test func(t *testing.T, read func(name string, limit int64) ([]byte, error))) {
	t.Run("ReadFile", func(t *testing.T) {
		test(t, func(name string, limit int64) ([]byte, error) { return ReadFile(filepath.Join(dir, name), limit) })
	})
	t.Run("ReadFileIn", func(t *testing.T) {
		root, err := os.OpenRoot(dir)
		require.NoError(t, err)
		defer func() { _ = root.Close() }()
		test(t, func(name string, limit int64) ([]byte, error) { return ReadFileIn(root, name, limit) })
	})
}

func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	for name, size := range map[string]int{"empty": 0, "one": 1, "ten": 10, "many": 100_000} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(strings.Repeat("x", size)), 0o666))
		both(t, dir, func(t *testing.T, read func(string, int64) ([]byte, error)) {
			b, err := read(name, int64(size))
			require.NoError(t, err)
			assert.Equal(t, strings.Repeat("x", size), string(b))
			_, err = read(name, int64(size)-1)
			var tooLarge *SizeError
			require.ErrorAs(t, err, &tooLarge)
			assert.EqualValues(t, size-1, tooLarge.Limit)
		})
	}
	require.NoError(t, os.Mkdir(filepath.Join(dir, "directory"), 0o777))
	both(t, dir, func(t *testing.T, read func(string, int64) ([]byte, error)) {
		_, err := read("nowhere", 9)
		require.ErrorIs(t, err, fs.ErrNotExist)
		_, err = read("directory", 9)
		require.ErrorIs(t, err, ErrNotRegular)
	})
}

// A link is followed to a file, but not out of a root.
func TestReadFileThroughALink(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(outside, "file"), []byte("there"), 0o666))
	if err := os.Symlink(filepath.Join(outside, "file"), filepath.Join(dir, "link")); err != nil {
		t.Skip("no links can be made here")
	}
	b, err := ReadFile(filepath.Join(dir, "link"), 9)
	require.NoError(t, err)
	assert.Equal(t, "there", string(b))
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	defer func() { _ = root.Close() }()
	_, err = ReadFileIn(root, "link", 9)
	require.Error(t, err)
}

func TestReplace(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "file")
	write := func(text string, fails error) func(*os.File) error {
		return func(f *os.File) error {
			_, err := f.WriteString(text)
			return errors.Join(err, fails)
		}
	}
	content := func() string {
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Len(t, entries, 1, "nothing is left behind")
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		return string(b)
	}
	require.NoError(t, Replace(name, write("one", nil)))
	assert.Equal(t, "one", content())
	require.NoError(t, os.WriteFile(name+".part", []byte("of a process that was killed"), 0o666))
	require.NoError(t, Replace(name, write("two", nil)))
	assert.Equal(t, "two", content())
	full := errors.New("no space left")
	require.ErrorIs(t, Replace(name, write("th", full)), full)
	assert.Equal(t, "two", content())
	require.ErrorIs(t, Replace(filepath.Join(dir, "nowhere", "file"), write("", nil)), fs.ErrNotExist)
}

// Where a link stands in the place of the file or of what becomes it, nothing is
// written to where it leads.
func TestReplaceWritesThroughNoLink(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	precious := filepath.Join(outside, "precious")
	require.NoError(t, os.WriteFile(precious, []byte("precious"), 0o666))
	for _, link := range []string{"file", "file.part"} {
		if err := os.Symlink(precious, filepath.Join(dir, link)); err != nil {
			t.Skip("no links can be made here")
		}
		require.NoError(t, Replace(filepath.Join(dir, "file"), func(f *os.File) error {
			_, err := f.WriteString("new")
			return err
		}))
		b, err := os.ReadFile(filepath.Join(dir, "file"))
		require.NoError(t, err)
		assert.Equal(t, "new", string(b))
		b, err = os.ReadFile(precious)
		require.NoError(t, err)
		assert.Equal(t, "precious", string(b))
	}
}

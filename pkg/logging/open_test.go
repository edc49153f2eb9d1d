package logging

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/clock"
)

func compress(t testing.TB, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := io.WriteString(w, text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

const line = "2026-11-22T17:13:40.066633Z [INFO]  vm-0: internal: step=1 clock=1 queue=0\n"

// readAll returns how many records a log has, and how it ends.
func readAll(t testing.TB, path string) (n int, err error) {
	t.Helper()
	f, err := Open(path)
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }()
	r := NewReader(f, path)
	var rec Record
	for ; err == nil; n++ {
		err = r.Next(&rec)
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n - 1, err
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	plain, zipped := filepath.Join(dir, "vm_0_1.log"), filepath.Join(dir, "vm_0_1.log.gz")
	require.NoError(t, os.WriteFile(plain, []byte(strings.Repeat(line, 3)), 0o666))
	require.NoError(t, os.WriteFile(zipped, append(compress(t, line+line), compress(t, line)...), 0o666))
	for _, path := range []string{plain, zipped} {
		n, err := readAll(t, path)
		require.NoError(t, err)
		assert.Equal(t, 3, n)
	}
	_, err := Open(filepath.Join(dir, "nowhere.gz"))
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = Open(dir)
	require.EqualError(t, err, dir+": expected an event log, found no regular file")
	require.NoError(t, os.Rename(plain, zipped))
	_, err = Open(zipped)
	require.EqualError(t, err, zipped+": expected a log that was compressed with gzip: gzip: invalid header")
}

// Wherever compressed data break off, the log is torn: it is never taken for whole.
func TestCompressedDataBreakOff(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vm_0_1.log.gz")
	whole := compress(t, strings.Repeat(line, 3))
	for cut := range whole {
		require.NoError(t, os.WriteFile(path, whole[:cut], 0o666))
		n, err := readAll(t, path)
		require.ErrorIs(t, err, ErrTorn, "cut at %d", cut)
		require.ErrorIs(t, err, ErrBreaksOff)
		require.LessOrEqual(t, n, 3)
		require.ErrorContains(t, err, path+":")
	}
	for i := range whole { // damage is something else than an end, or the same log
		damaged := bytes.Clone(whole)
		damaged[i] ^= 0xff
		require.NoError(t, os.WriteFile(path, damaged, 0o666))
		if n, err := readAll(t, path); err == nil {
			require.Equal(t, 3, n, "byte %d", i)
		}
	}
}

// What is small and grows without an end takes no more memory than a line does.
func TestDecompressionBomb(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vm_0_1.log.gz")
	bomb := compress(t, strings.Repeat("x", 32*MaxLine)) // four times what may be allocated below
	require.Less(t, len(bomb), 100_000)
	require.NoError(t, os.WriteFile(path, bomb, 0o666))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := readAll(t, path)
	runtime.ReadMemStats(&after)
	require.ErrorContains(t, err, path+":1: expected a line of at most 1048576 bytes")
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(8*MaxLine))
}

// What an editor has done to a log is said as what it is, and the log is not gone on with.
func TestMangledLogs(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, FileName(0, clock.Hertz))
	for text, want := range map[string]string{
		"\ufeff" + line:                        path + ":1: expected a time in UTC from 1970 to 9999 such as 2006-01-02T15:04:05.000000Z, found \"\\ufeff2026-11-22T17:13:40.066633Z [INFO]  v\"…: the file begins with a byte order mark, ",
		"\xff\xfe2\x000\x00\n\x00":             path + ":1: expected a time in UTC",
		strings.ReplaceAll(line, "\n", "\r\n"): path + `:1: expected the end of the line, found "\r": the line ends in CR LF, `,
		line + "\r\n":                          path + ":2: expected a time in UTC",
	} {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
		_, err := readAll(t, path)
		require.ErrorContains(t, err, want)
		_, err = Reopen(dir, 0, clock.Hertz, func(*Record) error { return nil })
		require.ErrorContains(t, err, want)
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, text, string(b), "untouched")
	}
	_, err := readAll(t, path)
	require.NotErrorIs(t, err, ErrTorn)
}

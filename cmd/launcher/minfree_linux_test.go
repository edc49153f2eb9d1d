package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// smallDisk mounts a file system that is small enough to fill.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can mount a file system that is small enough to fill")
	}
	small := t.TempDir()
	if err := unix.Mount("tmpfs", small, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("a small file system cannot be mounted here, although this is root: %v", err)
	}
	t.Cleanup(func() { assert.NoError(t, unix.Unmount(small, 0)) })
	return small
}

// A run ends in order before its disk has less left than it should, and says so.
func TestRunEndsBeforeTheDiskIsFull(t *testing.T) {
	if testing.Short() {
		t.Skip("writes and checks a hundred MB")
	}
	t.Parallel()
	// Under the race detector logs grow slowly, and what was written is checked even more slowly.
	const size = 400 << 20
	share := uint64(60)
	if raceEnabled() {
		share = 80
	}
	floor := float64(size*share/100) / 1e6 // MB
	for _, tt := range []struct {
		name string
		args []string
	}{
		{"processes", []string{"run", "--ports", "auto", "--rates", "max,max"}},
		{"virtual time", []string{"sim"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			small := smallDisk(t, strconv.Itoa(size))
			// What others have written counts.
			require.NoError(t, unix.Fallocate(int(create(t, filepath.Join(small, "others")).Fd()), 0, 0, 20<<20))
			dir := filepath.Join(small, "run")
			p := launcher(t, t.TempDir(), append(tt.args, "--duration", "0", "--out", dir, "--min-free", fmt.Sprintf("%d%%", share))...).start()
			require.Equal(t, "130", p.wait())
			assert.Regexp(t, `(?m)^launcher: stopped early, in order: \d+ MB are left on the disk of `+dir+fmt.Sprintf(`, where %.0f MB must stay free and the logs take `, floor)+`[\d.]+ [kM]B/s \(--min-free `, p.errors.String())
			assert.Contains(t, p.out.String(), "check        correct: ")
			requireCorrect(t, dir)
			assert.NotEmpty(t, summaryOf(t, dir))
			var st unix.Statfs_t
			require.NoError(t, unix.Statfs(small, &st))
			left := st.Bavail * uint64(st.Bsize) / 1e6
			assert.GreaterOrEqual(t, left, uint64(floor), "MB are left")
			t.Logf("%d MB are left", left)
		})
	}
}

func create(t *testing.T, name string) *os.File {
	t.Helper()
	f, err := os.Create(name)
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// Where there is too little room from the beginning, nothing is begun.
func TestRunDoesNotBeginOnAFullDisk(t *testing.T) {
	t.Parallel()
	small := smallDisk(t, "10m")
	for _, args := range [][]string{
		{"run", "--ports", "auto", "--vm", filepath.Join(bin, "vm")},
		{"sim"},
		{"sweep", "--virtual"},
	} {
		code, out, errs := inProcess(append(args, "--duration", "1s", "--out", filepath.Join(small, "run"), "--min-free", "11MB")...)
		assert.Equal(t, 75, code)
		assert.Empty(t, out)
		assert.Contains(t, errs, "launcher: 10.5 MB are left on the disk of ")
		assert.Contains(t, errs, ", where 11.0 MB must stay free (--min-free says how much; 0 keeps nothing free)\n")
		assert.Empty(t, files(t, small))
	}
	code, _, _ := inProcess("sim", "--duration", "1s", "--out", filepath.Join(small, "run"), "--min-free", "0")
	assert.Zero(t, code)
}

package lab

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/rundir"
	"github.com/scalemodel/lamport/pkg/trace/tracetest"
)

func TestFindRuns(t *testing.T) {
	parent := t.TempDir()
	for _, name := range []string{"c/inner", "a"} {
		require.NoError(t, os.MkdirAll(filepath.Join(parent, name), 0o777))
		require.NoError(t, tracetest.Record(filepath.Join(parent, name), tracetest.Config{Rates: tracetest.Hertz(1), Duration: time.Second}))
	}
	claim := func(name string, r *rundir.Record) {
		r.Spec = experiment.Spec{
			Common: experiment.Common{Run: "sim", Die: 10, Duration: time.Second},
			Rates:  tracetest.Hertz(1), Virtual: &experiment.Virtual{Latency: experiment.DefaultLatency()},
		}
		_, err := rundir.Claim(filepath.Join(parent, name), r)
		require.NoError(t, err)
	}
	claim("figures", &rundir.Record{NoLogs: true})
	claim("died", &rundir.Record{}) // before it wrote a log
	outside := t.TempDir()
	require.NoError(t, tracetest.Record(outside, tracetest.Config{Rates: tracetest.Hertz(1), Duration: time.Second}))
	for from, to := range map[string]string{"a/up": "..", "b": "c", "z": outside, "c/inner/self": ".", "nowhere": "gone", "round": "round"} {
		require.NoError(t, os.Symlink(to, filepath.Join(parent, from)))
	}
	found, remarks, err := Runs{Dirs: []string{parent, filepath.Join(parent, "a")}, Descend: true}.find()
	require.NoError(t, err)
	for i, dir := range found {
		found[i] = strings.TrimPrefix(filepath.ToSlash(dir), filepath.ToSlash(parent)+"/")
	}
	assert.Equal(t, []string{"a", "c/inner", "died", "z"}, found)
	assert.Equal(t, []string{"left out: 1 without event logs, which keep figures only"}, remarks)

	_, _, err = Runs{Dirs: []string{filepath.Join(parent, "figures")}, Descend: true}.find()
	require.ErrorContains(t, err, "the runs there keep no event logs")
	found, _, err = Runs{Dirs: []string{filepath.Join(parent, "gone")}, Descend: true}.find()
	require.NoError(t, err, "what cannot be read is said in its place")
	assert.Len(t, found, 1)
}

// What is done side by side is shown in order, no more of it at a time than there are
// cores, and nothing after the first error.
func TestInOrder(t *testing.T) {
	var begun atomic.Int64
	var shown []int
	enough := errors.New("enough")
	err := inOrder(1000, func(i int) int {
		begun.Add(1)
		if i%7 == 0 {
			time.Sleep(time.Millisecond) // others come first
		}
		return i * i
	}, func(i, square int) error {
		require.Equal(t, i*i, square)
		shown = append(shown, i)
		if i == 100 {
			return enough
		}
		return nil
	})
	require.Equal(t, enough, err)
	require.Len(t, shown, 101)
	require.Less(t, begun.Load(), int64(1000))
	for i, n := range shown {
		require.Equal(t, i, n)
	}
	require.NoError(t, inOrder(0, func(int) int { panic("none") }, func(int, int) error { return nil }))
}

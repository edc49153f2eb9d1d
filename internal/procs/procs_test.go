//go:build unix

package procs_test

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/internal/procs"
)

func TestAProcess(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	require.NoError(t, cmd.Start())
	pid := cmd.Process.Pid
	find := func() procs.Process {
		p, err := procs.Find(pid)
		require.NoError(t, err)
		return p
	}
	becomes := func(ok func(procs.Process) bool) {
		for end := time.Now().Add(time.Minute); !ok(find()); time.Sleep(time.Millisecond) {
			require.True(t, time.Now().Before(end), "%+v", find())
		}
	}
	becomes(func(p procs.Process) bool { return p.Args == "sleep 60" })
	assert.Equal(t, os.Getpid(), find().Parent)
	assert.True(t, find().Runs())
	require.NoError(t, procs.Hold(pid))
	assert.EqualValues(t, 'T', find().State)
	assert.True(t, find().Runs())
	require.NoError(t, cmd.Process.Kill())
	becomes(func(p procs.Process) bool { return !p.Runs() })
	assert.Equal(t, pid, find().ID, "nobody has taken note of its end")
	require.Error(t, cmd.Wait())
	assert.Equal(t, procs.Process{}, find())
	assert.False(t, find().Runs())
	require.ErrorIs(t, procs.Hold(pid), syscall.ESRCH)
}

package standstill_test

import (
	"bufio"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/internal/standstill"
)

const asEcho = "LAMPORT_TEST_ECHO"

func TestMain(m *testing.M) {
	if os.Getenv(asEcho) != "" {
		in := bufio.NewReader(os.Stdin)
		for line, err := in.ReadString('\n'); err == nil; line, err = in.ReadString('\n') {
			_, _ = os.Stdout.WriteString(line)
		}
		return
	}
	os.Exit(m.Run())
}

// A process that was held goes on where it was.
func TestHold(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asEcho+"=1", "GORACE=atexit_sleep_ms=0") // else it sleeps a second at its end
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	defer func() {
		_ = in.Close()
		require.NoError(t, cmd.Wait())
	}()
	err = standstill.Hold(cmd.Process, true)
	if !standstill.Can {
		require.EqualError(t, err, "this system cannot pause a process")
		return
	}
	require.NoError(t, err)
	requireHeld(t, cmd.Process.Pid)
	_, err = in.Write([]byte("still there\n"))
	require.NoError(t, err)
	require.NoError(t, standstill.Hold(cmd.Process, false))
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "still there\n", line)
}

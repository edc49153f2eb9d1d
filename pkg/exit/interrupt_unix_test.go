//go:build unix

package exit

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// asChild makes this test program a command that can be interrupted.
const asChild = "LAMPORT_TEST_INTERRUPT"

func TestMain(m *testing.M) {
	switch os.Getenv(asChild) {
	case "":
		goleak.VerifyTestMain(m)
	case "kill":
		interruptible(func() { fmt.Println("kill") })
	case "nil":
		interruptible(nil)
	}
}

// interruptible hangs after the first interrupt.
func interruptible(kill func()) {
	ctx, _ := OnInterrupt(context.Background(), kill)
	fmt.Println("ready")
	<-ctx.Done()
	fmt.Println("ending")
	select {}
}

func TestSecondInterruptEndsTheProcess(t *testing.T) {
	for _, kill := range []string{"kill", "nil"} {
		for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
			t.Run(fmt.Sprint(kill, " ", sig), func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				cmd := exec.CommandContext(ctx, os.Args[0])
				cmd.Env = append(os.Environ(), asChild+"="+kill)
				out, err := cmd.StdoutPipe()
				require.NoError(t, err)
				require.NoError(t, cmd.Start())
				defer func() { _ = cmd.Process.Kill() }()
				lines := bufio.NewScanner(out)
				says := func(want string) {
					t.Helper()
					require.True(t, lines.Scan(), "it has ended")
					require.Equal(t, want, lines.Text())
				}
				says("ready")
				require.NoError(t, cmd.Process.Signal(sig))
				says("ending")
				require.NoError(t, cmd.Process.Signal(sig))
				if kill == "kill" {
					says("kill")
				}
				assert.False(t, lines.Scan())
				var ended *exec.ExitError
				require.ErrorAs(t, cmd.Wait(), &ended)
				assert.Equal(t, Interrupted, ended.ExitCode())
			})
		}
	}
}

func TestFirstInterruptEndsTheContext(t *testing.T) {
	ctx, stop := OnInterrupt(t.Context(), func() { t.Error("killed") })
	defer stop()
	require.NoError(t, ctx.Err())
	require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGTERM))
	select {
	case <-ctx.Done():
	case <-time.After(time.Minute):
		t.Fatal("the context goes on")
	}
	require.ErrorIs(t, ctx.Err(), context.Canceled)
	assert.True(t, Terminated(ctx))
	assert.False(t, HungUp(ctx))
}

// When a terminal goes, several may say so.
func TestHangUp(t *testing.T) {
	// Under nohup there would be none.
	hangUps := make(chan os.Signal, 10)
	signal.Notify(hangUps, syscall.SIGHUP)
	defer signal.Stop(hangUps)
	ctx, stop := OnInterrupt(t.Context(), func() { t.Error("killed") })
	for range 3 {
		require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGHUP))
		<-hangUps
		select {
		case <-ctx.Done():
		case <-time.After(time.Minute):
			t.Fatal("the context goes on")
		}
	}
	require.ErrorIs(t, ctx.Err(), context.Canceled)
	assert.True(t, HungUp(ctx))
	stop()

	ctx, stop = OnInterrupt(t.Context(), nil)
	defer stop()
	require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGINT))
	<-ctx.Done()
	assert.False(t, HungUp(ctx))
	assert.False(t, Terminated(ctx))
}

// Under nohup the end of the terminal is no reason to stop.
func TestHangUpIsIgnored(t *testing.T) {
	signal.Ignore(syscall.SIGHUP)
	defer signal.Reset(syscall.SIGHUP)
	ctx, stop := OnInterrupt(t.Context(), nil)
	defer stop()
	assert.True(t, signal.Ignored(syscall.SIGHUP))
	require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGHUP))
	require.NoError(t, ctx.Err())
}

func TestInterruptsCanBeLetGo(t *testing.T) {
	ctx, stop := OnInterrupt(t.Context(), nil)
	stop()
	require.ErrorIs(t, ctx.Err(), context.Canceled)
	stop() // as any CancelFunc

	parent, cancel := context.WithCancel(t.Context())
	ctx, stop = OnInterrupt(parent, nil)
	defer stop()
	cancel()
	<-ctx.Done()
}

package gather

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/logging"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// deadline is how long a test waits for what must happen.
const deadline = 60 * time.Second

// aLog returns the log of a machine that has taken so many steps, and whether it has
// stopped.
func aLog(t testing.TB, run string, id, machines, steps int, stopped bool) []byte {
	t.Helper()
	var b bytes.Buffer
	w := logging.NewWriter(&b, id)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	start := logging.Start{Run: run, Machines: machines, Rate: clock.Hertz, Seed: 7, Die: 10}
	for p := range machines {
		if p != id {
			start.Peers = append(start.Peers, p)
		}
	}
	w.Start(at, start)
	for i := range steps {
		ev := event.Event{Kind: event.Internal, Step: uint64(i + 1), Clock: clock.Time(i + 1)}
		ev.SetMessages()
		w.Event(at.Add(time.Duration(i+1)*time.Second), &ev)
	}
	if stopped {
		w.Stop(at.Add(time.Duration(steps)*time.Second), logging.Stop{Step: uint64(steps), Clock: clock.Time(steps)})
	}
	require.NoError(t, w.Flush())
	return b.Bytes()
}

// gatherer is a gathering that is served.
type gatherer struct {
	*Gathering
	addr string
	stop func()
}

func serve(t testing.TB, cfg Config) *gatherer {
	t.Helper()
	g, err := Open(cfg)
	require.NoError(t, err)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Serve(ctx, ln, nil) }()
	s := &gatherer{Gathering: g, addr: ln.Addr().String()}
	stopped := false
	s.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		assert.NoError(t, <-ended)
		assert.NoError(t, g.Close())
	}
	t.Cleanup(s.stop)
	return s
}

func put(t testing.TB, name string, b []byte) string {
	t.Helper()
	require.NoError(t, os.WriteFile(name, b, 0o600))
	return name
}

func TestDeliver(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	g := serve(t, Config{Dir: dir, Run: "r", Machines: 3})
	for id := range 3 {
		want := aLog(t, "r", id, 3, 1000, true)
		file := put(t, filepath.Join(t.TempDir(), fmt.Sprintf("vm_%d_1.log", id)), want)
		c := NewClient(g.addr, nil)
		defer c.Close()
		require.NoError(t, c.Deliver(t.Context(), file, &About{Host: "h"}))
		got, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("vm_%d_1.log", id)))
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got))
	}
	<-g.Full()
}

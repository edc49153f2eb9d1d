package vm

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/fault"
	"github.com/scalemodel/lamport/pkg/internal/faultconn"
	"github.com/scalemodel/lamport/pkg/logging"
)

func parsePlan(t *testing.T, text string, machines int) *fault.Plan {
	t.Helper()
	plan, err := fault.Parse(text, machines)
	require.NoError(t, err)
	return plan.Seeded(1)
}

// Over TCP a reset loses what is under way, and closing for writing comes after
// what is delayed.
func TestFaultsOverTCP(t *testing.T) {
	pair := func(t *testing.T, plan string) (near, far net.Conn) {
		ln := listen(t)
		f := faultconn.New(parsePlan(t, plan, 2), 0)
		near, err := f.Dial(new(net.Dialer).DialContext, func(string) int { return 1 })(t.Context(), "tcp", ln.Addr().String())
		require.NoError(t, err)
		t.Cleanup(func() { _ = near.Close() })
		far, err = ln.Accept()
		require.NoError(t, err)
		t.Cleanup(func() { _ = far.Close() })
		f.Begin(t.Context(), time.Now())
		require.NoError(t, far.SetReadDeadline(time.Now().Add(deadline)))
		return near, far
	}
	t.Run("reset", func(t *testing.T) {
		_, far := pair(t, "at 10ms reset 0->1")
		_, err := far.Read(make([]byte, 1))
		assert.ErrorContains(t, err, "reset")
	})
	t.Run("close for writing", func(t *testing.T) {
		near, far := pair(t, "from 0s delay 0->1 50ms for 1h")
		_, err := near.Write([]byte("last words"))
		require.NoError(t, err)
		require.NoError(t, near.(interface{ CloseWrite() error }).CloseWrite())
		b, err := io.ReadAll(far)
		require.NoError(t, err)
		assert.Equal(t, "last words", string(b))
	})
	t.Run("close for writing, undelayed", func(t *testing.T) {
		near, far := pair(t, "at 1h reset *")
		require.NoError(t, near.(interface{ CloseWrite() error }).CloseWrite())
		_, err := far.Read(make([]byte, 1))
		assert.ErrorIs(t, err, io.EOF)
	})
}

// Connections break and stall in a run at full speed, and it is correct.
func TestRunWithFaults(t *testing.T) {
	plan := parsePlan(t, "random reset every 100ms; random cut every 200ms for 50ms; from 0s delay 0->1 5ms 5ms; at 300ms stop-reading 2 for 200ms; at 500ms partition 0 | 1 | 2 for 100ms", 3)
	plan, err := plan.Within(time.Second)
	require.NoError(t, err)
	f := newFleet(t, []string{"max", "500", "max"}, func(_ int, cfg *Config) {
		cfg.Duration, cfg.Faults, cfg.Window = time.Second, plan, 100
	})
	f.run()
	f.check()
	reconnects := uint64(0)
	for _, m := range f.results {
		reconnects += m.Wire.Reconnects
		assert.Empty(t, m.Undelivered)
	}
	assert.NotZero(t, reconnects)
}

// A run that is stopped while nothing flows comes to its end all the same.
func TestRunIsStoppedInAPartition(t *testing.T) {
	const cut = 100 * time.Millisecond
	plan := parsePlan(t, "at 100ms partition 0 | 1 for 1h; at 200ms stop-reading 1 for 1h", 2)
	theres := make([]<-chan struct{}, 2)
	f := newFleet(t, []string{"400", "400"}, func(id int, cfg *Config) {
		cfg.Duration, cfg.Faults = 0, plan
		cfg.WatchEvery = time.Millisecond
		cfg.Watch, theres[id] = after(200) // which no machine has executed before 500 ms
	})
	f.start(0)
	f.start(1)
	for _, there := range theres {
		soon(t, "half a second", there)
	}
	stopped := time.Now()
	f.stopAll()
	f.wait()
	f.check()
	held := make(map[message]bool)
	logs := [][]logging.Record{read(t, f.logName(0)), read(t, f.logName(1))}
	for id, records := range logs {
		require.NoError(t, f.errs[id])
		assert.Empty(t, f.results[id].Undelivered)
		for _, rec := range records {
			if rec.Event.Kind == event.Send && rec.UnixMicro > records[0].UnixMicro+cut.Microseconds() {
				m := rec.Event.Messages()[0]
				held[message{link{id, int(m.To)}, m.Seq}] = true
			}
		}
	}
	assert.NotEmpty(t, held)
	for id, records := range logs {
		for _, rec := range records {
			if rec.Event.Kind == event.Receive && rec.UnixMicro < stopped.UnixMicro() {
				m := rec.Event.Messages()[0]
				assert.False(t, held[message{link{int(m.From), id}, m.Seq}], "message %d of machine %d flowed", m.Seq, m.From)
			}
		}
	}
}

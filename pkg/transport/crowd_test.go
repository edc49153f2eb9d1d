package transport

import (
	"context"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLimitsGrowWithTheMachines(t *testing.T) {
	for _, tt := range []struct {
		machines    int
		ping, hello time.Duration
		descriptors int
	}{
		{2, DefaultPingInterval, HelloTimeout, 18},
		{100, DefaultPingInterval, HelloTimeout, 214},
		{300, 9 * time.Second, 3 * HelloTimeout, 614},
		{1000, 100 * time.Second, 10 * HelloTimeout, 2014},
	} {
		assert.Equal(t, tt.ping, pingInterval(tt.machines), "%d machines", tt.machines)
		assert.Equal(t, tt.hello, hundreds(tt.machines)*HelloTimeout, "%d machines", tt.machines)
		assert.Equal(t, tt.descriptors, Descriptors(tt.machines), "%d machines", tt.machines)
	}
}

// While a machine waits for the others, its links stand, however long these are held
// up, and nobody is asked for a word.
func TestNoLinkIsCutWhileAllGather(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDuet(t, 10, func(c *Config) { c.PingInterval = interval })
		started := make(chan error, 1)
		go func() {
			_, err := d.Barrier(t.Context())
			started <- err
		}()
		d.in.hear(frameReady)
		time.Sleep(10 * interval)
		synctest.Wait()
		assert.NotNil(t, d.Node.in[1].session)
		assert.NotNil(t, d.Node.out[0].session)
		assert.EqualValues(t, 3, d.Stats().Frames, "HELLO, WELCOME and READY")

		d.out.say(frameReady, uint64(time.Now().Add(time.Second).UnixNano()))
		require.NoError(t, <-started)
		began := time.Now()
		d.out.hearEnd() // from now on the peer has to be heard
		assert.InDelta(t, SilentIntervals*interval+interval/2, time.Since(began), float64(interval/2))
	})
}

// A node that starts makes some connections at a time.
func TestDialsArePaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const machines = 200
		var now, most, all atomic.Int64
		cfg := Config{Run: "test", Handler: newInbox(), Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			all.Add(1)
			n := now.Add(1)
			defer now.Add(-1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			time.Sleep(time.Millisecond)
			return nil, syscall.ECONNREFUSED
		}}
		for id := 1; id < machines; id++ {
			cfg.Peers = append(cfg.Peers, Peer{id, "x"})
		}
		n, err := New(cfg, newNetwork().listen("0"))
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.ErrorContains(t, n.Connect(ctx), "connection refused")
		n.Close(cancelled())
		assert.EqualValues(t, MaxDials, most.Load())
		assert.Greater(t, all.Load(), int64(machines), "all were dialled again")
	})
}

// A machine that may not have enough files open says so at once, and what it needs:
// it is of no use to wait for peers that cannot be reached.
func TestTooFewDescriptors(t *testing.T) {
	want := "too many open files: in a run of 3 machines, each needs 20 file descriptors"
	lacking := &net.OpError{Op: "dial", Err: os.NewSyscallError("socket", syscall.EMFILE)}
	peers := []Peer{{1, "1"}, {2, "2"}}
	for name, cfg := range map[string]struct {
		dial error
		ln   func(net.Listener) net.Listener
	}{
		"to dial":   {lacking, func(ln net.Listener) net.Listener { return ln }},
		"to accept": {syscall.ECONNREFUSED, func(ln net.Listener) net.Listener { return refusing{ln, lacking} }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, err := New(Config{
					Run: "test", Peers: peers, Handler: newInbox(),
					Dial: func(context.Context, string, string) (net.Conn, error) { return nil, cfg.dial },
				}, cfg.ln(newNetwork().listen("0")))
				require.NoError(t, err)
				began := time.Now()
				err = n.Connect(t.Context())
				require.EqualError(t, err, want)
				require.ErrorIs(t, err, syscall.EMFILE)
				assert.Less(t, time.Since(began), time.Second)
				n.Close(cancelled())
			})
		})
	}
}

// refusing is a listener that cannot accept.
type refusing struct {
	net.Listener
	err error
}

func (r refusing) Accept() (net.Conn, error) { return nil, r.err }

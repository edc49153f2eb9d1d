package vm

import (
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/trace"
)

// forwarder stands between a machine and a peer until it dies.
type forwarder struct {
	net.Listener
	to     string
	silent bool // it dies without closing anything, as a host does that loses its network

	mu    sync.Mutex
	dead  bool
	conns []net.Conn
	wg    sync.WaitGroup
}

// forward returns a forwarder to an address, which ends with the test.
func forward(t testing.TB, to string, silent bool) *forwarder {
	t.Helper()
	f := &forwarder{Listener: listen(t), to: to, silent: silent}
	f.wg.Go(func() {
		for {
			conn, err := f.Accept()
			if err != nil {
				return
			}
			f.wg.Go(func() { f.serve(conn) })
		}
	})
	t.Cleanup(func() {
		f.die(false)
		f.wg.Wait()
	})
	return f
}

func (f *forwarder) serve(near net.Conn) {
	far, err := net.Dial("tcp", f.to)
	if err != nil {
		_ = near.Close()
		return
	}
	f.mu.Lock()
	f.conns = append(f.conns, near, far)
	if f.dead && !f.silent {
		_ = near.Close()
		_ = far.Close()
	}
	f.mu.Unlock()
	f.wg.Go(func() { f.carry(far, near) })
	f.carry(near, far)
}

func (f *forwarder) carry(to, from net.Conn) {
	buf := make([]byte, 4<<10)
	for {
		n, err := from.Read(buf)
		f.mu.Lock()
		dead, silent := f.dead, f.silent
		f.mu.Unlock()
		if n > 0 && !dead {
			_, _ = to.Write(buf[:n])
		}
		if err != nil {
			if !dead || !silent {
				_ = to.Close()
			}
			_ = from.Close()
			return
		}
	}
}

// die ends all that is carried, and says nothing of it to anybody if it is silent.
func (f *forwarder) die(silent bool) {
	_ = f.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dead, f.silent = true, silent
	if !silent {
		for _, c := range f.conns {
			_ = c.Close()
		}
	}
}

// Six links are between three machines. Whichever of them die for good before the end of
// the run, no machine fails or waits for longer than its linger, and no message counts as
// lost that a stop line does not account for.
func TestEveryEndWithDeadLinks(t *testing.T) {
	links := []link{{0, 1}, {0, 2}, {1, 0}, {1, 2}, {2, 0}, {2, 1}}
	const linger = 700 * time.Millisecond
	for dead := range 1 << len(links) {
		t.Run(fmt.Sprintf("%06b", dead), func(t *testing.T) {
			t.Parallel()
			var mortal []*forwarder
			f := newParallelFleet(t, []string{"200", "100", "150"}, func(_ int, cfg *Config) {
				cfg.Die, cfg.Duration = 4, 500*time.Millisecond
				if dead != 0 {
					cfg.Linger = linger
				}
			})
			for i, l := range links {
				if dead&(1<<i) == 0 {
					continue
				}
				through := forward(t, f.lns[l.to].Addr().String(), i%2 == 0)
				mortal = append(mortal, through)
				for p := range f.cfgs[l.from].Peers {
					if peer := &f.cfgs[l.from].Peers[p]; peer.ID == l.to {
						peer.Addr = through.Addr().String()
					}
				}
			}
			watch, there := after(5)
			f.cfgs[0].Watch, f.cfgs[0].WatchEvery = watch, time.Millisecond
			for id := range f.cfgs {
				f.start(id)
			}
			select { // on a host that is busy enough, a machine comes to no step before its end
			case <-there:
			case <-f.ended[0]:
			}
			for _, through := range mortal {
				through.die(through.silent)
			}
			f.wait()
			for id, err := range f.errs {
				require.NoError(t, err, "machine %d", id)
			}
			run, err := trace.Open(f.cfgs[0].LogDir)
			require.NoError(t, err)
			v, err := run.Walk(trace.Options{})
			require.NoError(t, err)
			assert.NotEqual(t, trace.Broken, v.State, "%v", v)
			if dead == 0 {
				assert.Equal(t, trace.Correct, v.State, "%v", v)
			}
			for i, l := range links {
				if dead&(1<<i) == 0 {
					assert.Zero(t, f.results[l.from].Undelivered[l.to], "machine %d still reaches machine %d", l.from, l.to)
				}
			}
		})
	}
}

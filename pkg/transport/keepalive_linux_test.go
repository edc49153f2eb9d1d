package transport

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/internal/needs"
)

// farHost is a host of its own: a network namespace, with a cable to this one.
type farHost struct {
	t          *testing.T
	name, far  string // the namespace, and its end of the cable
	here, away string // addresses
}

// newFarHost needs a system that lets this process make one.
func newFarHost(t *testing.T) *farHost {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs to be root, to make a network namespace")
	}
	needs.Programs(t, "ip")
	id := os.Getpid()
	h := &farHost{
		t: t, name: fmt.Sprintf("lamport-%d", id), far: fmt.Sprintf("lf%d", id),
		here: fmt.Sprintf("198.18.%d.%d", id/60%250, id%60*4+1), away: fmt.Sprintf("198.18.%d.%d", id/60%250, id%60*4+2),
	}
	near := fmt.Sprintf("ln%d", id)
	if out, err := exec.Command("ip", "netns", "add", h.name).CombinedOutput(); err != nil {
		t.Skipf("cannot make a network namespace: %v: %s", err, out)
	}
	t.Cleanup(func() {
		_ = exec.Command("ip", "link", "del", near).Run()
		_ = exec.Command("ip", "netns", "del", h.name).Run()
	})
	h.ip("link add " + near + " type veth peer name " + h.far + " netns " + h.name)
	h.ip("addr add " + h.here + "/30 dev " + near)
	h.ip("link set " + near + " up")
	h.ip("-n " + h.name + " addr add " + h.away + "/30 dev " + h.far)
	h.plug(true)
	return h
}

func (h *farHost) ip(args string) {
	h.t.Helper()
	out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput()
	require.NoError(h.t, err, "ip %s: %s", args, out)
}

// plug plugs the cable in at the far end, or pulls it out: nothing is said to anybody.
func (h *farHost) plug(in bool) {
	h.t.Helper()
	h.ip("-n " + h.name + " link set " + h.far + " " + map[bool]string{true: "up", false: "down"}[in])
}

// A host that is gone without a word is noticed by the system, no later than by trying its
// connections: on links that are idle, and on one on which a message is sent just before its idle
// connection would have been given up.
func TestHostThatIsGoneIsNoticed(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	t.Parallel()
	h := newFarHost(t)
	ln, err := net.Listen("tcp", h.here+":0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = ln.Close() })
	addr, stop := startOn(t, []string{"ip", "netns", "exec", h.name}, ln.Addr().String(), listenVar+"="+h.away+":0")
	n, err := New(Config{ID: 0, Run: "bench", Peers: []Peer{{ID: 1, Addr: addr}}, Handler: newConsumer(), Life: 1}, ln)
	require.NoError(t, err)
	require.NoError(t, n.Connect(within(t)))
	out, in := n.out[0], n.in[1]
	quiet := func(l *line) bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.session != nil && l.session.quiet && !l.session.oneHost
	}
	for _, after := range []time.Duration{0, 3 * time.Second} { // 0: nothing is sent
		require.True(t, quiet(&out.line))
		require.True(t, quiet(&in.line))
		before := n.Stats().Frames
		h.plug(false)
		began := time.Now()
		if after > 0 {
			time.AfterFunc(after, func() { n.Send(1, numbered(1)) })
		}
		eventually(t, "the links are given up", func() bool { return !out.connected() && !in.connected() })
		t.Logf("noticed %.1f s after, with a message after %v", time.Since(began).Seconds(), after)
		// Not a measurement: without the system's help, it takes minutes.
		assert.Less(t, time.Since(began), 2*(SilentIntervals+1)*n.cfg.PingInterval)
		if after == 0 {
			assert.LessOrEqual(t, n.Stats().Frames, before, "nothing is said meanwhile")
		}
		h.plug(true)
		eventually(t, "the links stand again", func() bool { return out.connected() && in.connected() })
	}
	ended := make(chan struct{})
	go func() { stop(); close(ended) }() // it comes to its end, too
	assert.Empty(t, n.Finish(within(t)), "nothing is lost")
	n.Close(within(t))
	<-ended
}

package transport

import (
	"errors"
	"net"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A writer that is still at the old connection must have ended before the next
// one is served: it could take frames that are meant for that.
func TestConverseWaitsForItsWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := line{n: new(Node)}
		l.work.L = &l.mu
		broken := errors.New("broken")
		release, returned := make(chan struct{}), make(chan error, 1)
		go func() {
			returned <- l.converse(newSession(&tape{}, false),
				func(*session) error { <-release; return broken },
				func() error { return broken })
		}()
		synctest.Wait()
		assert.Empty(t, returned)
		close(release)
		require.ErrorIs(t, <-returned, broken)
	})
}

// slowEnd is a connection whose reader hears late that it was closed.
type slowEnd struct {
	net.Conn
	release chan struct{}
}

func (c *slowEnd) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil {
		<-c.release
	}
	return n, err
}

// A connection that takes over is welcomed when nothing more can come of the one
// before: WELCOME says what is held, and that must not change behind its back.
func TestTakeoverWaitsForTheOldConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDuet(t, 10, nil)
		d.out.conn.Close()
		synctest.Wait()
		near, far := net.Pipe()
		release := make(chan struct{})
		conn := &slowEnd{far, release}
		d.gate.enter(conn, "")
		d.wg.Go(func() { d.receive(conn) })
		old := newPuppet(t, near)
		old.hello(nil)
		old.hearWelcome()

		d.out = d.net.call(t, "0")
		d.out.hello(nil)
		d.out.hearNothing()
		old.hearEnd()
		close(release)
		d.out.hearWelcome()
	})
}

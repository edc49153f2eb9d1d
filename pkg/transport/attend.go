package transport

import (
	"context"
	"net"
	"sync/atomic"
	"time"
)

// Attend answers on ln whoever asks something, as cfg.Asked says, until ctx ends; then it closes
// ln. It is for a machine whose links are over and whose process goes on: who may ask, and
// what a stranger may take up, is as in its run. Nobody gets a link. A peer that tries to is told
// nothing but that it may come again.
func Attend(ctx context.Context, cfg Config, ln net.Listener) {
	cfg.Apart, cfg.Logger = true, nil // and who is turned away is of no interest any more
	n := newNode(ctx, cfg, ln)
	n.stage = stageOver
	defer n.wg.Wait()
	defer n.cancel()
	defer context.AfterFunc(n.ctx, func() { _ = ln.Close() })()
	n.accept()
}

// errOver is why nobody gets a link any more.
var errOver = refuse(CodeProtocol, "the links of this machine are over")

// Lend returns a listener that takes connections from ln until it is closed, and leaves ln open
// then: who calls meanwhile waits. Only the last of those that were lent may be open.
func Lend(ln net.Listener) net.Listener {
	bounded, ok := ln.(boundedListener)
	if !ok {
		return ln // of another kind than the net package's
	}
	_ = bounded.SetDeadline(time.Time{})
	return &lent{boundedListener: bounded}
}

// boundedListener is a listener of which Accept can be ended without closing it.
type boundedListener interface {
	net.Listener
	SetDeadline(t time.Time) error
}

// lent is a listener that somebody else goes on with.
type lent struct {
	boundedListener
	closed atomic.Bool
}

// Accept waits for the next connection. After Close the error is [net.ErrClosed].
func (l *lent) Accept() (net.Conn, error) {
	conn, err := l.boundedListener.Accept()
	if l.closed.Load() {
		if err == nil {
			_ = conn.Close() // it has come too late here, and may come again
		}
		return nil, net.ErrClosed
	}
	return conn, err
}

// Close ends Accept.
func (l *lent) Close() error {
	l.closed.Store(true)
	return l.SetDeadline(time.Unix(1, 0))
}

package transport

import (
	"container/list"
	"net"
	"sync"
)

// gate holds the connections that have not said yet who they are, at most
// limit of them. When one more comes, the one that has been silent for longest is
// closed: a flood of strangers can so delay a machine's connection, but never
// keep it out for as long as they sit there.
type gate struct {
	mu    sync.Mutex
	limit int
	order list.List // of net.Conn, the oldest in front
	at    map[net.Conn]*list.Element
	shut  bool
}

func newGate(limit int) *gate {
	return &gate{limit: limit, at: make(map[net.Conn]*list.Element)}
}

// enter admits a connection and returns the one that had to go for it, if any.
func (g *gate) enter(c net.Conn) (evicted net.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut {
		return c
	}
	if len(g.at) == g.limit {
		evicted = g.order.Front().Value.(net.Conn)
		g.remove(evicted)
	}
	g.at[c] = g.order.PushBack(c)
	return evicted
}

// leave lets a connection through, or go. It reports whether the connection
// was still there.
func (g *gate) leave(c net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	_, there := g.at[c]
	g.remove(c)
	return there
}

// close closes all that wait, and lets nobody in from now on.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = true
	for c := range g.at {
		_ = c.Close()
	}
	clear(g.at)
	g.order.Init()
}

func (g *gate) remove(c net.Conn) {
	if e, ok := g.at[c]; ok {
		g.order.Remove(e)
		delete(g.at, c)
	}
}

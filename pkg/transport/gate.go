package transport

import (
	"container/list"
	"net"
	"sync"
)

// gate holds the connections that have not said yet who they are, at most
// limit of them. When one more comes, the one that has been silent for longest
// has to go: a flood of strangers can so delay a machine's connection, but
// never keep it out for as long as they sit there.
type gate struct {
	mu    sync.Mutex
	limit int
	order list.List // of net.Conn, the oldest in front
	at    map[net.Conn]*list.Element
}

func newGate(limit int) *gate {
	return &gate{limit: limit, at: make(map[net.Conn]*list.Element)}
}

// enter admits a connection and returns the one that has to go for it, if any.
func (g *gate) enter(c net.Conn) (evicted net.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.at) == g.limit {
		evicted = g.order.Front().Value.(net.Conn)
		g.remove(evicted)
	}
	g.at[c] = g.order.PushBack(c)
	return evicted
}

// leave lets a connection out, and reports whether it was still in.
func (g *gate) leave(c net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.remove(c)
}

func (g *gate) remove(c net.Conn) bool {
	e, ok := g.at[c]
	if ok {
		g.order.Remove(e)
		delete(g.at, c)
	}
	return ok
}

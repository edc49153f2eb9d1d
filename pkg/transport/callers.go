package transport

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
)

// maxCallers is how many of those that were turned away are remembered.
const maxCallers = 4

// callers remembers whom this machine has turned away while it waits for its peers: one
// of them may be the peer that it waits for, started wrongly. The zero value has none.
type callers struct {
	mu   sync.Mutex
	last []caller // the newest last, at most maxCallers
}

// caller is who was turned away for one reason.
type caller struct {
	host  string
	why   *RefusedError
	count int
}

func (c caller) String() string {
	times := ""
	if c.count > 1 {
		times = fmt.Sprintf(" (%d times)", c.count)
	}
	return fmt.Sprintf("turned away %s%s: %s", c.host, times, c.why.Text)
}

// turnedAway notes one more.
func (c *callers) turnedAway(from net.Addr, why *RefusedError) {
	host, _, err := net.SplitHostPort(from.String())
	if err != nil {
		host = from.String()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	one := caller{host, why, 1}
	i := slices.IndexFunc(c.last, func(o caller) bool { return o.host == host && o.why.Text == why.Text })
	switch {
	case i >= 0:
		one.count += c.last[i].count
		c.last = slices.Delete(c.last, i, i+1)
	case len(c.last) == maxCallers:
		c.last = slices.Delete(c.last, 0, 1)
	}
	c.last = append(c.last, one)
}

// all returns those that are remembered.
func (c *callers) all() []caller {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.last)
}

// MissingError says for whom a machine waits, and who has come in their place and was
// turned away. It wraps the reasons.
type MissingError struct {
	Missing string  // which links do not stand, and why as far as is known
	why     []error // as far as is known
	callers []caller
}

func (e *MissingError) Error() string {
	parts := []string{e.Missing}
	for _, c := range e.callers {
		parts = append(parts, c.String())
	}
	return strings.Join(parts, "; ")
}

// Unwrap returns a [RefusedError] for each that was turned away, the newest first, and then why
// this machine could not reach others.
func (e *MissingError) Unwrap() (reasons []error) {
	for _, c := range slices.Backward(e.callers) {
		reasons = append(reasons, c.why)
	}
	return append(reasons, e.why...)
}

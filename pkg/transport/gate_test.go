package transport

import (
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

// The gate against its twin, a slice of who is in, the oldest first.
func TestGateAgainstTwin(t *testing.T) {
	const limit = 4
	rapid.Check(t, func(t *rapid.T) {
		g := newGate(limit)
		var in, all []net.Conn
		t.Repeat(map[string]func(*rapid.T){
			"enter": func(t *rapid.T) {
				c := &tape{}
				var want net.Conn
				if len(in) == limit {
					want, in = in[0], in[1:]
				}
				if want != g.enter(c) {
					t.Fatal("who is in for longest has to go, and only if the gate is full")
				}
				in, all = append(in, c), append(all, c)
			},
			"leave": func(t *rapid.T) {
				if len(all) == 0 {
					t.Skip("nobody has come")
				}
				c := rapid.SampledFrom(all).Draw(t, "who")
				was := false
				for i := range in {
					if in[i] == c {
						was = true
						in = append(in[:i:i], in[i+1:]...)
						break
					}
				}
				assert.Equal(t, was, g.leave(c))
				assert.False(t, g.leave(c), "nobody leaves twice")
			},
			"": func(t *rapid.T) {
				assert.Equal(t, len(in), g.order.Len())
				assert.Len(t, g.at, len(in))
			},
		})
	})
}

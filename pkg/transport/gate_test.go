package transport

import (
	"math"
	"net"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

// gateTwin is a slice of who is in, the oldest first.
type gateTwin struct {
	total, perSource int
	in               []gateEntry
}

type gateEntry struct {
	conn   net.Conn
	source string
}

func (g *gateTwin) from(source string) (n int) {
	for _, e := range g.in {
		if e.source == source {
			n++
		}
	}
	return n
}

func (g *gateTwin) enter(c net.Conn, source string) (evicted net.Conn) {
	from := source
	if g.from(source) < g.perSource {
		if len(g.in) < g.total {
			g.in = append(g.in, gateEntry{c, source})
			return nil
		}
		from = g.in[0].source
		for _, e := range g.in {
			if g.from(e.source) > g.from(from) {
				from = e.source
			}
		}
	}
	i := slices.IndexFunc(g.in, func(e gateEntry) bool { return e.source == from })
	evicted = g.in[i].conn
	g.in = append(slices.Delete(g.in, i, i+1), gateEntry{c, source})
	return evicted
}

func (g *gateTwin) leave(c net.Conn) bool {
	was := len(g.in)
	g.in = slices.DeleteFunc(g.in, func(e gateEntry) bool { return e.conn == c })
	return len(g.in) < was
}

func TestGateAgainstTwin(t *testing.T) {
	const total, perSource = 6, 3
	rapid.Check(t, func(t *rapid.T) {
		g, twin := newGate(total, perSource), &gateTwin{total: total, perSource: perSource}
		var all []net.Conn
		t.Repeat(map[string]func(*rapid.T){
			"enter": func(t *rapid.T) {
				c := &tape{}
				all = append(all, c)
				source := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "source")
				if twin.enter(c, source) != g.enter(c, source) {
					t.Fatal("another has to go")
				}
			},
			"leave": func(t *rapid.T) {
				if len(all) == 0 {
					t.Skip("nobody has come")
				}
				c := rapid.SampledFrom(all).Draw(t, "who")
				assert.Equal(t, twin.leave(c), g.leave(c))
				assert.False(t, g.leave(c), "nobody leaves twice")
			},
			"": func(t *rapid.T) {
				assert.Len(t, g.at, len(twin.in))
				for source, from := range g.sources {
					assert.Equal(t, twin.from(source), from.Len())
					assert.Positive(t, from.Len())
				}
			},
		})
	})
}

// Somebody with one address can fill it, and does not touch who has another.
func TestGateIsFair(t *testing.T) {
	g := newGate(unknownLimits(3, math.MaxInt32))
	honest := &tape{}
	assert.Nil(t, g.enter(honest, "honest"))
	for range 10 * MaxUnknown {
		g.enter(&tape{}, "flood")
	}
	assert.True(t, g.leave(honest))
}

// Nor does it help to have thousands, as long as each is in with as many as the
// machine: then the oldest goes, and a machine is quick.
func TestGateOfManySources(t *testing.T) {
	g := newGate(unknownLimits(3, math.MaxInt32))
	honest := &tape{}
	g.enter(honest, "honest")
	for i := range 2 * MaxUnknown {
		g.enter(&tape{}, string(rune('a'+i)))
	}
	assert.Len(t, g.at, MaxUnknown+3)
	assert.False(t, g.leave(honest))
}

func TestSource(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.7:4000":              "192.0.2.7",
		"[::ffff:192.0.2.7]:4000":     "192.0.2.7",
		"[2001:db8:1:2:3:4:5:6]:4000": "2001:db8:1:2::/64",
		"[2001:db8:1:2::1]:1":         "2001:db8:1:2::/64",
		"[fe80::1%eth0]:4000":         "fe80::/64",
		"[::1]:4000":                  "::/64",
		"pipe":                        "pipe",
	} {
		assert.Equal(t, want, source(memoryAddr(addr)), addr)
	}
}

// The links of a machine come before strangers.
func TestUnknownLimits(t *testing.T) {
	for _, c := range []struct{ machines, descriptors, total, perSource int }{
		{3, math.MaxInt32, 259, 131},
		{3, 1024, 259, 131},
		{1000, math.MaxInt32, 1256, 1099},
		{3, 64, 40, 35},
		{100, 1024, 356, 228},
		{100, 64, 4, 3}, // it cannot have its links, but says so elsewhere
	} {
		total, perSource := unknownLimits(c.machines, c.descriptors)
		assert.Equal(t, c.total, total, "%+v", c)
		assert.Equal(t, c.perSource, perSource, "%+v", c)
		assert.LessOrEqual(t, perSource, total)
	}
	assert.Positive(t, maxDescriptors())
}

package transport

import (
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Whatever strangers send to the port of a machine, by the thousand, the run
// goes on, they are turned away and counted, and cost little memory.
func TestStrangersDoNotDisturb(t *testing.T) {
	const strangers = 3000
	nodes, boxes := mesh(t, 2, func(c *Config) { c.Window = 10 }) // which sets the pace
	for i, b := range boxes {
		b.onDeliver = consumeAll(t, nodes, i)
	}
	connect(t, nodes)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)

	random := make([]byte, 1000)
	rng := rand.NewChaCha8([32]byte{1})
	_, _ = rng.Read(random)
	greetings := []string{
		"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
		string(random),
		"\xff\xff\xff\xff",              // 4 GiB
		"\xff\xff\xff\xff" + "\x01LCLK", // and it begins well
		"\x00\x00\x00\x21",              // a good length, and then nothing
		"",                              // silent
		string(hello{version: Version, machines: 2, from: 1, window: 10, run: "another"}.frame()),
	}
	var over atomic.Bool
	var traffic, flood sync.WaitGroup
	var sent [2]uint64
	for i, n := range nodes {
		traffic.Go(func() {
			for !over.Load() {
				if n.Room(1-i) == 0 {
					<-boxes[i].room
					continue
				}
				sent[i]++
				n.Send(1-i, numbered(sent[i]))
			}
		})
	}
	const atOnce = 10
	for k := range atOnce {
		flood.Go(func() {
			var open []net.Conn
			for i := range strangers / atOnce {
				conn, err := net.Dial("tcp", nodes[0].ln.Addr().String())
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = conn.Write([]byte(greetings[(i+k)%len(greetings)]))
				open = append(open, conn)
				if len(open) == 40 { // together, more than may wait at once
					for _, c := range open {
						_ = c.Close()
					}
					open = open[:0]
				}
			}
			for _, c := range open {
				_ = c.Close()
			}
		})
	}
	flood.Wait()
	eventually(t, "all are turned away", func() bool { return nodes[0].Stats().Refused == strangers })
	over.Store(true)
	traffic.Wait()
	runtime.ReadMemStats(&after)
	assert.Less(t, after.Sys-before.Sys, uint64(256<<20), "memory comes with bytes, not with claims")
	finish(t, nodes)
	for i, n := range nodes {
		assert.Zero(t, n.Stats().Reconnects, "machine %d", i)
		assert.Equal(t, sent[i], boxes[1-i].got(i))
		assert.Positive(t, sent[i])
		boxes[i].check(t)
	}
	assert.EqualValues(t, strangers, nodes[0].Stats().Refused)
}

// A flood must not fill the log.
func TestStrangersDoNotFillTheLog(t *testing.T) {
	var log diary
	nodes, _ := mesh(t, 2, func(c *Config) {
		if c.ID == 0 {
			c.Logger = log.logger()
		}
	})
	connect(t, nodes)
	for range 1000 {
		conn, err := net.Dial("tcp", nodes[0].ln.Addr().String())
		require.NoError(t, err)
		_, _ = conn.Write([]byte("GET / HTTP/1.0\r\n\r\n"))
		_, _ = io.ReadAll(conn)
		conn.Close()
	}
	eventually(t, "all are turned away", func() bool { return nodes[0].Stats().Refused == 1000 })
	lines := strings.Count(log.String(), "connection refused")
	assert.Equal(t, 1, lines, "it is the same again and again")
	assert.True(t, log.contains("reason=a frame of 1195725856 bytes, want 1 to 256 so-far=1"), "%s", &log)
	finish(t, nodes)
}

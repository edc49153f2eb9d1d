package transport

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The benchmarks send from this process to a second one: the test binary,
// started again. What both send is frames of 21 bytes: a DATA frame with a
// payload of 8.

const (
	receiverVar = "TRANSPORT_BENCH_RECEIVER" // countBytes, cutFrames, or the address of the node to join
	listenVar   = "TRANSPORT_BENCH_LISTEN"   // where it listens, if not on loopback
	countBytes  = "bytes"
	cutFrames   = "frames"
	frameLen    = headerLen + 8 + 8
	perCommit   = 48        // messages per link in a commit of a machine that runs as fast as it can
	rawWrite    = 512 << 10 // the fastest of 64, 128, 256, 512 KiB
)

// receiver is the second process. It says on its standard output where it
// listens, and lives until its standard input is closed.
func receiver(kind string) int {
	ln, err := net.Listen("tcp", cmp.Or(os.Getenv(listenVar), "127.0.0.1:0"))
	if err == nil {
		fmt.Println(ln.Addr())
		switch kind {
		case countBytes:
			err = receiveRaw(ln, func(buf []byte) (int, error) { return len(buf), nil })
		case cutFrames:
			var next uint64
			err = receiveRaw(ln, func(buf []byte) (int, error) { return cut(buf, &next) })
		default:
			err = receiveMessages(ln, kind)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "receiver:", err)
		return 1
	}
	return 0
}

// receiveRaw reads as many bytes as it is told to, and answers with one byte,
// for as long as it is asked. What it has read it hands to take, which returns
// how much of that it is done with.
func receiveRaw(ln net.Listener, take func(buf []byte) (int, error)) error {
	conn, err := ln.Accept()
	if err != nil {
		return err
	}
	var count [8]byte
	buf := make([]byte, 256<<10)
	for {
		if _, err := io.ReadFull(conn, count[:]); errors.Is(err, io.EOF) {
			return nil // the benchmark is over
		} else if err != nil {
			return err
		}
		kept := 0
		for left := binary.BigEndian.Uint64(count[:]); left > 0; {
			n, err := conn.Read(buf[kept:min(kept+int(left), len(buf))])
			if err != nil {
				return err
			}
			left -= uint64(n)
			kept += n
			taken, err := take(buf[:kept])
			if err != nil {
				return err
			}
			kept = copy(buf, buf[taken:kept])
		}
		if _, err := conn.Write(count[:1]); err != nil {
			return err
		}
	}
}

// cut takes whole frames off buf, the least that a reader of frames has to do: each is
// found by the length of the one before, and has to be the message that comes next.
func cut(buf []byte, next *uint64) (taken int, err error) {
	for len(buf)-taken >= dataHeaderLen {
		frame := buf[taken:]
		end := 4 + int(binary.BigEndian.Uint32(frame))
		if end > len(frame) {
			break
		}
		if seq := binary.BigEndian.Uint64(frame[headerLen:]); frame[4] != byte(frameData) || seq != *next {
			return taken, fmt.Errorf("frame of type %d, number %d, want message %d", frame[4], seq, *next)
		}
		*next++
		taken += end
	}
	return taken, nil
}

// receiveMessages is a node that consumes whatever it is sent.
func receiveMessages(ln net.Listener, sender string) error {
	c := newConsumer()
	secure, err := inheritTLS()
	if err != nil {
		return err
	}
	n, err := New(Config{ID: 1, Run: "bench", Peers: []Peer{{ID: 0, Addr: sender}}, Handler: c, Life: 1, TLS: secure}, ln)
	if err != nil {
		return err
	}
	if err := n.Connect(context.Background()); err != nil {
		return err
	}
	go c.consume(n)
	_, _ = io.Copy(io.Discard, os.Stdin)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	n.Finish(ctx)
	n.Close(ctx)
	return nil
}

// consumer is a Handler that has consumed a message as soon as it has come.
type consumer struct {
	last atomic.Uint64
	wake chan struct{}
	room chan struct{}
}

func newConsumer() *consumer {
	return &consumer{wake: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

func (c *consumer) Deliver(_ int, first uint64, payloads [][]byte) error {
	c.last.Store(first + uint64(len(payloads)) - 1)
	poke(c.wake)
	return nil
}

func (c *consumer) Room(int) { poke(c.room) }

func (c *consumer) consume(n *Node) {
	for range c.wake {
		n.Consumed(0, c.last.Load())
	}
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// startReceiver starts the second process and returns where it listens.
func startReceiver(b testing.TB, kind string, env ...string) (addr string, stop func()) {
	b.Helper()
	return startOn(b, nil, kind, env...)
}

// startOn starts it by a command that starts others.
func startOn(b testing.TB, by []string, kind string, env ...string) (addr string, stop func()) {
	b.Helper()
	exe, err := os.Executable()
	require.NoError(b, err)
	command := append(by, exe)
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(append(os.Environ(), receiverVar+"="+kind), env...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(b, err)
	out, err := cmd.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(b, err)
	return strings.TrimSpace(line), func() {
		_ = in.Close()
		_ = cmd.Wait()
	}
}

// linkSender sends messages and waits until they are acknowledged.
type linkSender struct {
	node     *Node
	room     *consumer
	payloads [][]byte
	stop     func()
}

// newLinkSender connects to a second process. Of the link's messages at most
// window are unconsumed.
func newLinkSender(b *testing.B, window int) *linkSender { return newLinkSenderOver(b, window, nil) }

// newLinkSenderOver does so with certificates of an authority, nil for none.
func newLinkSenderOver(b *testing.B, window int, a *authority) *linkSender {
	b.Helper()
	ln := listen(b)
	var secure *TLS
	var env []string
	if a != nil {
		secure, env = a.machine(0), []string{bequeathTLS(b, a, 1)}
	}
	addr, stop := startReceiver(b, ln.Addr().String(), env...)
	c := newConsumer()
	n, err := New(Config{ID: 0, Run: "bench", Peers: []Peer{{ID: 1, Addr: addr}}, Handler: c, Life: 1, Window: window, TLS: secure}, ln)
	require.NoError(b, err)
	require.NoError(b, n.Connect(b.Context()))
	s := &linkSender{node: n, room: c, stop: stop}
	for range perCommit {
		s.payloads = append(s.payloads, make([]byte, 8))
	}
	return s
}

// send sends so many messages, some at once, and returns when all are acknowledged, but for fewer than
// are worth it.
func (s *linkSender) send(count, atOnce int) {
	for count > 0 {
		n := min(s.node.Room(1), count)
		switch {
		case n == 0:
			<-s.room.room
		case atOnce == 1:
			for range n {
				s.node.Send(1, s.payloads[0])
			}
		default:
			n = min(n, atOnce)
			s.node.SendAll(1, s.payloads[:n])
		}
		count -= n
	}
	for s.node.Room(1) <= int(s.node.byID[1].window)-ackCount { // fewer may be owed for a minute
		time.Sleep(50 * time.Microsecond)
	}
}

func (s *linkSender) close(b *testing.B) {
	var wg sync.WaitGroup
	wg.Go(s.stop)
	s.node.Finish(b.Context())
	s.node.Close(b.Context())
	wg.Wait()
}

// rawSender sends the same bytes, in writes of about so many: through a bare TCP
// connection, on which nothing is kept or acknowledged.
type rawSender struct {
	conn  net.Conn
	write int
	built bool // each frame is built; else one buffer is sent again and again
	next  uint64
	buf   []byte
	stop  func()
}

func newRawSender(b *testing.B, write int, kind string) *rawSender {
	b.Helper()
	addr, stop := startReceiver(b, kind)
	conn, err := net.Dial("tcp", addr)
	require.NoError(b, err)
	return &rawSender{conn: conn, write: write, built: kind == cutFrames, buf: make([]byte, write+frameLen), stop: stop}
}

func (s *rawSender) send(b *testing.B, count int) {
	var total [8]byte
	binary.BigEndian.PutUint64(total[:], uint64(count*frameLen))
	_, err := s.conn.Write(total[:])
	require.NoError(b, err)
	payload := make([]byte, 8)
	for count > 0 {
		end := 0
		for ; count > 0 && end < s.write; count-- {
			if s.built {
				putData(s.buf[end:], s.next, payload)
				s.next++
			}
			end += frameLen
		}
		if _, err := s.conn.Write(s.buf[:end]); err != nil {
			b.Fatal(err)
		}
	}
	_, err = io.ReadFull(s.conn, total[:1])
	require.NoError(b, err)
}

func (s *rawSender) close() {
	_ = s.conn.Close()
	s.stop()
}

// BenchmarkLinkAgainstRaw sends in turns the same number of frames through a
// link, where each is kept until it is acknowledged, and through bare TCP
// connections: one that carries frames, each built, cut and looked at, and one
// that carries their bytes, a buffer that is full already and is not looked at.
// "singly" is the link with a call for each message. One operation is one
// message; ns/op is all together.
func BenchmarkLinkAgainstRaw(b *testing.B) {
	const round = 1 << 20
	link := newLinkSender(b, DefaultWindow)
	defer link.close(b)
	frames := newRawSender(b, rawWrite, cutFrames)
	defer frames.close()
	bytes := newRawSender(b, rawWrite, countBytes)
	defer bytes.close()
	sides := []struct {
		name string
		send func(count int)
		took time.Duration
	}{
		{name: "link", send: func(count int) { link.send(count, perCommit) }},
		{name: "singly", send: func(count int) { link.send(count, 1) }},
		{name: "frames", send: func(count int) { frames.send(b, count) }},
		{name: "bytes", send: func(count int) { bytes.send(b, count) }},
	}
	b.ResetTimer()
	for left := b.N; left > 0; left -= round {
		for i := range sides {
			began := time.Now()
			sides[i].send(min(left, round))
			sides[i].took += time.Since(began)
		}
	}
	b.StopTimer()
	for _, s := range sides {
		b.ReportMetric(float64(s.took)/float64(b.N), s.name+"-ns/msg")
	}
	b.ReportMetric(float64(sides[2].took)/float64(sides[0].took), "link/frames")
	b.ReportMetric(float64(sides[3].took)/float64(sides[0].took), "link/bytes")
}

// secureVar tells the second process its certificate, key and authority, if there is TLS.
const secureVar = "TRANSPORT_BENCH_TLS"

// bequeathTLS returns what the environment of the second process says of TLS.
func bequeathTLS(b *testing.B, a *authority, id int) string {
	cert := a.certificate(id, nil)
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	require.NoError(b, err)
	var parts []string
	for _, der := range [][]byte{cert.Certificate[0], key, a.cert.Raw} {
		parts = append(parts, base64.StdEncoding.EncodeToString(der))
	}
	return secureVar + "=" + strings.Join(parts, " ")
}

// inheritTLS returns what bequeathTLS has said, nil if nothing.
func inheritTLS() (*TLS, error) {
	parts := strings.Fields(os.Getenv(secureVar))
	if len(parts) != 3 {
		return nil, nil
	}
	var ders [3][]byte
	for i, p := range parts {
		var err error
		if ders[i], err = base64.StdEncoding.DecodeString(p); err != nil {
			return nil, err
		}
	}
	key, err := x509.ParsePKCS8PrivateKey(ders[1])
	if err != nil {
		return nil, err
	}
	ca, err := x509.ParseCertificate(ders[2])
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(ca)
	return believing(pool, tls.Certificate{Certificate: [][]byte{ders[0]}, PrivateKey: key}), nil
}

// BenchmarkLinkOverTLS sends in turns the same number of messages through a link over
// TLS and through one without, each in calls of perCommit messages. One operation is
// one message; ns/op is both together.
func BenchmarkLinkOverTLS(b *testing.B) {
	const round = 1 << 20
	plain := newLinkSender(b, DefaultWindow)
	defer plain.close(b)
	secure := newLinkSenderOver(b, DefaultWindow, newAuthority(b))
	defer secure.close(b)
	sides := []struct {
		name string
		link *linkSender
		took time.Duration
	}{{name: "plain", link: plain}, {name: "tls", link: secure}}
	b.ResetTimer()
	for left := b.N; left > 0; left -= round {
		for i := range sides {
			began := time.Now()
			sides[i].link.send(min(left, round), perCommit)
			sides[i].took += time.Since(began)
		}
	}
	b.StopTimer()
	for _, s := range sides {
		b.ReportMetric(float64(s.took)/float64(b.N), s.name+"-ns/msg")
		b.ReportMetric(float64(b.N)/s.took.Seconds()/1e6, s.name+"-Mmsg/s")
	}
	b.ReportMetric(float64(sides[0].took)/float64(sides[1].took), "tls/plain")
}

// BenchmarkLink is the link alone, with what it costs on the wire.
func BenchmarkLink(b *testing.B) {
	link := newLinkSender(b, DefaultWindow)
	defer link.close(b)
	before := link.node.Stats()
	b.ReportAllocs()
	b.ResetTimer()
	link.send(b.N, perCommit)
	b.StopTimer()
	after := link.node.Stats()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Mmsg/s")
	b.ReportMetric(float64(after.Frames-before.Frames)/float64(b.N), "frames/msg")
	b.ReportMetric(float64(after.Bytes-before.Bytes)/float64(b.N), "bytes/msg")
	b.ReportMetric(float64(after.Writes-before.Writes)/float64(b.N)*1e3, "writes/kmsg")
}

// BenchmarkRaw is a bare TCP connection: frames in writes as large as a link's,
// and each frame in a write of its own.
func BenchmarkRaw(b *testing.B) {
	for _, c := range []struct {
		name  string
		write int
	}{{"batched", rawWrite}, {"unbatched", 1}} {
		b.Run(c.name, func(b *testing.B) {
			raw := newRawSender(b, c.write, cutFrames)
			defer raw.close()
			b.ReportAllocs()
			b.ResetTimer()
			raw.send(b, b.N)
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Mmsg/s")
		})
	}
}

// BenchmarkRoundTrip sends one message at a time: sent, delivered, consumed,
// acknowledged. With a window of one, there is room again when that is done.
func BenchmarkRoundTrip(b *testing.B) {
	link := newLinkSender(b, 1)
	defer link.close(b)
	payload := make([]byte, 8)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		link.node.Send(1, payload)
		if link.node.Room(1) == 0 {
			<-link.room.room
		}
	}
}

// BenchmarkOutbox is the sender's memory alone: append, hand out, acknowledge.
func BenchmarkOutbox(b *testing.B) {
	const group = 1024
	box := newOutbox()
	cur := cursor{seq: 1}
	payload := make([]byte, 8)
	var bufs [][]byte
	b.ReportAllocs()
	for range b.N/group + 1 {
		for range group {
			box.append([][]byte{payload})
		}
		bufs, cur = box.pending(bufs[:0], cur, box.next-1, batch)
		box.ack(cur.seq - 1)
		box.free(cur.seq)
	}
}

package health

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/summary"
	"github.com/scalemodel/lamport/pkg/transport"
	"github.com/scalemodel/lamport/pkg/vm"
)

func TestParseAddress(t *testing.T) {
	for text, want := range map[string]string{
		"2050": "127.0.0.1:2050", ":9090": ":9090", "0.0.0.0:1": "0.0.0.0:1", "hosta:65535": "hosta:65535", "[::1]:80": "[::1]:80",
		"unix:/run/vm.sock": "unix:/run/vm.sock", "unix:///run/vm.sock": "unix:/run/vm.sock", "unix:vm.sock": "unix:vm.sock",
	} {
		a, err := ParseAddress(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, a.String())
		again, err := ParseAddress(a.String())
		require.NoError(t, err)
		assert.Equal(t, a, again)
	}
	for _, text := range []string{"", "0", "65536", "-1", "host", "host:", "host:http", ":0", "unix:", "http://host:80", "a b:80", "::1:80"} {
		_, err := ParseAddress(text)
		assert.Error(t, err, text)
	}
}

// served serves a machine whose report can be set.
func served(t *testing.T, a Address) (m *Monitor, set func(vm.Report)) {
	var now atomic.Pointer[vm.Report]
	set = func(r vm.Report) { now.Store(&r) }
	set(vm.Report{})
	m = NewMonitor(func() vm.Report { return *now.Load() }, "v1.2", nil)
	t.Cleanup(m.Close)
	if a.network != "" {
		s, err := m.Serve(a)
		require.NoError(t, err)
		t.Cleanup(s.Close)
	}
	return m, set
}

// socket returns the address of a Unix socket. Their names must be short.
func socket(t *testing.T) Address {
	dir, err := os.MkdirTemp("", "h") //nolint:usetesting // its names are too long
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return Address{"unix", filepath.Join(dir, "s")}
}

// freePort returns the address of a port that nobody listens on.
func freePort(t *testing.T) Address {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, ln.Close())
	return Address{"tcp", ln.Addr().String()}
}

var running = status(summary.Status{Phase: summary.Running, Steps: 3}, up)

// Whoever asks hears the same over a port, over a socket, and on the port of the links.
func TestAsk(t *testing.T) {
	onLinks := func(t *testing.T, m *Monitor) Address {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		t.Cleanup(func() { _ = ln.Close() })
		go func() {
			for {
				conn, err := ln.Accept()
				if err != nil {
					return
				}
				head := make([]byte, 5) // as much as a frame's length takes
				if _, err := io.ReadFull(conn, head); err == nil {
					m.Answer(conn, head)
				}
				_ = conn.Close()
			}
		}()
		return Address{"tcp", ln.Addr().String()}
	}
	for name, at := range map[string]Address{"port": freePort(t), "socket": socket(t), "links": {}} {
		t.Run(name, func(t *testing.T) {
			m, set := served(t, at)
			if name == "links" {
				at = onLinks(t, m)
			}
			for _, c := range []struct {
				report      vm.Report
				word        string
				live, ready bool
			}{
				{vm.Report{}, "connecting", true, false},
				{running, "running", true, true},
				{status(summary.Status{Phase: summary.Running}, halfUp), "reconnecting", true, false},
				{status(summary.Status{Phase: summary.Done}), "done", true, false},
			} {
				set(c.report)
				v, err := Ask(t.Context(), at, false, nil)
				require.NoError(t, err)
				assert.Equal(t, Verdict{c.word, c.live}, v)
				v, err = Ask(t.Context(), at, true, nil)
				require.NoError(t, err)
				assert.Equal(t, Verdict{c.word, c.ready}, v)
			}
			set(running)
			m.idle.Store(1000)
			v, err := Ask(t.Context(), at, false, nil)
			require.NoError(t, err)
			assert.Equal(t, Verdict{"stuck", false}, v)
		})
	}
}

// Nobody, or somebody else, is no machine that lives.
func TestAskSomebodyElse(t *testing.T) {
	_, err := Ask(t.Context(), freePort(t), false, nil)
	require.ErrorContains(t, err, "does not answer: ")
	_, err = Ask(t.Context(), socket(t), false, nil)
	require.ErrorContains(t, err, "does not answer: ")
	for _, answer := range []string{"", "no\n", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\nfine", "HTTP/1.1 500 No\r\n\r\nrunning", strings.Repeat("x", 1<<20)} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		go func() {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = http.ReadRequest(bufio.NewReader(conn))
			_, _ = io.WriteString(conn, answer)
			_ = conn.Close()
		}()
		_, err = Ask(t.Context(), Address{"tcp", ln.Addr().String()}, false, nil)
		require.ErrorContains(t, err, "does not answer as a machine does", "%.20q", answer)
		require.NoError(t, ln.Close())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Ask(ctx, freePort(t), false, nil)
	require.Error(t, err)
}

// On the port of the links there is one word to hear, whatever is asked.
func TestAnswerTellsLittle(t *testing.T) {
	m, set := served(t, Address{})
	set(running)
	for _, question := range []string{
		"GET /metrics HTTP/1.1\r\n\r\n", "GET / HTTP/1.0\r\n\r\n", "GET /healthz/../metrics HTTP/1.1\r\n\r\n", "GET /healthz HTTP/1.1\r\nX: " + strings.Repeat("y", 100_000) + "\r\n\r\n",
		"GET ", "GET \x00\xff", "GET /healthz\r\n\r\n", "GET http://else/healthz HTTP/1.1\r\n\r\n",
	} {
		here, there := net.Pipe()
		done := make(chan []byte)
		go func() {
			_, _ = io.WriteString(there, question[min(4, len(question)):])
			_ = there.(interface{ SetReadDeadline(time.Time) error }).SetReadDeadline(time.Now().Add(time.Minute))
			b, _ := io.ReadAll(there)
			done <- b
		}()
		go func() {
			if len(question) <= 8 { // it ends there
				_ = there.Close()
			}
		}()
		m.Answer(here, []byte(question[:min(4, len(question))]))
		_ = here.Close()
		got := string(<-done)
		if got != "" {
			assert.Regexp(t, `^HTTP/1\.1 (404 Not Found|200 OK)\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: \d+\r\nConnection: close\r\n\r\n(not found|running)\n$`, got, "%.40q", question)
		}
	}
}

// A socket that was left behind is replaced, and one that is in use is not.
func TestServeOnASocketThatWasLeft(t *testing.T) {
	at := socket(t)
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: at.address, Net: "unix"})
	require.NoError(t, err)
	ln.SetUnlinkOnClose(false)
	m, _ := served(t, Address{})
	_, err = m.Serve(at)
	require.ErrorIs(t, err, syscall.EADDRINUSE)
	require.ErrorContains(t, err, " is taken: ")
	require.NoError(t, ln.Close())
	s, err := m.Serve(at)
	require.NoError(t, err)
	_, err = m.Serve(Address{"tcp", "127.0.0.1:1x"})
	require.Error(t, err)
	s.Close()
	_, err = os.Lstat(at.address)
	require.ErrorIs(t, err, os.ErrNotExist)
	file := Address{"unix", filepath.Join(t.TempDir(), "file")}
	require.NoError(t, os.WriteFile(file.address, []byte("precious"), 0o666))
	_, err = m.Serve(file)
	require.EqualError(t, err, file.address+" is there already, and is no socket")
	b, err := os.ReadFile(file.address)
	require.NoError(t, err)
	assert.Equal(t, "precious", string(b))
}

// Whoever has a socket that cannot be connected to has it all the same.
func TestServeOnASocketOfAnotherKind(t *testing.T) {
	at := socket(t)
	manager(t, at.address)
	m, _ := served(t, Address{})
	_, err := m.Serve(at)
	require.ErrorIs(t, err, syscall.EADDRINUSE)
	_, err = os.Lstat(at.address)
	require.NoError(t, err)
}

// More connections than there is room for wait, and the server can be closed meanwhile.
func TestServerIsBounded(t *testing.T) {
	at := freePort(t)
	m, _ := served(t, Address{})
	s, err := m.Serve(at)
	require.NoError(t, err)
	var conns []net.Conn
	for range maxConnections + 10 {
		conn, err := net.Dial("tcp", at.address)
		require.NoError(t, err)
		conns = append(conns, conn)
	}
	s.Close()
	for _, conn := range conns {
		_ = conn.Close()
	}
}

// fullReport has something in every figure.
func fullReport(log string) vm.Report {
	r := vm.Report{
		Status: summary.Status{Phase: summary.Running, Start: time.Unix(1_800_000_000, 250_000_000), Steps: 6, Clock: math.MaxUint64, Queue: 7, Sent: 9, Received: 8},
		ID:     0, Machines: 3, Rate: 5 * clock.Hertz,
		Internal: 1, Sends: 2, Receives: 3, Missed: 4,
		Stalls: 5, StalledFor: 1500 * time.Millisecond, Received: 12, Log: log,
		Wire:  transport.Stats{Messages: 13, Frames: 14, Bytes: 15, Writes: 16, Acks: 17, Resent: 18, Duplicates: 19, Reconnects: 20, Refused: 21},
		Links: []transport.LinkStats{{Peer: 1, To: true, Unconsumed: 22, Window: 23, Consumed: 24}, {Peer: transport.AnyID}, {Peer: 2, To: true, From: true}},
	}
	for i := range r.Lateness.Ticks {
		r.Lateness.Ticks[i] = uint64(i)
	}
	r.Lateness.Sum = 2500 * time.Microsecond
	return r
}

// The golden file is what a machine shows. What its process shows besides follows the same grammar.
func TestMetrics(t *testing.T) {
	log := filepath.Join(t.TempDir(), "vm_0_5.log")
	require.NoError(t, os.WriteFile(log, make([]byte, 123), 0o666))
	m, set := served(t, Address{})
	set(fullReport(log))
	var b bytes.Buffer
	m.WriteMetrics(&b)
	requireExposition(t, b.String())
	var own strings.Builder
	for line := range strings.Lines(b.String()) {
		if strings.Contains(line, "lamport_") {
			own.WriteString(strings.ReplaceAll(line, runtime.Version(), "go1.x"))
		}
	}
	golden := filepath.Join("testdata", "metrics.txt")
	if os.Getenv("UPDATE") != "" {
		require.NoError(t, os.WriteFile(golden, []byte(own.String()), 0o666))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	assert.Equal(t, string(want), own.String())
	assert.NotContains(t, b.String(), log, "no path")

	set(vm.Report{}) // before the machine is made
	b.Reset()
	m.WriteMetrics(&b)
	requireExposition(t, b.String())
}

var (
	metricName = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*$`)
	sampleLine = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",? ?)*)\})? (\S+)$`)
)

// requireExposition holds a text against the format (Prometheus, Exposition formats, 0.0.4): each
// family has its type and help once and before its samples, no sample stands twice, names fit
// their types, and a histogram's buckets ascend to its count.
func requireExposition(t *testing.T, text string) {
	t.Helper()
	types, helps, seen := make(map[string]string), make(map[string]bool), make(map[string]bool)
	family, buckets := "", 0.0
	require.True(t, strings.HasSuffix(text, "\n"))
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if rest, ok := strings.CutPrefix(line, "# HELP "); ok {
			name, help, _ := strings.Cut(rest, " ")
			require.False(t, helps[name], line)
			require.Regexp(t, metricName, name)
			if strings.HasPrefix(name, "lamport_") {
				require.NotEmpty(t, help, line)
			}
			helps[name] = true
			continue
		}
		if rest, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, kind, _ := strings.Cut(rest, " ")
			require.Contains(t, []string{"counter", "gauge", "histogram", "summary"}, kind, line)
			require.Empty(t, types[name], line)
			if strings.HasPrefix(name, "lamport_") {
				require.Equal(t, kind == "counter", strings.HasSuffix(name, "_total"), line)
			}
			types[name], family, buckets = kind, name, 0
			continue
		}
		parts := sampleLine.FindStringSubmatch(line)
		require.NotNil(t, parts, line)
		value, err := strconv.ParseFloat(parts[3], 64)
		require.NoError(t, err, line)
		require.False(t, seen[parts[1]+parts[2]], line)
		seen[parts[1]+parts[2]] = true
		suffix, ok := strings.CutPrefix(parts[1], family)
		require.True(t, ok, line)
		if types[family] == "summary" {
			require.Contains(t, []string{"", "_sum", "_count"}, suffix, line)
			continue
		}
		if types[family] != "histogram" {
			require.Empty(t, suffix, line)
			continue
		}
		require.Contains(t, []string{"_bucket", "_sum", "_count"}, suffix, line)
		if suffix == "_bucket" {
			require.GreaterOrEqual(t, value, buckets, line)
			buckets = value
		}
		if suffix == "_count" && strings.HasPrefix(family, "lamport_") {
			require.Equal(t, buckets, value, line)
		}
	}
}

// What is served is what is written, and nothing else is.
func TestHandler(t *testing.T) {
	at := freePort(t)
	_, set := served(t, at)
	set(running)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/metrics": 200, "/": 404, "/debug/pprof/": 404, "/metrics/": 404} {
		r, err := client.Get("http://" + at.address + path)
		require.NoError(t, err)
		body, err := io.ReadAll(r.Body)
		require.NoError(t, errors.Join(err, r.Body.Close()))
		assert.Equal(t, want, r.StatusCode, path)
		if path == "/metrics" {
			assert.Equal(t, "text/plain; version=0.0.4; charset=utf-8", r.Header.Get("Content-Type"))
			requireExposition(t, string(body))
		}
	}
	r, err := client.Post("http://"+at.address+"/healthz", "text/plain", strings.NewReader("x"))
	require.NoError(t, err)
	require.NoError(t, r.Body.Close())
	assert.Equal(t, 405, r.StatusCode)
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte("GET /healthz HTTP/1.1\r\n\r\n"))
	f.Add([]byte("GET /readyz HTTP/1.0\r\nHost: a\r\n\r\n"))
	m := &Monitor{report: func() vm.Report { return running }, version: "v"}
	f.Fuzz(func(t *testing.T, question []byte) {
		var conn recorder
		m.Answer(&conn, question)
		if conn.Len() > 0 {
			require.Regexp(t, `^HTTP/1\.1 \d\d\d [A-Za-z ]+\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: \d+\r\nConnection: close\r\n\r\n(not found|running)\n$`, conn.String())
		}
	})
}

// recorder is a connection on which nothing more comes.
type recorder struct {
	net.Conn
	bytes.Buffer
}

func (r *recorder) Read([]byte) (int, error)    { return 0, io.EOF }
func (r *recorder) Write(p []byte) (int, error) { return r.Buffer.Write(p) }

func ExampleAsk() {
	m := NewMonitor(func() vm.Report { return running }, "v1.2", nil)
	defer m.Close()
	dir, _ := os.MkdirTemp("", "h")
	defer func() { _ = os.RemoveAll(dir) }()
	at, err := ParseAddress("unix:" + filepath.Join(dir, "vm.sock"))
	if err != nil {
		fmt.Println(err)
		return
	}
	s, err := m.Serve(at)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	fmt.Println(Ask(context.Background(), at, true, nil))
	// Output: {running true} <nil>
}

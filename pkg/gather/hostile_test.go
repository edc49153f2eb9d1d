package gather

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func zipped(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, err := z.Write(b)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return out.Bytes()
}

// wish is a request as anybody can write one.
type wish struct {
	method, path string
	h            http.Header
	body         io.Reader
	tls          *tls.ConnectionState
}

func (w *wish) of(g *Gathering) *httptest.ResponseRecorder {
	r := &http.Request{
		Method: w.method, URL: &url.URL{Path: w.path}, Host: "gather", RemoteAddr: "192.0.2.7:1234", Header: w.h, TLS: w.tls,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: http.NoBody, RequestURI: w.path,
	}
	if w.h == nil {
		r.Header = http.Header{}
	}
	if w.body != nil {
		r.Body = io.NopCloser(w.body)
	}
	out := httptest.NewRecorder()
	g.Handler().ServeHTTP(out, r)
	return out
}

// patchOf is a request that goes on with a log, as a machine would make it.
func patchOf(t testing.TB, machine int, log []byte, offset int, change func(h http.Header)) *wish {
	h := http.Header{
		"Content-Encoding": {"gzip"},
		offsetField:        {strconv.Itoa(offset)},
		lengthField:        {strconv.Itoa(len(log))},
		prefixField:        {digest(sha256.Sum256(log[:offset])).String()},
		digestField:        {digest(sha256.Sum256(log)).String()},
	}
	if change != nil {
		change(h)
	}
	return &wish{method: http.MethodPatch, path: path("r", machine, logPlace), h: h, body: bytes.NewReader(zipped(t, log[offset:]))}
}

// endless are compressed data that stand for nothing and have no end.
type endless struct {
	head []byte
	at   int
}

func (e *endless) Read(p []byte) (int, error) {
	if n := copy(p, e.head); n > 0 {
		e.head = e.head[n:]
		return n, nil
	}
	for i := range p { // a stored block of no bytes, not the last, again and again
		p[i] = "\x00\x00\x00\xff\xff"[e.at%5]
		e.at++
	}
	return len(p), nil
}

// What a stranger sends is answered, and changes nothing of what is there.
func TestHostileRequests(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	room := int64(1 << 30)
	g, err := Open(Config{Dir: dir, Run: "r", careless: true, Machines: 3, MaxLog: 1 << 20, Room: func() int64 { return room }})
	require.NoError(t, err)
	defer func() { require.NoError(t, g.Close()) }()
	open, ended := aLog(t, "r", 0, 3, 50, false), aLog(t, "r", 1, 3, 50, true)
	require.Equal(t, http.StatusNoContent, patchOf(t, 0, open, 0, nil).of(g).Code)
	require.Equal(t, http.StatusNoContent, patchOf(t, 1, ended, 0, nil).of(g).Code)
	before := content(t, dir)

	set := func(name, value string) func(http.Header) {
		return func(h http.Header) { h.Set(name, value) }
	}
	longer, third := aLog(t, "r", 0, 3, 90, false), aLog(t, "r", 2, 3, 50, true)
	behindStop := slices.Concat(ended, []byte("2026-01-02T03:05:05.000000Z [INFO]  vm-1: internal: step=51 clock=51 queue=0\n"))
	with := func(w *wish, body []byte) *wish {
		w.body = bytes.NewReader(body)
		return w
	}
	at := func(w *wish, p string) *wish {
		w.path = p
		return w
	}
	for _, tt := range []struct {
		name string
		w    *wish
		code int
	}{
		{"another run", at(patchOf(t, 2, third, 0, nil), path("s", 2, logPlace)), http.StatusNotFound},
		{"no machine of the run", at(patchOf(t, 2, third, 0, nil), path("r", 3, logPlace)), http.StatusNotFound},
		{"a machine below 0", &wish{method: "HEAD", path: "/v1/runs/r/machines/-1/log"}, http.StatusNotFound},
		{"a machine in other digits", &wish{method: "HEAD", path: "/v1/runs/r/machines/02/log"}, http.StatusNotFound},
		{"a machine beyond numbers", &wish{method: "HEAD", path: "/v1/runs/r/machines/99999999999999999999/log"}, http.StatusNotFound},
		{"a path that leads out", &wish{method: "HEAD", path: "/v1/runs/r/machines/0/../../../etc"}, http.StatusTemporaryRedirect},
		{"a place that leads out", &wish{method: "HEAD", path: "/v1/runs/r/machines/0/..\\log"}, http.StatusNotFound},
		{"no place", &wish{method: "HEAD", path: "/v1/runs/r/machines/0/logs"}, http.StatusNotFound},
		{"a method that is none", &wish{method: "POST", path: path("r", 0, logPlace)}, http.StatusMethodNotAllowed},
		{"a log to be read", &wish{method: "GET", path: path("r", 0, logPlace)}, http.StatusMethodNotAllowed},
		{"not compressed", patchOf(t, 2, third, 0, func(h http.Header) { h.Del("Content-Encoding") }), http.StatusBadRequest},
		{"no offset", patchOf(t, 2, third, 0, func(h http.Header) { h.Del(offsetField) }), http.StatusBadRequest},
		{"an offset below 0", patchOf(t, 2, third, 0, set(offsetField, "-1")), http.StatusBadRequest},
		{"an offset behind what is there", patchOf(t, 2, third, 10, nil), http.StatusConflict},
		{"an offset before what is there", patchOf(t, 0, longer, 10, nil), http.StatusConflict},
		{"a length of nothing", patchOf(t, 2, third, 0, set(lengthField, "0")), http.StatusBadRequest},
		{"a length beyond numbers", patchOf(t, 2, third, 0, set(lengthField, "9223372036854775808")), http.StatusBadRequest},
		{"a length beyond the largest", patchOf(t, 2, third, 0, set(lengthField, "9223372036854775807")), http.StatusRequestEntityTooLarge},
		{"no digest", patchOf(t, 2, third, 0, func(h http.Header) { h.Del(digestField) }), http.StatusBadRequest},
		{"a short digest", patchOf(t, 2, third, 0, set(digestField, "sha-256=:AAAA:")), http.StatusBadRequest},
		{"another digest", patchOf(t, 2, third, 0, set(digestField, digest{}.String())), http.StatusBadRequest},
		{"does not know what is there", patchOf(t, 0, longer, len(open), set(prefixField, digest{}.String())), http.StatusPreconditionFailed},
		{"another log of the machine", patchOf(t, 0, aLog(t, "r", 0, 3, 49, true), 50, nil), http.StatusConflict},
		{"more than it says", with(patchOf(t, 2, third, 0, nil), zipped(t, slices.Concat(third, third))), http.StatusBadRequest},
		{"much more than it says", with(patchOf(t, 2, third, 0, nil), zipped(t, make([]byte, 2<<20))), http.StatusBadRequest},
		{"less than it says", with(patchOf(t, 2, third, 0, nil), zipped(t, third[:len(third)-1])), http.StatusBadRequest},
		{"nothing compressed", with(patchOf(t, 2, third, 0, nil), third), http.StatusBadRequest},
		{"broken data", with(patchOf(t, 2, third, 0, nil), spoilt(zipped(t, third))), http.StatusBadRequest},
		{"data without an end", &wish{method: "PATCH", path: path("r", 2, logPlace), h: patchOf(t, 2, third, 0, nil).h, body: &endless{head: zipped(t, nil)[:10]}}, http.StatusRequestEntityTooLarge},
		{"a torn line", patchOf(t, 2, third[:len(third)-1], 0, nil), http.StatusUnprocessableEntity},
		{"zeros", patchOf(t, 2, make([]byte, 2000), 0, nil), http.StatusUnprocessableEntity},
		{"text", patchOf(t, 2, []byte("GET / HTTP/1.1\r\n\r\n"), 0, nil), http.StatusUnprocessableEntity},
		{"no start line", patchOf(t, 2, third[bytes.IndexByte(third, '\n')+1:], 0, nil), http.StatusUnprocessableEntity},
		{"the log of another machine", patchOf(t, 2, ended, 0, nil), http.StatusUnprocessableEntity},
		{"a log of another run", patchOf(t, 2, aLog(t, "s", 2, 3, 50, true), 0, nil), http.StatusUnprocessableEntity},
		{"a log of a run with more machines", patchOf(t, 2, aLog(t, "r", 2, 4, 50, true), 0, nil), http.StatusUnprocessableEntity},
		{"lines behind the stop line", patchOf(t, 1, behindStop, len(ended), nil), http.StatusUnprocessableEntity},
		{"about nothing", &wish{method: "PUT", path: path("r", 2, aboutPlace), body: strings.NewReader("7")}, http.StatusBadRequest},
		{"about another machine", &wish{method: "PUT", path: path("r", 2, aboutPlace), body: strings.NewReader(`{"summary":{"id":1}}`)}, http.StatusBadRequest},
		{"about another run", &wish{method: "PUT", path: path("r", 2, aboutPlace), body: strings.NewReader(`{"record":{"format":1,"machines":1,"rates":["1"],"die":3,"duration":"5s","run":"s"}}`)}, http.StatusBadRequest},
		{"about a long name", &wish{method: "PUT", path: path("r", 2, aboutPlace), body: strings.NewReader(`{"host":"` + strings.Repeat("x", 300) + `"}`)}, http.StatusBadRequest},
		{"about very much", &wish{method: "PUT", path: path("r", 2, aboutPlace), body: strings.NewReader(`{"host":"` + strings.Repeat("x", maxAbout))}, http.StatusBadRequest},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := tt.w.of(g)
			assert.Equal(t, tt.code, w.Code, w.Body)
			assert.Equal(t, before, content(t, dir))
		})
	}
	t.Run("no room", func(t *testing.T) {
		room = 10
		assert.Equal(t, http.StatusInsufficientStorage, patchOf(t, 2, third, 0, nil).of(g).Code)
		assert.Equal(t, before, content(t, dir))
		room = 1 << 30
	})
	require.Equal(t, http.StatusNoContent, patchOf(t, 2, third, 0, nil).of(g).Code, "the machine itself can deliver")
	require.Equal(t, http.StatusNoContent, patchOf(t, 0, longer, len(open), nil).of(g).Code, "and that one go on")
	select {
	case <-g.Full():
		t.Fatal("machine 0 has not stopped")
	default:
	}
}

func spoilt(b []byte) []byte {
	b = bytes.Clone(b)
	b[len(b)/2] ^= 0xff
	return b
}

// content returns what is in a directory, but for files in which nothing is.
func content(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	require.NoError(t, filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(name)
		if len(b) > 0 {
			all[name] = string(b)
		}
		return err
	}))
	return all
}

// A machine delivers only its own log, and only of its run.
func TestCertificates(t *testing.T) {
	names := map[string]struct {
		run     string
		machine int
	}{"mine": {"r", 0}, "another": {"r", 1}, "stranger": {"s", 0}, "gather": {"r", -1}}
	g, err := Open(Config{Dir: t.TempDir(), Run: "r", Machines: 2, Peer: func(s *tls.ConnectionState) (string, int, error) {
		n, ok := names[s.ServerName]
		if !ok {
			return "", 0, errors.New("no name")
		}
		return n.run, n.machine, nil
	}})
	require.NoError(t, err)
	defer func() { require.NoError(t, g.Close()) }()
	for name, code := range map[string]int{"mine": 200, "another": 403, "stranger": 403, "nobody": 403, "gather": 200} {
		w := wish{method: "HEAD", path: path("r", 0, logPlace), tls: &tls.ConnectionState{ServerName: name}}
		assert.Equal(t, code, w.of(g).Code, name)
	}
	w := wish{method: "HEAD", path: path("r", 0, logPlace)}
	assert.Equal(t, 403, w.of(g).Code, "no certificate")
}

// Who comes from elsewhere gets no answer, and is told of.
func TestOnlyFromAllowedAddresses(t *testing.T) {
	var mu sync.Mutex
	var told []Notice
	tell := func(n Notice) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, n)
	}
	g := serve(t, Config{Dir: t.TempDir(), Run: "r", Machines: 2, Tell: tell, Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}})
	for range 30 {
		c, err := net.Dial("tcp", g.addr)
		require.NoError(t, err)
		require.NoError(t, c.SetDeadline(time.Now().Add(deadline)))
		_, _ = io.WriteString(c, "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
		n, _ := c.Read(make([]byte, 1))
		assert.Zero(t, n)
		_ = c.Close()
	}
	mu.Lock()
	defer mu.Unlock()
	require.Len(t, told, 1, "of each once")
	assert.Equal(t, Notice{Kind: Refused, Machine: -1, From: "127.0.0.1", Err: told[0].Err}, told[0])
}

// Who is refused again and again does not keep from people who else is, and many do not flood them.
func TestRefusedAreToldOfOnce(t *testing.T) {
	var told []string
	g, err := Open(Config{Dir: t.TempDir(), Run: "r", Machines: 2, Tell: func(n Notice) { told = append(told, n.Err.Error()) }})
	require.NoError(t, err)
	defer func() { require.NoError(t, g.Close()) }()
	ask := func(run string, id int) {
		w := wish{method: "HEAD", path: path(run, id, logPlace)}
		assert.Equal(t, 404, w.of(g).Code)
	}
	for range 100 {
		ask("other", 0)
	}
	ask("r", 7)
	assert.Equal(t, []string{`the logs of run "other" are not gathered here`, "the run has the machines 0 to 1"}, told)
	for i := range 100 {
		ask("r", i+10)
		ask("r"+strconv.Itoa(i), 0)
	}
	assert.Len(t, told, 20)
}

// A machine that has lost its connection comes again while the old one still stands here.
func TestTheLaterDeliveryEndsTheEarlier(t *testing.T) {
	dir := t.TempDir()
	g := serve(t, Config{Dir: dir, Run: "r", Machines: 2, Idle: deadline})
	log := aLog(t, "r", 0, 2, 5000, true)
	stalled, body := io.Pipe()
	defer func() { _ = body.Close() }()
	w := patchOf(t, 0, log, 0, nil)
	r, err := http.NewRequestWithContext(t.Context(), w.method, "http://"+g.addr+w.path, stalled)
	require.NoError(t, err)
	r.Header = w.h
	answered := make(chan int, 1)
	go func() {
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			answered <- 0
			return
		}
		_ = resp.Body.Close()
		answered <- resp.StatusCode
	}()
	half := zipped(t, log)
	_, err = body.Write(half[:len(half)/2])
	require.NoError(t, err)
	file := put(t, filepath.Join(t.TempDir(), "vm_0_1.log"), log)
	c := NewClient(g.addr, nil)
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	require.NoError(t, c.Deliver(ctx, file, &About{}))
	assert.Contains(t, []int{0, http.StatusRequestTimeout}, <-answered)
	http.DefaultClient.CloseIdleConnections()
	got, err := os.ReadFile(filepath.Join(dir, "vm_0_1.log"))
	require.NoError(t, err)
	assert.True(t, bytes.Equal(log, got))
}

// A machine that says nothing any more does not hold its place for ever.
func TestSilenceEndsADelivery(t *testing.T) {
	g := serve(t, Config{Dir: t.TempDir(), Run: "r", Machines: 2, Idle: 20 * time.Millisecond})
	log := aLog(t, "r", 0, 2, 5000, true)
	stalled, body := io.Pipe()
	defer func() { _ = body.Close() }()
	w := patchOf(t, 0, log, 0, nil)
	r, err := http.NewRequestWithContext(t.Context(), w.method, "http://"+g.addr+w.path, stalled)
	require.NoError(t, err)
	r.Header = w.h
	resp, err := http.DefaultClient.Do(r)
	if err == nil {
		assert.Equal(t, http.StatusRequestTimeout, resp.StatusCode)
		_ = resp.Body.Close()
	}
	http.DefaultClient.CloseIdleConnections()
}

// Nor does one that says it will send something, and does not, whatever it asks for.
func TestSilenceEndsEveryRequest(t *testing.T) {
	g := serve(t, Config{Dir: t.TempDir(), Run: "r", Machines: 2, Idle: 20 * time.Millisecond})
	for _, ask := range []string{
		"PUT /v1/runs/r/machines/0/about",
		"PUT /v1/runs/another/machines/0/about",
		"PATCH /v1/runs/r/machines/0/log",
		"DELETE /v1/runs/r/machines/0/log",
		"POST /nothing",
	} {
		c, err := net.Dial("tcp", g.addr)
		require.NoError(t, err)
		require.NoError(t, c.SetDeadline(time.Now().Add(deadline)))
		_, err = io.WriteString(c, ask+" HTTP/1.1\r\nHost: g\r\nContent-Length: 100\r\n\r\n")
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, c)
		assert.NotErrorIs(t, err, os.ErrDeadlineExceeded, ask)
		_ = c.Close()
	}
}

// Two logs of one machine: the first keeps its place, the second is kept aside, a third is
// refused.
func TestTwoMachinesWithOneID(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	g := serve(t, Config{Dir: dir, Run: "r", Machines: 2})
	logs := [][]byte{aLog(t, "r", 0, 2, 30, true), aLog(t, "r", 0, 2, 20, true), aLog(t, "r", 0, 2, 10, true)}
	c := NewClient(g.addr, nil)
	defer c.Close()
	for i, log := range logs {
		file := put(t, filepath.Join(t.TempDir(), "vm_0_1.log"), log)
		for range 2 { // once more makes no difference
			err := c.Deliver(t.Context(), file, &About{})
			if i == 0 {
				require.NoError(t, err)
				continue
			}
			require.ErrorIs(t, err, ErrOther)
			assert.Equal(t, i == 1, strings.Contains(err.Error(), "it is kept aside there"), "%v", err)
		}
	}
	got, err := os.ReadFile(filepath.Join(dir, "vm_0_1.log"))
	require.NoError(t, err)
	assert.True(t, bytes.Equal(logs[0], got))
	got, err = os.ReadFile(filepath.Join(dir, OtherLog(0)))
	require.NoError(t, err)
	assert.True(t, bytes.Equal(logs[1], got))
	assert.True(t, g.Machines()[0].Other)
}

// Whatever is asked, what has been confirmed stays as it is, and nothing is written outside.
func FuzzHandler(f *testing.F) {
	log := aLog(f, "r", 0, 2, 5, false)
	w := patchOf(f, 1, aLog(f, "r", 1, 2, 5, true), 0, nil)
	f.Add(uint8(2), "1/log", w.h.Get(offsetField), w.h.Get(lengthField), w.h.Get(prefixField), w.h.Get(digestField), zipped(f, aLog(f, "r", 1, 2, 5, true)))
	f.Add(uint8(0), "0/about", "", "", "", "", []byte(`{"host":"a","summary":{"id":0}}`))
	f.Add(uint8(1), "0/log", "", "", "", "", []byte{})
	f.Add(uint8(3), "0/other", "", "", "", "", []byte{})
	f.Fuzz(func(t *testing.T, method uint8, where, offset, length, prefix, sum string, body []byte) {
		dir := t.TempDir()
		g, err := Open(Config{Dir: filepath.Join(dir, "run"), Run: "r", Machines: 2, MaxLog: 1 << 16, careless: true})
		require.NoError(t, err)
		require.Equal(t, http.StatusNoContent, patchOf(t, 0, log, 0, nil).of(g).Code)
		w := wish{
			method: []string{"PUT", "HEAD", "PATCH", "DELETE"}[method%4], path: "/v1/runs/r/machines/" + where, body: bytes.NewReader(body),
			h: http.Header{"Content-Encoding": {"gzip"}, offsetField: {offset}, lengthField: {length}, prefixField: {prefix}, digestField: {sum}},
		}
		code := w.of(g).Code
		require.NotEqual(t, http.StatusInternalServerError, code)
		require.NoError(t, g.Close())
		got, err := os.ReadFile(filepath.Join(dir, "run", "vm_0_1.log"))
		require.NoError(t, err)
		require.True(t, bytes.HasPrefix(got, log))
		for name, b := range content(t, dir) {
			require.LessOrEqual(t, len(b), 1<<16+1<<12)
			require.Regexp(t, `/run/(vm_[01]_[^/]+\.log|gather/(gather\.json|vm_[01]\.(json|part|other|other\.part)))$`, filepath.ToSlash(name))
		}
	})
}

// Who has begun to deliver a log has no right to the place before all of it is there.
func TestAForgersBeginningHoldsNoPlace(t *testing.T) {
	dir := t.TempDir()
	g := serve(t, Config{Dir: dir, Run: "r", Machines: 2})
	forged, log := aLog(t, "r", 0, 2, 3000, false), aLog(t, "r", 0, 2, 2000, true)
	for _, n := range []int{1000, 2000, 3000} { // each proves to go on from the one before
		w := patchOf(t, 0, forged, 0, nil)
		w.h.Set(offsetField, strconv.Itoa(n-1000))
		w.h.Set(prefixField, digest(sha256.Sum256(forged[:n-1000])).String())
		body := zipped(t, forged[n-1000:n])
		w.body = bytes.NewReader(body[:len(body)-4]) // breaks off
		require.Equal(t, http.StatusRequestTimeout, w.of(g.Gathering).Code)
	}
	w := wish{method: "HEAD", path: path("r", 0, logPlace)}
	require.Equal(t, "3000", w.of(g.Gathering).Header().Get(offsetField))
	c := NewClient(g.addr, nil)
	defer c.Close()
	require.NoError(t, c.Deliver(t.Context(), put(t, filepath.Join(t.TempDir(), "vm_0_1.log"), log), &About{}))
	got, err := os.ReadFile(filepath.Join(dir, "vm_0_1.log"))
	require.NoError(t, err)
	assert.True(t, bytes.Equal(log, got))
	assert.False(t, g.Machines()[0].Other)
}

package gather

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/logging"
)

// Serve takes deliveries in until ctx ends, with TLS if that is not nil. What is then being
// delivered gets a moment to come to its end.
func (g *Gathering) Serve(ctx context.Context, ln net.Listener, conf *tls.Config) error {
	ln = &guardedListener{Listener: ln, g: g, slots: make(chan struct{}, 64+4*g.cfg.Machines)}
	if conf != nil {
		conf = conf.Clone()
		conf.NextProtos = []string{"http/1.1"}
		ln = tls.NewListener(ln, conf)
	}
	server := &http.Server{
		Handler:           g.Handler(),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		<-ctx.Done()
		const moment = 2 * time.Second // for an answer that is under way
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), moment)
		defer cancel()
		if server.Shutdown(last) != nil {
			_ = server.Close()
		}
	}()
	err := server.Serve(ln)
	if !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	<-done
	return nil
}

// guardedListener lets in only who may deliver, and not too many at once.
type guardedListener struct {
	net.Listener
	g     *Gathering
	slots chan struct{}
}

func (l *guardedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if !l.g.allowed(c.RemoteAddr()) {
			_ = c.Close()
			continue
		}
		select {
		case l.slots <- struct{}{}:
			return &countedConn{Conn: c, release: sync.OnceFunc(func() { <-l.slots })}, nil
		default:
			_ = c.Close() // who is a machine comes again
		}
	}
}

type countedConn struct {
	net.Conn
	release func()
}

func (c *countedConn) Close() error {
	defer c.release()
	return c.Conn.Close()
}

// allowed reports whether machines come from an address.
func (g *Gathering) allowed(addr net.Addr) bool {
	if len(g.cfg.Allow) == 0 {
		return true
	}
	at, err := netip.ParseAddrPort(addr.String())
	if err == nil {
		from := at.Addr().Unmap().WithZone("")
		for _, p := range g.cfg.Allow {
			if p.Contains(from) {
				return true
			}
		}
	}
	g.refuse(Notice{Machine: -1, From: hostOf(addr.String()), Err: errors.New("no machine comes from this address")})
	return false
}

func hostOf(addr string) string {
	if host, _, err := net.SplitHostPort(addr); err == nil {
		return host
	}
	return addr
}

// Handler returns what answers requests. It can be used with any [http.Server]; [Config]'s
// Allow is the business of Serve.
func (g *Gathering) Handler() http.Handler {
	const machine = "/v1/runs/{run}/machines/{machine}/"
	mux := http.NewServeMux()
	mux.HandleFunc("PUT "+machine+aboutPlace, g.machine(g.putAbout))
	mux.HandleFunc("HEAD "+machine+"{place}", g.machine(g.at((*Gathering).head)))
	mux.HandleFunc("PATCH "+machine+"{place}", g.machine(g.at((*Gathering).patch)))
	mux.HandleFunc("DELETE "+machine+"{place}", g.machine(g.at((*Gathering).forget)))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Also of a request that is refused the server reads the rest of the body, and that
		// must come to an end.
		if r.ContentLength != 0 {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(g.cfg.Idle)) // a test has no connection
		}
		mux.ServeHTTP(w, r)
	})
}

// failure is an answer that says what is wrong.
type failure struct {
	code int
	err  error
}

func (f *failure) Error() string { return f.err.Error() }

func fail(code int, format string, args ...any) error {
	return &failure{code, fmt.Errorf(format, args...)}
}

// request is what a machine wants.
type request struct {
	*http.Request
	w  http.ResponseWriter
	id int
	m  *gathered
}

// machine finds out which machine asks, and whether it may.
func (g *Gathering) machine(serve func(*request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		req := &request{Request: r, w: w, id: -1}
		err := g.admit(req)
		if err == nil {
			err = serve(req)
		}
		if err == nil {
			return
		}
		code := http.StatusInternalServerError
		var f *failure
		if errors.As(err, &f) {
			code = f.code
		}
		switch code {
		case http.StatusConflict, http.StatusPreconditionFailed, http.StatusRequestTimeout: // these are part of the conversation
		default:
			g.refuse(Notice{Machine: req.id, From: hostOf(r.RemoteAddr), Err: err})
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.WriteHeader(code)
		_, _ = io.WriteString(w, err.Error()+"\n")
	}
}

func (g *Gathering) admit(r *request) error {
	id, err := strconv.Atoi(r.PathValue("machine"))
	run := r.PathValue("run")
	if g.cfg.Peer != nil {
		if r.TLS == nil {
			return fail(http.StatusForbidden, "a certificate is needed")
		}
		theirs, machine, err := g.cfg.Peer(r.TLS)
		switch {
		case err != nil:
			return fail(http.StatusForbidden, "the certificate is no machine's: %w", err)
		case theirs != g.cfg.Run:
			return fail(http.StatusForbidden, "the certificate is of another run")
		case machine >= 0 && strconv.Itoa(machine) != r.PathValue("machine"):
			return fail(http.StatusForbidden, "the certificate is that of machine %d, which delivers only its own log", machine)
		}
	}
	switch {
	case run != g.cfg.Run:
		return fail(http.StatusNotFound, "the logs of run %.64q are not gathered here", run)
	case err != nil || id < 0 || id >= g.cfg.Machines || strconv.Itoa(id) != r.PathValue("machine"):
		return fail(http.StatusNotFound, "the run has the machines 0 to %d", g.cfg.Machines-1)
	}
	r.id, r.m = id, g.machines[id]
	return nil
}

// putAbout takes in what a machine says about itself.
func (g *Gathering) putAbout(r *request) error {
	var a About
	b := &body{r: r.Body, control: http.NewResponseController(r.w), idle: g.cfg.Idle}
	d := json.NewDecoder(http.MaxBytesReader(r.w, io.NopCloser(b), maxAbout))
	err := d.Decode(&a)
	if err == nil {
		err = a.check(g.cfg.Run, r.id, g.cfg.Machines)
	}
	if err == nil {
		err = keepable(&a)
	}
	if err != nil {
		return fail(http.StatusBadRequest, "what the machine says about itself: %w", err)
	}
	g.mu.Lock()
	differs := a.Record != nil && g.differs(&a)
	r.m.about = &a
	g.mu.Unlock()
	if differs {
		g.tell(Notice{Kind: Differs, Machine: r.id, From: hostOf(r.RemoteAddr), Host: a.Host})
	}
	r.w.WriteHeader(http.StatusNoContent)
	return nil
}

// keepable returns nil where an About can be read again once it is written: text can become
// several times longer by that.
func keepable(a *About) error {
	const besides = 4 << 10
	b, err := marshal(Delivery{About: *a})
	if err == nil && len(b) > maxDelivery-besides {
		err = fmt.Errorf("%d bytes as it is kept: want at most %d", len(b), maxDelivery-besides)
	}
	return err
}

// at finds the place that a request is about, and waits for its turn.
func (g *Gathering) at(serve func(*Gathering, *request, *place, *body) error) func(*request) error {
	return func(r *request) error {
		var p *place
		switch r.PathValue("place") {
		case logPlace:
			p = r.m.log
		case otherPlace:
			p = r.m.other
		default:
			return fail(http.StatusNotFound, "there is no %.64q of a machine", r.PathValue("place"))
		}
		b := &body{r: r.Body, control: http.NewResponseController(r.w), idle: g.cfg.Idle}
		if !p.take(r.Context().Done(), b.interrupt) {
			return fail(http.StatusRequestTimeout, "the machine has gone")
		}
		defer p.give()
		if err := p.open(); err != nil {
			return fmt.Errorf("the log cannot be read: %w", err)
		}
		r.w.Header().Set("Cache-Control", "no-store")
		return serve(g, r, p, b)
	}
}

// head says how far a log has arrived.
func (g *Gathering) head(r *request, p *place, _ *body) error {
	r.w.Header().Set(offsetField, strconv.FormatInt(p.size, 10))
	r.w.WriteHeader(http.StatusOK)
	return nil
}

// forget takes back what was not confirmed.
func (g *Gathering) forget(r *request, p *place, _ *body) error {
	if err := p.cut(p.confirmed); err != nil {
		return fmt.Errorf("the log cannot be cut: %w", err)
	}
	r.w.Header().Set(offsetField, strconv.FormatInt(p.size, 10))
	r.w.WriteHeader(http.StatusNoContent)
	return nil
}

// patch goes on with a log.
func (g *Gathering) patch(r *request, p *place, b *body) error {
	r.w.Header().Set(offsetField, strconv.FormatInt(p.size, 10))
	want, err := parsePatch(r.Header)
	switch {
	case err != nil:
		return fail(http.StatusBadRequest, "%w", err)
	case want.length > g.cfg.MaxLog:
		return fail(http.StatusRequestEntityTooLarge, "a log of %d bytes, and at most %d are taken", want.length, g.cfg.MaxLog)
	case want.offset > p.size || want.offset < p.size && want.offset < want.length:
		return fail(http.StatusConflict, "%s %s arrived", figure.Plural(p.size, "byte"), figure.Verb(p.size, "has", "have"))
	}
	if want.offset < p.size { // of which the machine has no more
		return g.compare(r, p, want)
	}
	if want.prefix != p.digest() {
		return fail(http.StatusPreconditionFailed, "the log does not go on from the %s that %s arrived", figure.Plural(p.size, "byte"), figure.Verb(p.size, "has", "have"))
	}
	if p.ended && want.length > p.confirmed {
		return fail(http.StatusUnprocessableEntity, "the log goes on behind its stop line")
	}
	from := p.size
	if err := g.receive(r, p, b, want.length); err != nil {
		r.w.Header().Set(offsetField, strconv.FormatInt(p.size, 10))
		return err
	}
	if p.digest() != want.digest {
		return errors.Join(fail(http.StatusBadRequest, "%w", errCorrupt), p.cut(from))
	}
	return g.confirm(r, p, from)
}

var errCorrupt = errors.New("what has arrived is not what was sent")

// compare answers a machine whose log is shorter than what has arrived.
func (g *Gathering) compare(r *request, p *place, want patch) error {
	d, err := p.digestOf(want.offset)
	switch {
	case err != nil:
		return fmt.Errorf("the log cannot be read: %w", err)
	case d != want.digest:
		return fail(http.StatusPreconditionFailed, "the log is not the beginning of the %s that %s arrived", figure.Plural(p.size, "byte"), figure.Verb(p.size, "has", "have"))
	case want.offset > p.confirmed: // it may be all that there will be
		if err := p.cut(want.offset); err != nil {
			return fmt.Errorf("the log cannot be cut: %w", err)
		}
		return g.confirm(r, p, want.offset)
	}
	r.w.WriteHeader(http.StatusNoContent)
	return nil
}

// patch is what a request says of its body.
type patch struct {
	offset, length int64
	prefix, digest digest
}

func parsePatch(h http.Header) (p patch, err error) {
	if h.Get("Content-Encoding") != "gzip" {
		return p, errors.New("want Content-Encoding: gzip")
	}
	if p.offset, err = parseBytes(h, offsetField); err != nil {
		return p, err
	}
	if p.length, err = parseBytes(h, lengthField); err != nil {
		return p, err
	}
	if p.offset > p.length || p.length == 0 {
		return p, fmt.Errorf("%s behind %d", figure.Plural(p.length, "byte"), p.offset)
	}
	if p.prefix, err = parseDigest(h.Get(prefixField)); err != nil {
		return p, fmt.Errorf("%s: %w", prefixField, err)
	}
	if p.digest, err = parseDigest(h.Get(digestField)); err != nil {
		return p, fmt.Errorf("%s: %w", digestField, err)
	}
	return p, nil
}

// block is how much of a log is taken in at once, and arrivingEvery how often it is told.
const (
	block         = 256 << 10
	arrivingEvery = 10 * time.Second
)

// receive takes a body in, up to length bytes of the log. What has arrived when the
// connection breaks stays; what turns out to be wrong does not.
func (g *Gathering) receive(r *request, p *place, b *body, length int64) error {
	if p.size == length {
		return nil
	}
	from := p.size
	wrong := func(code int, err error) error {
		return errors.Join(fail(code, "%w", err), p.cut(from))
	}
	// Compressed, text is hardly ever longer; what decompresses to nothing has no end.
	most := (length-from)/1000*1001 + 1<<20
	z, err := gzip.NewReader(bufio.NewReader(http.MaxBytesReader(r.w, io.NopCloser(b), most)))
	if err != nil {
		return b.broken(err, wrong)
	}
	z.Multistream(false)
	told := time.Now()
	buf := make([]byte, block)
	for {
		n, err := fill(z, buf)
		switch {
		case p.size+int64(n) > length:
			return wrong(http.StatusBadRequest, fmt.Errorf("more than the %s that %s to come", figure.Plural(length, "byte"), figure.Verb(length, "was", "were")))
		case n > 0 && g.cfg.Room != nil && g.cfg.Room() < int64(n):
			return fail(http.StatusInsufficientStorage, "the disk has no room for more")
		case n > 0:
			if err := p.add(buf[:n]); err != nil {
				if _, strange := errors.AsType[*strangeError](err); strange {
					return wrong(http.StatusUnprocessableEntity, err)
				}
				return fail(http.StatusInsufficientStorage, "the log cannot be written: %w", err)
			}
		}
		if now := time.Now(); now.Sub(told) >= arrivingEvery {
			told = now
			g.tell(g.notice(Arriving, r, p.size, length))
		}
		switch {
		case errors.Is(err, io.EOF):
			if p.size < length {
				return wrong(http.StatusBadRequest, fmt.Errorf("the body ends at byte %d of %d", p.size, length))
			}
			return nil
		case err != nil:
			return b.broken(err, wrong)
		}
	}
}

// fill reads until the buffer is full or r ends, whose end is [io.EOF] and nothing else.
func fill(r io.Reader, buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		var more int
		more, err = r.Read(buf[n:])
		n += more
	}
	return n, err
}

// confirm takes in that all of a machine's log is there.
func (g *Gathering) confirm(r *request, p *place, from int64) error {
	if err := p.confirm(); err != nil {
		if _, strange := errors.AsType[*strangeError](err); strange {
			return errors.Join(fail(http.StatusUnprocessableEntity, "%w", err), p.cut(from))
		}
		return fail(http.StatusInsufficientStorage, "the log cannot be kept: %w", err)
	}
	kind := Delivered
	if p.ended {
		kind = Ended
	}
	if p == r.m.other {
		if err := p.rename(otherName(r.id)); err != nil {
			return fail(http.StatusInsufficientStorage, "the log cannot be kept: %w", err)
		}
		kind = Other
		g.mu.Lock()
		r.m.others = true
		g.mu.Unlock()
	} else if err := g.keep(r, p); err != nil {
		return fail(http.StatusInsufficientStorage, "the log cannot be kept: %w", err)
	}
	g.tell(g.notice(kind, r, p.size, p.size))
	r.w.Header().Set(offsetField, strconv.FormatInt(p.size, 10))
	r.w.WriteHeader(http.StatusNoContent)
	if kind == Ended {
		g.mu.Lock()
		g.look()
		g.mu.Unlock()
	}
	return nil
}

// keep gives a log its name, and writes down what is known of it.
func (g *Gathering) keep(r *request, p *place) error {
	if err := p.rename(logging.FileName(r.id, p.start.Rate)); err != nil {
		return err
	}
	sum := p.digest()
	d := &Delivery{
		Format: format, Machine: r.id, File: p.name, Bytes: p.size, SHA256: hex.EncodeToString(sum[:]), Ended: p.ended,
		From: hostOf(r.RemoteAddr), At: time.Now().UTC().Truncate(time.Second),
	}
	g.mu.Lock()
	if r.m.about != nil {
		d.About = *r.m.about
	}
	g.mu.Unlock()
	if err := g.write(deliveryName(r.id), d); err != nil {
		return err
	}
	g.mu.Lock()
	r.m.delivery = d
	g.mu.Unlock()
	return nil
}

func (g *Gathering) notice(kind NoticeKind, r *request, bytes, of int64) Notice {
	n := Notice{Kind: kind, Machine: r.id, From: hostOf(r.RemoteAddr), Bytes: bytes, Of: of}
	g.mu.Lock()
	defer g.mu.Unlock()
	if r.m.about != nil {
		n.Host = r.m.about.Host
	}
	return n
}

// body is the body of a request. It breaks off when nothing comes for long, and when it
// is interrupted.
type body struct {
	r       io.Reader
	control *http.ResponseController
	idle    time.Duration

	mu          sync.Mutex
	interrupted bool
	err         error // what reading it has returned, but for its end
}

var errInterrupted = errors.New("the machine has come again")

func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	if b.interrupted {
		b.err = errInterrupted
		b.mu.Unlock()
		return 0, errInterrupted
	}
	_ = b.control.SetReadDeadline(time.Now().Add(b.idle)) // a test has no connection
	b.mu.Unlock()
	n, err := b.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.mu.Lock()
		b.err = err
		b.mu.Unlock()
	}
	return n, err
}

func (b *body) interrupt() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.interrupted = true
	_ = b.control.SetReadDeadline(time.Now())
}

// broken returns the answer to an error of the decompressor: either the connection broke,
// and what had come is good, or what comes is wrong.
func (b *body) broken(err error, wrong func(int, error) error) error {
	b.mu.Lock()
	breaks := b.err
	b.mu.Unlock()
	var corrupt flate.CorruptInputError
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return wrong(http.StatusRequestEntityTooLarge, errors.New("the compressed data have no end"))
	case errors.As(err, &corrupt), errors.Is(err, gzip.ErrChecksum), errors.Is(err, gzip.ErrHeader):
		return wrong(http.StatusBadRequest, fmt.Errorf("%w: %w", errCorrupt, err))
	case breaks != nil:
		return fail(http.StatusRequestTimeout, "the connection broke: %w", breaks)
	}
	return fail(http.StatusRequestTimeout, "the body breaks off: %w", err)
}

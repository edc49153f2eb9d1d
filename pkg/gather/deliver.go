package gather

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/scalemodel/lamport/pkg/internal/guarded"
	"github.com/scalemodel/lamport/pkg/internal/quote"
	"github.com/scalemodel/lamport/pkg/logging"
)

// Client delivers logs to one gathering.
type Client struct {
	addr string
	http *http.Client
	base string

	transport *http.Transport
	retry     time.Duration // what the first wait between two tries is
	// Waiting, if not nil, is told why a try has failed that is followed by another: once
	// for each reason.
	Waiting func(error)
	// Sending, if not nil, is told now and then how much of a log has gone.
	Sending func(sent, of int64)
	// Confirmed, if not nil, is told of each log that the gathering has confirmed as its
	// machine's.
	Confirmed func(Receipt)
}

// The waits between two tries: each is twice as long as the one before.
const (
	firstWait = 100 * time.Millisecond
	lastWait  = 5 * time.Second
)

// answerWithin is how long a gathering may take to answer. It may have to read a long log
// first.
const answerWithin = 2 * time.Minute

// NewClient returns a client for the gathering at an address such as hosta:7070, with TLS
// if conf is not nil.
func NewClient(addr string, conf *tls.Config) *Client {
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	transport := &http.Transport{
		// What goes between the hosts of a run is nothing for a proxy that stands in the
		// environment for the world outside.
		Proxy:                 nil,
		DialContext:           dialer.DialContext,
		TLSClientConfig:       conf,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: answerWithin,
		ExpectContinueTimeout: time.Second,
		MaxIdleConnsPerHost:   1,
		DisableCompression:    true,
	}
	scheme := "http://"
	if conf != nil {
		scheme = "https://"
	}
	refuse := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{
		addr: addr, http: &http.Client{Transport: transport, CheckRedirect: refuse}, base: scheme + addr,
		transport: transport, retry: firstWait,
	}
}

// CheckAddr returns nil where an address is one that a client can have: host:port.
func CheckAddr(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	n, notNumber := strconv.Atoi(port)
	if err != nil || host == "" || notNumber != nil || n < 1 || n > 65535 || strings.ContainsAny(addr, "/?#@ ") {
		return fmt.Errorf("%q: want host:port, such as hosta:7070", addr)
	}
	return nil
}

// Close ends the client's connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// ErrOther says that a gathering has got another log of a machine before, which the one
// that was delivered does not go on from.
var ErrOther = errors.New("another log of the machine has been delivered before, which this one does not go on from")

// ErrNothing says that a log has no line that could be delivered.
var ErrNothing = errors.New("there is nothing in it to be delivered")

// RefusedError is the answer of a gathering that does not take a log.
type RefusedError struct {
	Addr   string
	Status int    // of HTTP; 0: it was refused before there was one
	Reason string // as the gathering says it
}

// Error returns it in a sentence.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("%s does not take the log: %s", e.Addr, e.Reason)
}

// UnreachedError says that a log could not be delivered in time.
type UnreachedError struct {
	Addr string
	Err  error // the last try's
}

// Error returns it in a sentence.
func (e *UnreachedError) Error() string {
	return fmt.Sprintf("%s: not reached in time: %v", e.Addr, e.Err)
}

// Unwrap returns e.Err.
func (e *UnreachedError) Unwrap() error { return e.Err }

// Deliver delivers the whole lines of the event log in a file, up to where it ends now: it
// may grow meanwhile. What a line that is torn has is left out. It tries again until ctx
// ends, after which the error is an [UnreachedError]; one that wraps a [RefusedError],
// [ErrOther] or [ErrNothing] is final.
func (c *Client) Deliver(ctx context.Context, file string, about *About) error {
	l, err := openLog(file)
	if err != nil {
		return err
	}
	defer l.close()
	d := &delivering{Client: c, log: l, about: about}
	err = d.run(ctx)
	if d.state.place == otherPlace && err == nil {
		return fmt.Errorf("%s: %w; it is kept aside there", c.addr, ErrOther)
	}
	if err == nil && c.Confirmed != nil {
		c.Confirmed(Receipt{c.addr, l.size, l.whole})
	}
	return err
}

// localLog is the log that is delivered.
type localLog struct {
	r     io.ReadSeekCloser
	name  string
	start logging.Record
	size  int64 // of its whole lines

	hashed int64  // up to where before was taken
	before digest // of the log up to there
	whole  digest // of all of it
}

// openLog opens a log, plain or compressed, and finds out whose it is.
func openLog(file string) (*localLog, error) {
	f, err := openSeekable(file)
	if err != nil {
		return nil, err
	}
	l := &localLog{r: f, name: file, hashed: -1}
	if err := l.measure(); err != nil {
		_ = f.Close()
		return nil, err
	}
	return l, nil
}

func (l *localLog) close() { _ = l.r.Close() }

// measure reads the start line, and how long the whole lines are.
func (l *localLog) measure() error {
	err := logging.NewReader(l.r, l.name).Next(&l.start)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, logging.ErrTorn):
		return fmt.Errorf("%s: %w", l.name, ErrNothing)
	case err != nil:
		return err
	case l.start.Kind != logging.StartRecord:
		return fmt.Errorf("%s:1: expected a start line first", l.name)
	}
	l.size, err = l.lines()
	return err
}

// lines returns up to where there are whole lines.
func (l *localLog) lines() (int64, error) {
	var at int64
	if f, ok := l.r.(*os.File); ok { // what lies before the last line need not be read
		info, err := f.Stat()
		if err != nil {
			return 0, err
		}
		at = max(0, info.Size()-2*logging.MaxLine)
	}
	end, err := l.linesFrom(at)
	if end == 0 && at > 0 { // behind the last line are many zeros
		end, err = l.linesFrom(0)
	}
	return end, err
}

func (l *localLog) linesFrom(at int64) (end int64, err error) {
	if _, err := l.r.Seek(at, io.SeekStart); err != nil {
		return 0, err
	}
	buf := make([]byte, block)
	for {
		n, err := l.r.Read(buf)
		if i := bytes.LastIndexByte(buf[:n], '\n'); i >= 0 {
			end = at + int64(i) + 1
		}
		at += int64(n)
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, logging.ErrTorn):
			return end, nil
		case err != nil:
			return 0, fmt.Errorf("%s: %w", l.name, err)
		}
	}
}

// hash takes the digests of the log up to n, and of all of it.
func (l *localLog) hash(n int64) error {
	if l.hashed == n {
		return nil
	}
	if _, err := l.r.Seek(0, io.SeekStart); err != nil {
		return err
	}
	sum := sha256.New()
	if _, err := io.CopyN(sum, l.r, n); err != nil {
		return l.changed(err)
	}
	sum.Sum(l.before[:0])
	if l.hashed < 0 { // the whole does not change
		if _, err := io.CopyN(sum, l.r, l.size-n); err != nil {
			return l.changed(err)
		}
		sum.Sum(l.whole[:0])
	}
	l.hashed = n
	return nil
}

func (l *localLog) changed(err error) error {
	if errors.Is(err, io.EOF) {
		err = errors.New("it has become shorter")
	}
	return fmt.Errorf("%s: %w", l.name, err)
}

// openSeekable opens a log to read it more than once.
func openSeekable(file string) (io.ReadSeekCloser, error) {
	if !strings.HasSuffix(file, logging.Gzipped) {
		return guarded.Open(file)
	}
	r, err := logging.Open(file)
	if err != nil {
		return nil, err
	}
	return &unpacked{ReadCloser: r, file: file}, nil
}

// unpacked is a compressed log. It goes to a place by reading up to there, from the
// beginning if need be.
type unpacked struct {
	io.ReadCloser
	file string
	at   int64
}

func (u *unpacked) Read(p []byte) (int, error) {
	n, err := u.ReadCloser.Read(p)
	u.at += int64(n)
	return n, err
}

// Seek goes to a place that is given from the start.
func (u *unpacked) Seek(to int64, _ int) (int64, error) {
	if to < u.at {
		r, err := logging.Open(u.file)
		if err != nil {
			return 0, err
		}
		_ = u.Close()
		u.ReadCloser, u.at = r, 0
	}
	_, err := io.CopyN(io.Discard, u, to-u.at)
	return u.at, err
}

// delivering is the delivery of a log.
type delivering struct {
	*Client
	log   *localLog
	about *About
	state state

	waits   time.Duration // the last
	arrived int64         // the furthest that the log was known to have arrived
	told    string        // why the last try failed
}

// run does what is to be done next until there is nothing.
func (d *delivering) run(ctx context.Context) error {
	d.state = newState(d.log.size)
	for {
		switch d.state.next {
		case done:
			return nil
		case giveUp:
			if e, ok := errors.AsType[*RefusedError](d.state.err); ok {
				e.Addr = d.addr
				return e
			}
			return fmt.Errorf("%s: %w", d.addr, d.state.err)
		case wait:
			if err := d.wait(ctx); err != nil {
				return err
			}
		}
		a := d.do(ctx)
		if a.local != nil {
			return a.local
		}
		if a.broken != nil && ctx.Err() != nil {
			return d.late(a.broken)
		}
		if d.state.next == look && a.offset > d.arrived {
			d.arrived, d.waits = a.offset, 0 // what was in the way does not keep all of it back
		}
		d.state = d.state.after(a)
	}
}

// late is the error when the time is over.
func (d *delivering) late(last error) error {
	if d.state.err != nil && (errors.Is(last, context.Canceled) || errors.Is(last, context.DeadlineExceeded)) {
		last = d.state.err // what was in the way, and not that the time is over
	}
	return &UnreachedError{d.addr, last}
}

// wait waits before the next try.
func (d *delivering) wait(ctx context.Context) error {
	if why := d.state.err.Error(); d.Waiting != nil && why != d.told {
		d.told = why
		d.Waiting(d.state.err)
	}
	d.waits = min(max(2*d.waits, d.retry), lastWait)
	timer := time.NewTimer(d.waits)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return &UnreachedError{d.addr, d.state.err}
	}
}

// answer is what came of a request.
type answer struct {
	status int
	offset int64  // up to where the log has arrived; below 0: not said
	text   string // what is wrong
	broken error  // there is no answer
	local  error  // the log cannot be read here
}

// do makes the request that is next.
func (d *delivering) do(ctx context.Context) answer {
	switch d.state.next {
	case introduce, wait:
		b, err := json.Marshal(d.about)
		if err != nil {
			return answer{local: err}
		}
		return d.ask(ctx, http.MethodPut, aboutPlace, http.Header{"Content-Type": {"application/json"}}, bytes.NewReader(b))
	case look:
		return d.ask(ctx, http.MethodHead, d.state.place, nil, nil)
	case forget:
		return d.ask(ctx, http.MethodDelete, d.state.place, nil, nil)
	}
	return d.send(ctx, d.state.offset)
}

// send sends the log from an offset on.
func (d *delivering) send(ctx context.Context, offset int64) answer {
	if err := d.log.hash(offset); err != nil {
		return answer{local: err}
	}
	h := http.Header{
		"Content-Type":     {"application/partial-upload"},
		"Content-Encoding": {"gzip"},
		"Expect":           {"100-continue"}, // a refusal comes before a long body
		offsetField:        {strconv.FormatInt(offset, 10)},
		lengthField:        {strconv.FormatInt(d.log.size, 10)},
		prefixField:        {d.log.before.String()},
		digestField:        {d.log.whole.String()},
	}
	pr, pw := io.Pipe()
	written := make(chan error, 1)
	go func() {
		err := d.compress(pw, offset)
		_ = pw.CloseWithError(err)
		written <- err
	}()
	a := d.ask(ctx, http.MethodPatch, d.state.place, h, pr)
	_ = pr.Close() // where the answer came before the end
	if err := <-written; a.broken != nil && err != nil && !errors.Is(err, io.ErrClosedPipe) {
		return answer{local: err}
	}
	return a
}

// compress writes the log from an offset on, compressed.
func (d *delivering) compress(w io.Writer, offset int64) error {
	if _, err := d.log.r.Seek(offset, io.SeekStart); err != nil {
		return err
	}
	// Event logs become 6 times shorter at this level, at 200 MB/s; at the usual one 8
	// times, at 40.
	z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed) // a level that there is
	buf := make([]byte, block)
	told := time.Now()
	for at := offset; at < d.log.size; {
		n, err := d.log.r.Read(buf[:min(int64(len(buf)), d.log.size-at)])
		if _, err := z.Write(buf[:n]); err != nil {
			return err
		}
		if at += int64(n); err != nil && at < d.log.size {
			return d.log.changed(err)
		}
		if now := time.Now(); d.Sending != nil && now.Sub(told) >= arrivingEvery {
			told = now
			d.Sending(at, d.log.size)
		}
	}
	return z.Close()
}

// ask makes a request.
func (d *delivering) ask(ctx context.Context, method, place string, h http.Header, b io.Reader) answer {
	start := &d.log.start
	r, err := http.NewRequestWithContext(ctx, method, d.base+path(start.Start.Run, start.ID, place), b)
	if err != nil {
		return answer{local: err}
	}
	for name, values := range h {
		r.Header[name] = values
	}
	resp, err := d.http.Do(r)
	if err != nil {
		return answer{broken: cause(err)}
	}
	defer func() { _ = resp.Body.Close() }()
	const most = 1 << 10 // of what is shown
	text, _ := io.ReadAll(io.LimitReader(resp.Body, most))
	a := answer{status: resp.StatusCode, offset: -1, text: quote.Visible(strings.TrimSpace(string(text)))}
	if n, err := parseBytes(resp.Header, offsetField); err == nil {
		a.offset = n
	}
	if a.text == "" {
		a.text = resp.Status
	}
	return a
}

// cause takes the request from an error: whoever reads it knows what was asked.
func cause(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

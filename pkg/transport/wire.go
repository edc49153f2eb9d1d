package transport

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"unicode"
	"unicode/utf8"
)

// Version is the protocol's version. Both ends of a connection must speak the
// same one.
const Version = 4

const (
	magic = "LCLK"

	headerLen     = 4 + 1 // length, type; length counts the type and the body
	dataHeaderLen = headerLen + 8

	anyID = 1<<32 - 1 // HELLO's destination where only the address is known
)

type frameType uint8

// The arrows show who sends a frame: → the dialer, ← the acceptor.
const (
	frameHello   frameType = iota + 1 // → who I am, whom I want
	frameWelcome                      // ← who I am, what I have of you
	frameData                         // → one message
	frameAck                          // ← all up to here is consumed
	framePing                         // both: are you there? Of the dialer: my clock
	framePong                         // ← your clock, and mine
	frameReady                        // → my mesh is complete
	frameFin                          // → nothing follows the message of this number; what I hold of yours; HELD can wait so long
	frameClosed                       // ← I hold all up to here and take nothing more
	frameBye                          // → I have read your CLOSED
	frameError                        // both: why I close
	frameStarted                      // → the run's instant, and how long ago that was
	frameHeld                         // ← I hold all up to here
)

var frameNames = [...]string{
	frameHello: "HELLO", frameWelcome: "WELCOME", frameData: "DATA", frameAck: "ACK",
	framePing: "PING", framePong: "PONG", frameReady: "READY", frameFin: "FIN",
	frameClosed: "CLOSED", frameBye: "BYE", frameError: "ERROR", frameStarted: "STARTED", frameHeld: "HELD",
}

func (t frameType) String() string {
	if t < frameHello || t > frameHeld {
		return fmt.Sprintf("frame type %d", uint8(t))
	}
	return frameNames[t]
}

// Code says in an ERROR frame why a connection is closed.
type Code uint16

// The reasons. All but CodeProtocol come from how the machines were started.
const (
	CodeProtocol    Code = iota + 1 // not this protocol, or a rule of it broken
	CodeVersion                     // another version of it
	CodeRun                         // another run's machine
	CodeMachines                    // another number of machines in the run
	CodeDestination                 // the wrong machine answered
	CodeDuplicate                   // two machines with one id
	CodeSelf                        // a machine that dials itself
	CodeStale                       // an older process of a machine, or one that has lost what it kept
	CodeStranger                    // all that somebody is told who has not shown that it belongs to the run
	CodeTerms                       // two machines of one run that cannot be in one, by what they say of themselves
	CodeTLS                         // one end speaks TLS and the other does not, or not the same
	CodeCertificate                 // a certificate that is not taken, or not for what its owner says
)

// CodeAddress is why somebody is turned away who calls from an address that is no
// machine's. It is never said: a machine whose new address is not known yet comes again.
const CodeAddress Code = 13

// RefusedError is why one end of a connection has closed it. Whoever has not shown
// that it belongs to the run is told less, see [RefusedError.told].
type RefusedError struct {
	Code    Code
	Text    string
	heard   bool  // the other end has said it
	passing bool  // whoever is at the other end has proved nothing, so nobody may give up for it
	cause   error // what it comes from; nil: nothing else
}

func (e *RefusedError) Error() string { return e.Text }

// Unwrap returns what it comes from, such as what is wrong with a certificate.
func (e *RefusedError) Unwrap() error { return e.cause }

// final reports whether a machine gives up for it that has not begun its run.
func (e *RefusedError) final() bool { return e.Code != CodeProtocol && !e.passing }

func refuse(code Code, format string, args ...any) *RefusedError {
	return &RefusedError{Code: code, Text: fmt.Sprintf(format, args...)}
}

// plural writes n of a thing: "1 peer", "2 peers".
func plural[N int | uint32 | uint64](n N, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// strangerText is the text of CodeStranger. It holds nothing of the run.
const strangerText = "not known as a machine of this run"

// told returns what somebody hears who has not been welcomed. Which of the reasons
// it was that it does not belong here would tell it what to try next: with them, the
// run's name, its size and a process's life were found by asking.
func (e *RefusedError) told() *RefusedError {
	switch e.Code {
	case CodeProtocol, CodeVersion, CodeTerms, CodeTLS:
		return e
	case CodeAddress:
		return &RefusedError{Code: CodeProtocol, Text: strangerText}
	}
	return &RefusedError{Code: CodeStranger, Text: strangerText}
}

// unsaid returns the reason in err that the other end does not know, or nil.
func unsaid(err error) *RefusedError {
	var e *RefusedError
	if errors.As(err, &e) && !e.heard {
		return e
	}
	return nil
}

// hello is the body of a HELLO frame: magic, version u16, machines u32, from
// u32, to u32, life u64, secret of 16 bytes, window u32, port u16, length u8 of the run's name,
// that name, then the terms to the end.
type hello struct {
	version  uint16
	machines uint32
	from, to uint32
	life     uint64
	secret   Secret
	window   uint32 // the most messages that the sender has unconsumed on its part
	port     uint16 // of the sender's end, whose system tells it if the other end's host is gone; 0: it does not
	run      string
	terms    []byte
}

func (h hello) frame() []byte {
	b, start := beginFrame(nil, frameHello)
	b = append(b, magic...)
	b = binary.BigEndian.AppendUint16(b, h.version)
	b = binary.BigEndian.AppendUint32(b, h.machines)
	b = binary.BigEndian.AppendUint32(b, h.from)
	b = binary.BigEndian.AppendUint32(b, h.to)
	b = binary.BigEndian.AppendUint64(b, h.life)
	b = append(b, h.secret[:]...)
	b = binary.BigEndian.AppendUint32(b, h.window)
	b = binary.BigEndian.AppendUint16(b, h.port)
	b = append(b, byte(len(h.run)))
	b = append(b, h.run...)
	b = append(b, h.terms...)
	return endFrame(b, start)
}

// parseHello reads magic and version first and nothing more where these
// differ: what follows them may look otherwise in another version.
func parseHello(body []byte) (hello, error) {
	var h hello
	if len(body) < len(magic)+2 || string(body[:len(magic)]) != magic {
		return h, refuse(CodeProtocol, "not a HELLO of this protocol")
	}
	d := decoder{b: body[len(magic):]}
	h.version = d.u16()
	if h.version != Version {
		return h, refuse(CodeVersion, "protocol version %d meets version %d", h.version, Version)
	}
	h.machines, h.from, h.to, h.life = d.u32(), d.u32(), d.u32(), d.u64()
	copy(h.secret[:], d.take(len(h.secret)))
	h.window, h.port = d.u32(), d.u16()
	name := int(d.u8())
	h.run = string(d.take(min(name, MaxRun)))
	switch {
	case name > MaxRun:
		return h, refuse(CodeProtocol, "run name of %d bytes, at most %d allowed", name, MaxRun)
	case d.short:
		return h, refuse(CodeProtocol, "HELLO of %s is too short", plural(len(body), "byte"))
	case h.secret == Secret{}:
		return h, refuse(CodeProtocol, "HELLO without a secret")
	case h.window == 0:
		return h, refuse(CodeProtocol, "HELLO without a window")
	}
	var err error
	h.terms, err = parseTerms(d.b)
	return h, err
}

// parseTerms copies what a machine says of itself.
func parseTerms(b []byte) ([]byte, error) {
	if len(b) > MaxTerms {
		return nil, refuse(CodeProtocol, "terms of %d bytes, at most %d allowed", len(b), MaxTerms)
	}
	return bytes.Clone(b), nil
}

// welcome is the body of a WELCOME frame: version u16, id u32, window u32,
// consumed u64, held u64, life u64, got u64, answered u64, quiet u8, start u64, then the terms to
// the end. The sender goes on with message held+1, and never has more than window messages
// unconsumed.
type welcome struct {
	version        uint16
	id             uint32
	window         uint32
	consumed, held uint64
	life           uint64 // of whoever answers
	got, answered  uint64 // when the HELLO came and this answers it, in Unix ns of its own clock
	quiet          bool   // the systems of both ends tell if the other's host is gone
	start          uint64 // that the peer has proposed, in Unix ns of its own clock; 0: none
	terms          []byte
}

func (w welcome) frame() []byte {
	b, start := beginFrame(nil, frameWelcome)
	b = binary.BigEndian.AppendUint16(b, w.version)
	b = binary.BigEndian.AppendUint32(b, w.id)
	b = binary.BigEndian.AppendUint32(b, w.window)
	b = binary.BigEndian.AppendUint64(b, w.consumed)
	b = binary.BigEndian.AppendUint64(b, w.held)
	b = binary.BigEndian.AppendUint64(b, w.life)
	b = binary.BigEndian.AppendUint64(b, w.got)
	b = binary.BigEndian.AppendUint64(b, w.answered)
	quiet := byte(0)
	if w.quiet {
		quiet = 1
	}
	b = append(b, quiet)
	b = binary.BigEndian.AppendUint64(b, w.start)
	b = append(b, w.terms...)
	return endFrame(b, start)
}

func parseWelcome(body []byte) (welcome, error) {
	d := decoder{b: body}
	w := welcome{version: d.u16(), id: d.u32(), window: d.u32(), consumed: d.u64(), held: d.u64()}
	w.life, w.got, w.answered = d.u64(), d.u64(), d.u64()
	quiet := d.u8()
	w.quiet, w.start = quiet == 1, d.u64()
	switch {
	case len(body) >= 2 && w.version != Version:
		return w, refuse(CodeVersion, "protocol version %d meets version %d", w.version, Version)
	case d.short:
		return w, refuse(CodeProtocol, "WELCOME of %s", plural(len(body), "byte"))
	case quiet > 1:
		return w, refuse(CodeProtocol, "WELCOME that is quiet by %d, want 0 or 1", quiet)
	case w.consumed > w.held || w.window == 0:
		return w, refuse(CodeProtocol, "WELCOME contradicts itself: held %d, consumed %d, window %d", w.held, w.consumed, w.window)
	}
	var err error
	w.terms, err = parseTerms(d.b)
	return w, err
}

// putData writes the DATA frame of one message into b: seq u64, payload.
func putData(b []byte, seq uint64, payload []byte) {
	_ = b[dataHeaderLen-1]
	binary.BigEndian.PutUint32(b, uint32(1+8+len(payload)))
	b[4] = byte(frameData)
	binary.BigEndian.PutUint64(b[headerLen:], seq)
	if b = b[dataHeaderLen:]; len(payload) == 8 { // a stamp: no call is made for it
		binary.NativeEndian.PutUint64(b, binary.NativeEndian.Uint64(payload))
		return
	}
	copy(b, payload)
}

// appendNumbers appends a frame whose body is some u64 values.
func appendNumbers(b []byte, t frameType, v ...uint64) []byte {
	b, start := beginFrame(b, t)
	for _, n := range v {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return endFrame(b, start)
}

// numbers are what a control frame says, from the first; those that it does not
// have are 0.
type numbers [3]uint64

// bodies has how many numbers the body of a control frame is.
var bodies = [...]int{
	frameAck: 1, framePing: 1, framePong: 3, frameReady: 1, frameFin: 3,
	frameClosed: 1, frameBye: 0, frameStarted: 2, frameHeld: 1,
}

// parseControl reads the body of a control frame. What an ERROR says is an error.
func parseControl(t frameType, body []byte) (v numbers, err error) {
	if t == frameError {
		return v, parseError(body)
	}
	all := [...]*uint64{&v[0], &v[1], &v[2]}
	return v, parseNumbers(t, body, all[:bodies[t]]...)
}

// parseNumbers reads a body of exactly len(v) u64 values.
func parseNumbers(t frameType, body []byte, v ...*uint64) error {
	if len(body) != 8*len(v) {
		return refuse(CodeProtocol, "%v of %s, want %d", t, plural(len(body), "byte"), 8*len(v))
	}
	for i, p := range v {
		*p = binary.BigEndian.Uint64(body[8*i:])
	}
	return nil
}

// errorFrame is an ERROR frame: code u16, text.
func errorFrame(e *RefusedError) []byte {
	b, start := beginFrame(nil, frameError)
	b = binary.BigEndian.AppendUint16(b, uint16(e.Code))
	b = append(b, e.Text[:min(len(e.Text), MaxErrorText)]...)
	return endFrame(b, start)
}

// parseError turns an ERROR frame into what it says. The text comes from
// outside, so what is not printable is quoted.
func parseError(body []byte) *RefusedError {
	d := decoder{b: body}
	code := Code(d.u16())
	text := string(d.b[:min(len(d.b), MaxErrorText)])
	for _, c := range text {
		if !unicode.IsPrint(c) || c == utf8.RuneError {
			text = strconv.Quote(text)
			break
		}
	}
	return &RefusedError{Code: code, Text: text, heard: true}
}

func beginFrame(b []byte, t frameType) (_ []byte, start int) {
	return append(b, 0, 0, 0, 0, byte(t)), len(b)
}

func endFrame(b []byte, start int) []byte {
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-4))
	return b
}

// decoder takes big-endian integers off the front of b. One that is not there
// is 0 and sets short.
type decoder struct {
	b     []byte
	short bool
}

func (d *decoder) take(n int) []byte {
	if len(d.b) < n {
		d.short, d.b = true, nil
		return make([]byte, n)
	}
	v := d.b[:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) u8() uint8   { return d.take(1)[0] }
func (d *decoder) u16() uint16 { return binary.BigEndian.Uint16(d.take(2)) }
func (d *decoder) u32() uint32 { return binary.BigEndian.Uint32(d.take(4)) }
func (d *decoder) u64() uint64 { return binary.BigEndian.Uint64(d.take(8)) }

// frameReader cuts a stream into frames. Its buffer is small until a stream
// has shown that it fills it.
type frameReader struct {
	r     io.Reader
	buf   []byte
	start int // buf[start:end] is read and not yet handed out
	end   int
	limit int // of the length field
}

const (
	smallBuffer = 1 << 10
	largeBuffer = 4 + MaxFrame // larger ones are slower: they leave the processor's cache
)

func newFrameReader(r io.Reader, limit int) *frameReader {
	return &frameReader{r: r, buf: make([]byte, smallBuffer), limit: limit}
}

// errNoFrame says that the buffer holds no whole frame.
var errNoFrame = errors.New("no whole frame buffered")

// buffered returns the next frame if it has been read already, else
// errNoFrame. The body is valid until fill is called.
func (f *frameReader) buffered() (frameType, []byte, error) {
	b := f.buf[f.start:f.end]
	if len(b) < 4 {
		return 0, nil, errNoFrame
	}
	n := binary.BigEndian.Uint32(b)
	if n < 1 || n > uint32(f.limit) {
		return 0, nil, refuse(CodeProtocol, "a frame of %d bytes, want 1 to %d", n, f.limit)
	}
	if uint32(len(b)-4) < n {
		return 0, nil, errNoFrame
	}
	f.start += 4 + int(n)
	return frameType(b[4]), b[headerLen : 4+n], nil
}

// messages appends the payloads of the DATA frames that are buffered and numbered
// next, next+1, …, up to limit in all. It is what buffered would find, but faster, and a
// busy link is at nothing else. What comes after them buffered has to judge.
func (f *frameReader) messages(payloads [][]byte, next uint64, limit int) [][]byte {
	b, at, n := f.buf[:f.end], f.start, len(payloads)
	// No more than this can be there; an idle link so needs no memory for many.
	limit = min(limit, n+(len(b)-at)/dataHeaderLen)
	payloads = slices.Grow(payloads, limit-n)[:limit]
	for n < len(payloads) && len(b)-at >= dataHeaderLen {
		h := b[at : at+dataHeaderLen]
		head := binary.BigEndian.Uint64(h) // length, type, and some more
		end := at + 4 + int(head>>32)      // negative where an int has 32 bits and this is too large for it
		if frameType(head>>24) != frameData || end < at+dataHeaderLen || end > len(b) || binary.BigEndian.Uint64(h[headerLen:]) != next {
			break
		}
		payloads[n] = b[at+dataHeaderLen : end : end]
		n, at, next = n+1, end, next+1
	}
	f.start = at
	return payloads[:n]
}

// fill reads more of the stream, at least one byte. An end in the middle of a
// frame is io.ErrUnexpectedEOF.
func (f *frameReader) fill() error {
	rest := f.buf[f.start:f.end]
	if f.end == len(f.buf) && len(f.buf) < largeBuffer { // the last read filled it
		f.buf = make([]byte, min(4*len(f.buf), largeBuffer))
	}
	f.start, f.end = 0, copy(f.buf, rest)
	n, err := f.r.Read(f.buf[f.end:])
	f.end += n
	switch {
	case n > 0:
		return nil
	case err == nil:
		return io.ErrNoProgress
	case errors.Is(err, io.EOF) && f.end > 0:
		return io.ErrUnexpectedEOF
	}
	return err
}

// next returns the next frame, reading as much as it takes.
func (f *frameReader) next() (frameType, []byte, error) {
	for {
		t, body, err := f.buffered()
		if !errors.Is(err, errNoFrame) {
			return t, body, err
		}
		if err := f.fill(); err != nil {
			return 0, nil, err
		}
	}
}

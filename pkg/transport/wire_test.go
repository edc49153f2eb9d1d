package transport

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var goldenSecret = Secret{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}

// goldenFrames are all frames as they stand in docs/protocol.md. A change here
// is a change of the protocol, and needs another Version.
var goldenFrames = []struct {
	name  string
	bytes []byte
	hex   string
}{
	{
		"HELLO",
		hello{version: 4, machines: 3, from: 2, to: 1, life: 0x0102030405060708, secret: goldenSecret, window: 262_144, port: 40_001, run: "q7f3k2", terms: []byte("die=10")}.frame(),
		"0000003e 01 4c434c4b 0004 00000003 00000002 00000001 0102030405060708 000102030405060708090a0b0c0d0e0f 00040000 9c41 06 713766336b32 6469653d3130",
	},
	{
		"HELLO to whoever is there",
		hello{version: 4, machines: 2, from: 0, to: anyID, life: 7, secret: goldenSecret, window: 1}.frame(),
		"00000032 01 4c434c4b 0004 00000002 00000000 ffffffff 0000000000000007 000102030405060708090a0b0c0d0e0f 00000001 0000 00",
	},
	{
		"WELCOME",
		welcome{version: 4, id: 1, window: 262_144, consumed: 5, held: 9, life: 3, got: 1 << 60, answered: 1<<60 + 1, quiet: true}.frame(),
		"0000003c 02 0004 00000001 00040000 0000000000000005 0000000000000009 0000000000000003 1000000000000000 1000000000000001 01 0000000000000000",
	},
	{
		"WELCOME to a machine that has proposed a start",
		welcome{version: 4, id: 1, window: 262_144, start: 1 << 60, terms: []byte("die=10")}.frame(),
		"00000042 02 0004 00000001 00040000 0000000000000000 0000000000000000 0000000000000000 0000000000000000 0000000000000000 00 1000000000000000 6469653d3130",
	},
	{"DATA", appendData(nil, 10, []byte("payload")), "00000010 03 000000000000000a 7061796c6f6164"},
	{"DATA without payload", appendData(nil, 11, nil), "00000009 03 000000000000000b"},
	{"ACK", appendNumbers(nil, frameAck, 10), "00000009 04 000000000000000a"},
	{"PING", appendNumbers(nil, framePing, 1), "00000009 05 0000000000000001"},
	{"PONG", appendNumbers(nil, framePong, 1, 2, 3), "00000019 06 0000000000000001 0000000000000002 0000000000000003"},
	{"READY", appendNumbers(nil, frameReady, 1<<60), "00000009 07 1000000000000000"},
	{"STARTED", appendNumbers(nil, frameStarted, 1<<60, 7), "00000011 0c 1000000000000000 0000000000000007"},
	{"STARTED, 2 ns before", (&proposal{at: 1 << 60, agreed: true, began: 5}).append(nil, 3), "00000011 0c 1000000000000000 fffffffffffffffe"},
	{"HELD", appendNumbers(nil, frameHeld, 10), "00000009 0d 000000000000000a"},
	{"FIN", appendNumbers(nil, frameFin, 11, 9, 5), "00000019 08 000000000000000b 0000000000000009 0000000000000005"},
	{"CLOSED", appendNumbers(nil, frameClosed, 11), "00000009 09 000000000000000b"},
	{"BYE", appendNumbers(nil, frameBye), "00000001 0a"},
	{"ERROR", errorFrame(refuse(CodeRun, "run %q", "x")), `0000000a 0b 0003 72756e20227822`},
	{"ERROR to a stranger", errorFrame(refuse(CodeRun, "run %q", "x").told()), "00000025 0b 0009 6e6f74206b6e6f776e2061732061206d616368696e65206f6620746869732072756e"},
}

func TestGoldenFrames(t *testing.T) {
	for _, g := range goldenFrames {
		want, err := hex.DecodeString(strings.ReplaceAll(g.hex, " ", ""))
		require.NoError(t, err, g.name)
		assert.Equal(t, hex.EncodeToString(want), hex.EncodeToString(g.bytes), g.name)
	}
}

func TestFrameNames(t *testing.T) {
	assert.Equal(t, "HELLO", frameHello.String())
	assert.Equal(t, "ERROR", frameError.String())
	assert.Equal(t, "frame type 0", frameType(0).String())
	assert.Equal(t, "frame type 14", frameType(14).String())
}

// What a stranger may send, and the first thing that is wrong with it.
func TestFrameReaderRefuses(t *testing.T) {
	for _, c := range []struct{ name, stream, want string }{
		{"nothing", "", "EOF"},
		{"half a length", "\x00\x00", "unexpected EOF"},
		{"half a frame", "\x00\x00\x00\x09\x04\x00\x00", "unexpected EOF"},
		{"an empty frame", "\x00\x00\x00\x00", "a frame of 0 bytes, want 1 to 65536"},
		{"one byte too many", "\x00\x01\x00\x01", "a frame of 65537 bytes, want 1 to 65536"},
		{"4 GiB", "\xff\xff\xff\xff", "a frame of 4294967295 bytes, want 1 to 65536"},
		{"HTTP", "GET / HTTP/1.1\r\n\r\n", "a frame of 1195725856 bytes, want 1 to 65536"},
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00", "a frame of 369295618 bytes, want 1 to 65536"},
	} {
		f := newFrameReader(strings.NewReader(c.stream), MaxFrame)
		_, _, err := f.next()
		require.EqualError(t, err, c.want, c.name)
		assert.Len(t, f.buf, smallBuffer, "%s: nothing is allocated for it", c.name)
	}
}

// The largest frame passes, and one byte more does not.
func TestFrameReaderTakesTheLargestFrame(t *testing.T) {
	largest := appendData(nil, 1, make([]byte, MaxPayload))
	f := newFrameReader(bytes.NewReader(largest), MaxFrame)
	typ, body, err := f.next()
	require.NoError(t, err)
	assert.Equal(t, frameData, typ)
	assert.Len(t, body, 8+MaxPayload)
	_, _, err = f.next()
	assert.Equal(t, io.EOF, err)

	larger := appendData(nil, 1, make([]byte, MaxPayload+1))
	_, _, err = newFrameReader(bytes.NewReader(larger), MaxFrame).next()
	assert.Error(t, err)
}

// A stream that fills the buffer gets a larger one, up to a limit; one that
// does not keeps the small one. (Reading a fast stream through a small buffer
// costs more than all the rest.)
func TestFrameReaderGrowsWithTheTraffic(t *testing.T) {
	frame := appendData(nil, 1, make([]byte, 8))
	drain := func(r io.Reader) *frameReader {
		f := newFrameReader(r, MaxFrame)
		for {
			if _, _, err := f.next(); err != nil {
				require.Equal(t, io.EOF, err)
				return f
			}
		}
	}
	stream := bytes.Repeat(frame, 100_000)
	assert.Len(t, drain(bytes.NewReader(stream)).buf, largeBuffer)
	assert.Len(t, drain(iotest.OneByteReader(bytes.NewReader(stream))).buf, smallBuffer)
}

// A last read may bring bytes and the end of the stream at once.
func TestFrameReaderTakesBytesWithAnError(t *testing.T) {
	stream := appendNumbers(nil, frameAck, 1)
	f := newFrameReader(iotest.DataErrReader(bytes.NewReader(stream)), MaxFrame)
	typ, _, err := f.next()
	require.NoError(t, err)
	assert.Equal(t, frameAck, typ)
	_, _, err = f.next()
	assert.Equal(t, io.EOF, err)
}

// The quick way to take messages finds what the plain one would.
func TestArrivalsAgainstTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var stream []byte
		var want [][]byte
		var duplicates uint64
		next := rapid.Uint64Range(1, 100).Draw(t, "next")
		a := arrivals{next: next}
		payloads := rapid.SliceOfN(rapid.Byte(), 0, 20)
		count := rapid.OneOf(rapid.IntRange(0, 10), rapid.IntRange(maxDeliver-2, maxDeliver+2)).Draw(t, "messages")
		for range count {
			payload := payloads.Draw(t, "payload")
			if len(want) < maxDeliver && rapid.IntRange(0, 9).Draw(t, "again") == 9 {
				stream = appendData(stream, rapid.Uint64Range(0, next-1).Draw(t, "old"), payload)
				duplicates++
			}
			stream = appendData(stream, next, payload)
			want = append(want, payload)
			next++
		}
		last := appendData(nil, next, payloads.Draw(t, "last"))
		ends := rapid.SampledFrom([]string{"", "PING", "follows message", "DATA of 0 bytes", "a frame of 4294967295 bytes"}).Draw(t, "end")
		switch ends {
		case "":
			stream = append(stream, last[:rapid.IntRange(0, len(last)-1).Draw(t, "cut")]...)
		case "PING":
			stream = appendNumbers(stream, framePing, next)
		case "follows message":
			stream = appendData(stream, rapid.Uint64Range(next+1, 1<<63).Draw(t, "far"), nil)
		case "DATA of 0 bytes":
			stream = append(appendNumbers(stream, frameData), last[headerLen:]...)
		default:
			stream = append(stream, 0xff, 0xff, 0xff, 0xff)
			stream = append(stream, last[4:]...)
		}
		typ, _, err := a.take(&frameReader{buf: stream, end: len(stream), limit: MaxFrame})
		switch {
		case len(want) >= maxDeliver:
			want = want[:maxDeliver]
			require.NoError(t, err)
			assert.Equal(t, frameData, typ)
		case ends == "PING":
			require.NoError(t, err)
			assert.Equal(t, framePing, typ)
		case ends != "":
			require.ErrorContains(t, err, ends)
		default:
			require.ErrorIs(t, err, errNoFrame)
		}
		require.Len(t, a.payloads, len(want))
		for i := range want {
			require.True(t, bytes.Equal(want[i], a.payloads[i]), "message %d", i)
		}
		assert.Equal(t, duplicates, a.duplicates)
	})
}

// frames cuts a stream the dumb way: the twin of frameReader.
func frames(stream []byte, limit uint32) (frames []string, rest error) {
	for {
		if len(stream) == 0 {
			return frames, io.EOF
		}
		if len(stream) < 4 {
			return frames, io.ErrUnexpectedEOF
		}
		n := binary.BigEndian.Uint32(stream)
		if n == 0 || n > limit {
			return frames, errors.New("length")
		}
		if uint64(len(stream)) < 4+uint64(n) {
			return frames, io.ErrUnexpectedEOF
		}
		frames = append(frames, string(stream[4:4+n]))
		stream = stream[4+n:]
	}
}

// pieces is a reader that returns as much as it likes.
type pieces struct {
	r   io.Reader
	rng *rand.Rand
}

func (p pieces) Read(b []byte) (int, error) {
	return p.r.Read(b[:1+p.rng.IntN(len(b))])
}

// However a stream arrives, it is cut into the same frames.
func FuzzFrameReader(f *testing.F) {
	var all []byte
	for _, g := range goldenFrames {
		f.Add(g.bytes, uint64(1))
		all = append(all, g.bytes...)
	}
	f.Add(all, uint64(2))
	f.Add([]byte("\xff\xff\xff\xff"), uint64(3))
	f.Add(appendData(all, 3, make([]byte, 5000)), uint64(4))
	f.Fuzz(func(t *testing.T, stream []byte, seed uint64) {
		want, wantErr := frames(stream, MaxFrame)
		r := newFrameReader(pieces{bytes.NewReader(stream), rand.New(rand.NewPCG(seed, 0))}, MaxFrame)
		var got []string
		for {
			typ, body, err := r.next()
			if err != nil {
				var refused *RefusedError
				assert.Equal(t, errors.Is(wantErr, io.EOF), errors.Is(err, io.EOF), "%v", err)
				assert.Equal(t, errors.Is(wantErr, io.ErrUnexpectedEOF), errors.Is(err, io.ErrUnexpectedEOF), "%v", err)
				assert.Equal(t, wantErr.Error() == "length", errors.As(err, &refused), "%v", err)
				break
			}
			got = append(got, string(append([]byte{byte(typ)}, body...)))
		}
		assert.Equal(t, want, got)
		assert.LessOrEqual(t, len(r.buf), max(smallBuffer, 4*len(stream)), "memory comes with bytes, not with claims")
	})
}

func frameBody(t testing.TB, want frameType, frame []byte) []byte {
	t.Helper()
	typ, body, err := newFrameReader(bytes.NewReader(frame), MaxFrame).next()
	require.NoError(t, err)
	require.Equal(t, want, typ)
	return body
}

func TestHelloRoundTrip(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		want := hello{
			version:  Version,
			machines: rapid.Uint32().Draw(r, "machines"),
			from:     rapid.Uint32().Draw(r, "from"),
			to:       rapid.Uint32().Draw(r, "to"),
			life:     rapid.Uint64().Draw(r, "life"),
			secret:   NewSecret(),
			window:   rapid.Uint32Min(1).Draw(r, "window"),
			port:     rapid.Uint16().Draw(r, "port"),
			run:      rapid.StringN(-1, -1, MaxRun).Draw(r, "run"),
			terms:    rapid.SliceOfN(rapid.Byte(), 0, MaxTerms).Draw(r, "terms"),
		}
		got, err := parseHello(frameBody(t, frameHello, want.frame()))
		require.NoError(t, err)
		assert.Equal(t, want, got)
		assert.LessOrEqual(t, len(want.frame())-4, MaxHello)
	})
}

func TestHelloRefuses(t *testing.T) {
	good := hello{version: Version, machines: 2, secret: goldenSecret, window: 10, run: strings.Repeat("r", MaxRun), terms: make([]byte, MaxTerms)}
	body := func(edit func(b []byte) []byte) []byte { return edit(frameBody(t, frameHello, good.frame())) }
	for _, c := range []struct {
		name string
		body []byte
		code Code
		want string
	}{
		{"nothing", nil, CodeProtocol, "not a HELLO of this protocol"},
		{"another magic", body(func(b []byte) []byte { b[0] = 'l'; return b }), CodeProtocol, "not a HELLO of this protocol"},
		{"magic only", []byte(magic), CodeProtocol, "not a HELLO of this protocol"},
		{"too short", body(func(b []byte) []byte { return b[:41] }), CodeProtocol, "HELLO of 41 bytes is too short"},
		{"no secret", body(func(b []byte) []byte { clear(b[26:42]); return b }), CodeProtocol, "HELLO without a secret"},
		{"no window", body(func(b []byte) []byte { clear(b[42:46]); return b }), CodeProtocol, "HELLO without a window"},
		{"without its name's length", body(func(b []byte) []byte { return b[:48] }), CodeProtocol, "HELLO of 48 bytes is too short"},
		{"half a name", body(func(b []byte) []byte { return b[:50] }), CodeProtocol, "HELLO of 50 bytes is too short"},
		{"a long name", body(func(b []byte) []byte { b[48] = 65; return b }), CodeProtocol, "run name of 65 bytes, at most 64 allowed"},
		{"long terms", body(func(b []byte) []byte { return append(b, 0) }), CodeProtocol, "terms of 143 bytes, at most 142 allowed"},
		// What follows the version in another version is unknown.
		{"version 1", []byte(magic + "\x00\x01?"), CodeVersion, "protocol version 1 meets version 4"},
		{"version 5", []byte(magic + "\x00\x05?"), CodeVersion, "protocol version 5 meets version 4"},
	} {
		_, err := parseHello(c.body)
		var refused *RefusedError
		require.ErrorAs(t, err, &refused, c.name)
		assert.Equal(t, c.want, refused.Text, c.name)
		assert.Equal(t, c.code, refused.Code, c.name)
	}
}

func FuzzHello(f *testing.F) {
	for _, g := range goldenFrames[:2] {
		f.Add(g.bytes[headerLen:])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		h, err := parseHello(body)
		if err != nil {
			return
		}
		assert.Equal(t, body, h.frame()[headerLen:], "what is taken means what it says")
	})
}

func TestWelcomeRoundTrip(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		held := rapid.Uint64().Draw(r, "held")
		want := welcome{
			version:  Version,
			id:       rapid.Uint32().Draw(r, "id"),
			window:   rapid.Uint32Min(1).Draw(r, "window"),
			consumed: rapid.Uint64Max(held).Draw(r, "consumed"),
			held:     held,
			life:     rapid.Uint64().Draw(r, "life"),
			got:      rapid.Uint64().Draw(r, "got"),
			answered: rapid.Uint64().Draw(r, "answered"),
			quiet:    rapid.Bool().Draw(r, "quiet"),
			start:    rapid.Uint64().Draw(r, "start"),
			terms:    rapid.SliceOfN(rapid.Byte(), 0, MaxTerms).Draw(r, "terms"),
		}
		got, err := parseWelcome(frameBody(t, frameWelcome, want.frame()))
		require.NoError(t, err)
		assert.Equal(t, want, got)
	})
}

// quietly says so in the body of a WELCOME.
func quietly(body []byte, by byte) []byte {
	body[50] = by
	return body
}

func TestWelcomeRefuses(t *testing.T) {
	good := welcome{version: Version, id: 1, window: 1, consumed: 2, held: 2}
	for _, c := range []struct {
		name string
		body []byte
		want string
	}{
		{"nothing", nil, "WELCOME of 0 bytes"},
		{"too short", good.frame()[headerLen : headerLen+58], "WELCOME of 58 bytes"},
		{"long terms", append(good.frame()[headerLen:], make([]byte, MaxTerms+1)...), "terms of 143 bytes, at most 142 allowed"},
		{"more consumed than held", welcome{version: Version, id: 1, window: 1, consumed: 3, held: 2}.frame()[headerLen:], "WELCOME contradicts itself: held 2, consumed 3, window 1"},
		{"no window", welcome{version: Version, id: 1, window: 0, consumed: 2, held: 2}.frame()[headerLen:], "WELCOME contradicts itself: held 2, consumed 2, window 0"},
		{"neither quiet nor not", quietly(good.frame()[headerLen:], 2), "WELCOME that is quiet by 2, want 0 or 1"},
		{"version 1", []byte("\x00\x01?"), "protocol version 1 meets version 4"},
		{"version 5", []byte("\x00\x05?"), "protocol version 5 meets version 4"},
	} {
		_, err := parseWelcome(c.body)
		assert.EqualError(t, err, c.want, c.name)
	}
}

func FuzzWelcome(f *testing.F) {
	f.Add(goldenFrames[2].bytes[headerLen:])
	f.Fuzz(func(t *testing.T, body []byte) {
		w, err := parseWelcome(body)
		if err != nil {
			return
		}
		assert.Equal(t, body, w.frame()[headerLen:])
		assert.LessOrEqual(t, w.consumed, w.held)
	})
}

func TestNumbersRoundTrip(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		want := rapid.SliceOfN(rapid.Uint64(), 0, 3).Draw(r, "numbers")
		body := frameBody(t, framePong, appendNumbers(nil, framePong, want...))
		got := make([]uint64, len(want))
		into := make([]*uint64, len(want))
		for i := range got {
			into[i] = &got[i]
		}
		require.NoError(t, parseNumbers(framePong, body, into...))
		assert.Equal(t, want, got)
		require.ErrorContains(t, parseNumbers(framePong, append(body, 0), into...), "PONG of")
		if len(body) > 0 {
			require.ErrorContains(t, parseNumbers(framePong, body[1:], into...), "PONG of")
		}
	})
}

// An ERROR's text is for people, and comes from anywhere: no byte of it may
// reach a terminal that is not plain text.
func TestErrorText(t *testing.T) {
	for _, c := range []struct{ said, read string }{
		{"", ""},
		{"run \"a\" meets run \"b\"", "run \"a\" meets run \"b\""},
		{"größer", "größer"},
		{"\x1b[2Jgone", `"\x1b[2Jgone"`},
		{"two\nlines", `"two\nlines"`},
		{"\xff\xfe", `"\xff\xfe"`},
		{"right\u202eleft", `"right\u202eleft"`},
		{strings.Repeat("x", MaxErrorText+1), strings.Repeat("x", MaxErrorText)},
	} {
		frame := errorFrame(refuse(CodeDuplicate, "%s", c.said))
		got := parseError(frameBody(t, frameError, frame))
		assert.Equal(t, &RefusedError{Code: CodeDuplicate, Text: c.read, heard: true}, got)
	}
	assert.Equal(t, &RefusedError{heard: true}, parseError(nil))
}

func FuzzError(f *testing.F) {
	f.Add(goldenFrames[len(goldenFrames)-1].bytes[headerLen:])
	f.Add([]byte("\x00\x01\x1b[2J"))
	f.Fuzz(func(t *testing.T, body []byte) {
		e := parseError(body)
		assert.LessOrEqual(t, len(e.Text), 10*MaxErrorText)
		for _, c := range e.Text {
			if c < ' ' || c == 0x7f {
				t.Errorf("%q holds a control character", e.Text)
			}
		}
	})
}

// FuzzInLink sends a receiving end whatever comes, after a good handshake. It
// ends with the stream at the latest, and what it delivers is 1, 2, 3, ….
func FuzzInLink(f *testing.F) {
	var all []byte
	for _, g := range goldenFrames {
		all = append(all, g.bytes...)
		f.Add(append(appendData(nil, 1, numbered(1)), g.bytes...))
	}
	f.Add(appendNumbers(appendData(appendData(nil, 1, numbered(1)), 1, numbered(1)), frameFin, 1, 0, 0))
	f.Add(all)
	f.Fuzz(func(t *testing.T, stream []byte) {
		n, last := fuzzNode(t)
		l := n.in[1]
		conn := &tape{r: bytes.NewReader(stream)}
		l.session = newSession(conn, false)
		err := l.converse(l.session, l.write, func() error { return l.read(newFrameReader(conn, MaxFrame)) })
		assert.Equal(t, *last, l.held)
		assert.LessOrEqual(t, l.held, uint64(n.cfg.Window))
		if e := unsaid(err); e != nil {
			assert.True(t, bytes.HasSuffix(conn.written(), errorFrame(e)), "the other end is told why")
		}
	})
}

// FuzzOutLink is the same for a sending end with three messages to send.
func FuzzOutLink(f *testing.F) {
	for _, g := range goldenFrames {
		f.Add(g.bytes)
	}
	f.Add(appendNumbers(appendNumbers(nil, frameAck, 2), frameClosed, 3))
	f.Fuzz(func(t *testing.T, stream []byte) {
		n, _ := fuzzNode(t)
		for seq := range uint64(3) {
			n.Send(1, numbered(seq+1))
		}
		l := n.out[0]
		conn := &tape{r: bytes.NewReader(stream)}
		s, err := l.attach(newSession(conn, false), greeting{welcome: welcome{window: 10}})
		require.NoError(t, err)
		err = l.converse(s, l.write, func() error { return l.read(s, newFrameReader(conn, MaxFrame)) })
		assert.LessOrEqual(t, l.box.acked, uint64(3))
		assert.LessOrEqual(t, l.end().undelivered(), uint64(3))
		if e := unsaid(err); e != nil {
			assert.True(t, bytes.HasSuffix(conn.written(), errorFrame(e)), "the other end is told why")
		}
	})
}

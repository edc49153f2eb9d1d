package logging

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/internal/guarded"
)

// RecordKind is which field of a [Record] a line fills.
type RecordKind uint8

// The kinds of line. The three kinds of event are one kind of record.
const (
	StartRecord RecordKind = iota + 1
	EventRecord
	ResumeRecord
	StopRecord
	PauseRecord
	OffsetRecord
)

// String returns the kind's name: start, event, resume, stop, pause or offset.
func (k RecordKind) String() string {
	switch k {
	case StartRecord:
		return "start"
	case EventRecord:
		return "event"
	case ResumeRecord:
		return "resume"
	case StopRecord:
		return "stop"
	case PauseRecord:
		return "pause"
	case OffsetRecord:
		return "offset"
	}
	return fmt.Sprintf("record(%d)", uint8(k))
}

// Record is one line of a log. Of the last six fields only the one that Kind
// names is filled.
type Record struct {
	Line      int   // 1, 2, 3, … in the file
	UnixMicro int64 // microseconds since 1970-01-01 UTC, 0 … 253402300799999999
	ID        int   // the machine, 0 … 2³¹-1
	Kind      RecordKind

	Start  Start
	Event  event.Event
	Resume Resume
	Stop   Stop
	Pause  Pause
	Offset Offset
}

// Time returns when the line was written, in UTC.
func (r *Record) Time() time.Time { return time.UnixMicro(r.UnixMicro).UTC() }

// ErrTorn says that the last line has no newline: its writer was stopped in the
// middle of it. Zeros may follow what there is of it, or stand in its place, as many as
// they are: so ends a file that lost its power before all of it was on the disk. All
// records before it are good.
var ErrTorn = errors.New("the last line is torn")

// Error says which line of a log cannot be read, and why.
type Error struct {
	File string // as given to NewReader
	Line int    // 1, 2, 3, …
	Msg  string // what was expected and what was found
	Err  error  // ErrTorn, or what reading the file returned, or nil
}

// Error returns "file:line: message".
func (e *Error) Error() string { return e.File + ":" + strconv.Itoa(e.Line) + ": " + e.Msg }

// Unwrap returns e.Err.
func (e *Error) Unwrap() error { return e.Err }

// Reader reads an event log, one line at a time. It takes exactly the lines
// that a [Writer] writes, in any order and of any machine. It is not safe for
// concurrent use.
type Reader struct {
	r    io.Reader
	name string
	err  error // sticky
	line int   // the number of the last line taken
	done int64 // bytes of the lines before the next

	buf     []byte // buf[pos:end] is read and not yet taken
	pos     int
	end     int
	readErr error // what r returned, once buf is used up

	// Lines resemble the one before: the same machine, mostly the same day.
	prefix []byte // " [INFO]  vm-0: " of the last line; empty at first
	id     int    // in prefix
	date   string // "2026-11-22" of the last line; empty at first
	day    int64  // seconds from 1970 to date
	plain  plain

	rec Record // of NextBatch
}

// block is how much is asked of the file at once.
const block = 64 << 10

// NewReader returns a reader of the log in r. Errors call it by name, mostly
// the file's.
func NewReader(r io.Reader, name string) *Reader { return &Reader{r: r, name: name} }

// Offset returns how many bytes the records returned so far take up: where the
// file is to be cut off when the line after them is torn.
func (r *Reader) Offset() int64 { return r.done }

// Next reads the next record into rec. At the end of the log it returns
// [io.EOF]; everything else is an [*Error], which is returned again by every
// later call. A last line without newline is an error for which
// errors.Is(err, ErrTorn) holds. On an error rec holds nothing of use.
//
// Reading an event into the same rec again and again does not allocate, unless
// it has more than two messages. Those, and the lists and names of other records, are
// freshly allocated and may be kept.
func (r *Reader) Next(rec *Record) error {
	if r.err != nil {
		return r.err
	}
	if r.event(&rec.UnixMicro, rec.anEvent()) {
		rec.Line, rec.ID = r.line, int(r.plain.id)
		return nil
	}
	return r.scan(rec)
}

// event takes the next line if it is a plain event.
func (r *Reader) event(micro *int64, ev *event.Event) bool {
	if r.end-r.pos < len(text{}) {
		return false
	}
	at, size := r.plain.event((*text)(r.buf[r.pos:]), ev)
	if size == 0 {
		return false
	}
	*micro = at
	r.line++
	r.pos += size
	r.done += int64(size)
	return true
}

// scan reads any line.
func (r *Reader) scan(rec *Record) error {
	line, err := r.next()
	if err != nil {
		r.err = err
		return err
	}
	r.line++
	s := scanner{line: line}
	if !r.record(&s, rec) {
		r.err = r.fail("expected "+s.wanted()+", found "+found(line[s.pos:])+r.mangled(line), nil)
		return r.err
	}
	rec.Line = r.line
	r.done += int64(len(line)) + 1
	r.plain.learn(line, r.day, r.prefix, r.id)
	return nil
}

// mangled says what a program that thinks this is text may have done to a line that
// cannot be read; "" where nothing of it shows.
func (r *Reader) mangled(line []byte) string {
	switch {
	case r.line == 1 && guarded.Marked(line):
		return ": the file begins with a byte order mark, which a log does not"
	case bytes.HasSuffix(line, []byte("\r")):
		return ": the line ends in CR LF, and those of a log in LF"
	}
	return ""
}

func (r *Reader) fail(msg string, err error) *Error {
	return &Error{File: r.name, Line: r.line, Msg: msg, Err: err}
}

// next returns the next line without its newline. It is valid until the next
// call.
func (r *Reader) next() ([]byte, error) {
	searched := 0
	for {
		unread := r.buf[r.pos:r.end]
		if i := bytes.IndexByte(unread[searched:], '\n'); i >= 0 {
			line := unread[:searched+i]
			r.pos += len(line) + 1
			return line, nil
		}
		searched = len(unread)
		switch {
		case searched >= MaxLine && unread[searched-1] == 0:
			r.line++
			return nil, r.zeros()
		case searched >= MaxLine:
			r.line++
			return nil, r.fail(fmt.Sprintf("expected a line of at most %d bytes, found %s without an end",
				MaxLine, found(unread)), nil)
		case r.readErr == nil:
			r.fill()
		case !errors.Is(r.readErr, io.EOF):
			r.line++
			return nil, r.fail("cannot read on: "+r.readErr.Error(), r.readErr)
		case searched == 0:
			return nil, io.EOF
		default:
			r.line++
			return nil, r.fail("expected a newline after the last line, found it torn: "+found(unread), ErrTorn)
		}
	}
}

// zeros reads the zeros with which a torn line goes on, however many there are, to the
// end of the file. It returns the error that says so, or that they do not end it.
func (r *Reader) zeros() error {
	torn := "expected a newline after the last line, found it torn: " + found(r.buf[r.pos:r.end])
	for r.readErr == nil {
		r.pos = r.end
		r.fill()
		if rest := bytes.TrimLeft(r.buf[r.pos:r.end], "\x00"); len(rest) > 0 {
			return r.fail("expected nothing after zeros, found "+found(rest), nil)
		}
	}
	if !errors.Is(r.readErr, io.EOF) {
		return r.fail("cannot read on: "+r.readErr.Error(), r.readErr)
	}
	return r.fail(torn, ErrTorn)
}

// fill reads once more, behind what is not yet taken.
func (r *Reader) fill() {
	if r.pos > 0 {
		r.end = copy(r.buf, r.buf[r.pos:r.end])
		r.pos = 0
	}
	if r.end == len(r.buf) { // at first, and for a line longer than all before
		grown := make([]byte, min(max(2*len(r.buf), block), MaxLine))
		copy(grown, r.buf)
		r.buf = grown
	}
	for range 100 {
		n, err := r.r.Read(r.buf[r.end:])
		r.end += n
		r.readErr = err
		if n > 0 || err != nil {
			return
		}
	}
	r.readErr = io.ErrNoProgress
}

func (r *Reader) record(s *scanner, rec *Record) bool {
	if !r.time(s, &rec.UnixMicro) || !r.machine(s) {
		return false
	}
	rec.ID = r.id
	switch kind := s.line[s.pos:]; {
	case bytes.HasPrefix(kind, []byte("internal: ")):
		s.pos += len("internal: ")
		return s.internal(rec.event(event.Internal)) && s.over()
	case bytes.HasPrefix(kind, []byte("send: ")):
		s.pos += len("send: ")
		return s.send(rec.event(event.Send), int32(r.id)) && s.over()
	case bytes.HasPrefix(kind, []byte("receive: ")):
		s.pos += len("receive: ")
		return s.receive(rec.event(event.Receive), int32(r.id)) && s.over()
	case bytes.HasPrefix(kind, []byte("start: ")):
		s.pos += len("start: ")
		rec.reset(StartRecord)
		return s.start(&rec.Start) && s.over()
	case bytes.HasPrefix(kind, []byte("resume: ")):
		s.pos += len("resume: ")
		rec.reset(ResumeRecord)
		return s.resume(&rec.Resume) && s.over()
	case bytes.HasPrefix(kind, []byte("stop: ")):
		s.pos += len("stop: ")
		rec.reset(StopRecord)
		return s.stop(&rec.Stop) && s.over()
	case bytes.HasPrefix(kind, []byte("pause: ")):
		s.pos += len("pause: ")
		rec.reset(PauseRecord)
		return s.pause(&rec.Pause) && s.over()
	case bytes.HasPrefix(kind, []byte("offset: ")):
		s.pos += len("offset: ")
		rec.reset(OffsetRecord)
		return s.offset(&rec.Offset) && s.over()
	}
	return s.expected(`"start: ", "internal: ", "send: ", "receive: ", "pause: ", "resume: ", "stop: " or "offset: "`)
}

// event returns the record's event, every field of which is to be filled. A record
// that held an event has nothing in its other fields, so there is no need to empty
// those for every line.
func (r *Record) event(kind event.Kind) *event.Event {
	ev := r.anEvent()
	ev.Kind = kind
	return ev
}

func (r *Record) anEvent() *event.Event {
	if r.Kind != EventRecord {
		r.reset(EventRecord)
	}
	return &r.Event
}

func (r *Record) reset(kind RecordKind) {
	*r = Record{UnixMicro: r.UnixMicro, ID: r.ID, Kind: kind}
}

// time reads the time that a line begins with.
func (r *Reader) time(s *scanner, micro *int64) bool {
	t := s.line
	ok := len(t) >= timeLen && t[10] == 'T' && t[13] == ':' && t[16] == ':' && t[19] == '.' && t[26] == 'Z'
	if ok && string(t[:10]) != r.date {
		ok = r.setDate(t[:10])
	}
	if ok {
		hour, minute, second := get2(t[11:]), get2(t[14:]), get2(t[17:])
		f1, f2, f3 := get2(t[20:]), get2(t[22:]), get2(t[24:])
		ok = hour < 24 && minute < 60 && second < 60 && f1 < 100 && f2 < 100 && f3 < 100
		*micro = (r.day+int64(hour*3600+minute*60+second))*1e6 + int64(f1*10000+f2*100+f3)
	}
	if !ok {
		return s.expected("a time in UTC from 1970 to 9999 such as 2006-01-02T15:04:05.000000Z")
	}
	s.pos = timeLen
	return true
}

// setDate is the rare case: the line is of another day than the one before.
func (r *Reader) setDate(date []byte) bool {
	day, err := time.Parse(time.DateOnly, string(date))
	if err != nil || day.Year() < 1970 {
		return false
	}
	r.date, r.day = string(date), day.Unix()
	return true
}

// get2 returns the number that two digits stand for, 100 or more if they are
// no digits.
func get2(b []byte) uint32 {
	tens, ones := uint32(b[0]-'0'), uint32(b[1]-'0')
	if tens > 9 || ones > 9 {
		return 100
	}
	return tens*10 + ones
}

// machine reads the level and the machine's name into r.id.
func (r *Reader) machine(s *scanner) bool {
	rest := s.line[s.pos:]
	if len(r.prefix) > 0 && bytes.HasPrefix(rest, r.prefix) {
		s.pos += len(r.prefix)
		return true
	}
	var id uint64
	from := s.pos
	if !s.text(level) || !s.number(&id, maxID, "machine") || !s.text(": ") {
		return false
	}
	r.id = int(id)
	r.prefix = append(r.prefix[:0], s.line[from:s.pos]...)
	return true
}

// scanner takes a line apart from left to right. Its methods return false when
// something else was expected at pos; wanted says what.
type scanner struct {
	line    []byte
	pos     int
	want    string
	literal string // this very text was expected, where it is not ""
}

func (s *scanner) expected(want string) bool {
	s.want, s.literal = want, ""
	return false
}

func (s *scanner) wanted() string {
	if s.literal != "" {
		return strconv.Quote(s.literal)
	}
	return s.want
}

// text takes t.
func (s *scanner) text(t string) bool {
	// Small enough to be inlined, so that a constant is compared without a call.
	if !s.at(t) {
		s.literal = t
		return false
	}
	s.pos += len(t)
	return true
}

// at reports whether t comes next.
func (s *scanner) at(t string) bool {
	rest := s.line[s.pos:]
	return len(rest) >= len(t) && string(rest[:len(t)]) == t
}

// over reports whether the line is at its end.
func (s *scanner) over() bool {
	return s.pos == len(s.line) || s.expected("the end of the line")
}

// number takes a whole number up to limit in its only form: digits, without
// leading zeros.
func (s *scanner) number(v *uint64, limit uint64, name string) bool {
	return s.numberFrom(v, 0, limit, name)
}

func (s *scanner) numberFrom(v *uint64, least, limit uint64, name string) bool {
	var n uint64
	rest := s.line[s.pos:]
	digits := 0
	for _, c := range rest {
		d := c - '0'
		if d > 9 {
			break
		}
		n = n*10 + uint64(d)
		digits++
	}
	if digits > 19 { // only these may have overflowed
		var err error
		if n, err = strconv.ParseUint(string(rest[:digits]), 10, 64); err != nil {
			return s.notNumber(name, least, limit)
		}
	}
	if digits == 0 || digits > 1 && rest[0] == '0' || n < least || n > limit {
		return s.notNumber(name, least, limit)
	}
	s.pos += digits
	*v = n
	return true
}

func (s *scanner) notNumber(name string, least, limit uint64) bool {
	if least == limit {
		return s.expected(fmt.Sprintf("%s %d", name, limit))
	}
	return s.expected(fmt.Sprintf("%s, a whole number from %d to %d without leading zeros", name, least, limit))
}

// event takes what every event has.
func (s *scanner) event(e *event.Event) bool {
	var queue uint64
	ok := s.text("step=") && s.number(&e.Step, math.MaxUint64, "step") &&
		s.text(" clock=") && s.number((*uint64)(&e.Clock), math.MaxUint64, "clock") &&
		s.text(" queue=") && s.number(&queue, math.MaxInt, "queue")
	e.Queue = int(queue)
	return ok
}

func (s *scanner) internal(e *event.Event) bool {
	e.SetMessages()
	return s.event(e)
}

// send takes a send. Its recipients may stand in any order and repeat: whether
// that is right is not for one line to say. No count in the line says how many they
// are, so none is believed: a recipient takes 4 bytes at least, and what they take
// in memory is bounded by [MaxLine].
func (s *scanner) send(e *event.Event, id int32) bool {
	if !s.event(e) || !s.text(" to=") {
		return false
	}
	m := event.Message{From: id, Sent: e.Clock}
	if !s.at(`"`) {
		ok := s.recipient(&m)
		e.SetMessages(m)
		return ok
	}
	s.pos++
	if !s.recipient(&m) {
		return false
	}
	var few [2]event.Message
	all := append(few[:0], m)
	for len(all) == 1 || s.at(",") {
		if !s.text(",") || !s.recipient(&m) {
			return false
		}
		all = append(all, m)
	}
	if !s.text(`"`) {
		return false
	}
	e.SetMessages(all...)
	return true
}

func (s *scanner) recipient(m *event.Message) bool {
	var to uint64
	ok := s.number(&to, maxID, "recipient") && s.text(":") && s.number(&m.Seq, math.MaxUint64, "seq")
	m.To = int32(to)
	return ok
}

func (s *scanner) receive(e *event.Event, id int32) bool {
	var from uint64
	m := event.Message{To: id}
	ok := s.event(e) &&
		s.text(" from=") && s.number(&from, maxID, "sender") &&
		s.text(" seq=") && s.number(&m.Seq, math.MaxUint64, "seq") &&
		s.text(" sent=") && s.number((*uint64)(&m.Sent), math.MaxUint64, "sent")
	m.From = int32(from)
	e.SetMessages(m)
	return ok
}

func (s *scanner) start(v *Start) bool {
	var version, machines, die uint64
	ok := s.text("version=") && s.numberFrom(&version, Version, Version, "version") &&
		s.text(" run=") && s.run(&v.Run) &&
		s.text(" machines=") && s.numberFrom(&machines, 1, maxID, "machines") &&
		s.text(" rate=") && s.rate(&v.Rate) &&
		s.text(" seed=") && s.number(&v.Seed, math.MaxUint64, "seed") &&
		s.text(" die=") && s.numberFrom(&die, 1, math.MaxInt, "die") &&
		s.text(" peers=") && s.list(func(least uint64) (uint64, bool) {
		var peer uint64
		ok := s.numberFrom(&peer, least, maxID, "peer in ascending order")
		v.Peers = append(v.Peers, int(peer))
		return peer, ok
	})
	v.Version, v.Machines, v.Die = int(version), int(machines), int(die)
	return ok
}

func (s *scanner) pause(v *Pause) bool {
	return s.reached(&v.Step, &v.Clock) && s.elapsed(&v.Elapsed)
}

func (s *scanner) resume(v *Resume) bool {
	return s.reached(&v.Step, &v.Clock) && (s.pos == len(s.line) || s.elapsed(&v.Elapsed))
}

// reached takes where the events before have led.
func (s *scanner) reached(step *uint64, now *clock.Time) bool {
	return s.text("step=") && s.number(step, math.MaxUint64, "step") &&
		s.text(" clock=") && s.number((*uint64)(now), math.MaxUint64, "clock")
}

// elapsed takes a duration in seconds, with all of its microseconds.
func (s *scanner) elapsed(v *time.Duration) bool {
	const wanted = "elapsed, seconds with six decimal places from 0.000001 to 9223372036.854775"
	if !s.text(" elapsed=") {
		return false
	}
	from := s.pos
	var seconds uint64
	ok := s.number(&seconds, math.MaxInt64/uint64(time.Second), "elapsed") && s.at(".") && len(s.line)-s.pos >= len(".000000")
	if ok {
		digits := s.line[s.pos+1 : s.pos+len(".000000")]
		d1, d2, d3 := get2(digits), get2(digits[2:]), get2(digits[4:])
		micro := uint64(d1*10000 + d2*100 + d3)
		total := seconds*1e6 + micro
		if ok = d1 < 100 && d2 < 100 && d3 < 100 && total > 0 && total <= math.MaxInt64/uint64(time.Microsecond); ok {
			s.pos += len(".000000")
			*v = time.Duration(total) * time.Microsecond
			return true
		}
	}
	s.pos = from
	return s.expected(wanted)
}

func (s *scanner) stop(v *Stop) bool {
	var queue uint64
	ok := s.text("step=") && s.number(&v.Step, math.MaxUint64, "step") &&
		s.text(" clock=") && s.number((*uint64)(&v.Clock), math.MaxUint64, "clock") &&
		s.text(" queue=") && s.number(&queue, math.MaxInt, "queue") &&
		s.text(" pending=") && s.counts(&v.Pending)
	v.Queue = int(queue)
	if !ok || s.pos == len(s.line) {
		return ok
	}
	if !s.text(" undelivered=") {
		return false
	}
	if s.at(`""`) {
		return s.expected("at least one peer, or no undelivered")
	}
	return s.counts(&v.Undelivered)
}

func (s *scanner) offset(v *Offset) bool {
	var peer, within, rtt uint64
	ok := s.text("peer=") && s.number(&peer, maxID, "peer") &&
		s.text(" ahead=") && s.signed(&v.Ahead, "ahead") &&
		s.text(" within=") && s.number(&within, math.MaxInt64, "within") &&
		s.text(" rtt=") && s.number(&rtt, math.MaxInt64, "rtt")
	v.Peer, v.Within, v.RTT = int(peer), int64(within), int64(rtt)
	return ok
}

// signed takes a whole number of 64 bits that may be below 0. 0 has no sign.
func (s *scanner) signed(v *int64, name string) bool {
	const least = 1 << 63 // without its sign
	var n uint64
	if !s.at("-") {
		ok := s.number(&n, math.MaxInt64, name)
		*v = int64(n)
		return ok
	}
	s.pos++
	if !s.numberFrom(&n, 1, least, name+" below 0") {
		s.pos--
		return false
	}
	*v = -int64(n)
	return true
}

func (s *scanner) counts(v *[]Count) bool {
	return s.list(func(least uint64) (uint64, bool) {
		var peer, n uint64
		ok := s.numberFrom(&peer, least, maxID, "peer in ascending order") &&
			s.text(":") && s.numberFrom(&n, 1, math.MaxUint64, "messages")
		*v = append(*v, Count{Peer: int(peer), Messages: n})
		return peer, ok
	})
}

// list takes items in ascending order, in the form that hclog gives them: an
// empty list is "", one item stands bare, more are quoted. item takes one that
// is not below least and returns it.
func (s *scanner) list(item func(least uint64) (uint64, bool)) bool {
	if s.at(`""`) {
		s.pos += 2
		return true
	}
	quoted := s.at(`"`)
	if quoted {
		s.pos++
	}
	last, ok := item(0)
	if !ok || !quoted {
		return ok
	}
	for n := 1; n == 1 || !s.at(`"`); n++ {
		if !s.text(",") {
			return false
		}
		if last, ok = item(last + 1); !ok {
			return false
		}
	}
	s.pos++
	return true
}

// run takes a run's name. A quoted name is told from the rest of the line by its
// closing quote, since every quote inside it is escaped and no backslash is.
func (s *scanner) run(run *string) bool {
	rest := s.line[s.pos:]
	var name []byte
	end := wordEnd(rest)
	if s.at(`"`) {
		for end = 1; end < len(rest) && rest[end] != '"'; end++ {
			if rest[end] == '\\' && end+1 < len(rest) {
				end++
			}
			name = append(name, rest[end])
		}
		end++
	} else {
		name = rest[:end]
	}
	// The writer has one form for each name, so the name is right exactly where
	// that form stands here.
	value := string(name)
	if end > len(rest) || !validRun(value) || string(appendString(nil, value)) != string(rest[:end]) {
		return s.expected("a run name of printable characters without backslash, quoted where hclog does")
	}
	s.pos += end
	*run = value
	return true
}

func (s *scanner) rate(r *clock.Rate) bool {
	rest := s.line[s.pos:]
	end := wordEnd(rest)
	rate, err := clock.ParseRate(string(rest[:end]))
	if err != nil || rate.String() != string(rest[:end]) {
		return s.expected(`a rate in ticks per second such as 5 or 0.25, or max`)
	}
	s.pos += end
	*r = rate
	return true
}

// wordEnd returns where the first space stands, or the end.
func wordEnd(b []byte) int {
	if i := bytes.IndexByte(b, ' '); i >= 0 {
		return i
	}
	return len(b)
}

// found quotes what stands where something else was expected, cut to a length
// that can be read.
func found(rest []byte) string {
	const most = 40
	if len(rest) == 0 {
		return "the end of the line"
	}
	if len(rest) <= most {
		return strconv.Quote(string(rest))
	}
	cut := most
	for cut > most-utf8.UTFMax && !utf8.RuneStart(rest[cut]) {
		cut--
	}
	return strconv.Quote(string(rest[:cut])) + "…"
}

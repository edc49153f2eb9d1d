package logging

import (
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
)

// plain reads events in the form that nearly all lines of a log have: of the same machine and
// day as a line before, with numbers of at most 16 digits and at most two messages. It
// looks at eight bytes at a time, and does not look for the end of the line first. What it
// does not take is no error: it is for the scanner to read, and to say what is wrong with
// it. What it takes, the scanner reads just so.
type plain struct {
	// A line begins with a time such as 2006-01-02T15:04:05.000000Z, here cut before the
	// fraction into words that overlap.
	time0, time8, time12 word
	date                 word  // the T in it and what stands before, from its third byte on
	day, second          int64 // µs from 1970 to the date, and to the fraction
	// "Z [INFO]  vm-0: " comes next, in three words that overlap: behind the fraction and at
	// these places.
	name0, name1, name2 word
	at1, at2            uint
	id                  int32

	// How many digits numbers had in a line before. Mostly they have as many again, which
	// lets the processor go on behind a number before it has found where that ends.
	step, clock, seq, sent uint
}

// timeSize is how long a time is.
const timeSize = uint(timeLen)

// text is what a line is read from: more than the longest one that plain takes, and the eight
// bytes behind it.
type text [256 + 8]byte

// learn takes in what lines are like: day is the date of one that was read, in seconds since
// 1970, and name what stands between its time and its kind.
func (p *plain) learn(line []byte, day int64, name []byte, id int) {
	var t text
	copy(t[:], line)
	p.time0, p.date = t.word(0), t.word(3)
	p.time8, p.time12 = 0, 0 // which is no time
	p.day = day * 1e6
	p.at2 = timeSize + uint(len(name)) - 8
	p.at1 = min(timeSize+7, p.at2)
	p.name0, p.name1, p.name2 = t.word(timeSize-1), t.word(p.at1), t.word(p.at2)
	p.id = int32(id)
}

// The kinds of event, each in two words that overlap: the second one begins with the last
// letter.
var (
	internal0, internal1 = wordOf("internal"), wordOf("l: step=")
	receive0, receive1   = wordOf("receive:"), wordOf("e: step=")
	send0, send1         = wordOf("send: st"), wordOf("d: step=")
)

// What stands between numbers.
var (
	spaceClock = wordOf(" clock=")
	spaceQueue = wordOf(" queue=")
	spaceFrom  = wordOf(" from=")
	spaceSeq   = wordOf(" seq=")
	spaceSent  = wordOf(" sent=")
	spaceTo    = wordOf(" to=")
)

// event takes the event with which a text begins. It returns when the line was written and how
// long it is, with its newline; 0 where it takes none, and then ev holds nothing of use.
func (p *plain) event(b *text, ev *event.Event) (micro int64, size int) {
	if (b.word(0)^p.time0)|(b.word(8)^p.time8)|(b.word(12)^p.time12) != 0 && !p.setSecond(b) ||
		(b.word(timeSize-1)^p.name0)|(b.word(p.at1)^p.name1)|(b.word(p.at2)^p.name2) != 0 {
		return 0, 0
	}
	fraction := (b.word(timeSize-9) ^ zeros) &^ 0xffff // two zeros and six digits
	if fraction.digits() < 8 {
		return 0, 0
	}
	micro = p.second + int64(fraction.number(8))

	at := p.at2 + 8
	var last word
	switch b.word(at) {
	case internal0:
		ev.Kind, last = event.Internal, internal1
		at += 7
	case receive0:
		ev.Kind, last = event.Receive, receive1
		at += 6
	case send0:
		ev.Kind, last = event.Send, send1
		at += 3
	default:
		return 0, 0
	}
	if b.word(at) != last {
		return 0, 0
	}
	at += 8

	// A number is taken in the same way each time: as a call, it would cost twice as much.
	w := b.word(at) ^ zeros
	n := w.digits()
	step := w.number(n)
	if n == 8 {
		step, n = b.longNumber(at, step)
	}
	if !w.begins(n) {
		return 0, 0
	}
	if n == p.step {
		at += p.step
	} else {
		at += n
		p.step = n
	}
	if b.word(at)<<8 != spaceClock {
		return 0, 0
	}
	at += uint(len(" clock="))

	w = b.word(at) ^ zeros
	n = w.digits()
	now := w.number(n)
	if n == 8 {
		now, n = b.longNumber(at, now)
	}
	if !w.begins(n) {
		return 0, 0
	}
	if n == p.clock {
		at += p.clock
	} else {
		at += n
		p.clock = n
	}
	if b.word(at)<<8 != spaceQueue {
		return 0, 0
	}
	at += uint(len(" queue="))

	w = b.word(at) ^ zeros
	n = w.digits()
	queue := w.number(n)
	if n == 8 {
		queue, n = b.longNumber(at, queue)
	}
	if !w.begins(n) || queue > math.MaxInt {
		return 0, 0
	}
	at += n

	ev.Step, ev.Clock, ev.Queue = step, clock.Time(now), int(queue)
	switch ev.Kind {
	case event.Internal:
		ev.SetMessages()
	case event.Receive:
		m := event.Message{To: p.id}
		if at = p.received(b, at, &m); at == 0 {
			return 0, 0
		}
		ev.SetMessages(m)
	case event.Send:
		if at = p.sends(b, at, ev); at == 0 {
			return 0, 0
		}
	}
	if b[at&255] != '\n' {
		return 0, 0
	}
	return micro, int(at) + 1
}

// received takes what is behind the queue of a receive, and returns where that ends, 0 where
// it takes nothing.
func (p *plain) received(b *text, at uint, m *event.Message) uint {
	if b.word(at)<<16 != spaceFrom {
		return 0
	}
	from, at := b.number(at + uint(len(" from=")))
	if at == 0 || from > maxID || b.word(at)<<24 != spaceSeq {
		return 0
	}
	m.From = int32(from)
	at += uint(len(" seq="))

	w := b.word(at) ^ zeros
	n := w.digits()
	m.Seq = w.number(n)
	if n == 8 {
		m.Seq, n = b.longNumber(at, m.Seq)
	}
	if !w.begins(n) {
		return 0
	}
	if n == p.seq {
		at += p.seq
	} else {
		at += n
		p.seq = n
	}
	if b.word(at)<<16 != spaceSent {
		return 0
	}
	at += uint(len(" sent="))

	w = b.word(at) ^ zeros
	n = w.digits()
	sent := w.number(n)
	if n == 8 {
		sent, n = b.longNumber(at, sent)
	}
	if !w.begins(n) {
		return 0
	}
	m.Sent = clock.Time(sent)
	if n == p.sent {
		return at + p.sent
	}
	p.sent = n
	return at + n
}

// sends takes what is behind the queue of a send likewise.
func (p *plain) sends(b *text, at uint, ev *event.Event) uint {
	to := b.word(at)
	if to<<32 != spaceTo {
		return 0
	}
	at += uint(len(" to="))
	m := event.Message{From: p.id, Sent: ev.Clock}
	if to>>32&0xff != '"' {
		at = b.recipient(at, &m)
		ev.SetMessages(m)
		return at
	}
	if at = b.recipient(at+1, &m); at == 0 || b[at&255] != ',' {
		return 0
	}
	m2 := event.Message{From: p.id, Sent: ev.Clock}
	if at = b.recipient(at+1, &m2); at == 0 || b[at&255] != '"' {
		return 0
	}
	ev.SetMessages(m, m2)
	return at + 1
}

// recipient takes a recipient and the number of its message.
func (b *text) recipient(at uint, m *event.Message) uint {
	to, at := b.number(at)
	if at == 0 || to > maxID || b[at&255] != ':' {
		return 0
	}
	m.To = int32(to)
	m.Seq, at = b.number(at + 1)
	return at
}

// setSecond takes in another time of the same day, up to its second.
func (p *plain) setSecond(b *text) bool {
	const colons, point = 0x3a<<16 | 0x3a<<40, 0x2e
	c := b.word(11) // 15:04:05
	if b.word(0) != p.time0 || b.word(3) != p.date || c&(0xff<<16|0xff<<40) != colons || b[timeSize-8] != point {
		return false
	}
	// Two zeros and hhmmss.
	d := (c&0xffff<<16 | c>>24&0xffff<<32 | c>>48<<48 | zeros&0xffff) ^ zeros
	if d.digits() < 8 {
		return false
	}
	n := d.number(8)
	hour, minute, second := n/10000, n/100%100, n%100
	if hour > 23 || minute > 59 || second > 59 {
		return false
	}
	p.time8, p.time12 = b.word(8), b.word(12)
	p.second = p.day + int64(hour*3600+minute*60+second)*1e6
	return true
}

// word is eight bytes of text, the first one in the lowest bits.
type word uint64

const zeros word = 0x3030303030303030

// wordOf returns a text of eight bytes. One that is shorter stands in the upper ones, behind
// zeros.
func wordOf(s string) word {
	var b [8]byte
	copy(b[8-len(s):], s)
	return word(binary.LittleEndian.Uint64(b[:]))
}

// word returns the eight bytes that stand at a place, which is below 256.
func (b *text) word(at uint) word { return word(binary.LittleEndian.Uint64(b[at&255:][:8])) }

// digits returns with how many digits a word begins, 0 to 8, from each of whose bytes '0' was
// taken. (Numbers are read as in Lemire, Number parsing at a gigabyte per second, 2021.)
func (w word) digits() uint {
	return uint(bits.TrailingZeros64(uint64((w+0x7676767676767676)|w)&0x8080808080808080)) >> 3
}

// number returns the number that the first n digits of such a word stand for, 1 to 8.
func (w word) number(n uint) uint64 {
	w <<= (64 - 8*n) & 63 // the others become zeros in front of it
	w = w*10 + w>>8
	const pairs = 0x000000ff000000ff
	return uint64((w&pairs*(100+1000000<<32) + w>>16&pairs*(1+10000<<32)) >> 32)
}

// begins reports whether a number of n digits may begin with such a word: without leading zeros.
func (w word) begins(n uint) bool { return byte(w)-1 < 9 && n > 0 || byte(w) == 0 && n == 1 }

// number takes a number of at most 16 digits. It returns where it ends, 0 if there is none.
func (b *text) number(at uint) (v uint64, end uint) {
	w := b.word(at) ^ zeros
	n := w.digits()
	v = w.number(n)
	if n == 8 {
		v, n = b.longNumber(at, v)
	}
	if !w.begins(n) {
		return 0, 0
	}
	return v, at + n
}

// longNumber takes a number whose first eight digits are v, and returns how many it has, 0 for
// more than 16.
func (b *text) longNumber(at uint, v uint64) (uint64, uint) {
	w := b.word(at+8) ^ zeros
	n := w.digits()
	if n == 0 {
		return v, 8
	}
	if n == 8 && b[(at+16)&255]-'0' <= 9 {
		return 0, 0
	}
	scale := uint64(1)
	for range n {
		scale *= 10
	}
	return v*scale + w.number(n), 8 + n
}

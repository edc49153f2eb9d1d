package logging

import (
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
)

// plain reads events in the form that nearly all lines of a log have: of the same day and
// machine as a line before, with numbers of at most 16 digits and at most two messages. It
// looks at eight bytes at a time. What it does not take is no error: it is for the
// scanner to read, and to say what is wrong with it. Both take a line for the same.
type plain struct {
	// A line begins with a date and a T, then a time of the day.
	date, date3 word
	clock       word
	day         int64 // µs from 1970 to the date
	second      int64 // µs from 1970 to the clock
	// " [INFO]  vm-0: " comes next, as three words that overlap: at timeLen and where
	// these say.
	name, name1, name2 word
	at1, at2           int
	id                 int32
}

// longest is more than a line that plain takes, and the eight bytes behind it.
const longest = 256

// learn takes in what lines are like: day is the date of one that was read, in seconds since
// 1970, and name what stands between its time and its kind.
func (p *plain) learn(line []byte, day int64, name []byte, id int) {
	if len(line) < timeLen+len(name) || len(name) < 8 {
		return
	}
	p.date, p.date3 = wordAt(line, 0), wordAt(line, 3)
	p.clock, p.day = 0, day*1e6
	p.at2 = timeLen + len(name) - 8
	p.at1 = min(timeLen+8, p.at2)
	p.name, p.name1, p.name2 = wordAt(line, timeLen), wordAt(line, p.at1), wordAt(line, p.at2)
	p.id = int32(id)
}

// The kinds of event, each in two words: these overlap, and the second one begins with the
// last letter.
var (
	internal0, internal1 = wordOf("internal"), wordOf("l: step=")
	send0, send1         = wordOf("send: st"), wordOf("d: step=")
	receive0, receive1   = wordOf("receive:"), wordOf("e: step=")
)

// event takes the event with which b begins. There are longest bytes or more. It returns when
// the line was written and how long it is, with its newline; 0 where it takes none, and then
// ev holds nothing of use.
func (p *plain) event(b []byte, ev *event.Event) (micro int64, size int) {
	b = b[:longest]
	if wordAt(b, 0) != p.date || wordAt(b, 3) != p.date3 ||
		wordAt(b, timeLen) != p.name || wordAt(b, p.at1) != p.name1 || wordAt(b, p.at2) != p.name2 {
		return 0, 0
	}
	if c := wordAt(b, 11); c != p.clock && !p.setClock(c) {
		return 0, 0
	}
	const dot, zulu = 0x2e, 0x5a << 56
	f := wordAt(b, 19) // ".000000Z"
	fraction := (f>>8<<16 | zeros&0xffff) ^ zeros
	if f&(0xff|0xff<<56) != dot|zulu || fraction.digits() < 8 {
		return 0, 0
	}
	micro = p.second + int64(fraction.number(8))

	at := p.at2 + 8
	var last word
	switch w := wordAt(b, at); w {
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
	if wordAt(b, at) != last {
		return 0, 0
	}
	step, at := number(b, at+8)
	if at == 0 || wordAt(b, at)&sevenBytes != spaceClock {
		return 0, 0
	}
	now, at := number(b, at+7)
	if at == 0 || wordAt(b, at)&sevenBytes != spaceQueue {
		return 0, 0
	}
	queue, at := number(b, at+7)
	if at == 0 || queue > math.MaxInt {
		return 0, 0
	}
	ev.Step, ev.Clock, ev.Queue = step, clock.Time(now), int(queue)
	switch ev.Kind {
	case event.Internal:
		ev.SetMessages()
	case event.Receive:
		if wordAt(b, at)&sixBytes != spaceFrom {
			return 0, 0
		}
		from, at1 := number(b, at+6)
		if at1 == 0 || from > maxID || wordAt(b, at1)&fiveBytes != spaceSeq {
			return 0, 0
		}
		seq, at2 := number(b, at1+5)
		if at2 == 0 || wordAt(b, at2)&sixBytes != spaceSent {
			return 0, 0
		}
		var sent uint64
		if sent, at = number(b, at2+6); at == 0 {
			return 0, 0
		}
		ev.SetMessages(event.Message{From: int32(from), To: p.id, Seq: seq, Sent: clock.Time(sent)})
	case event.Send:
		to := wordAt(b, at)
		if to&fourBytes != spaceTo {
			return 0, 0
		}
		at += 4
		quoted := to&(0xff<<32) == '"'<<32
		if quoted {
			at++
		}
		m := event.Message{From: p.id, Sent: clock.Time(now)}
		if at = recipient(b, at, &m); at == 0 {
			return 0, 0
		}
		if !quoted {
			ev.SetMessages(m)
			break
		}
		if b[at] != ',' {
			return 0, 0
		}
		m2 := event.Message{From: p.id, Sent: clock.Time(now)}
		if at = recipient(b, at+1, &m2); at == 0 || b[at] != '"' {
			return 0, 0
		}
		at++
		ev.SetMessages(m, m2)
	}
	if b[at] != '\n' {
		return 0, 0
	}
	return micro, at + 1
}

var (
	spaceClock = wordOf(" clock=\x00")
	spaceQueue = wordOf(" queue=\x00")
	spaceFrom  = wordOf(" from=\x00\x00")
	spaceSent  = wordOf(" sent=\x00\x00")
	spaceSeq   = wordOf(" seq=\x00\x00\x00")
	spaceTo    = wordOf(" to=\x00\x00\x00\x00")
)

func recipient(b []byte, at int, m *event.Message) int {
	to, at := number(b, at)
	if at == 0 || to > maxID || b[at] != ':' {
		return 0
	}
	m.To = int32(to)
	m.Seq, at = number(b, at+1)
	return at
}

// setClock takes in another time of the day.
func (p *plain) setClock(c word) bool {
	const colons = 0x3a<<16 | 0x3a<<40
	if c&(0xff<<16|0xff<<40) != colons {
		return false
	}
	// hhmmss: the two digits of each pair, side by side.
	d := (c&0xffff<<16 | c>>24&0xffff<<32 | c>>48<<48 | zeros&0xffff) ^ zeros
	if d.digits() < 8 {
		return false
	}
	n := d.number(8)
	hour, minute, second := n/10000, n/100%100, n%100
	if hour > 23 || minute > 59 || second > 59 {
		return false
	}
	p.clock, p.second = c, p.day+int64(hour*3600+minute*60+second)*1e6
	return true
}

// word is eight bytes of text, the first one in the lowest bits.
type word uint64

const (
	zeros      word = 0x3030303030303030
	sevenBytes word = 1<<56 - 1
	sixBytes   word = 1<<48 - 1
	fiveBytes  word = 1<<40 - 1
	fourBytes  word = 1<<32 - 1
)

func wordOf(s string) word { return wordAt([]byte(s), 0) }

func wordAt(b []byte, at int) word { return word(binary.LittleEndian.Uint64(b[at:])) }

// digits returns with how many digits a word begins, 0 to 8, from each of whose bytes '0' was
// taken (Lemire, Number parsing at a gigabyte per second, 2021).
func (w word) digits() int {
	return bits.TrailingZeros64(uint64((w+0x7676767676767676)|w)&0x8080808080808080) / 8
}

// number returns the number that the first n digits stand for, 1 to 8.
func (w word) number(n int) uint64 {
	w <<= uint(64-8*n) & 63 // the others are zeros in front of it
	w = w*10 + w>>8
	const pairs = 0x000000ff000000ff
	return uint64((w&pairs*(100+1000000<<32) + w>>16&pairs*(1+10000<<32)) >> 32)
}

// number takes a number of at most 16 digits. It returns where it ends, 0 if there is none.
func number(b []byte, at int) (v uint64, end int) {
	w := wordAt(b, at) ^ zeros
	n := w.digits()
	first := byte(w)
	if first-1 > 8 && (first != 0 || n != 1) {
		return 0, 0
	}
	v = w.number(n)
	if n == 8 {
		return more(b, at+8, v)
	}
	return v, at + n
}

// more takes the digits behind the first eight.
func more(b []byte, at int, v uint64) (uint64, int) {
	w := wordAt(b, at) ^ zeros
	n := w.digits()
	if n == 8 && b[at+8]-'0' <= 9 {
		return 0, 0
	}
	if n == 0 {
		return v, at
	}
	scale := uint64(1)
	for range n {
		scale *= 10
	}
	return v*scale + w.number(n), at + n
}

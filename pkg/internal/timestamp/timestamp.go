// Package timestamp formats times, each of which is mostly of the same second as the
// one before: that is kept, and only the fraction is written anew.
package timestamp

import "time"

// Len is the length of a timestamp.
const Len = len("2006-01-02T15:04:05.000000Z")

// endOfTime is the first second of the year 10000, for which there is no room.
const endOfTime = 253402300800

const secondsPerDay = 24 * 60 * 60

// Text is a time in UTC, cut to microseconds: 2006-01-02T15:04:05.000000Z.
type Text [Len]byte

// Writer writes times into one [Text], which nobody else changes. The zero Writer
// writes into the text of [Epoch].
type Writer struct {
	day    int64  // days since 1970-01-01, as in the text
	second int64  // seconds since then, as in the text
	micro  uint32 // beyond the second, as in the text
}

// Epoch is the text of 1970-01-01T00:00:00Z.
const Epoch = "1970-01-01T00:00:00.000000Z"

// Write makes text that of a time. It reports false, and the text stays as it is,
// where the year is not from 1970 to 9999.
func (w *Writer) Write(text *Text, t time.Time) bool {
	if second := t.Unix(); second != w.second && !w.setSecond(text, second) {
		return false
	}
	w.setMicro(text, uint32(t.Nanosecond())/1000)
	return true
}

// WriteMicro is [Writer.Write] for a time in microseconds since [Epoch].
func (w *Writer) WriteMicro(text *Text, micro int64) bool {
	in := micro - w.second*1e6
	if in < 0 || in >= 1e6 {
		second := micro / 1e6
		if micro < 0 || !w.setSecond(text, second) {
			return false
		}
		in = micro - second*1e6
	}
	w.setMicro(text, uint32(in))
	return true
}

func (w *Writer) setMicro(text *Text, micro uint32) {
	if micro == w.micro { // events share a reading of the clock
		return
	}
	w.micro = micro
	f := text[len("2006-01-02T15:04:05."):][:6]
	put2(f[0:2], micro/10000)
	put2(f[2:4], micro/100%100)
	put2(f[4:6], micro%100)
}

func (w *Writer) setSecond(text *Text, second int64) bool {
	if second < 0 || second >= endOfTime {
		return false
	}
	w.second = second
	if day := second / secondsPerDay; day != w.day {
		w.day = day
		time.Unix(second, 0).UTC().AppendFormat(text[:0], time.DateOnly)
	}
	s := uint32(second % secondsPerDay)
	f := text[len("2006-01-02T"):][:8]
	put2(f[0:2], s/3600)
	put2(f[3:5], s/60%60)
	put2(f[6:8], s%60)
	return true
}

// put2 writes v, below 100, as two digits.
func put2(b []byte, v uint32) {
	b[1] = byte('0' + v%10)
	b[0] = byte('0' + v/10)
}

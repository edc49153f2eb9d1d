package report

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/internal/decimal"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/internal/quote"
	"github.com/scalemodel/lamport/pkg/trace"
)

// perfetto writes Chrome's trace JSON, as Perfetto reads it. A machine is a process
// with one thread. An event is a slice without length: Perfetto draws a
// flow from the end of a slice to the start of another.
//
// A flow binds to the slice that stands last on its track at its time. So no two slices
// of a machine have the same time: events of one microsecond stand a nanosecond
// apart, in their order, and a receive after its send. A flow is written
// whole, when its receive comes; a message that is still pending has none.
type perfetto struct {
	some   bool   // something is written
	lanes  []lane // of the machines that are there
	flows  uint64
	early  uint64 // receives before their sends, by the machines' clocks
	shifts map[linkID][]shift

	start int64 // of the run, Unix µs: its first line
	about about
}

// about is the trace's metadata.
type about struct {
	Run      string `json:"run"`
	Machines int    `json:"machines"`
	Die      int    `json:"die"`
	Seed     string `json:"seed"` // a float would not hold it
	Start    string `json:"start"`
	StartUS  int64  `json:"start_us"`
	Verdict  string `json:"verdict"`
}

// lane is a machine's track.
type lane struct {
	named bool
	micro int64 // of the last event
	at    int64 // where it stands, ns after the start
	queue int   // as last written
	back  uint64
}

type linkID struct{ from, to int }

// shift is how far behind its microsecond a send stands.
type shift struct {
	seq uint64
	ns  int64
}

func newPerfetto(present int) *perfetto {
	return &perfetto{lanes: make([]lane, present), shifts: make(map[linkID][]shift)}
}

func (p *perfetto) begin(b []byte) []byte {
	return append(b, `{"displayTimeUnit":"ms","traceEvents":[`...)
}

// next begins an event of the trace.
func (p *perfetto) next(b []byte) []byte {
	if p.some {
		b = append(b, ',')
	}
	p.some = true
	return append(b, '\n')
}

func (p *perfetto) add(b []byte, s *trace.Step) []byte {
	l := &p.lanes[s.Index]
	if !p.some {
		p.start = s.Micro
	}
	if !l.named {
		l.named = true
		l.micro, l.at, l.queue = s.Micro, -1<<62, -1
		b = p.name(b, s.Machine)
	}
	if s.Event == nil {
		p.describe(s)
		return b
	}
	return p.event(b, l, s)
}

// name introduces a machine. Process 0 is the idle one to Perfetto, so they count from
// 1; a thread with its process's number is its main thread.
func (p *perfetto) name(b []byte, machine int) []byte {
	for _, m := range [...]struct{ name, before string }{
		{"process_name", `"name":"vm-`}, {"thread_name", `"name":"events of vm-`}, {"process_sort_index", `"sort_index":`},
	} {
		b = appendUint(p.next(b), `{"ph":"M","pid":`, uint64(machine)+1)
		b = appendUint(b, `,"tid":`, uint64(machine)+1)
		b = append(append(b, `,"name":"`...), m.name...)
		b = append(append(b, `","args":{`...), m.before...)
		b = decimal.AppendInt(b, int64(machine))
		if m.name != "process_sort_index" {
			b = append(b, '"')
		}
		b = append(b, "}}"...)
	}
	return b
}

// describe keeps what a start line says of the run.
func (p *perfetto) describe(s *trace.Step) {
	start := &s.Other.Start
	if p.about.Machines > 0 || start.Machines == 0 { // known, or no start line
		return
	}
	p.about = about{Run: start.Run, Machines: start.Machines, Die: start.Die, Seed: strconv.FormatUint(start.Seed, 10)}
}

func (p *perfetto) event(b []byte, l *lane, s *trace.Step) []byte {
	e := s.Event
	at := (s.Micro - p.start) * 1000
	if s.Micro < l.micro {
		l.back++
	} else {
		at = max(at, l.at+1)
	}
	flow, from := p.flow(s)
	if flow {
		at = max(at, from+1)
	}
	l.micro, l.at = s.Micro, at
	if e.Kind == event.Send {
		p.shift(s, at-(s.Micro-p.start)*1000)
	}

	pid := uint64(s.Machine) + 1
	b = p.common(b, "X", pid, at)
	b = appendKind(append(b, `,"dur":0,"name":"`...), e.Kind)
	b = appendUint(b, `","args":{"step":`, e.Step)
	b = appendUint(b, `,"clock":`, uint64(e.Clock))
	b = appendUint(b, `,"queue":`, uint64(e.Queue))
	switch m := e.Messages(); e.Kind {
	case event.Send:
		for i := range m {
			if i == 0 {
				b = appendUint(b, `,"to":"`, uint64(m[i].To))
			} else {
				b = appendUint(b, ",", uint64(m[i].To))
			}
			b = appendUint(b, ":", m[i].Seq)
		}
		b = append(b, '"')
	case event.Receive:
		b = appendUint(b, `,"from":`, uint64(m[0].From))
		b = appendUint(b, `,"seq":`, m[0].Seq)
		b = appendUint(b, `,"sent":`, uint64(m[0].Sent))
		if s.Sent != nil {
			b = appendInt(b, `,"latency_us":`, s.Micro-s.Sent.Micro)
		}
	}
	b = append(b, "}}"...)

	b = p.common(b, "C", pid, at)
	b = appendUint(b, `,"name":"Lamport","args":{"clock":`, uint64(e.Clock))
	b = append(b, "}}"...)
	if e.Queue != l.queue { // a counter holds its value
		l.queue = e.Queue
		b = p.common(b, "C", pid, at)
		b = appendUint(b, `,"name":"queue","args":{"length":`, uint64(e.Queue))
		b = append(b, "}}"...)
	}
	if flow {
		p.flows++
		b = p.common(b, "s", uint64(e.Messages()[0].From)+1, from)
		b = appendUint(b, `,"name":"message","cat":"message","id":`, p.flows)
		b = append(b, '}')
		b = p.common(b, "f", pid, at)
		b = appendUint(b, `,"bp":"e","name":"message","cat":"message","id":`, p.flows)
		b = append(b, '}')
	}
	return b
}

// common begins an event with what all have. Times are in µs, with the nanoseconds
// behind the point.
func (p *perfetto) common(b []byte, phase string, pid uint64, ns int64) []byte {
	b = append(append(p.next(b), `{"ph":"`...), phase...)
	b = appendUint(b, `","pid":`, pid)
	b = appendUint(b, `,"tid":`, pid)
	b = append(b, `,"ts":`...)
	if ns < 0 {
		b = append(b, '-')
		ns = -ns
	}
	b = decimal.AppendInt(b, ns/1000)
	if f := ns % 1000; f > 0 {
		b = append(b, '.', byte('0'+f/100), byte('0'+f/10%10), byte('0'+f%10))
	}
	return b
}

// shift remembers where a send stands, for the flows of its messages.
func (p *perfetto) shift(s *trace.Step, ns int64) {
	if ns == 0 {
		return
	}
	for _, m := range s.Event.Messages() {
		id := linkID{s.Machine, int(m.To)}
		p.shifts[id] = append(p.shifts[id], shift{m.Seq, ns})
	}
}

// flow returns where the send of a receive stands. There is none if it is not known, or
// came later by the clock of its host.
func (p *perfetto) flow(s *trace.Step) (bool, int64) {
	if s.Sent == nil {
		return false, 0
	}
	at := (s.Sent.Micro - p.start) * 1000
	id := linkID{int(s.Event.Messages()[0].From), s.Machine}
	if sends := p.shifts[id]; len(sends) > 0 {
		for len(sends) > 0 && sends[0].seq < s.Sent.Seq {
			sends = sends[1:]
		}
		if len(sends) > 0 && sends[0].seq == s.Sent.Seq {
			at += sends[0].ns
			sends = sends[1:]
		}
		p.shifts[id] = sends
	}
	if s.Sent.Micro > s.Micro {
		p.early++
		return false, 0
	}
	return true, at
}

func (p *perfetto) end(b []byte, v *trace.Verdict) []byte {
	if p.some {
		p.about.Start, p.about.StartUS = string(new(stamp).append(nil, p.start)), p.start
	}
	if v != nil {
		p.about.Verdict = string(v.State)
	}
	meta, err := json.Marshal(&p.about)
	if err != nil { // there is nothing in it that could fail
		meta = []byte("{}")
	}
	b = append(b, "\n],\"metadata\":"...)
	b = quote.AppendJSON(b, meta)
	return append(b, "}\n"...)
}

func (p *perfetto) notes(*trace.Verdict) (notes []string) {
	if p.early > 0 {
		notes = append(notes, fmt.Sprintf("%s %s by the clocks of their hosts, and %s no arrow", figure.Plural(p.early, "receive"),
			figure.Verb(p.early, "comes before its send", "come before their sends"), figure.Verb(p.early, "has", "have")))
	}
	var back uint64
	for i := range p.lanes {
		back += p.lanes[i].back
	}
	if back > 0 {
		notes = append(notes, fmt.Sprintf("a system clock was set back %s: events after that stand where it says, not in their order", figure.Plural(back, "time")))
	}
	return notes
}

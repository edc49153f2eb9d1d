package report

import (
	"fmt"

	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/trace"
)

// shiviz writes a log for ShiViz: the expression that takes an event apart, the delimiter
// of executions, of which there is one, and two lines per event.
//
// ShiViz holds a log against rules of its own. Each host's own entry counts its events, from
// 1 on; no entry names a host or an event that is not in the log.
type shiviz struct {
	keys []string // of the machines that are there: "vm-0":
}

func newShiViz(present []int) shiviz {
	keys := make([]string, len(present))
	for i, id := range present {
		keys[i] = `"` + string(appendHost(nil, id)) + `":`
	}
	return shiviz{keys}
}

// shivizExpression is ShiViz's default.
const shivizExpression = `(?<event>.*)\n(?<host>\S*) (?<clock>{.*})`

func (shiviz) begin(b []byte) []byte { return append(b, shivizExpression+"\n\n"...) }

func (v shiviz) add(b []byte, s *trace.Step) []byte {
	e := s.Event
	if e == nil {
		return b
	}
	b = appendKind(b, e.Kind)
	b = appendUint(b, " step=", e.Step)
	b = appendUint(b, " clock=", uint64(e.Clock))
	switch m := e.Messages(); e.Kind {
	case event.Send:
		for i := range m {
			if i == 0 {
				b = append(b, " to "...)
			} else {
				b = append(b, " and "...)
			}
			b = appendHost(b, int(m[i].To))
		}
	case event.Receive:
		b = appendHost(append(b, " from "...), int(m[0].From))
		b = appendUint(b, " sent=", uint64(m[0].Sent))
	}
	b = appendUint(b, " queue=", uint64(e.Queue))
	b = append(b, '\n')
	b = appendHost(b, s.Machine)
	b = append(b, ' ', '{')
	for i, n := range s.Vector {
		if n > 0 {
			b = append(appendUint(b, v.keys[i], n), ',')
		}
	}
	b[len(b)-1] = '}' // for the last comma: the machine's own entry is never 0
	return append(b, '\n')
}

func (shiviz) end(b []byte, _ *trace.Verdict) []byte { return b }

func (shiviz) notes(v *trace.Verdict) (notes []string) {
	const hosts, events = 256, 10_000
	if v.Events == 0 {
		notes = append(notes, "there are no events: ShiViz will refuse the log")
	}
	if v.Machines > hosts {
		notes = append(notes, fmt.Sprintf("%d machines: ShiViz is made for a few", v.Machines))
	}
	if v.Events > events {
		notes = append(notes, fmt.Sprintf("%d events: ShiViz needs seconds for %d, and four times as long for twice as many", v.Events, events))
	}
	return notes
}

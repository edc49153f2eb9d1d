package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/scalemodel/lamport/pkg/internal/columns"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/internal/quote"
	"github.com/scalemodel/lamport/pkg/internal/terminal"
	"github.com/scalemodel/lamport/pkg/trace"
)

// Unreadable is the state of a run of which no verdict can be had.
const Unreadable trace.State = "unreadable"

// states are all states of a run, the best first.
var states = [...]trace.State{trace.Correct, trace.Incomplete, trace.Broken, Unreadable}

// Tally counts runs by their state. The zero Tally has counted none.
type Tally struct{ rows []tallied }

// tallied is what there is to say of the runs in one state.
type tallied struct {
	state          trace.State
	names          []string // the first ones
	runs           uint64
	events         uint64
	sent, received uint64 // messages
	violations     uint64
}

// named is how many runs of a state are named.
const named = 10

// Add takes in a run and its verdict, nil for one that cannot be read.
func (t *Tally) Add(run string, v *trace.Verdict) {
	state := Unreadable
	if v != nil {
		state = v.State
	}
	for i := range t.all() {
		r := &t.rows[i]
		if r.state != state {
			continue
		}
		r.runs++
		if len(r.names) < named {
			r.names = append(r.names, run)
		}
		if v != nil {
			r.events += v.Events
			r.sent += v.Sent
			r.received += v.Received
			r.violations += v.Violated()
		}
	}
}

// all returns the rows of all states.
func (t *Tally) all() []tallied {
	if t.rows == nil {
		t.rows = make([]tallied, len(states))
		for i, s := range states {
			t.rows[i].state = s
		}
	}
	return t.rows
}

// Runs returns how many runs were in a state.
func (t *Tally) Runs(state trace.State) (n uint64) {
	for _, r := range t.rows {
		if r.state == state {
			n += r.runs
		}
	}
	return n
}

// First returns the first run in a state, "" for none.
func (t *Tally) First(state trace.State) string {
	for _, r := range t.rows {
		if r.state == state && len(r.names) > 0 {
			return r.names[0]
		}
	}
	return ""
}

// Write writes the table that closes a look at many runs, and which of them are not
// correct.
func (t *Tally) Write(w io.Writer, on terminal.Screen) error {
	count := func(name string, of func(*tallied) uint64) columns.Column[tallied] {
		return columns.Count("", name, of).Where(func(r *tallied) bool { return r.state != Unreadable })
	}
	table := columns.New([]columns.Column[tallied]{
		columns.Words("", func(r *tallied) string { return on.Paint(StateStyle(r.state), string(r.state)) }),
		columns.Count("", "runs", func(r *tallied) uint64 { return r.runs }),
		count("events", func(r *tallied) uint64 { return r.events }),
		count("sent", func(r *tallied) uint64 { return r.sent }),
		count("received", func(r *tallied) uint64 { return r.received }),
		count("violations", func(r *tallied) uint64 { return r.violations }),
	}, t.all())
	all := tallied{}
	for _, r := range t.rows {
		all.runs += r.runs
		all.events += r.events
		all.sent += r.sent
		all.received += r.received
		all.violations += r.violations
	}
	table.Footer = []string{"all"}
	for _, n := range []uint64{all.runs, all.events, all.sent, all.received, all.violations} {
		table.Footer = append(table.Footer, figure.Short(float64(n)))
	}
	width := on.Width
	if !on.Person { // whoever looks for names in a file looks for whole lines
		width = 0
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", stacked(on)(table))
	for _, r := range t.rows[1:] {
		if r.runs > 0 {
			text := string(r.state) + ": " + quote.Visible(strings.Join(r.names, ", "))
			if more := r.runs - uint64(len(r.names)); more > 0 {
				text += fmt.Sprintf(" and %s more", figure.Count(more))
			}
			b.WriteString(terminal.Wrap(text, width, 2) + "\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

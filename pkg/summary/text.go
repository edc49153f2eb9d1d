package summary

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/internal/terminal"
	"github.com/scalemodel/lamport/pkg/transport"
)

// listed is how many machines a line names before it counts the rest.
const listed = 10

// WriteText writes the figures of one machine for a person, in lines "key:
// value" with the values aligned, none wider than the terminal, or 80 columns. What
// did not happen has no line.
func (m *Machine) WriteText(w io.Writer) error {
	var b strings.Builder
	width := terminal.Of(w, terminal.Never).Width
	line := func(key, format string, args ...any) {
		text := fmt.Sprintf("%-13s%s", key+":", fmt.Sprintf(format, args...))
		b.WriteString(terminal.Wrap(text, width, 13) + "\n")
	}

	rate := m.Rate.String() + " ticks per second"
	switch m.Rate {
	case clock.Unpaced:
		rate = "as fast as it can"
	case clock.Hertz:
		rate = "1 tick per second"
	}
	line("machine", "%s, %s", figure.Machine(m.ID), rate)
	if m.StartLateness > 0 {
		line("start", "%s after the agreed instant", figure.Duration(m.StartLateness))
	}
	line("ticks", "%s", m.paceText())
	if l := m.Lateness; l.Ticks > 0 {
		text := fmt.Sprintf("p50 %s, p99 %s, max %s", figure.Duration(l.P50), figure.Duration(l.P99), figure.Duration(l.Max))
		if phase, ok := m.EndPhase(); ok {
			text += "; at the end " + figure.Duration(phase)
		}
		line("lateness", "%s", text)
	}
	if m.Lateness.Late > 0 {
		line("late", "%s more than %d ms late", figure.Plural(m.Lateness.Late, "tick"), LateAfter.Milliseconds())
	}
	if m.Missed > 0 {
		line("missed", "%s", figure.Plural(m.Missed, "tick"))
	}
	if m.Stalls > 0 {
		line("stalled", "%s waited for a full link, %s in all", figure.Plural(m.Stalls, "step"), figure.Duration(m.Stalled))
	}

	line("events", "%s: %s internal, %s send, %s receive",
		figure.Count(m.Steps), figure.Count(m.Internal), figure.Count(m.Sends), figure.Count(m.Receives))
	line("clock", "%s; jumps %s on average, %s at most; %s",
		figure.Count(m.Clock), figure.Mean(m.MeanJump), figure.Count(m.MaxJump), figure.Plural(m.Gaps, "gap"))
	line("queue", "%s on average, %s at most", figure.Mean(m.MeanQueue), figure.Count(m.MaxQueue))
	line("messages", "%s sent, %s received, %s pending%s",
		figure.Count(m.Sent), figure.Count(m.Receives), figure.Count(m.Queue), byPeer(" from ", m.Pending))
	if n := m.UndeliveredTotal(); n > 0 {
		line("undelivered", "up to %s%s", figure.Plural(n, "message"), byPeer(" to ", m.Undelivered))
	}
	if len(m.Left) > 0 {
		var names []string
		for _, id := range slices.Sorted(slices.Values(m.Left)) {
			names = append(names, figure.Machine(id))
		}
		line("left early", "%s", figure.List(names, listed))
	}

	if wire := m.Wire; wire.Messages > 0 {
		line("wire", "%s in %s, %s, %s", figure.Plural(wire.Messages, "message"), figure.Plural(wire.Frames, "frame"),
			figure.Plural(wire.Bytes, "byte"), figure.Plural(wire.Writes, "write"))
	}
	if trouble := Trouble(m.Wire); trouble != "" {
		line("links", "%s", trouble)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// paceText says how many ticks ran in which time.
func (m *Machine) paceText() string {
	text := figure.Count(m.Steps)
	if achieved := m.AchievedRate(); !math.IsNaN(achieved) {
		text += fmt.Sprintf(" in %s, %s per second", figure.Duration(m.Elapsed), figure.Rate(achieved))
	}
	if e := m.RateError(); !math.IsNaN(e) {
		text += fmt.Sprintf(" (%s)", figure.PPM(e))
	}
	return text
}

// byPeer lists counts of messages, " (3 from vm-0 and 1 from vm-2)".
func byPeer(preposition string, counts map[int]uint64) string {
	var parts []string
	for _, id := range slices.Sorted(maps.Keys(counts)) {
		if n := counts[id]; n > 0 {
			parts = append(parts, figure.Count(n)+preposition+figure.Machine(id))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + figure.List(parts, listed) + ")"
}

// Trouble says in words what the links had to do over or refuse, "" where
// there was nothing.
func Trouble(w transport.Stats) string {
	var parts []string
	for _, t := range []struct {
		n    uint64
		text string
	}{
		{w.Reconnects, figure.Plural(w.Reconnects, "link") + " re-established"},
		{w.Resent, figure.Plural(w.Resent, "message") + " resent"},
		{w.Duplicates, figure.Plural(w.Duplicates, "duplicate") + " dropped"},
		{w.Refused, figure.Plural(w.Refused, "stranger") + " refused"},
	} {
		if t.n > 0 {
			parts = append(parts, t.text)
		}
	}
	return figure.List(parts, len(parts))
}

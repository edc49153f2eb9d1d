package table

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/internal/terminal"
	"github.com/scalemodel/lamport/pkg/summary"
)

// listed is how many machines or links a line names before it counts the rest.
const listed = 10

// notes gathers what the lines below the tables say beyond the sums.
type notes struct {
	seen   []bool // by number, which machines of the run gave a summary
	clocks int    // that the times come from

	late, missed, stalls, restarts tally

	down        time.Duration
	left        map[int][]int   // which machines saw a machine leave
	undelivered map[link]uint64 // messages
}

type link struct{ from, to int }

type line struct {
	key, text string
	style     terminal.Style // of the key: "" where there is nothing to worry about
}

// tally is a count over machines.
type tally struct {
	total    uint64
	machines uint64 // that have any
	largest  uint64 // of one machine
	id       int    // that machine, the lowest of several
}

func (t *tally) add(id int, n uint64) {
	if n == 0 {
		return
	}
	if n > t.largest || n == t.largest && id < t.id {
		t.largest, t.id = n, id
	}
	t.total += n
	t.machines++
}

// where says on which machines, " on vm-1" or " on 3 machines, most on vm-1 (10)".
func (t *tally) where() string {
	if t.machines == 1 {
		return " on " + figure.Machine(t.id)
	}
	return fmt.Sprintf(" on %s, most on %s (%s)", figure.Plural(t.machines, "machine"), figure.Machine(t.id), figure.Count(t.largest))
}

func (n *notes) add(m *summary.Machine) {
	if m.ID >= 0 && m.ID < len(n.seen) {
		n.seen[m.ID] = true
	}
	n.late.add(m.ID, m.Lateness.Late)
	n.missed.add(m.ID, m.Missed)
	n.stalls.add(m.ID, m.Stalls)
	n.restarts.add(m.ID, uint64(m.Restarts))
	n.down += m.Down
	for _, id := range m.Left {
		if n.left == nil {
			n.left = make(map[int][]int)
		}
		n.left[id] = append(n.left[id], m.ID)
	}
	for to, count := range m.Undelivered {
		if n.undelivered == nil {
			n.undelivered = make(map[link]uint64)
		}
		n.undelivered[link{m.ID, to}] += count
	}
}

// lines returns the run in words, what matters most first.
func (n *notes) lines(run *summary.Run) []line {
	var lines []line
	add := func(key, format string, args ...any) {
		lines = append(lines, line{key: key, text: fmt.Sprintf(format, args...)})
	}
	warn := func(key, format string, args ...any) {
		lines = append(lines, line{key, fmt.Sprintf(format, args...), terminal.Warning})
	}
	missing := n.missing()

	add("events", "%s", events(run))
	add("messages", "%s", balance(run, len(missing) > 0))
	if run.Unaccounted() != 0 && len(missing) == 0 {
		lines[len(lines)-1].style = terminal.Bad
	}
	if len(missing) > 0 {
		warn("no summary", "%s", machines(missing))
	}
	if !run.FirstStart.IsZero() && run.Machines > 1 {
		text := "all within " + figure.Duration(run.StartSkew())
		if n.clocks > 1 {
			text = "by each host's own clock"
		}
		if run.StartLateness > 0 {
			text += ", the last " + figure.Duration(run.StartLateness) + " after the agreed instant"
		}
		add("start", "%s", text)
	}
	if n.late.total > 0 {
		warn("late", "%s more than %d ms late%s; the latest by %s",
			figure.Plural(n.late.total, "tick"), summary.LateAfter.Milliseconds(), n.late.where(), figure.Duration(run.Latest))
	}
	if n.missed.total > 0 {
		warn("missed", "%s%s", figure.Plural(n.missed.total, "tick"), n.missed.where())
	}
	if n.stalls.total > 0 {
		warn("stalled", "%s waited %s in all for a full link%s",
			figure.Plural(n.stalls.total, "step"), figure.Duration(run.Stalled), n.stalls.where())
	}
	if wire := run.Wire; wire.Messages > 0 {
		per := func(n uint64) string { return figure.Mean(float64(n) / float64(wire.Messages)) }
		add("wire", "per message %s frames (%s acks), %s bytes, %s writes",
			per(wire.Frames), per(wire.Acks), per(wire.Bytes), per(wire.Writes))
	}
	if trouble := summary.Trouble(run.Wire); trouble != "" {
		warn("links", "%s", trouble)
	}
	if n.restarts.total > 0 {
		warn("restarted", "%s after a death%s, %s down in all", figure.Plural(n.restarts.total, "time"), n.restarts.where(), figure.Duration(n.down))
	}
	if len(n.left) > 0 {
		warn("left early", "%s", n.leavers())
	}
	// The bounds say where, as long as anything is missing.
	if len(n.undelivered) > 0 && (undelivered(run) > 0 || len(missing) > 0) {
		atMost := ""
		if undelivered(run) < run.Undelivered {
			atMost = "at most "
		}
		warn("undelivered", "%s%s", atMost, n.links())
	}
	return lines
}

func events(run *summary.Run) string {
	text := figure.Plural(run.Steps, "event") + " on " + figure.Plural(run.Machines, "machine")
	if perSecond := run.EventRate(); !math.IsNaN(perSecond) {
		text += fmt.Sprintf(" in %s, %s per second", figure.Duration(run.Elapsed), figure.PerSecond(perSecond))
	}
	return text
}

// balance says whether every message that was sent is accounted for.
func balance(run *summary.Run, incomplete bool) string {
	sent := figure.Count(run.Sent) + " sent"
	fate := figure.Count(run.Receives) + " received + " + figure.Count(run.Queue) + " pending"
	undelivered := undelivered(run)
	if undelivered > 0 {
		fate += " + " + figure.Count(undelivered) + " undelivered"
	}
	switch n := run.Unaccounted(); {
	case incomplete:
		return sent + ", " + fate + "; the balance is open while summaries are missing"
	case n > 0:
		return fmt.Sprintf("NOT BALANCED: %s, but only %s: %s lost", sent, fate, figure.Plural(n, "message"))
	case n < 0:
		return fmt.Sprintf("NOT BALANCED: %s, but %s: %s that nobody sent", sent, fate, figure.Plural(-n, "message"))
	}
	text := sent + " = " + fate + ": all accounted for"
	if undelivered < run.Undelivered {
		text += fmt.Sprintf(", though %s could not be asked about", figure.Count(run.Undelivered-undelivered))
	}
	return text
}

// undelivered returns how many messages are missing, of those that senders say may
// be: where a recipient could not be asked, that is a bound.
func undelivered(run *summary.Run) uint64 {
	there := run.Receives + run.Queue
	return min(run.Undelivered, max(run.Sent, there)-there)
}

// missing returns the machines of the run that gave no summary.
func (n *notes) missing() []int {
	var ids []int
	for id, seen := range n.seen {
		if !seen {
			ids = append(ids, id)
		}
	}
	return ids
}

// leavers says who left, and who saw it.
func (n *notes) leavers() string {
	var parts []string
	for _, id := range slices.Sorted(maps.Keys(n.left)) {
		parts = append(parts, fmt.Sprintf("%s (seen by %s)", figure.Machine(id), machines(n.left[id])))
	}
	return figure.List(parts, listed)
}

// links says how many messages were not delivered on which links.
func (n *notes) links() string {
	byLink := func(a, b link) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) }
	var parts []string
	for _, l := range slices.SortedFunc(maps.Keys(n.undelivered), byLink) {
		parts = append(parts, fmt.Sprintf("%s from %s to %s", figure.Count(n.undelivered[l]), figure.Machine(l.from), figure.Machine(l.to)))
	}
	return figure.List(parts, listed)
}

// machines lists machines by name, in order.
func machines(ids []int) string {
	var names []string
	for _, id := range slices.Sorted(slices.Values(ids)) {
		names = append(names, figure.Machine(id))
	}
	return figure.List(names, listed)
}

package page

import (
	"fmt"
	"strings"
	"time"

	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/trace"
)

// maxTold is of how many machines the text of a chart tells, the first ones.
const maxTold = 8

// alternatives says what each chart shows, for those who cannot see it.
func alternatives(stats *trace.Stats) map[string]string {
	text := map[string]string{
		"clock": told(stats, "The Lamport clock of each machine over time: ", func(m *trace.MachineStats) string {
			return fmt.Sprintf("that of machine %d ends at %s", m.ID, figure.Count(uint64(m.Summary.Clock)))
		}),
		"drift": told(stats, "How far each clock is behind the largest: ", func(m *trace.MachineStats) string {
			if m.Drift == nil {
				return ""
			}
			return fmt.Sprintf("machine %d by %s on average and %s at most", m.ID, figure.Mean(m.Drift.Mean), figure.Count(m.Drift.Max))
		}),
		"queue": told(stats, "The length of each queue: ", func(m *trace.MachineStats) string {
			text := fmt.Sprintf("that of machine %d was %s at most and is %s at the end", m.ID,
				figure.Count(max(m.Summary.MaxQueue, m.Summary.Queue)), figure.Count(m.Summary.Queue))
			if m.Predicted != nil {
				text += fmt.Sprintf(", predicted to grow by %s/s", figure.PerSecond(m.Predicted.Growth))
			}
			return text
		}),
		"lateness": told(stats, "How late the ticks were: ", func(m *trace.MachineStats) string {
			switch l := &m.Summary.Lateness; {
			case l.Ticks == 0:
				return ""
			case l.Max == 0 && m.Summary.Missed == 0:
				return fmt.Sprintf("those of machine %d not at all", m.ID)
			}
			text := fmt.Sprintf("99 %% of those of machine %d by no more than %s, all by no more than %s", m.ID,
				figure.Duration(m.Summary.Lateness.P99), figure.Duration(m.Summary.Lateness.Max))
			if m.Summary.Missed > 0 {
				text += fmt.Sprintf(", and %s %s missed", figure.Count(m.Summary.Missed), figure.Verb(m.Summary.Missed, "was", "were"))
			}
			return text
		}),
		"jumps": told(stats, "By how much each clock rose from event to event: ", func(m *trace.MachineStats) string {
			return fmt.Sprintf("that of machine %d by %s on average and %s at most", m.ID, figure.Mean(m.Jumps.Mean), figure.Count(m.Jumps.Max))
		}),
		"diagram": fmt.Sprintf("%s on %s in %s: a line for each machine, a mark for each event, an arrow for each message.",
			figure.Plural(stats.Events, "event"), figure.Plural(stats.Verdict.Machines, "machine"), figure.Duration(max(stats.Elapsed, time.Duration(0)))),
	}
	if o := stats.ClockOffsets; o != nil {
		text["offset"] = offsetsTold(o)
	}
	return text
}

// offsetsTold says how far system clocks were apart.
func offsetsTold(o *trace.ClockOffsets) string {
	var parts []string
	for i := range o.Clocks {
		c := &o.Clocks[i]
		if len(c.At) == 0 {
			continue
		}
		if len(parts) == maxTold {
			parts = append(parts, "and so on")
			break
		}
		first, last := c.At[0], c.At[len(c.At)-1]
		parts = append(parts, fmt.Sprintf("that of machine %d was %s it at first, within %s, and %s it at last, within %s", c.Machine,
			trace.Ahead(first.Ahead), figure.Duration(first.Within), trace.Ahead(last.Ahead), figure.Duration(last.Within)))
	}
	return fmt.Sprintf("How much each system clock gained on that of machine %d: %s.", o.Reference, strings.Join(parts, "; "))
}

// told makes a sentence of what there is to say of each machine.
func told(stats *trace.Stats, begins string, of func(*trace.MachineStats) string) string {
	var parts []string
	more := 0
	for i := range stats.Machines {
		m := &stats.Machines[i]
		if m.Missing {
			continue
		}
		switch text := of(m); {
		case text == "":
		case len(parts) == maxTold:
			more++
		default:
			parts = append(parts, text)
		}
	}
	if len(parts) == 0 {
		return begins + "not known."
	}
	if more > 0 {
		parts = append(parts, fmt.Sprintf("and %s more", figure.Plural(more, "machine")))
	}
	return begins + strings.Join(parts, "; ") + "."
}

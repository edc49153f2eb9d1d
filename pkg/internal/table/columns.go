package table

import (
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/internal/columns"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/summary"
)

// column is one figure of every machine, and of the run.
type column struct {
	columns.Column[summary.Machine]
	all func(r *summary.Run) float64 // nil for a figure that machines do not share
}

// spare returns the column as one that can be spared where there is no room; the
// higher the rank, the sooner.
func (c column) spare(rank int) column {
	c.Column = c.Spare(rank)
	return c
}

func counts(group, name string, of func(m *summary.Machine) uint64, all func(r *summary.Run) uint64) column {
	return column{columns.Count(group, name, of), func(r *summary.Run) float64 { return float64(all(r)) }}
}

func means(group, name string, of func(m *summary.Machine) float64, all func(r *summary.Run) float64) column {
	return column{columns.Number(group, name, figure.Mean, of), all}
}

// timed is a column of durations, of the machines whose ticks were timed.
func timed(name string, of func(m *summary.Machine) (late time.Duration, ok bool)) column {
	return column{columns.Duration("late by", name, func(m *summary.Machine) (time.Duration, bool) {
		late, ok := of(m)
		return late, ok && m.Lateness.Ticks > 0
	}), nil}
}

// nominal is a column of the rates that the machines should keep.
func nominal(group, name string) column {
	return column{columns.Nominal(group, name, func(m *summary.Machine) clock.Rate { return m.Rate }), nil}
}

// machineColumn names the rows of both tables.
var machineColumn = columns.Words("machine", func(m *summary.Machine) string { return figure.Machine(m.ID) })

// paceColumns is how the machines kept their rates, in real time.
var paceColumns = []column{
	nominal("ticks/s", "nominal").spare(1),
	{columns.Number("ticks/s", "achieved", figure.Rate, (*summary.Machine).AchievedRate), nil},
	{columns.Number("ticks/s", "error", figure.PPM, (*summary.Machine).RateError).Spare(2), nil},
	timed("p50", func(m *summary.Machine) (time.Duration, bool) { return m.Lateness.P50, true }).spare(3),
	timed("p99", func(m *summary.Machine) (time.Duration, bool) { return m.Lateness.P99, true }),
	timed("max", func(m *summary.Machine) (time.Duration, bool) { return m.Lateness.Max, true }),
	timed("last", (*summary.Machine).EndPhase).spare(4),
}

// modelColumns is what the machines did, in terms of the model. A receive is
// one message, so what was received can be spared first: it stands there twice.
var modelColumns = []column{
	nominal("", "rate").spare(1),
	counts("events", "internal",
		func(m *summary.Machine) uint64 { return m.Internal }, func(r *summary.Run) uint64 { return r.Internal }).spare(4),
	counts("events", "send",
		func(m *summary.Machine) uint64 { return m.Sends }, func(r *summary.Run) uint64 { return r.Sends }).spare(3),
	counts("events", "receive",
		func(m *summary.Machine) uint64 { return m.Receives }, func(r *summary.Run) uint64 { return r.Receives }).spare(2),
	counts("events", "total",
		func(m *summary.Machine) uint64 { return m.Steps }, func(r *summary.Run) uint64 { return r.Steps }),
	counts("clock", "end",
		func(m *summary.Machine) uint64 { return uint64(m.Clock) }, func(r *summary.Run) uint64 { return uint64(r.Clock) }),
	means("jump", "mean",
		func(m *summary.Machine) float64 { return m.MeanJump }, func(r *summary.Run) float64 { return r.MeanJump }).spare(5),
	counts("jump", "max",
		func(m *summary.Machine) uint64 { return m.MaxJump }, func(r *summary.Run) uint64 { return r.MaxJump }),
	means("queue", "mean",
		func(m *summary.Machine) float64 { return m.MeanQueue }, func(r *summary.Run) float64 { return r.MeanQueue }).spare(6),
	counts("queue", "max",
		func(m *summary.Machine) uint64 { return uint64(m.MaxQueue) }, func(r *summary.Run) uint64 { return uint64(r.MaxQueue) }),
	counts("messages", "sent",
		func(m *summary.Machine) uint64 { return m.Sent }, func(r *summary.Run) uint64 { return r.Sent }).spare(8),
	counts("messages", "received",
		func(m *summary.Machine) uint64 { return m.Receives }, func(r *summary.Run) uint64 { return r.Receives }).spare(9),
	counts("messages", "pending",
		func(m *summary.Machine) uint64 { return uint64(m.Queue) }, func(r *summary.Run) uint64 { return r.Queue }).spare(7),
}

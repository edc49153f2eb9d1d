package table

import (
	"math"
	"strconv"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/summary"
	"github.com/scalemodel/lamport/pkg/summary/internal/figure"
)

// column is one figure of every machine, as a number, NaN where there is none.
//
// Invariant: a group's title is no wider than the names of any two of its
// columns with a space between. The library widens merged columns for a title
// that does not fit, and divides by zero where it is too wide by little.
type column struct {
	group, name string
	text        func(x float64) string
	of          func(m *summary.Machine) float64
	all         func(r *summary.Run) float64 // nil for a figure that machines do not share
}

func counts(group, name string, of func(m *summary.Machine) uint64, all func(r *summary.Run) uint64) column {
	return column{
		group: group,
		name:  name,
		text:  figure.Short,
		of:    func(m *summary.Machine) float64 { return float64(of(m)) },
		all:   func(r *summary.Run) float64 { return float64(all(r)) },
	}
}

func means(group, name string, of func(m *summary.Machine) float64, all func(r *summary.Run) float64) column {
	return column{group, name, figure.Mean, of, all}
}

// timed is a column of durations, of the machines whose ticks were timed.
func timed(name string, of func(m *summary.Machine) (late time.Duration, ok bool)) column {
	return column{
		group: "late by",
		name:  name,
		text:  func(ns float64) string { return figure.Duration(time.Duration(ns)) },
		of: func(m *summary.Machine) float64 {
			late, ok := of(m)
			if !ok || m.Lateness.Ticks == 0 {
				return math.NaN()
			}
			return float64(late)
		},
	}
}

// nominal is a column of the rates that the machines should keep.
func nominal(group, name string) column {
	return column{
		group: group,
		name:  name,
		text: func(perSecond float64) string {
			if math.IsInf(perSecond, 1) {
				return clock.Unpaced.String()
			}
			return strconv.FormatFloat(perSecond, 'f', -1, 64)
		},
		of: func(m *summary.Machine) float64 {
			if m.Rate == 0 {
				return math.NaN()
			}
			return m.Rate.PerSecond()
		},
	}
}

// cell writes a figure.
func (c column) cell(x float64) string {
	if math.IsNaN(x) {
		return figure.Absent
	}
	return c.text(x)
}

// paceColumns is how the machines kept their rates, in real time.
var paceColumns = []column{
	nominal("ticks/s", "nominal"),
	{"ticks/s", "achieved", figure.Rate, (*summary.Machine).AchievedRate, nil},
	{"ticks/s", "error", figure.PPM, (*summary.Machine).RateError, nil},
	timed("p50", func(m *summary.Machine) (time.Duration, bool) { return m.Lateness.P50, true }),
	timed("p99", func(m *summary.Machine) (time.Duration, bool) { return m.Lateness.P99, true }),
	timed("max", func(m *summary.Machine) (time.Duration, bool) { return m.Lateness.Max, true }),
	timed("last", (*summary.Machine).EndPhase),
}

// modelColumns is what the machines did, in terms of the model. A receive is
// one message, so messages received have no column of their own.
var modelColumns = []column{
	nominal("", "rate"),
	counts("events", "internal",
		func(m *summary.Machine) uint64 { return m.Internal }, func(r *summary.Run) uint64 { return r.Internal }),
	counts("events", "send",
		func(m *summary.Machine) uint64 { return m.Sends }, func(r *summary.Run) uint64 { return r.Sends }),
	counts("events", "receive",
		func(m *summary.Machine) uint64 { return m.Receives }, func(r *summary.Run) uint64 { return r.Receives }),
	counts("events", "total",
		func(m *summary.Machine) uint64 { return m.Steps }, func(r *summary.Run) uint64 { return r.Steps }),
	counts("clock", "end",
		func(m *summary.Machine) uint64 { return uint64(m.Clock) }, func(r *summary.Run) uint64 { return uint64(r.Clock) }),
	means("jump", "mean",
		func(m *summary.Machine) float64 { return m.MeanJump }, func(r *summary.Run) float64 { return r.MeanJump }),
	counts("jump", "max",
		func(m *summary.Machine) uint64 { return m.MaxJump }, func(r *summary.Run) uint64 { return r.MaxJump }),
	means("queue", "mean",
		func(m *summary.Machine) float64 { return m.MeanQueue }, func(r *summary.Run) float64 { return r.MeanQueue }),
	counts("queue", "max",
		func(m *summary.Machine) uint64 { return uint64(m.MaxQueue) }, func(r *summary.Run) uint64 { return uint64(r.MaxQueue) }),
	counts("messages", "sent",
		func(m *summary.Machine) uint64 { return m.Sent }, func(r *summary.Run) uint64 { return r.Sent }),
	counts("messages", "received",
		func(m *summary.Machine) uint64 { return m.Receives }, func(r *summary.Run) uint64 { return r.Receives }),
	counts("messages", "pending",
		func(m *summary.Machine) uint64 { return uint64(m.Queue) }, func(r *summary.Run) uint64 { return r.Queue }),
}

// style rules off header and footer and has no other line: with so many
// columns the numbers need the room.
var style = func() table.Style {
	s := table.StyleLight
	s.Format = table.FormatOptions{}
	s.Options = table.Options{SeparateHeader: true, SeparateFooter: true}
	s.Box.PaddingLeft, s.Box.PaddingRight = "  ", ""
	return s
}()

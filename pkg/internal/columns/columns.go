// Package columns lays out tables of figures, in one style, for a terminal, for a
// page and for CSV.
//
// A [Column] is the one definition of a figure: what it is called, where it comes
// from, and how it is written for people and for machines. A [Table] is laid out
// from columns and rows, or from texts where a row is more than one thing.
package columns

import (
	"math"
	"strconv"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/internal/figure"
)

// Column is one figure of every row R of a table.
type Column[R any] struct {
	Head
	Field string // its name in CSV; see [Column.As]

	cell   func(row *R) string    // for people
	exact  func(row *R) string    // for CSV, with all digits
	value  func(row *R) float64   // NaN where there is none; nil for words
	format func(x float64) string // of a value
}

// As returns the column under the name that it has in CSV.
func (c Column[R]) As(field string) Column[R] {
	c.Field = field
	return c
}

// Where returns the column as one that has no figure of the rows for which ok reports
// false.
func (c Column[R]) Where(ok func(row *R) bool) Column[R] {
	only := c
	only.cell = func(row *R) string {
		if !ok(row) {
			return figure.Absent
		}
		return c.cell(row)
	}
	only.exact = func(row *R) string {
		if !ok(row) {
			return ""
		}
		return c.exact(row)
	}
	if c.value != nil {
		only.value = func(row *R) float64 {
			if !ok(row) {
				return math.NaN()
			}
			return c.value(row)
		}
	}
	return only
}

// Cell returns the figure of a row as people read it.
func (c Column[R]) Cell(row *R) string { return c.cell(row) }

// Exact returns the figure of a row for CSV, "" where there is none. Only words
// may need quotes.
func (c Column[R]) Exact(row *R) string { return c.exact(row) }

// Value returns the figure of a row, NaN where there is none. Columns of text
// have no values.
func (c Column[R]) Value(row *R) float64 { return c.value(row) }

// Format writes a value of the column, also one that belongs to no row.
func (c Column[R]) Format(x float64) string {
	if math.IsNaN(x) {
		return figure.Absent
	}
	return c.format(x)
}

// Words is a column of words, aligned left.
func Words[R any](name string, of func(row *R) string) Column[R] {
	return Column[R]{Head: Head{Name: name, Words: true}, cell: of, exact: of}
}

// Text is a column of figures that are written already, aligned right.
func Text[R any](group, name string, of func(row *R) string) Column[R] {
	return Column[R]{Head: Head{Group: group, Name: name}, cell: of, exact: of}
}

// Number is a column of numbers, which a function of package figure writes. NaN
// stands for none.
func Number[R any](group, name string, format func(x float64) string, of func(row *R) float64) Column[R] {
	return numeric(group, name, format, of, func(row *R) string {
		x := of(row)
		if math.IsNaN(x) {
			return ""
		}
		return strconv.FormatFloat(x, 'g', -1, 64)
	})
}

// Count is a column of whole numbers.
func Count[R any](group, name string, of func(row *R) uint64) Column[R] {
	return numeric(group, name, figure.Short,
		func(row *R) float64 { return float64(of(row)) },
		// A float would lose digits of a clock beyond 2⁵³.
		func(row *R) string { return strconv.FormatUint(of(row), 10) })
}

// Duration is a column of durations, of the rows that have one. CSV has them in
// microseconds.
func Duration[R any](group, name string, of func(row *R) (d time.Duration, ok bool)) Column[R] {
	return numeric(group, name,
		func(ns float64) string { return figure.Duration(time.Duration(ns)) },
		func(row *R) float64 {
			d, ok := of(row)
			if !ok {
				return math.NaN()
			}
			return float64(d)
		},
		func(row *R) string {
			d, ok := of(row)
			if !ok {
				return ""
			}
			return strconv.FormatFloat(float64(d)/1e3, 'f', -1, 64)
		})
}

// Nominal is a column of the rates that machines should keep, in ticks per second.
// The rate 0 stands for none.
func Nominal[R any](group, name string, of func(row *R) clock.Rate) Column[R] {
	return numeric(group, name,
		func(perSecond float64) string {
			if math.IsInf(perSecond, 1) {
				return clock.Unpaced.String()
			}
			return strconv.FormatFloat(perSecond, 'f', -1, 64)
		},
		func(row *R) float64 {
			rate := of(row)
			if rate == 0 {
				return math.NaN()
			}
			return rate.PerSecond()
		},
		func(row *R) string { return of(row).String() })
}

func numeric[R any](group, name string, format func(float64) string, value func(*R) float64, exact func(*R) string) Column[R] {
	c := Column[R]{Head: Head{Group: group, Name: name}, exact: exact, value: value, format: format}
	c.cell = func(row *R) string { return c.Format(value(row)) }
	return c
}

// Fields returns the names of columns in CSV.
func Fields[R any](columns []Column[R]) []string {
	var names []string
	for _, c := range columns {
		names = append(names, c.Field)
	}
	return names
}

// Record returns a row for CSV.
func Record[R any](columns []Column[R], row *R) []string {
	var values []string
	for _, c := range columns {
		values = append(values, c.Exact(row))
	}
	return values
}

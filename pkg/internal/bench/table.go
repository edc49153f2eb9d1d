package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/perf/benchmath"

	"github.com/scalemodel/lamport/pkg/internal/columns"
	"github.com/scalemodel/lamport/pkg/internal/figure"
)

// Figure is a median with the interval in which the true one lies with 95 %, as benchstat
// has it. Of fewer than six values there is no such interval.
type Figure struct {
	Median    float64
	Low, High float64 // the interval; of fewer values, the smallest and the largest
	Spread    string  // "± 2 %", "" if there is no interval
}

func figureOf(values []float64) (f Figure) {
	if len(values) == 0 {
		return Figure{Median: math.NaN(), Low: math.NaN(), High: math.NaN()}
	}
	sample := benchmath.NewSample(slices.Clone(values), &benchmath.DefaultThresholds)
	s := benchmath.AssumeNothing.Summary(sample, 0.95)
	f = Figure{Median: s.Center, Low: slices.Min(values), High: slices.Max(values)}
	if !math.IsInf(s.Lo, 0) && !math.IsInf(s.Hi, 0) && len(values) >= 6 {
		f.Low, f.High = s.Lo, s.Hi
		f.Spread = "± " + strings.Replace(s.PctRangeString(), "%", " %", 1)
	}
	return f
}

// text writes a figure for people.
func (f Figure) text(unit string) string {
	if math.IsNaN(f.Median) {
		return figure.Absent
	}
	text := number(f.Median) + unit
	if f.Spread != "" {
		text += " " + f.Spread
	}
	return text
}

// number writes x with three significant digits, and all before the point up to a million.
func number(x float64) string {
	a := math.Abs(x)
	switch {
	case a >= 999.5:
		return figure.Short(math.Round(x))
	case a == 0:
		return "0"
	}
	places := min(max(2-int(math.Floor(math.Log10(a)+1e-12)), 0), 4)
	return strconv.FormatFloat(x, 'f', places, 64)
}

// Line is a row of a table with its figures.
type Line struct {
	Row            *Row
	Ours, Other    Figure
	Ratio          Figure
	Cells          []Figure // of a table with columns
	Missing        bool     // something was not measured
	oursPerSeconds bool
}

// line reads a row's figures.
func (d *Data) line(s *Section, r *Row) Line {
	g := s.group(r)
	key := g.Key()
	_, name := r.benchmark()
	l := Line{Row: r, oursPerSeconds: true}
	if s.Columns != nil {
		for _, c := range s.Columns {
			f := figureOf(d.of(key, name+c.Sub, c.Unit))
			l.Cells = append(l.Cells, f)
		}
		l.Missing = true // unless there is something in it: not every row has every figure
		for _, f := range l.Cells {
			l.Missing = l.Missing && math.IsNaN(f.Median)
		}
		return l
	}
	var ours, other, ratio []float64
	switch {
	case r.Ours.Unit != "":
		ours, other = d.of(key, name+r.Ours.Sub, r.Ours.Unit), d.of(key, name+r.Other.Sub, r.Other.Unit)
		l.oursPerSeconds = strings.HasSuffix(r.Ours.Unit, "/s")
		for i := range min(len(ours), len(other)) {
			if l.oursPerSeconds {
				ratio = append(ratio, ours[i]/other[i])
			} else { // times: what takes half as long is twice as fast
				ratio = append(ratio, other[i]/ours[i])
			}
		}
	default:
		ours, other, ratio = d.of(key, name, "ours/s"), d.of(key, name, "rival/s"), d.of(key, name, "ratio")
		if ours == nil {
			ours = d.of(key, name, "events/s")
		}
	}
	l.Ours, l.Other, l.Ratio = figureOf(ours), figureOf(other), figureOf(ratio)
	l.Missing = math.IsNaN(l.Ours.Median) || r.Rival != "" && math.IsNaN(l.Ratio.Median)
	return l
}

// goal writes what a row should reach, and whether it does.
func (l *Line) goal() string {
	g := l.Row.Goal
	var ways []string
	met, missed := false, false
	way := func(text string, reached bool) {
		ways = append(ways, text)
		met, missed = met || reached, missed || !reached
	}
	if g.Rate > 0 {
		way("≥ "+number(g.Rate), l.Ours.Median >= g.Rate)
	}
	if g.Time > 0 {
		way("≤ "+number(g.Time)+" ns", l.Ours.Median <= g.Time)
	}
	if g.Ratio > 0 {
		way("≥ "+strconv.FormatFloat(g.Ratio, 'g', -1, 64)+" of it", l.Ratio.Median >= g.Ratio)
	}
	text := strings.Join(ways, " and ")
	if g.Either {
		text, missed = strings.Join(ways, " or "), !met
	}
	switch {
	case len(ways) == 0 || l.Missing:
		return text
	case missed:
		return text + ": missed"
	}
	return text + ": met"
}

// layout makes the table of a section.
func (d *Data) layout(s *Section) *columns.Table {
	t := &columns.Table{Heads: []columns.Head{{Name: s.Key, Words: true}}}
	if s.Columns != nil {
		for _, c := range s.Columns {
			t.Heads = append(t.Heads, columns.Head{Name: c.Head})
		}
	} else {
		t.Heads = append(t.Heads, columns.Head{Name: "ours"}, columns.Head{Name: "limit or rival", Words: true},
			columns.Head{Name: "its figure"}, columns.Head{Name: "ratio"}, columns.Head{Name: "goal", Words: true})
	}
	for i := range s.Rows {
		l := d.line(s, &s.Rows[i])
		cells := []string{l.Row.What}
		if s.Columns != nil {
			for _, f := range l.Cells {
				cells = append(cells, f.text(""))
			}
		} else {
			thing := l.Row.Thing
			if thing == "" {
				thing = "events"
			}
			unit := " " + thing + "/s"
			if !l.oursPerSeconds {
				unit = " ns" // of whatever one operation is
			}
			other := ""
			if l.Row.Rival != "" {
				other = l.Other.text("")
			}
			ratio := ""
			if l.Row.Rival != "" {
				ratio = l.Ratio.text("")
			}
			cells = append(cells, l.Ours.text(unit), l.Row.Rival, other, ratio, l.goal())
		}
		t.Rows = append(t.Rows, cells)
	}
	return t
}

// missing returns the rows of sections that have no figures.
func (d *Data) missing(sections []Section) (names []string) {
	for i := range sections {
		for j := range sections[i].Rows {
			if l := d.line(&sections[i], &sections[i].Rows[j]); l.Missing {
				names = append(names, fmt.Sprintf("%s: %s", sections[i].Name, l.Row.What))
			}
		}
	}
	return names
}

package sweep

import (
	"slices"
	"strconv"
	"strings"

	"github.com/scalemodel/lamport/pkg/report"
)

// View is a report as plain data, for whoever lays it out otherwise. What is quoted from
// files in it is not made harmless.
type View struct {
	Headline  string   // what kind of runs they are
	Constants string   // the parameters that are the same at all points
	Legend    []string // what the letters of fault plans stand for
	Verdict   string   // how many runs are correct
	Pace      string   // how the runs kept their pace, "" where none was timed
	Again     string   // the command that does the sweep again

	Sections   []Section
	Parameters []Parameter // those that are varied
	Measures   []Measure
	Points     []PointView
	Runs       []RunView // those that are done
	Tables     []report.Table
}

// Parameter is what is varied.
type Parameter struct {
	Name   string
	Values []string
}

// Measure is a figure of the machines.
type Measure struct {
	Name      string // in words
	Predicted string // the name of the measure that predicts it, "" for none
}

// PointView is a point of the grid.
type PointView struct {
	Number  int
	At      []int // by parameter, the place of its value
	Runs    int   // that are correct
	Classes []ClassView
}

// ClassView is machines that are looked at together.
type ClassView struct {
	Name   string
	Values []Interval // by measure
}

// RunView is a run.
type RunView struct {
	Name    string
	Point   int
	Trial   int
	Seed    uint64
	Verdict string
	Events  uint64
}

// predictedBy says which measure predicts another.
var predictedBy = map[int]int{growth: growthPredicted, arrivals: arrivalsPredicted}

// View returns the report as plain data.
func (r *Report) View() *View {
	v := &View{
		Headline: r.headline(), Constants: r.constants(), Legend: r.legend(), Verdict: r.verdict(), Pace: r.pace(), Again: r.grid.Command(),
		Sections: r.Sections(), Tables: append(r.tables(), r.single()),
	}
	for _, k := range r.varied {
		p := Parameter{Name: parameters[k].name}
		for _, o := range r.points {
			if value := r.short(k, &o.point); !slices.Contains(p.Values, value) {
				p.Values = append(p.Values, value)
			}
		}
		v.Parameters = append(v.Parameters, p)
	}
	for k, m := range allMeasures {
		measure := Measure{Name: m.name}
		if by, ok := predictedBy[k]; ok {
			measure.Predicted = allMeasures[by].name
		}
		v.Measures = append(v.Measures, measure)
	}
	for _, o := range r.points {
		v.Points = append(v.Points, r.pointView(o, v.Parameters))
	}
	for run, result := range r.each() {
		verdict := "" // of one that was not held against the laws
		if result.Stats != nil {
			verdict = string(result.Stats.Verdict.State)
		}
		v.Runs = append(v.Runs, RunView{run.Name, run.Point.Number, run.Trial, run.Seed, verdict, result.events()})
	}
	return v
}

func (r *Report) pointView(o *overview, parameters []Parameter) PointView {
	p := PointView{Number: o.point.Number, Runs: o.runs}
	for i, k := range r.varied {
		p.At = append(p.At, slices.Index(parameters[i].Values, r.short(k, &o.point)))
	}
	for _, e := range r.entries() {
		if e.of != o || e.class == nil {
			continue
		}
		c := ClassView{Name: e.class.name}
		for k := range allMeasures {
			c.Values = append(c.Values, e.class.measure(k))
		}
		p.Classes = append(p.Classes, c)
	}
	return p
}

// Numbers returns the values of a parameter as numbers, nil where one is none.
func (p *Parameter) Numbers() []float64 {
	var numbers []float64
	for _, value := range p.Values {
		n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil {
			return nil
		}
		numbers = append(numbers, n)
	}
	return numbers
}

package sweep

import (
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/internal/plot"
)

// panel is what one diagram of a sweep's figure shows: a measure, and beside it what was
// predicted of it.
type panel struct {
	measure   int
	predicted int // -1: nothing
}

var panels = []panel{
	{jumpMean, -1}, {gaps, -1}, {driftMean, -1}, {driftEnd, -1}, {growth, growthPredicted}, {queueMax, -1}, {concurrent, -1}, {overOrdered, -1},
}

// maxCurves is up to how many classes have a curve each, and maxPanelRuns up to how many
// runs stand beside each other.
const (
	maxCurves    = 12
	maxPanelRuns = 40
)

// Figure writes the figure of the sweep as SVG: a diagram for each measure that is known,
// with curves from point to point, or, of systems that cannot be compared, each machine of
// each run. Intervals are those of the tables.
func (r *Report) Figure(w io.Writer) error {
	var all []plot.Panel
	for _, p := range panels {
		if p.measure == driftEnd && slices.ContainsFunc(r.points, func(o *overview) bool { return o.all.knows(driftMean) }) {
			continue
		}
		if drawn := r.panel(p); len(drawn.Curves) > 0 {
			all = append(all, drawn)
		}
	}
	if len(all) == 0 { // no run is correct
		all = []plot.Panel{{Title: "No run is correct, so there is nothing to show"}}
	}
	return plot.Write(w, r.headline()+"; "+r.constants(), all)
}

func (r *Report) panel(p panel) plot.Panel {
	m := allMeasures[p.measure]
	title := strings.ToUpper(m.name[:1]) + m.name[1:]
	title, unit, _ := strings.Cut(title, ", ")
	drawn := plot.Panel{Title: title, Y: unit}
	systems := 0
	for _, o := range r.points {
		if o.areSystems(r.grid.Trials) {
			systems += o.runs
		}
	}
	switch {
	case systems > 0 && systems <= maxPanelRuns && len(r.points) == 1:
		r.ofSystems(&drawn, p)
	case len(r.points) == 1:
		r.ofClasses(&drawn, p)
	default:
		r.ofPoints(&drawn, p)
	}
	return drawn
}

// ofSystems has a point for each machine of each run.
func (r *Report) ofSystems(drawn *plot.Panel, p panel) {
	o := r.points[0]
	drawn.X = "run: rates of its machines"
	byMachine := make([]plot.Curve, o.point.Machines)
	whole := plot.Curve{Loose: true} // of a run as a whole
	predictions := plot.Curve{Name: "predicted", Colour: 7, Loose: true}
	for i, s := range r.systems(o) {
		drawn.Names = append(drawn.Names, "t"+strconv.Itoa(s.run.Trial)+": "+figure.Rates(s.run.Rates, 6))
		if allMeasures[p.measure].of == nil {
			_, all, _ := o.groups(s.result)
			whole.Points = append(whole.Points, plot.At(float64(i), all.value[p.measure]))
			continue
		}
		for id := range s.result.Stats.Machines {
			c := &byMachine[id]
			c.Name, c.Colour, c.Loose = "vm-"+strconv.Itoa(id), id, true
			x := float64(i) + beside(id, len(byMachine))
			c.Points = append(c.Points, plot.At(x, allMeasures[p.measure].of(&s.result.Stats.Machines[id])))
			if p.predicted >= 0 {
				predictions.Points = append(predictions.Points, plot.At(x+0.04, allMeasures[p.predicted].of(&s.result.Stats.Machines[id])))
			}
		}
	}
	drawn.Curves = drawable(append(byMachine, whole, predictions))
}

// ofClasses has a point for each class of the only point of the grid.
func (r *Report) ofClasses(drawn *plot.Panel, p panel) {
	o := r.points[0]
	classes := o.classes
	if allMeasures[p.measure].of == nil && p.measure >= concurrent { // of a run as a whole
		classes = []*class{o.all}
	}
	observed, predictions := plot.Curve{Loose: true}, plot.Curve{Name: "predicted", Colour: 1, Loose: true}
	if p.predicted >= 0 {
		observed.Name = "observed"
	}
	for i, c := range classes {
		drawn.Names = append(drawn.Names, c.name)
		observed.Points = append(observed.Points, pointOf(float64(i), c.measure(p.measure)))
		if p.predicted >= 0 {
			predictions.Points = append(predictions.Points, pointOf(float64(i)+0.12, c.measure(p.predicted)))
		}
	}
	drawn.X = "machines"
	drawn.Curves = drawable([]plot.Curve{observed, predictions})
}

// ofPoints has a curve for each class, from point to point.
func (r *Report) ofPoints(drawn *plot.Panel, p panel) {
	var axis []string
	for _, k := range r.varied {
		axis = append(axis, parameters[k].name)
	}
	drawn.X = strings.Join(axis, ", ")
	var names []string
	for _, o := range r.points {
		var values []string
		for _, k := range r.varied {
			values = append(values, r.short(k, &o.point))
		}
		drawn.Names = append(drawn.Names, strings.Join(values, ", "))
		for _, c := range o.classes {
			if !slices.Contains(names, c.name) {
				names = append(names, c.name)
			}
		}
	}
	if len(names) > maxCurves || allMeasures[p.measure].of == nil && p.measure >= concurrent {
		names = []string{"all"}
	}
	var curves, predictions []plot.Curve
	for k, name := range names {
		c, predicted := plot.Curve{Name: name, Colour: k}, plot.Curve{Colour: k, Dashed: true}
		if k == 0 {
			predicted.Name = "predicted"
		}
		for i, o := range r.points {
			at := slices.IndexFunc(o.classes, func(c *class) bool { return c.name == name })
			class := o.all
			if at >= 0 {
				class = o.classes[at]
			} else if name != "all" {
				continue
			}
			x := float64(i) + beside(k, len(names))
			c.Points = append(c.Points, pointOf(x, class.measure(p.measure)))
			if p.predicted >= 0 {
				predicted.Points = append(predicted.Points, plot.At(x, class.measure(p.predicted).Mean))
			}
		}
		curves, predictions = append(curves, c), append(predictions, predicted)
	}
	drawn.Curves = drawable(append(curves, predictions...))
}

// beside moves what stands at one place a little apart.
func beside(k, n int) float64 { return 0.3 * (float64(k) - float64(n-1)/2) / float64(max(n, 1)) }

func pointOf(x float64, i Interval) plot.Point {
	return plot.Point{X: x, Y: i.Mean, Low: i.Low(), High: i.High()}
}

// drawable leaves out the curves of which nothing is known.
func drawable(curves []plot.Curve) []plot.Curve {
	return slices.DeleteFunc(curves, func(c plot.Curve) bool {
		return !slices.ContainsFunc(c.Points, func(p plot.Point) bool { return !math.IsNaN(p.Y) })
	})
}

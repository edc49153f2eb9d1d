package page

import (
	"math"
	"path"
	"strconv"
	"strings"

	"github.com/scalemodel/lamport/pkg/internal/quote"
	"github.com/scalemodel/lamport/pkg/rundir"
	"github.com/scalemodel/lamport/pkg/sweep"
)

// Sweep is what is to be said of a sweep.
type Sweep struct {
	Headline   string      `json:"headline"`
	Constants  string      `json:"constants"`
	Legend     []string    `json:"legend"`
	Verdict    Verdict     `json:"verdict"`
	Pace       string      `json:"pace"`
	Findings   []Finding   `json:"findings"`
	Again      string      `json:"again"`
	Sections   []Chapter   `json:"sections"`
	Parameters []Parameter `json:"parameters"`
	Measures   []Measure   `json:"measures"`
	Points     []Point     `json:"points"`
	Runs       []SweepRun  `json:"runs"`
	Tables     []Table     `json:"tables"`
}

// Chapter is a part of what the figures of a sweep show.
type Chapter struct {
	Title string   `json:"title"`
	Lines []string `json:"lines"`
}

// Parameter is what is varied. Numbers are its values, where they are numbers.
type Parameter struct {
	Name    string    `json:"name"`
	Values  []string  `json:"values"`
	Numbers []float64 `json:"numbers"`
}

// Measure is a figure of the machines.
type Measure struct {
	Name      string `json:"name"`
	Label     string `json:"label"`
	Predicted string `json:"predicted,omitempty"`
}

// Point is a point of the grid.
type Point struct {
	Number  int          `json:"number"`
	At      []int        `json:"at"`
	Runs    int          `json:"runs"`
	Classes []PointClass `json:"classes"`
}

// PointClass is machines that are looked at together.
type PointClass struct {
	Name   string     `json:"name"`
	Values []Interval `json:"values"`
}

// Interval is a mean and half of its 95 % confidence interval; nil: not known.
type Interval struct {
	Mean *float64 `json:"mean"`
	Half *float64 `json:"half"`
}

// SweepRun is a run of a sweep. Page is its own page, seen from that of the sweep, "" if it
// has none.
type SweepRun struct {
	Name    string `json:"name"`
	Point   int    `json:"point"`
	Trial   int    `json:"trial"`
	Seed    string `json:"seed"`
	Verdict string `json:"verdict"`
	Events  uint64 `json:"events"`
	Page    string `json:"page"`
}

// OfSweep returns what a page shows of a sweep. hasPage says of a run, by its name, whether
// there is a page in its directory.
func OfSweep(r *sweep.Report, hasPage func(run string) bool) *Sweep {
	v := r.View()
	s := &Sweep{
		Headline: quote.Visible(v.Headline), Constants: quote.Visible(v.Constants), Legend: visible(v.Legend),
		Verdict: Verdict{State: sweepState(r), Text: quote.Visible(v.Verdict)}, Pace: quote.Visible(v.Pace), Again: quote.Visible(v.Again),
		Sections: []Chapter{}, Parameters: []Parameter{}, Measures: []Measure{}, Points: []Point{}, Runs: []SweepRun{}, Tables: textTables(v.Tables),
	}
	for _, section := range v.Sections {
		chapter := Chapter{Title: quote.Visible(section.Title), Lines: []string{}}
		for _, line := range append(section.Points[:len(section.Points):len(section.Points)], section.Prose...) {
			if !strings.Contains(line, "```") { // how to repeat it stands elsewhere
				chapter.Lines = append(chapter.Lines, plain(line))
			}
		}
		s.Sections = append(s.Sections, chapter)
	}
	s.Findings = sweepFindings(v)
	for _, p := range v.Parameters {
		s.Parameters = append(s.Parameters, Parameter{p.Name, visible(p.Values), p.Numbers()})
	}
	for _, m := range v.Measures {
		s.Measures = append(s.Measures, Measure{Name: m.Name, Label: m.Name, Predicted: m.Predicted})
	}
	for _, p := range v.Points {
		s.Points = append(s.Points, point(p))
	}
	for _, run := range v.Runs {
		out := SweepRun{run.Name, run.Point, run.Trial, strconv.FormatUint(run.Seed, 10), run.Verdict, run.Events, ""}
		if hasPage(run.Name) {
			out.Page = path.Join(sweep.RunsName, run.Name, rundir.PageName)
		}
		s.Runs = append(s.Runs, out)
	}
	return s
}

// sweepState is the state of a sweep, in the words of a run's.
func sweepState(r *sweep.Report) string {
	done, all := r.Done()
	switch {
	case len(r.NotCorrect()) > 0:
		return "broken"
	case done < all:
		return "incomplete"
	}
	return "correct"
}

func point(v sweep.PointView) Point {
	p := Point{Number: v.Number, At: append([]int{}, v.At...), Runs: v.Runs, Classes: []PointClass{}}
	for _, c := range v.Classes {
		class := PointClass{Name: c.Name, Values: []Interval{}}
		for _, i := range c.Values {
			class.Values = append(class.Values, Interval{finite(i.Mean), finite(i.Half)})
		}
		p.Classes = append(p.Classes, class)
	}
	return p
}

// finite returns a number that JSON can hold, nil for others.
func finite(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}

// sweepFindings are statements about what changes along a parameter, about the measures that
// matter most first; where nothing is varied, or nothing changes, the first about a point.
func sweepFindings(v *sweep.View) []Finding {
	list := []Finding{}
	add := func(text string) {
		if len(list) < maxFindings {
			list = append(list, Finding{Text: plain(text)})
		}
	}
	for _, measure := range []string{"growth of the queue", "mean drift", "mean jump", "longest queue", "largest drift", "largest jump"} {
		for _, section := range v.Sections {
			for _, text := range section.Points {
				if section.Along && strings.HasPrefix(text, measure) && !strings.Contains(text, sweep.NoDifference) {
					add(section.Title + ": " + text)
				}
			}
		}
	}
	for _, section := range v.Sections {
		for _, text := range section.Points {
			if !section.Along && strings.HasPrefix(text, "**") {
				add(text)
			}
		}
	}
	return list
}

// plain returns a sentence of a page in Markdown as text.
func plain(s string) string {
	return quote.Visible(strings.NewReplacer("**", "", "\n", " ").Replace(s))
}

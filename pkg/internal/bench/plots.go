package main

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/scalemodel/lamport/pkg/internal/plot"
)

// Plot is a figure of the page: what a section's rows have, over their X.
type Plot struct {
	Name    string // of its file
	Title   string
	Section string
	X       string // what is on the axis, which is logarithmic
	Panels  []PlotPanel
}

// PlotPanel is one diagram of a figure.
type PlotPanel struct {
	Title, Y string
	Log      bool // the axis of Y, too
	Curves   []PlotCurve
}

// PlotCurve is one metric of each row.
type PlotCurve struct {
	Name string
	Reading
}

// draw returns a figure as SVG.
func (p *Plot) draw(data *Data, s *Section) ([]byte, error) {
	var panels []plot.Panel
	for _, n := range p.Panels {
		panel := plot.Panel{Title: n.Title, X: p.X, Y: n.Y, LogX: true, LogY: n.Log}
		for i, c := range n.Curves {
			curve := plot.Curve{Name: c.Name, Colour: i}
			for j := range s.Rows {
				r := &s.Rows[j]
				g := s.group(r)
				_, name := r.benchmark()
				f := figureOf(data.of(g.Key(), name+c.Sub, c.Unit))
				curve.Points = append(curve.Points, plot.Point{X: r.X, Y: f.Median, Low: f.Low, High: f.High})
			}
			panel.Curves = append(panel.Curves, curve)
		}
		panels = append(panels, panel)
	}
	var b bytes.Buffer
	err := plot.Write(&b, p.Title, panels)
	return b.Bytes(), err
}

// Plots draws the figures of a page, by the names of their files.
func Plots(data map[Set]*Data, sections []Section, plots []Plot) (map[string][]byte, error) {
	files := make(map[string][]byte)
	for i := range plots {
		p := &plots[i]
		at := slices.IndexFunc(sections, func(s Section) bool { return s.Name == p.Section })
		if at < 0 {
			return nil, fmt.Errorf("figure %s is of a table %q, but there is none", p.Name, p.Section)
		}
		svg, err := p.draw(data[sections[at].Set], &sections[at])
		if err != nil {
			return nil, err
		}
		files[p.Name+".svg"] = svg
	}
	return files, nil
}

// Package plot draws figures as SVG: curves with intervals, steps over time, bars. What
// they show is the caller's; how they look is here, the same in every figure.
//
// The drawing is done by gonum/plot. A figure carries its font, so that it looks the same
// everywhere, and the same figure has the same bytes.
package plot

import (
	"errors"
	"image/color"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/internal/palette"
	"github.com/scalemodel/lamport/pkg/internal/quote"
)

// Panel is one diagram of a figure.
type Panel struct {
	Title, X, Y string
	// Names, if there are any, stand on the x axis at 0, 1, 2, …
	Names  []string
	Curves []Curve
	Bars   []Bars
	// LogX and LogY say that an axis is logarithmic: it shows what is above 0. With names or
	// bars, none is.
	LogX, LogY bool
}

func (n *Panel) logX() bool { return n.LogX && len(n.Names) == 0 && len(n.Bars) == 0 }
func (n *Panel) logY() bool { return n.LogY && len(n.Names) == 0 && len(n.Bars) == 0 }

// Curve is a line through points.
type Curve struct {
	Name   string
	Colour int     // of a machine; see package palette
	Points []Point // by X
	Steps  bool    // each Y holds until the next X
	Dashed bool
	// Loose says that there is nothing between the points to be seen: they stand alone.
	Loose bool
}

// Point is a value, and the interval in which it may lie: NaN, or without a length, where
// there is none. A point without a Y is left out.
type Point struct{ X, Y, Low, High float64 }

// At returns a point without an interval.
func At(x, y float64) Point { return Point{x, y, math.NaN(), math.NaN()} }

// Bars are values at the names of a panel, beside those of the other Bars.
type Bars struct {
	Name   string
	Colour int
	Values []float64
}

// Sizes.
const (
	panelWidth  = 16 * vg.Centimeter
	panelHeight = 8.5 * vg.Centimeter
	titleHeight = 1 * vg.Centimeter
	margin      = 0.4 * vg.Centimeter
	maxText     = 100 // characters of a text
	maxName     = 28  // of a name at an axis or in a legend
)

// regular is the one font of all figures.
var regular = font.Font{Typeface: "Go", Variant: "Sans"}

// fonts has it, and nothing else.
var fonts = func() *font.Cache {
	face, err := opentype.Parse(goregular.TTF)
	if err != nil {
		panic(err) // it comes with the program
	}
	return font.NewCache(font.Collection{{Font: regular, Face: face}})
}()

// Write writes a figure of panels, two in a row if there are more than one.
func Write(w io.Writer, title string, panels []Panel) error { return write(w, title, panels, true) }

// write is Write, with the font or without it.
func write(w io.Writer, title string, panels []Panel, embed bool) error {
	if len(panels) == 0 {
		return errors.New("a figure without a panel")
	}
	columns := min(len(panels), 2)
	rows := (len(panels) + columns - 1) / columns
	width, height := vg.Length(columns)*panelWidth, vg.Length(rows)*panelHeight+titleHeight
	svg := vgsvg.NewWith(vgsvg.UseWH(width, height), vgsvg.EmbedFonts(embed))
	page := draw.New(svg)
	page.SetColor(color.White)
	page.Fill(page.Path())
	page.FillText(style(14), vg.Point{X: margin, Y: height - titleHeight*0.7}, clean(title, maxText))
	for i := range panels {
		p, err := panels[i].plot()
		if err != nil {
			return err
		}
		x, y := vg.Length(i%columns)*panelWidth, height-titleHeight-vg.Length(i/columns+1)*panelHeight
		cell := draw.Canvas{Canvas: page.Canvas, Rectangle: vg.Rectangle{
			Min: vg.Point{X: x + margin, Y: y + margin},
			Max: vg.Point{X: x + panelWidth - margin, Y: y + panelHeight - margin},
		}}
		p.Draw(cell)
	}
	_, err := svg.WriteTo(w)
	return err
}

// clean makes a text harmless: control characters and such become visible, and none is
// longer than there is room for. What SVG would take for more than text the canvas escapes.
func clean(s string, limit int) string {
	return quote.Short(quote.Visible(strings.ToValidUTF8(s, "?")), limit)
}

func style(size vg.Length) text.Style {
	return text.Style{
		Color: color.Gray{Y: 0x22}, Font: font.From(regular, size), Handler: text.Plain{Fonts: fonts}, YAlign: draw.YBottom,
	}
}

// plot lays out a panel.
func (n *Panel) plot() (*plot.Plot, error) {
	p := plot.New()
	p.BackgroundColor = color.White
	p.TextHandler = text.Plain{Fonts: fonts}
	for size, styles := range map[vg.Length][]*text.Style{
		12: {&p.Title.TextStyle},
		10: {&p.X.Label.TextStyle, &p.Y.Label.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label, &p.Legend.TextStyle},
	} {
		for _, s := range styles {
			s.Font = font.From(regular, size)
			s.Handler = p.TextHandler
		}
	}
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = clean(n.Title, maxText), clean(n.X, maxText), clean(n.Y, maxText)
	p.Legend.Top, p.Legend.Left, p.Legend.XOffs, p.Legend.YOffs = true, true, 6, -4
	if len(n.Bars) > 0 { // the first are mostly the highest
		p.Legend.Left, p.Legend.XOffs = false, -6
	}
	p.X.Tick.Marker, p.Y.Tick.Marker = ticks{}, ticks{}
	for a, log := range map[*plot.Axis]bool{&p.X: n.logX(), &p.Y: n.logY()} {
		if log {
			a.Scale, a.Tick.Marker = plot.LogScale{}, decades{}
		}
	}
	p.Add(grid())
	for i := range n.Bars {
		if err := n.bars(p, i); err != nil {
			return nil, err
		}
	}
	for i := range n.Curves {
		if err := n.shown(n.Curves[i]).add(p); err != nil {
			return nil, err
		}
	}
	if len(n.Names) > 0 {
		names := make([]string, len(n.Names))
		for i, name := range n.Names {
			names[i] = clean(name, maxName)
		}
		p.NominalX(names...)
		if len(names) > 6 {
			p.X.Tick.Label.Rotation = math.Pi / 8
			p.X.Tick.Label.XAlign, p.X.Tick.Label.YAlign = draw.XRight, draw.YTop
		}
	}
	if places := n.places(); places > 0 {
		p.X.Min, p.X.Max = min(p.X.Min, -0.5), max(p.X.Max, float64(places)-0.5)
	}
	n.limits(p)
	return p, nil
}

// places returns how many names or bars stand beside each other.
func (n *Panel) places() int {
	places := len(n.Names)
	for _, b := range n.Bars {
		places = max(places, len(b.Values))
	}
	return places
}

// least is the smallest number that a logarithmic axis has a place for.
const least = 1e-100

// shown returns a curve without the points for which a logarithmic axis has no place.
func (n *Panel) shown(c Curve) *Curve {
	c.Points = slices.DeleteFunc(slices.Clone(c.Points), func(p Point) bool {
		return n.logX() && !(p.X >= least) || n.logY() && !(p.Y >= least)
	})
	for i, p := range c.Points {
		if n.logY() && !(p.Low >= least) {
			c.Points[i].Low, c.Points[i].High = math.NaN(), math.NaN()
		}
	}
	return &c
}

// limits leaves room for the legend, and gives an axis on which there is nothing a length.
func (n *Panel) limits(p *plot.Plot) {
	for a, log := range map[*plot.Axis]bool{&p.X: n.logX(), &p.Y: n.logY()} {
		if log {
			decade(a)
		} else if !(a.Max-a.Min > 1e-100) || math.IsInf(a.Min, 0) || math.IsInf(a.Max, 0) {
			middle := 0.0
			if a.Min == a.Max && !math.IsInf(a.Min, 0) {
				middle = a.Min
			}
			half := max(0.5, math.Abs(middle)*1e-3) // of a large number 0.5 would be nothing
			a.Min, a.Max = middle-half, middle+half
		}
	}
	entries := 0
	for _, c := range n.Curves {
		if c.Name != "" {
			entries++
		}
	}
	for _, b := range n.Bars {
		if b.Name != "" {
			entries++
		}
	}
	room := 0.05 + 0.07*float64(min(entries, 8))
	if n.logY() {
		p.Y.Max *= math.Pow(p.Y.Max/p.Y.Min, room)
		return
	}
	if p.Y.Min >= 0 { // what cannot be negative begins at 0
		p.Y.Min = 0
	}
	p.Y.Max += (p.Y.Max - p.Y.Min) * room
}

// decade lets a logarithmic axis begin and end at a mark. It shows no more than 15 decades.
func decade(a *plot.Axis) {
	if !(a.Max >= least) || math.IsInf(a.Max, 0) {
		a.Min, a.Max = 1, 10
	}
	all := marks(max(a.Min, a.Max*1e-15), a.Max)
	low, high := all[0], all[len(all)-1]
	for _, t := range all {
		if t <= a.Min*(1+1e-9) {
			low = t
		}
	}
	if low == high {
		high *= 10
	}
	a.Min, a.Max = low, high
}

// marks are 1, 3, 10, 30, … from one that is no larger than low to one that is no smaller
// than high.
func marks(low, high float64) (all []float64) {
	for e := math.Floor(math.Log10(low) + 1e-12); ; e++ {
		for _, m := range []float64{1, 3} {
			t := m * math.Pow(10, e)
			all = append(all, t)
			if t >= high*(1-1e-9) {
				return all
			}
		}
	}
}

// decades are the ticks of a logarithmic axis.
type decades struct{}

// Ticks returns 1, 3, 10, 30, … without the threes where these are too many.
func (decades) Ticks(low, high float64) (all []plot.Tick) {
	for i, t := range marks(low, high) {
		if t < low*(1-1e-9) || t > high*(1+1e-9) {
			continue
		}
		tick := plot.Tick{Value: t, Label: number(t)}
		if i%2 == 1 && math.Log10(high/low) > 3.5 {
			tick.Label = ""
		}
		all = append(all, tick)
	}
	return all
}

// ticks stand at round numbers.
type ticks struct{}

// Ticks returns about six, from the smallest to the largest value of an axis.
func (ticks) Ticks(low, high float64) (all []plot.Tick) {
	step := math.Pow(10, math.Floor(math.Log10((high-low)/6)))
	for _, m := range []float64{2, 2.5, 2} { // 2, 5, 10 times a power of ten
		if (high-low)/step <= 6.5 {
			break
		}
		step *= m
	}
	if !finite(step) || step <= 0 {
		return []plot.Tick{{Value: low, Label: number(low)}}
	}
	for k := math.Ceil(low/step - 1e-9); k*step <= high+step*1e-9 && len(all) < 20; k++ {
		all = append(all, plot.Tick{Value: k * step, Label: number(k * step)})
	}
	return all
}

// number writes a value at an axis: whole ones with their digits in threes, from a million on
// with a letter, as the tables beside the figures have it, but without zeros at the end.
func number(x float64) string {
	const letters = "MGTPE"
	switch a := math.Abs(x); {
	case x == 0:
		return "0" // and not -0
	case a >= 1e21:
	case a >= 999_999.5:
		i := 0
		for x /= 1e6; math.Abs(x) >= 1000; x /= 1e3 {
			i++
		}
		return strconv.FormatFloat(x, 'g', 6, 64) + " " + letters[i:i+1]
	case x == math.Trunc(x):
		return figure.Count(int64(x))
	}
	return strconv.FormatFloat(x, 'g', 6, 64)
}

func grid() *plotter.Grid {
	g := plotter.NewGrid()
	for _, l := range []*draw.LineStyle{&g.Vertical, &g.Horizontal} {
		l.Color, l.Width = color.Gray{Y: 0xE0}, vg.Points(0.4)
	}
	return g
}

// shades are lighter versions of a colour for what cannot be told apart by it alone.
func shade(machine int) color.Color {
	r, g, b := palette.RGB(machine)
	return color.RGBA{R: r, G: g, B: b, A: 0xFF}
}

// dashes tell apart curves that share a colour.
func dashes(colour int, dashed bool) []vg.Length {
	if dashed {
		return []vg.Length{4, 3}
	}
	switch colour / palette.Size % 3 {
	case 1:
		return []vg.Length{6, 2}
	case 2:
		return []vg.Length{2, 2}
	}
	return nil
}

// intervals are the points of a curve that have one.
type intervals struct {
	plotter.XYs
	plotter.YErrors
}

func (c *Curve) add(p *plot.Plot) error {
	var points plotter.XYs
	var with intervals
	for _, x := range c.Points {
		if !finite(x.X) || !finite(x.Y) {
			continue
		}
		points = append(points, plotter.XY{X: x.X, Y: x.Y})
		if finite(x.Low) && finite(x.High) && x.Low <= x.Y && x.Y <= x.High && x.Low < x.High {
			with.XYs = append(with.XYs, plotter.XY{X: x.X, Y: x.Y})
			with.YErrors = append(with.YErrors, struct{ Low, High float64 }{x.Y - x.Low, x.High - x.Y})
		}
	}
	if len(points) == 0 {
		return nil
	}
	var entries []plot.Thumbnailer
	if !c.Loose {
		line, err := plotter.NewLine(points)
		if err != nil {
			return err
		}
		line.Color, line.Width, line.Dashes = shade(c.Colour), vg.Points(1.2), dashes(c.Colour, c.Dashed)
		if c.Steps {
			line.StepStyle = plotter.PostStep
		}
		p.Add(line)
		entries = append(entries, line)
	}
	if c.Loose || !c.Steps && !c.Dashed && len(points) <= 40 {
		dots, err := plotter.NewScatter(points)
		if err != nil {
			return err
		}
		dots.Color, dots.Radius, dots.Shape = shade(c.Colour), vg.Points(2.2), draw.CircleGlyph{}
		p.Add(dots)
		entries = append(entries, dots)
	}
	if len(with.XYs) > 0 {
		bars, err := plotter.NewYErrorBars(with)
		if err != nil {
			return err
		}
		bars.Color, bars.Width, bars.CapWidth = shade(c.Colour), vg.Points(0.9), vg.Points(6)
		p.Add(bars)
	}
	if c.Name != "" {
		p.Legend.Add(clean(c.Name, maxName), entries...)
	}
	return nil
}

// bars adds one of the panel's bars beside the others.
func (n *Panel) bars(p *plot.Plot, i int) error {
	values := make(plotter.Values, 0, len(n.Bars[i].Values))
	for _, x := range n.Bars[i].Values {
		if !finite(x) {
			x = 0
		}
		values = append(values, x)
	}
	if len(values) == 0 {
		return nil
	}
	// Of a single one as much as the axis has would leave the axis no room.
	room := 0.6 * (panelWidth - 4*vg.Centimeter) / vg.Length(max(n.places(), 3))
	width := room / vg.Length(len(n.Bars))
	chart, err := plotter.NewBarChart(values, width)
	if err != nil {
		return err
	}
	chart.Color, chart.LineStyle.Width = shade(n.Bars[i].Colour), 0
	chart.Offset = width * (vg.Length(i) - vg.Length(len(n.Bars)-1)/2)
	p.Add(chart)
	if n.Bars[i].Name != "" {
		p.Legend.Add(clean(n.Bars[i].Name, maxName), chart)
	}
	return nil
}

// finite reports whether something can be drawn: with larger numbers the drawing's own
// arithmetic would come to no number.
func finite(x float64) bool { return math.Abs(x) <= 1e100 }

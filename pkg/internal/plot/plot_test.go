package plot

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/plot"
	"pgregory.net/rapid"
)

// texts returns what a figure says, once it is found to be sound XML.
func texts(t require.TestingT, svg []byte) string {
	var b strings.Builder
	inStyle := false
	for dec := xml.NewDecoder(bytes.NewReader(svg)); ; {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return b.String()
		}
		require.NoError(t, err)
		switch x := token.(type) {
		case xml.StartElement:
			inStyle = x.Name.Local == "style"
			require.NotContains(t, []string{"script", "foreignObject", "a", "image"}, x.Name.Local)
			for _, a := range x.Attr {
				require.NotContains(t, a.Value, "NaN")
				require.NotContains(t, a.Value, "Inf")
			}
		case xml.EndElement:
			inStyle = false
		case xml.CharData:
			if !inStyle {
				b.Write(x)
			}
		}
	}
}

func drawn(t require.TestingT, title string, panels []Panel, embed bool) []byte {
	var b bytes.Buffer
	require.NoError(t, write(&b, title, panels, embed))
	return b.Bytes()
}

func example() []Panel {
	return []Panel{
		{Title: "Jumps", X: "die", Y: "clock values", Names: []string{"10", "5", "3"}, Curves: []Curve{
			{Name: "rate 1", Points: []Point{{0, 3, 2, 4}, {1, 2.5, 2, 3}, At(2, 1)}},
			{Name: "predicted", Colour: 1, Dashed: true, Points: []Point{At(0, 3), At(2, 1)}},
		}},
		{Title: "Queue", X: "time, s", Y: "messages", Curves: []Curve{{Name: "vm-0", Steps: true, Points: []Point{At(0, 0), At(1, 2), At(4, 1)}}}},
		{Title: "Histogram", Names: []string{"1", "2", "3–4"}, Bars: []Bars{{Name: "vm-0", Values: []float64{70, 20, 10}}, {Name: "vm-1", Colour: 1, Values: []float64{90, 10, 0}}}},
	}
}

// The same figure has the same bytes, with its font, and says what it was told.
func TestWrite(t *testing.T) {
	first := drawn(t, "A sweep", example(), true)
	assert.Equal(t, first, drawn(t, "A sweep", example(), true))
	assert.Contains(t, string(first), "@font-face")
	assert.Equal(t, 1, strings.Count(string(first), "base64,"), "one font, once")
	said := texts(t, first)
	for _, what := range []string{"A sweep", "Jumps", "clock values", "rate 1", "predicted", "time, s", "3–4", "vm-1"} {
		assert.Contains(t, said, what)
	}
	assert.Error(t, Write(io.Discard, "", nil))
	assert.Error(t, Write(full{}, "A sweep", example()))
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

// Whatever a run or a machine is called, and whatever its figures are, the figure is sound,
// and its words are words.
func TestHostileFigures(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{
			"</text><script>alert(1)</script>", `" onload="alert(1)`, "<!--", "]]>", "&#x0;", "\x1b[2J", "a\x00b", "\xff\xfe", "\u202eabc", strings.Repeat("w", 1<<16),
		}))
		number := rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, 1e300, -1e300, 5e-324, 1, 10, 3e7}))
		p := Panel{Title: name.Draw(t, "title"), X: name.Draw(t, "x"), Y: name.Draw(t, "y"), LogX: rapid.Bool().Draw(t, "log x"), LogY: rapid.Bool().Draw(t, "log y")}
		p.Names = rapid.SliceOfN(name, 0, 9).Draw(t, "names")
		for range rapid.IntRange(0, 3).Draw(t, "curves") {
			c := Curve{Name: name.Draw(t, "curve"), Colour: rapid.IntRange(0, 99).Draw(t, "colour"), Steps: rapid.Bool().Draw(t, "steps"), Loose: rapid.Bool().Draw(t, "loose")}
			for range rapid.IntRange(0, 5).Draw(t, "points") {
				c.Points = append(c.Points, Point{number.Draw(t, "x"), number.Draw(t, "y"), number.Draw(t, "low"), number.Draw(t, "high")})
			}
			p.Curves = append(p.Curves, c)
		}
		for range rapid.IntRange(0, 2).Draw(t, "bars") {
			p.Bars = append(p.Bars, Bars{Name: name.Draw(t, "bars"), Values: rapid.SliceOfN(number, 0, 5).Draw(t, "values")})
		}
		svg := drawn(t, name.Draw(t, "figure"), []Panel{p}, false)
		texts(t, svg)
		require.Less(t, len(svg), 1<<20)
	})
}

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		want      string
	}{
		{0, 60, "0 10 20 30 40 50 60"}, {0, 1, "0 0.2 0.4 0.6 0.8 1"}, {-0.5, 2.5, "-0.5 0 0.5 1 1.5 2 2.5"},
		{0, 47, "0 10 20 30 40"}, {1e6, 1e6 + 3, "1 M 1 M 1 M 1 M 1 M 1 M 1 M"}, {3, 3, "3"},
		{0, 1.5e7, "0 5 M 10 M 15 M"}, {0, 3e5, "0 50,000 100,000 150,000 200,000 250,000 300,000"}, {0, 5e9, "0 1 G 2 G 3 G 4 G 5 G"},
	} {
		var labels []string
		for _, tick := range (ticks{}).Ticks(c.low, c.high) {
			labels = append(labels, tick.Label)
		}
		assert.Equal(t, c.want, strings.Join(labels, " "), "%v to %v", c.low, c.high)
	}
}

// A logarithmic axis goes from mark to mark.
func TestDecades(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		want      string
	}{
		{3, 300, "3 10 30 100 300"}, {1, 1, "1 3 10"}, {2, 11, "1 3 10 30"}, {1e5, 1e7, "100,000 300,000 1 M 3 M 10 M"},
		{1, 1e5, "1  10  100  1,000  10,000  100,000"}, {math.Inf(1), math.Inf(-1), "1 3 10"}, {0.04, 0.5, "0.03 0.1 0.3 1"},
	} {
		axis := plot.Axis{Min: c.low, Max: c.high}
		decade(&axis)
		var labels []string
		for _, tick := range (decades{}).Ticks(axis.Min, axis.Max) {
			labels = append(labels, tick.Label)
		}
		assert.Equal(t, c.want, strings.Join(labels, " "), "%v to %v", c.low, c.high)
	}
}

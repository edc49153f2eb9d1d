package report

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/internal/plot"
	"github.com/scalemodel/lamport/pkg/internal/quote"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/summary"
	"github.com/scalemodel/lamport/pkg/trace"
)

// Curves is a [trace.Visitor] that keeps what a figure of a run shows: clock, drift and
// queue of each machine over time, at some hundred instants however long the run is, and
// how large the jumps of the clocks were.
type Curves struct {
	run     *trace.Run
	begun   int64 // Unix µs
	end     int64 // µs after the start
	name    string
	rates   map[int]clock.Rate
	strips  strips
	lines   map[int]*lifeline
	clocks  map[int]clock.Time
	jumps   map[int][]uint64 // by bucket of a [summary.Spread]
	largest int              // bucket
}

// NewCurves returns Curves for one walk over the run.
func NewCurves(run *trace.Run) *Curves {
	return &Curves{
		run: run, rates: make(map[int]clock.Rate), strips: newStrips(0, math.MaxInt64),
		lines: make(map[int]*lifeline), clocks: make(map[int]clock.Time), jumps: make(map[int][]uint64),
	}
}

// Visit takes in a line.
func (c *Curves) Visit(s *trace.Step) error {
	if c.begun == 0 {
		c.begun = s.Micro
	}
	at := max(0, s.Micro-c.begun)
	c.end = max(c.end, at)
	if s.Other != nil {
		if s.Other.Kind == logging.StartRecord {
			c.rates[s.Machine] = s.Other.Start.Rate
			c.name = s.Other.Start.Run
		}
		return nil
	}
	l := c.lines[s.Machine]
	if l == nil {
		l = &lifeline{id: s.Machine}
		c.lines[s.Machine] = l
	}
	c.strips.add(c.lines, l, at, s.Event)
	bucket := summary.BucketOf(uint64(max(s.Event.Clock, c.clocks[s.Machine]) - c.clocks[s.Machine]))
	c.clocks[s.Machine] = s.Event.Clock
	if c.jumps[s.Machine] == nil {
		c.jumps[s.Machine] = make([]uint64, summary.Buckets)
	}
	c.jumps[s.Machine][bucket]++
	c.largest = max(c.largest, bucket)
	return nil
}

// maxCurves is up to how many machines each have a curve. Of more there are the smallest,
// the median and the largest value at each instant.
const maxCurves = 8

// WriteSVG writes the figure. It fails with [ErrNothingToDraw] where there is no event.
func (c *Curves) WriteSVG(w io.Writer) error {
	if len(c.lines) == 0 {
		return ErrNothingToDraw
	}
	ids := make([]int, 0, len(c.lines))
	for id := range c.lines {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	clocks, drifts, queues := c.series(ids)
	seconds := "time, s"
	return plot.Write(w, fmt.Sprintf("Run %s: %s", quote.Short(c.name, 40), figure.Plural(c.run.Machines, "machine")), []plot.Panel{
		{Title: "Lamport clocks", X: seconds, Y: "clock", Curves: c.curves(ids, clocks)},
		{Title: "Drift behind the largest clock", X: seconds, Y: "clock values", Curves: c.curves(ids, drifts)},
		{Title: "Queues", X: seconds, Y: "messages", Curves: c.curves(ids, queues)},
		c.histogram(ids),
	})
}

// series returns the clock, the drift and the longest queue of each machine, cell by cell:
// the first two at the end of each.
func (c *Curves) series(ids []int) (clocks, drifts, queues [][]float64) {
	n := 0
	for _, id := range ids {
		n = max(n, len(c.lines[id].cells))
	}
	largest := make([]clock.Time, n)
	values := make([][]clock.Time, len(ids))
	for k, id := range ids {
		cells := c.lines[id].cells
		now, left := clock.Time(0), int32(0)
		values[k] = make([]clock.Time, n)
		queue := make([]float64, n)
		for i := range n {
			queue[i] = float64(left)
			if i < len(cells) && cells[i].events > 0 {
				now, left = cells[i].clock, cells[i].last
				queue[i] = float64(cells[i].queue)
			}
			values[k][i] = now
			largest[i] = max(largest[i], now)
		}
		queues = append(queues, queue)
	}
	for k := range ids {
		at, behind := make([]float64, n), make([]float64, n)
		for i, now := range values[k] {
			at[i], behind[i] = float64(now), float64(largest[i]-now)
		}
		clocks, drifts = append(clocks, at), append(drifts, behind)
	}
	return clocks, drifts, queues
}

// label names a machine with its rate.
func (c *Curves) label(id int) string {
	if rate, known := c.rates[id]; known {
		return "vm-" + strconv.Itoa(id) + ", " + rate.String() + "/s"
	}
	return "vm-" + strconv.Itoa(id)
}

// curves draws a series of each machine, or, of many, three of all.
func (c *Curves) curves(ids []int, series [][]float64) (curves []plot.Curve) {
	x := func(i int) float64 {
		return float64(min(int64(i+1)*c.strips.width, max(c.end, 1))) / 1e6
	}
	if len(ids) <= maxCurves {
		for k, id := range ids {
			curve := plot.Curve{Name: c.label(id), Colour: id, Steps: true, Points: []plot.Point{plot.At(0, 0)}}
			for i, y := range series[k] {
				curve.Points = append(curve.Points, plot.At(x(i), y))
			}
			curves = append(curves, curve)
		}
		return curves
	}
	for k, name := range []string{"smallest", "median", "largest"} {
		curve := plot.Curve{Name: name + " of " + strconv.Itoa(len(ids)), Colour: k, Steps: true}
		for i := range series[0] {
			all := make([]float64, len(ids))
			for m := range ids {
				all[m] = series[m][i]
			}
			slices.Sort(all)
			curve.Points = append(curve.Points, plot.At(x(i), all[k*(len(all)-1)/2]))
		}
		curves = append(curves, curve)
	}
	return curves
}

// histogram shows how many of the events moved a clock how far.
func (c *Curves) histogram(ids []int) plot.Panel {
	p := plot.Panel{Title: "Jumps of the clocks", X: "jump", Y: "events, %"}
	for i := 1; i <= c.largest; i++ {
		low, high := summary.Bucket(i)
		p.Names = append(p.Names, bucket(low, high))
	}
	share := func(counts []uint64) (values []float64) {
		total := 0.0
		for _, n := range counts {
			total += float64(n)
		}
		for _, n := range counts[1 : c.largest+1] {
			values = append(values, 100*float64(n)/total)
		}
		return values
	}
	if len(ids) <= maxCurves {
		for _, id := range ids {
			p.Bars = append(p.Bars, plot.Bars{Name: c.label(id), Colour: id, Values: share(c.jumps[id])})
		}
		return p
	}
	all := make([]uint64, summary.Buckets)
	for _, counts := range c.jumps {
		for i, n := range counts {
			all[i] += n
		}
	}
	p.Bars = []plot.Bars{{Name: "all machines", Values: share(all)}}
	return p
}

// bucket names the values from low to high.
func bucket(low, high uint64) string {
	if low == high {
		return strconv.FormatUint(low, 10)
	}
	return strconv.FormatUint(low, 10) + "–" + strconv.FormatUint(high, 10)
}

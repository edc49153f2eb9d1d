package page

import (
	"math"
	"time"

	"github.com/scalemodel/lamport/pkg/trace"
)

// encodeSeries adds what charts draw, and returns what it is.
func (c *charts) encodeSeries(s *sections, stats *trace.Stats) []Series {
	list := []Series{}
	for i := range c.machines {
		m := &c.machines[i]
		if m.drifts.list != nil { // others may have ticked since its last event
			m.drifts.add(c.end, drift(c.largest, m.clock))
		}
		for _, measure := range []struct {
			name, unit string
			values     *buckets
		}{
			{"clock", "ticks", m.clocks}, {"drift", "ticks", m.drifts}, {"queue", "messages", m.queues}, {"lateness", "µs", m.lateness},
		} {
			if measure.values.list == nil {
				continue
			}
			least, greatest := measure.values.columns(c.count(measure.values), 0)
			list = append(list, s.series(Series{
				Name: measure.name, Machine: i, Unit: measure.unit, DT: measure.values.width, Scale: 1,
			}, least, greatest))
		}
	}
	list = append(list, c.lines(s, stats)...)
	return append(list, c.offsets(s, stats)...)
}

// maxOffsets is how many values the line of a system clock has.
const maxOffsets = 256

// offsets adds by how much each system clock gained on that of the reference since they
// were first compared, and between which values that lies. How far it was ahead then is
// for a table to say: mostly, it is much more.
func (c *charts) offsets(s *sections, stats *trace.Stats) (list []Series) {
	if stats.ClockOffsets == nil || c.end <= 0 {
		return nil
	}
	width := c.end/maxOffsets + 1
	for _, clock := range stats.ClockOffsets.Clocks {
		place, ok := c.placeOf(clock.Machine)
		if !ok || len(clock.At) == 0 {
			continue
		}
		first, end := clock.At[0].Ahead, c.end
		if last := clock.At[len(clock.At)-1].T.Microseconds(); last > 0 {
			end = min(end, last)
		}
		var gained, least, most column
		var last [3]int64
		for t := int64(0); t < end; t += width {
			at, _ := stats.ClockOffsets.Of(clock.Machine, time.Duration(t+width/2)*time.Microsecond)
			for i, add := range []struct {
				to    *column
				value time.Duration
			}{{&gained, at.Ahead - first}, {&least, at.Ahead - first - at.Within}, {&most, at.Ahead - first + at.Within}} {
				add.to.signed(int64(add.value) - last[i])
				last[i] = int64(add.value)
			}
		}
		for _, line := range []struct {
			name   string
			values column
		}{{"offset", gained}, {"offset-least", least}, {"offset-most", most}} {
			list = append(list, s.series(Series{Name: line.name, Machine: place, Unit: "µs", DT: width, Scale: 1e-3}, line.values, line.values))
		}
	}
	return list
}

// count returns how many buckets there are up to the end of the run.
func (c *charts) count(b *buckets) int {
	return min(int(c.end/b.width)+1, b.limit)
}

// lines adds what the rates lead to: the clock of the fastest machine, if no message told
// it more, and the queues that are predicted. Both are straight, and so have two points.
func (c *charts) lines(s *sections, stats *trace.Stats) (list []Series) {
	seconds := float64(c.end) / 1e6
	straight := func(name, unit string, machine int, end float64) {
		const scale = 1e-3
		var line column
		line.signed(0)
		line.signed(int64(min(end/scale, math.MaxInt64/4)))
		list = append(list, s.series(Series{Name: name, Machine: machine, Unit: unit, DT: max(1, c.end), Scale: scale}, line, line))
	}
	fastest, rate := -1, 0.0
	for i := range stats.Machines {
		m := &stats.Machines[i]
		place, ok := c.placeOf(m.ID)
		if !ok {
			continue
		}
		if p := m.Predicted; p != nil {
			straight("predicted", "messages", place, p.Growth*seconds)
			if p.Takes > rate {
				fastest, rate = place, p.Takes
			}
		}
	}
	if fastest >= 0 {
		straight("ideal", "ticks", fastest, rate*seconds)
	}
	return list
}

// series adds the columns of a series.
func (s *sections) series(series Series, least, greatest column) Series {
	for i, part := range []struct {
		end    string
		column *column
	}{{"min", &least}, {"max", &greatest}} {
		name := "series/" + series.Name + "/" + part.end
		s.add(name, series.Machine, part.column)
		series.Sections[i] = name
	}
	return series
}

package trace

import (
	"math/bits"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/internal/histogram"
)

// drifts follows how far each machine's clock is behind the largest, through the time
// of a run. Clocks stand still between events, so every drift is a step function, and
// the time that it keeps a value is that value's weight: nothing is sampled, and time in
// which nothing happens costs nothing. A value that is passed within a microsecond has
// no weight, and is no drift that ever was.
//
// The drift of all machines changes when the largest clock does. Each machine is told of
// that when its own clock changes next, or when there is much to be told.
type drifts struct {
	now      int64  // µs; the walk may go back in it, and this does not
	rises    []leap // of the largest clock, ascending; the last one holds now
	machines []behind
}

// leap is when the largest clock became what it is.
type leap struct {
	at      int64 // µs
	largest clock.Time
}

// behind is one machine's drift.
type behind struct {
	clock clock.Time
	since int64 // until then it is counted
	leap  int   // among the rises, the one that held then
	times *histogram.Histogram
	most  uint64
	area  area // of the drift over time
}

const (
	// manyRises is how many rises of the largest clock are kept before all machines are
	// told of them.
	manyRises = 4096
	// fewMachines is up to how many machines each may have much memory for its figures.
	fewMachines = 64
)

// exactBits is how large numbers may be that are told exactly, in a run of so many
// machines.
func exactBits(machines int) uint {
	if machines > fewMachines {
		return 12
	}
	return 16
}

// newDrifts follows the clocks of so many machines, which are 0, from an instant on.
func newDrifts(machines int, from int64) *drifts {
	d := &drifts{now: from, rises: make([]leap, 1, manyRises), machines: make([]behind, machines)}
	d.rises[0].at = from
	bits := exactBits(machines)
	for i := range d.machines {
		d.machines[i] = behind{since: from, times: histogram.New(bits)}
	}
	return d
}

// set says that the clock of a machine is what it is from an instant on. Within that instant it
// was most, which is more only where it has gone back.
func (d *drifts) set(machine int, at int64, most, now clock.Time) {
	d.now = max(d.now, at)
	m := &d.machines[machine]
	d.count(m)
	m.clock = now
	switch last := &d.rises[len(d.rises)-1]; {
	case most <= last.largest:
	case last.at == d.now: // so it was not what it became just now
		last.largest = most
	default:
		if len(d.rises) == manyRises {
			d.tellAll()
		}
		d.rises = append(d.rises, leap{d.now, most})
	}
}

// tellAll counts the drifts of all machines, and forgets the rises but the last.
func (d *drifts) tellAll() {
	for i := range d.machines {
		m := &d.machines[i]
		d.count(m)
		m.leap = 0
	}
	d.rises[0] = d.rises[len(d.rises)-1]
	d.rises = d.rises[:1]
}

// count adds what the drift of a machine has been since it was counted.
func (d *drifts) count(m *behind) {
	for ; ; m.leap++ {
		until := d.now
		if m.leap+1 < len(d.rises) {
			until = d.rises[m.leap+1].at
		}
		if until > m.since {
			drift, lasted := uint64(d.rises[m.leap].largest-m.clock), uint64(until-m.since)
			m.times.Add(drift, lasted)
			m.most = max(m.most, drift)
			m.area.add(drift, lasted)
			m.since = until
		}
		if m.leap+1 >= len(d.rises) {
			return
		}
	}
}

// until counts all drifts up to an instant, the last one that is looked at.
func (d *drifts) until(at int64) {
	d.now = max(d.now, at)
	d.tellAll()
}

// final returns the drift of a machine now.
func (d *drifts) final(machine int) uint64 {
	return uint64(d.rises[len(d.rises)-1].largest - d.machines[machine].clock)
}

// of returns the drift of a machine up to now. The last instant counts for the largest
// drift, and in a run of only one instant for all.
func (d *drifts) of(machine int) Distribution {
	m, final := &d.machines[machine], d.final(machine)
	total := m.times.Total()
	if total == 0 {
		return Distribution{Mean: float64(final), P50: final, P99: final, Max: final}
	}
	return Distribution{
		Mean: m.area.mean(total),
		P50:  min(m.times.Percentile(50), m.most),
		P99:  min(m.times.Percentile(99), m.most),
		Max:  max(m.most, final),
	}
}

// area is a sum of products of 64 bits, exact in 128.
type area struct{ high, low uint64 }

func (a *area) add(height, width uint64) {
	high, low := bits.Mul64(height, width)
	var carry uint64
	a.low, carry = bits.Add64(a.low, low, 0)
	a.high += high + carry
}

// mean returns the sum by the width of all, which is not 0.
func (a *area) mean(width uint64) float64 {
	// It is below 2^64, since every height is.
	whole, rest := bits.Div64(a.high, a.low, width)
	return float64(whole) + float64(rest)/float64(width)
}

package trace

import "github.com/scalemodel/lamport/pkg/clock"

// dues are when the ticks of a rate are due. They are asked for one after the other, but for
// few: then an addition finds what [clock.Rate.Due] divides 128 bits for, with the fraction of
// a nanosecond that Due rounds off, so that no error adds up.
type dues struct {
	rate clock.Rate

	// Invariant: if known, tick is due at due + rest/rate ns, and the next one later by
	// period + over/rate; rest and over are below rate.
	known       bool
	tick        uint64
	due, period int64
	rest, over  uint64
}

// at returns the rate's Due of tick k.
func (d *dues) at(k uint64) int64 {
	switch {
	case !d.known:
	case k == d.tick:
		return d.due
	case k == d.tick+1 && d.due < farOff:
		d.tick = k
		d.due += d.period
		if d.rest += d.over; d.rest >= uint64(d.rate) {
			d.rest -= uint64(d.rate)
			d.due++
		}
		return d.due
	}
	return d.seek(k)
}

// farOff is from when on ticks are divided for, in ns after the start: 73 years. No period is
// longer, so that nothing here overflows.
const farOff = 1 << 61

// seek finds out when a tick is due without the one before it.
func (d *dues) seek(k uint64) int64 {
	due, rate := d.rate.Due(k), uint64(d.rate)
	period := d.rate.Due(1)
	if d.known = rate > 0 && d.rate <= clock.MaxRate && due < farOff; d.known {
		d.tick, d.due, d.period = k, due, period
		// What is rounded off is below the rate, so that 64 bits of the products hold it.
		d.rest, d.over = k*1e18-uint64(due)*rate, 1e18-uint64(period)*rate
	}
	return due
}

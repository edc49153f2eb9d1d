package vm

import (
	"time"

	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/transport"
)

// comparing is what is asked of a *transport.Node about the clocks of other hosts.
type comparing interface {
	Fresh() bool
	Offsets(last bool) []transport.Offset
}

// compare notes how far the system clocks of peers on other hosts are ahead of this one's,
// as far as that was found out since the last time; with last, to the end.
//
// A line is stamped when it is written, and says what is so then.
func (s *stepper) compare(last bool) {
	if s.peers == nil || !last && !s.peers.Fresh() {
		return
	}
	for _, o := range s.peers.Offsets(last) {
		s.journal.log.Offset(s.wall(), offsetLine(o))
	}
}

// offsetLine returns what a log says of an offset, in whole µs: what is cut off counts as
// an error.
func offsetLine(o transport.Offset) logging.Offset {
	ahead := o.Ahead.Round(time.Microsecond)
	return logging.Offset{
		Peer:   o.Peer,
		Ahead:  ahead.Microseconds(),
		Within: ceil(o.Within + (o.Ahead - ahead).Abs()),
		RTT:    ceil(o.RTT),
	}
}

func ceil(d time.Duration) (micro int64) {
	return (d + time.Microsecond - 1).Microseconds()
}

// instant returns when the start of a run is, which is given by the system's clock: with a
// reading of the monotonic one, whatever stands in the place of the former.
func (r *runner) instant(start time.Time) time.Time {
	if !r.wallGiven || r.past.begun() {
		return start
	}
	return time.Now().Add(start.Sub(r.cfg.wall()))
}

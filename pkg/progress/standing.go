package progress

import (
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/summary"
)

// standing is how it stands with a machine, what is most worth seeing first.
type standing uint8

const (
	lost       standing = iota // dead, and given up
	down                       // dead, and to be started again later
	restarting                 // dead, and being started again
	paused                     // its process is stopped
	silent                     // it should have reported by now
	stalled                    // its next step waits for a full link
	late                       // its last tick was
	connecting
	running
	ending
	done
)

// troubled reports whether that is worth naming the machine for.
func (s standing) troubled() bool { return s <= late }

func (s standing) String() string {
	return [...]string{"lost", "down", "restarting", "paused", "silent", "stalled", "late", "connecting", "running", "ending", "done"}[s]
}

// sighting is what is known of one machine.
type sighting struct {
	rate   clock.Rate
	status summary.Status
	heard  time.Time // when it last reported
}

const (
	// quiet is how long a machine may be without a report: many times what is
	// asked for, since a busy host delays some.
	quiet = 3 * time.Second
	// tolerance is how late a tick may be at any rate: what a busy system does
	// to a process now and then.
	tolerance = 5 * time.Millisecond
)

// stands judges a machine by what is known at this instant. What its supervisor
// knows counts before what it has said itself, which is older.
func (m *sighting) stands(now time.Time) standing {
	switch m.status.Process.State {
	case summary.Paused:
		return paused
	case summary.Down:
		return down
	case summary.Restarting:
		return restarting
	case summary.Lost:
		return lost
	}
	switch m.status.Phase {
	case summary.Done:
		return done
	case summary.Ending:
		return ending
	case summary.Running:
	default:
		return connecting
	}
	switch {
	case now.Sub(m.heard) > quiet:
		return silent
	case m.status.Stalled:
		return stalled
	case m.isLate():
		return late
	}
	return running
}

// isLate reports whether the last tick was nearer to the next one's time than to its
// own.
func (m *sighting) isLate() bool {
	return m.rate != clock.Unpaced && m.status.Late > max(tolerance, time.Duration(m.rate.Due(1))/2)
}

// text says how it stands, and for how long or how much.
func (m *sighting) text(now time.Time) string {
	s := m.stands(now)
	switch s {
	case lost, down, paused:
		return s.String() + " " + age(now.Sub(m.status.Process.Since))
	case silent:
		return s.String() + " " + age(now.Sub(m.heard))
	case late:
		return s.String() + " " + figure.Duration(m.status.Late)
	}
	return s.String()
}

package trace

import (
	"fmt"
	"math"

	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/logging"
)

// conclude draws the conclusions that need whole logs. An error says that a log
// cannot be read again, to quote it.
func (c *checker) conclude() (*Verdict, error) {
	v := &c.verdict
	c.conserved()
	c.hasty()
	v.Open = append(c.open(), c.early()...)
	switch {
	case len(v.Broken) > 0:
		v.State = Broken
	case len(v.Open) > 0:
		v.State = Incomplete
	default:
		v.State = Correct
	}
	var err error
	if v.Violations, err = violations(c.findings); err != nil {
		return nil, err
	}
	verdict := *v // who keeps it does not keep the checker, and the logs
	return &verdict, nil
}

// open lists what is missing, and what cannot be said for that reason.
func (c *checker) open() (open []string) {
	broken, stopped := 0, 0
	for _, a := range c.accounts {
		if a.stop != nil {
			stopped++
			if a.cut {
				open = append(open, fmt.Sprintf("%v:%d: %v after the stop line: whether that is the end is not known", a.log.Name, a.last.line, logging.ErrBreaksOff))
			}
			continue
		}
		if a.paused && !a.torn {
			c.verdict.Paused++
		}
		if broken++; broken <= maxListed {
			open = append(open, a.breaksOff())
		}
	}
	if broken > maxListed {
		open = append(open, fmt.Sprintf("%s %s off", figure.Plural(broken-maxListed, "more log"), figure.Verb(broken-maxListed, "breaks", "break")))
	}
	machines := c.verdict.Machines
	switch n, missing := c.roster.missing(machines); {
	case n == 1:
		open = append(open, fmt.Sprintf("the log of machine %d is missing: what it did is not known", missing[0]))
	case n > maxListed:
		open = append(open, fmt.Sprintf("the logs of %s are missing, %s, …: what they did is not known", figure.Plural(n, "machine"), listed(missing)))
	case n > 1:
		open = append(open, fmt.Sprintf("the logs of machines %s are missing: what they did is not known", listed(missing)))
	}
	if n := c.verdict.Unmatched; n > 0 {
		open = append(open, fmt.Sprintf("receives that cannot be held against their sends, which these logs do not show: %s", figure.Count(n)))
	}
	if stopped < machines && machines > 1 {
		open = append(open, fmt.Sprintf("whether messages were lost can be said for %s of %s, those between machines that stopped",
			figure.Count(stopped*(stopped-1)), figure.Plural(machines*(machines-1), "link")))
	}
	if c.undelivered != nil {
		open = append(open, "messages that never reached their recipients, which had left or were cut off: "+figure.List(c.undelivered, maxListed))
	}
	return open
}

// breaksOff says how a log without a stop line ends.
func (a *account) breaksOff() string {
	after := fmt.Sprintf("what machine %d did after step %d is not known", a.id, a.last.step)
	switch {
	case a.cut && a.last.line == 0:
		return fmt.Sprintf("%v: %v before the first line: what machine %d did is not known", a.log.Name, logging.ErrBreaksOff, a.id)
	case a.cut:
		return fmt.Sprintf("%v:%d: %v after this line: %s", a.log.Name, a.last.line, logging.ErrBreaksOff, after)
	case a.torn:
		return fmt.Sprintf("%v:%d: the last line is torn: %s", a.log.Name, a.last.line+1, after)
	case a.paused:
		return fmt.Sprintf("%v:%d: machine %d is paused after step %d: it is to be started again, and goes on there", a.log.Name, a.last.line, a.id, a.last.step)
	case a.last.line == 0:
		return fmt.Sprintf("%v is empty: what machine %d did is not known", a.log.Name, a.id)
	default:
		return fmt.Sprintf("%v:%d: no stop line follows (the machine died, or still runs): %s", a.log.Name, a.last.line, after)
	}
}

// isOther reports whether id is a machine of this run that a's can have a link
// with.
func (c *checker) isOther(id int, a *account) bool { return id < c.verdict.Machines && id != a.id }

// conserved checks each link whose two ends have stopped: nothing is lost, and
// nothing appears.
//
// What a stop line calls undelivered is exact where the recipient had left, and
// an upper bound where it could not be asked. So it bounds what may be missing;
// how much is, the two logs decide.
func (c *checker) conserved() {
	pending, undelivered := make(map[*link]uint64), make(map[*link]uint64)
	for _, a := range c.accounts {
		if a.stop == nil {
			continue
		}
		s := &a.stop.Stop
		c.verdict.Pending = add(c.verdict.Pending, sum(s.Pending))
		for _, n := range s.Pending {
			if !c.isOther(n.Peer, a) {
				c.violate(LawConservation, fmt.Sprintf("pending messages of machine %d, which is no other machine of this run", n.Peer), a.at(a.stop.Line))
				continue
			}
			pending[c.links.get(n.Peer, a.id)] = n.Messages
		}
		for _, n := range s.Undelivered {
			if !c.isOther(n.Peer, a) {
				c.violate(LawConservation, fmt.Sprintf("undelivered messages to machine %d, which is no other machine of this run", n.Peer), a.at(a.stop.Line))
				continue
			}
			undelivered[c.links.get(a.id, n.Peer)] = n.Messages
		}
	}
	for _, l := range c.links.all() {
		from, to := c.account(l.from), c.account(l.to)
		if from == nil || from.stop == nil || to == nil || to.stop == nil {
			continue
		}
		there := add(l.receives, pending[l.link])
		var why string
		var clue place
		switch {
		case there > l.sends:
			why = fmt.Sprintf("%d too many", there-l.sends)
			clue = to.receives(l.from, l.lastReceived)
		case l.sends-there <= undelivered[l.link]:
			c.missing(l, l.sends-there)
			continue
		default:
			why = fmt.Sprintf("%d lost", l.sends-there-undelivered[l.link])
			// Those that are pending are the oldest; behind them is the first
			// of which there is no trace.
			clue = from.sends(l.to, add(add(l.lastReceived, pending[l.link]), 1))
		}
		c.violate(LawConservation, fmt.Sprintf("machine %d sent %s to machine %d, where %d %s received and %d pending, with %d undelivered: %s",
			l.from, figure.Plural(l.sends, "message"), l.to, l.receives, figure.Verb(l.receives, "is", "are"), pending[l.link], undelivered[l.link], why), to.at(to.stop.Line), from.at(from.stop.Line), clue)
	}
}

// missing takes in that n messages of a link never reached their recipient, as
// their sender has said of at least as many.
func (c *checker) missing(l ends, n uint64) {
	if n > 0 {
		c.verdict.Undelivered = add(c.verdict.Undelivered, n)
		c.undelivered = append(c.undelivered, fmt.Sprintf("%s from machine %d to machine %d", figure.Count(n), l.from, l.to))
	}
}

// sum returns how many messages are counted.
func sum(counts []logging.Count) (n uint64) {
	for _, c := range counts {
		n = add(n, c.Messages)
	}
	return n
}

// add returns a + b, or the largest number where that is beyond it.
func add(a, b uint64) uint64 {
	if a > math.MaxUint64-b {
		return math.MaxUint64
	}
	return a + b
}

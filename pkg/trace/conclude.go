package trace

import (
	"fmt"
	"math"
	"strings"

	"github.com/scalemodel/lamport/pkg/logging"
)

// conclude draws the conclusions that need whole logs. An error says that a log
// cannot be read again, to quote it.
func (c *checker) conclude() (*Verdict, error) {
	v := &c.verdict
	c.conserved()
	v.Open = c.open()
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
	return v, nil
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
		if broken++; broken <= maxListed {
			open = append(open, a.breaksOff())
		}
	}
	if broken > maxListed {
		open = append(open, fmt.Sprintf("%d more logs break off", broken-maxListed))
	}
	machines := c.verdict.Machines
	switch n, missing := c.roster.missing(machines); {
	case n == 1:
		open = append(open, fmt.Sprintf("the log of machine %s is missing: what it did is not known", missing[0]))
	case n > maxListed:
		open = append(open, fmt.Sprintf("the logs of %d machines are missing, %s, …: what they did is not known", n, strings.Join(missing, ", ")))
	case n > 1:
		open = append(open, fmt.Sprintf("the logs of machines %s are missing: what they did is not known", strings.Join(missing, ", ")))
	}
	if n := c.verdict.Unmatched; n > 0 {
		open = append(open, fmt.Sprintf("receives that cannot be held against their sends, which these logs do not show: %d", n))
	}
	if stopped < machines && machines > 1 {
		open = append(open, fmt.Sprintf("whether messages were lost can be said for %d of %d links, those between machines that stopped",
			stopped*(stopped-1), machines*(machines-1)))
	}
	if n := c.verdict.Undelivered; n > 0 {
		open = append(open, fmt.Sprintf("messages that never reached their recipients, which had left or were cut off: %d", n))
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
// an upper bound where it could not be asked; so it bounds what may be missing.
func (c *checker) conserved() {
	pending, undelivered := make(map[*link]uint64), make(map[*link]uint64)
	for _, a := range c.accounts {
		if a.stop == nil {
			continue
		}
		s := &a.stop.Stop
		c.verdict.Pending = add(c.verdict.Pending, sum(s.Pending))
		c.verdict.Undelivered = add(c.verdict.Undelivered, sum(s.Undelivered))
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
		there := add(l.receives, pending[l])
		var why string
		var clue place
		switch {
		case there > l.sends:
			why = fmt.Sprintf("%d too many", there-l.sends)
			clue = to.receives(l.from, l.lastReceived)
		case l.sends-there > undelivered[l]:
			why = fmt.Sprintf("%d lost", l.sends-there-undelivered[l])
			// Those that are pending are the oldest; behind them is the first
			// of which there is no trace.
			clue = from.sends(l.to, add(add(l.lastReceived, pending[l]), 1))
		default:
			continue
		}
		c.violate(LawConservation, fmt.Sprintf("machine %d sent %s to machine %d, where %d are received and %d pending, with %d undelivered: %s",
			l.from, plural(l.sends, "message"), l.to, l.receives, pending[l], undelivered[l], why), to.at(to.stop.Line), from.at(from.stop.Line), clue)
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

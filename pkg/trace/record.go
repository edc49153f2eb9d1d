package trace

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/rundir"
)

// plan is what a run's record says of it beforehand, as far as the logs must show
// it. The zero plan says nothing.
//
// A machine of a run that lasts so long executes all ticks that are due in that
// time, or misses them. That it has, its own log cannot always show: ticks are
// missed where its process or its host stood still, and a system clock that was set
// forward looks the same. But all machines of a run that the launcher started are on
// one host. What the others did after a machine has come to its end says how early
// that was: their ticks are counted, so no clock has to be trusted for it.
type plan struct {
	record   *rundir.Record // nil: none
	duration time.Duration  // 0: until stopped, or not known
	slack    time.Duration  // how much earlier than the others a machine may end
	// stall is how many messages on a link, not received, may be what its sender
	// waits for: they fill half of its window.
	stall uint64
}

// markEvery is how often the progress of a run is looked at, by each machine's times.
const markEvery = 500 * time.Millisecond

// halfWindow is half of the window that a link has where nobody chooses one (package
// transport).
const halfWindow = 1 << 17

func newPlan(record *rundir.Record) plan {
	p := plan{record: record}
	if record == nil || record.ReplayOf != "" {
		return p
	}
	p.duration = record.Duration
	p.slack = 4 * markEvery
	for _, r := range record.Rates {
		if r != clock.Unpaced {
			p.slack = max(p.slack, 4*markEvery+2*time.Duration(r.Due(1)))
		}
	}
	p.stall = halfWindow
	if record.Window > 0 {
		p.stall = uint64(record.Window+1) / 2
	}
	return p
}

// keepsPace reports whether it is certain that the machines kept their pace, as all
// do but for those of a replay.
func (p *plan) keepsPace() bool { return p.record != nil && p.record.ReplayOf == "" }

// fits holds a start line against the record.
func (c *checker) fits(a *account, line int) {
	r := c.plan.record
	if r == nil {
		return
	}
	start := &a.start.Start
	var differs []string
	differ := func(format string, args ...any) { differs = append(differs, fmt.Sprintf(format, args...)) }
	if start.Run != r.Run {
		differ("run %.64q here, %q there", start.Run, r.Run)
	}
	if start.Machines != len(r.Rates) {
		differ("%s here, %s there", figure.Plural(start.Machines, "machine"), figure.Count(len(r.Rates)))
	}
	if a.id < len(r.Rates) && start.Rate != r.Rates[a.id] {
		differ("rate %v here, %v there", start.Rate, r.Rates[a.id])
	}
	if start.Die != r.Die {
		differ("a die of %s here, %s there", figure.Plural(start.Die, "face"), figure.Count(r.Die))
	}
	if start.Seed != r.Seed {
		differ("seed %d here, %d there", start.Seed, r.Seed)
	}
	if differs != nil {
		c.violate(LawRun, "the start line does not fit "+rundir.RecordName+": "+strings.Join(differs, ", "), a.at(line))
	}
}

// hasty says which machines executed their steps faster than their rates allow.
func (c *checker) hasty() {
	if !c.plan.keepsPace() {
		return
	}
	for _, a := range c.accounts {
		if a == nil || a.haste == nil || a.haste.proven == nil {
			continue
		}
		p := a.haste.proven
		c.violate(LawRun, fmt.Sprintf("steps are executed before they are due: the last %s took %s, but take %s at least at the rate that the start line names",
			figure.Count(p.steps), figure.Duration(p.took), figure.Duration(p.least)), a.at(p.line), a.at(a.start.Line))
	}
}

// end is how far the run had come when a machine did the last that it did: execute a
// step, or come back to execute none any more.
type end struct {
	micro int64         // global time
	ran   time.Duration // of the run, by the ticks that were executed; known to [markEvery]
}

// goesOn takes in that a machine has executed a step, or come back.
func (c *checker) goesOn(a *account, micro int64) {
	if c.plan.duration == 0 {
		return
	}
	a.end.micro = micro
	if micro < a.marked || micro-a.marked >= markEvery.Microseconds() {
		a.marked = micro
		c.ran = max(c.ran, a.byTicks())
		a.end.ran = c.ran
	}
}

// byTicks returns how long a machine has run at least, by the ticks that it executed.
func (a *account) byTicks() time.Duration { return time.Duration(a.rate().Due(a.last.step)) }

// rate returns the machine's rate, that of an unpaced one if no start line says.
func (a *account) rate() clock.Rate {
	if a.start == nil {
		return clock.Unpaced
	}
	return a.start.Start.Rate
}

// early lists the machines that came to their end much earlier than others, though
// the run was not over, and remarks if all were stopped together.
func (c *checker) early() (open []string) {
	if c.plan.duration == 0 {
		return nil
	}
	for _, a := range c.leavers() {
		ran := between(a.began, a.micro)
		if ran < a.byTicks() || ran > c.plan.duration { // the clock was set
			ran = max(a.byTicks(), a.end.ran)
		}
		open = append(open, fmt.Sprintf("machine %d ended after %s of %s, and others went on: what it would have done is not known",
			a.id, figure.Duration(ran), figure.Duration(c.plan.duration)))
	}
	if open == nil && !slices.ContainsFunc(c.accounts, func(a *account) bool { return !a.hasStopped() }) {
		if text := c.short(); text != "" {
			c.verdict.Remarks = append(c.verdict.Remarks, text)
		}
	}
	return open
}

// leavers returns the machines that came to their end much earlier than others. How far those
// were by then follows from the order in which lines are taken in; where each log is taken in
// for itself, it returns these and perhaps more.
func (c *checker) leavers() (left []*account) {
	if c.plan.duration == 0 {
		return nil
	}
	last := int64(math.MinInt64)
	for _, a := range c.accounts {
		c.ran = max(c.ran, a.byTicks())
		last = max(last, a.micro)
	}
	for _, a := range c.accounts {
		if a.start != nil && a.stop != nil && c.endedBefore(a, last) && !c.waited(a) {
			left = append(left, a)
		}
	}
	return left
}

// endedBefore reports whether a machine did nothing any more while others executed
// ticks for long, the last event of all being at last. A machine that stands still
// executes one tick at least when it goes on, however late.
func (c *checker) endedBefore(a *account, last int64) bool {
	return c.ran-a.end.ran > c.plan.slack && between(a.end.micro, last) > c.plan.slack
}

// waited reports whether a machine may have waited to its end for room on a link.
func (c *checker) waited(a *account) bool {
	for _, l := range c.links.all() {
		if l.from == a.id && l.sends >= add(l.receives, c.plan.stall) {
			return true
		}
	}
	return false
}

// short says how much of its time and of its ticks a run had that was stopped as a whole, ""
// where any machine came to its end, by its ticks or by its times. A clock that was set back
// while all machines stood still looks the same, which is one reason why this is a
// remark and no more.
func (c *checker) short() string {
	lasted := time.Duration(0)
	done, due, paced := uint64(0), uint64(0), true
	for _, a := range c.accounts {
		if a.start == nil || a.setBack {
			return ""
		}
		its := between(a.began, a.stop.UnixMicro)
		ticks := a.rate().Ticks(int64(c.plan.duration))
		if its+patience > c.plan.duration || ticks > 0 && a.last.step >= ticks {
			return ""
		}
		lasted = max(lasted, its)
		paced = paced && a.rate() != clock.Unpaced
		if ticks > 0 {
			done, due = add(done, a.last.step), add(due, ticks)
		}
	}
	if due == 0 && paced {
		return "" // of nothing
	}
	text := fmt.Sprintf("the run ended after %s of %s", figure.Duration(lasted), figure.Duration(c.plan.duration))
	if due > 0 {
		text += fmt.Sprintf(", with %s of %s", figure.Count(done), figure.Plural(due, "tick"))
	}
	return text
}

package trace

import (
	"cmp"
	"slices"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
)

// ClockSkew says that the system clock of one machine was ahead of those of others, or
// behind them. It is known from happened-before: a message that was received before it
// was sent, as the two clocks have it, was underway for some time all the same.
type ClockSkew struct {
	Machine int   `json:"machine"`
	Others  []int `json:"others"`
	// Least is by how much its clock was ahead of that of each of the others, at
	// least; below 0: behind.
	Least time.Duration `json:"least_ns"`
}

// inStep is how far apart clocks may be that count as one: a time server keeps those of
// neighbouring hosts closer together. A larger difference matters from a period of the
// fastest machine on, in which its clock goes on by 1.
const inStep = 5 * time.Millisecond

// skews keeps for every link by how much its messages went back in time at most, where
// any did.
type skews map[skewed]int64 // µs

type skewed struct{ sender, recipient int }

// received takes in a message that came so long after it was sent, in µs.
func (s skews) received(sender, recipient int, after int64) {
	if after < 0 {
		link := skewed{sender, recipient}
		s[link] = max(s[link], -after)
	}
}

// tolerated returns how far apart the clocks of machines with these rates may be.
func tolerated(rates []clock.Rate) time.Duration {
	if len(rates) == 0 {
		return inStep
	}
	fastest := slices.MaxFunc(rates, func(a, b clock.Rate) int { return cmp.Compare(a.PerSecond(), b.PerSecond()) })
	return max(inStep, time.Duration(fastest.Due(1))) // of an unpaced one, at once
}

// settle says whose clocks were how far apart, if by more than is tolerated. Of two it
// cannot be known which was wrong: the machine that is off most others is named first.
func (s skews) settle(tolerated time.Duration) (found []ClockSkew) {
	off := make(map[int][]apart)
	for link, micro := range s {
		// Logs hold whole microseconds, so that two may seem one further apart.
		if by := between(1, micro); by > tolerated {
			off[link.sender] = append(off[link.sender], apart{link.recipient, by})
			off[link.recipient] = append(off[link.recipient], apart{link.sender, -by})
		}
	}
	for len(off) > 0 {
		worst := -1
		for id, others := range off {
			if n := cmp.Compare(len(others), len(off[worst])); worst < 0 || n > 0 || n == 0 && id < worst {
				worst = id
			}
		}
		for _, way := range []bool{true, false} {
			if skew := skewOf(worst, off[worst], way); skew.Others != nil {
				found = append(found, skew)
			}
		}
		for _, a := range off[worst] {
			rest := slices.DeleteFunc(off[a.other], func(b apart) bool { return b.other == worst })
			if off[a.other] = rest; len(rest) == 0 {
				delete(off, a.other)
			}
		}
		delete(off, worst)
	}
	return found
}

// apart is how far a machine's clock is ahead of another's at least.
type apart struct {
	other int
	by    time.Duration // below 0: behind
}

func skewOf(machine int, others []apart, ahead bool) ClockSkew {
	skew := ClockSkew{Machine: machine}
	for _, a := range others {
		if (a.by > 0) == ahead {
			skew.Others = append(skew.Others, a.other)
			if skew.Least == 0 || a.by.Abs() < skew.Least.Abs() {
				skew.Least = a.by
			}
		}
	}
	slices.Sort(skew.Others)
	return skew
}

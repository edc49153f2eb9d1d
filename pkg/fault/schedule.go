package fault

import (
	"cmp"
	"slices"
	"time"
)

// schedule walks through what a plan does, in the order of time.
type schedule struct {
	p     *Plan
	fixed []*fault // what is still to begin, by start, then by place in the plan
	soaks []soak   // by place in the plan
	ends  []ending // of what has begun, in the order of time, then of beginning
}

// soak is a random fault and the next of its instances.
type soak struct {
	*fault
	k    uint64
	next time.Duration // Forever: no more
}

// ending is a fault that is going on.
type ending struct {
	at       time.Duration
	action   Action
	machines spans // that are down or paused
}

func newSchedule(p *Plan) *schedule {
	s := &schedule{p: p}
	for _, f := range p.faults {
		if f.random() {
			s.soaks = append(s.soaks, soak{fault: f})
			s.soaks[len(s.soaks)-1].seek(0)
		} else {
			s.fixed = append(s.fixed, f)
		}
	}
	slices.SortStableFunc(s.fixed, func(a, b *fault) int { return cmp.Compare(a.at, b.at) })
	return s
}

// seek makes the first instance from k on the next.
func (s *soak) seek(k uint64) {
	for ; k <= s.lastPeriod(); k++ {
		if start := s.start(k); s.exists(start) {
			s.k, s.next = k, start
			return
		}
	}
	s.next = Forever
}

// next returns the next action, where it is before an instant.
func (s *schedule) next(until time.Duration) (Action, bool) {
	for {
		var first *soak
		for i := range s.soaks {
			if first == nil || s.soaks[i].next < first.next {
				first = &s.soaks[i]
			}
		}
		begins := Forever
		if first != nil {
			begins = first.next
		}
		isFixed := len(s.fixed) > 0 && (s.fixed[0].at < begins || s.fixed[0].at == begins && s.fixed[0].n < first.n)
		if isFixed {
			begins = s.fixed[0].at
		}
		if len(s.ends) > 0 && s.ends[0].at <= begins {
			e := s.ends[0]
			if e.at >= until {
				return Action{}, false
			}
			s.ends = s.ends[1:]
			e.action.At, e.action.Over = e.at, true
			return e.action, true
		}
		if begins >= until { // also where there is none
			return Action{}, false
		}
		if isFixed {
			f := s.fixed[0]
			s.fixed = s.fixed[1:]
			return s.begin(f.action(s.p.machines)), true
		}
		a, ok := s.instance(first)
		if ok {
			return s.begin(a), true
		}
	}
}

// instance returns the next instance of a random fault, and moves on to the one
// after it. There is none where no machine is left to strike.
func (s *schedule) instance(r *soak) (Action, bool) {
	a := Action{At: r.next, Kind: r.kind, For: r.length}
	k, after := r.k, r.k+1
	switch r.kind {
	case Kill, Pause:
		struck, free := s.struck(r.next, r.next+r.length)
		up := struck.except(s.p.machines)
		if n := up.size(); n > 0 {
			a.Machines = []int{up.pick(r.victim(k, n))}
			break
		}
		// Nobody is free before that, so the instances until then need
		// not be tried.
		r.seek(max(after, uint64(free-r.at)/uint64(r.every)))
		return a, false
	case StopReading:
		a.Machines = []int{r.victim(k, s.p.machines)}
	case Partition:
		a.Groups = make([][]int, 2)
		for id := range s.p.machines {
			side := r.side(k, s.p.machines, id)
			a.Groups[side] = append(a.Groups[side], id)
		}
		if a.Groups[0][0] != 0 {
			slices.Reverse(a.Groups)
		}
	case Cut, Reset:
		a.Link = r.linkOf(k, s.p.machines)
	}
	r.seek(after)
	return a, true
}

// struck returns the machines that cannot be killed or paused at an instant until
// another: those that still are, and those that the plan, chance aside, strikes by
// then. The first of these faults to end does so at free.
func (s *schedule) struck(from, to time.Duration) (machines spans, free time.Duration) {
	free = Forever
	for _, e := range s.ends {
		if len(e.machines) > 0 {
			machines = append(machines, e.machines...)
			free = min(free, e.at)
		}
	}
	s.p.process.overlapping(from, to, func(f *fault) {
		machines = append(machines, f.machines...)
		free = min(free, f.end())
	})
	return union(machines), free
}

// begin notes that an action's fault is going on.
func (s *schedule) begin(a Action) Action {
	if a.For == 0 || a.For == Forever {
		return a
	}
	e := ending{at: a.At + a.For, action: a}
	if a.Kind.process() {
		e.machines = spansOf(a.Machines)
	}
	i, _ := slices.BinarySearchFunc(s.ends, e.at, func(e ending, at time.Duration) int {
		if e.at <= at {
			return -1 // what began before ends before
		}
		return 1
	})
	s.ends = slices.Insert(s.ends, i, e)
	// The caller may keep one action and change the other.
	a.Machines = slices.Clone(a.Machines)
	a.Groups = slices.Clone(a.Groups)
	for i := range a.Groups {
		a.Groups[i] = slices.Clone(a.Groups[i])
	}
	return a
}

// action returns the beginning of a fault that does not depend on chance.
func (f *fault) action(machines int) Action {
	a := Action{At: f.at, Kind: f.kind, For: f.length, Machines: f.machines.ids(), Link: f.link, Mean: f.mean, Jitter: f.jitter}
	var named []span
	for _, g := range f.groups {
		a.Groups = append(a.Groups, g.ids())
		named = append(named, g...)
	}
	if f.kind == Partition {
		if rest := union(named).except(machines); len(rest) > 0 {
			a.Groups = append(a.Groups, rest.ids())
		}
	}
	return a
}

package fault

import (
	"cmp"
	"slices"
	"time"
)

// timeline finds the faults that are going on at an instant among n of them in
// O(log n + found). A search by start alone would not do: one delay without an end
// at the beginning is going on behind any number of faults that are long over.
//
// It is a search tree without pointers: the faults by start, where the root of
// a stretch is its middle one, and for each the latest end below it.
type timeline struct {
	faults []*fault        // by start, then by place in the plan
	latest []time.Duration // latest[m] is the latest end in the stretch with the root m
}

func newTimeline(faults []*fault) timeline {
	slices.SortStableFunc(faults, func(a, b *fault) int { return cmp.Compare(a.at, b.at) })
	t := timeline{faults, make([]time.Duration, len(faults))}
	t.climb(0, len(faults))
	return t
}

// climb fills in latest for the stretch [lo, hi), and returns its latest end.
func (t timeline) climb(lo, hi int) time.Duration {
	if lo == hi {
		return 0
	}
	m := (lo + hi) / 2
	t.latest[m] = max(t.faults[m].end(), t.climb(lo, m), t.climb(m+1, hi))
	return t.latest[m]
}

// during visits the faults that are going on at an instant. A fault is going on
// from its start to just before its end.
func (t timeline) during(at time.Duration, visit func(*fault)) {
	if len(t.faults) > 0 {
		t.search(0, len(t.faults), at, at, visit)
	}
}

// overlapping visits the faults that are going on at some time from one instant to
// just before another.
func (t timeline) overlapping(from, to time.Duration, visit func(*fault)) {
	t.search(0, len(t.faults), from, to-1, visit)
}

// search visits the faults of the stretch [lo, hi) that have begun by last and
// not ended by first.
func (t timeline) search(lo, hi int, first, last time.Duration, visit func(*fault)) {
	for lo < hi {
		m := (lo + hi) / 2
		if t.latest[m] <= first {
			return
		}
		t.search(lo, m, first, last, visit)
		f := t.faults[m]
		if f.at > last {
			return
		}
		if f.end() > first {
			visit(f)
		}
		lo = m + 1
	}
}

// linkIndex finds the faults of a link by time. Plans that give every link of a
// large run its own delay have many faults that are going on for ever; only
// those of the link at hand, and those of several links, are looked at.
type linkIndex map[linkKey]timeline

// linkKey is a link, each end plus 1, so that 0 stands for any. One word is
// hashed faster than two.
type linkKey uint64

func keyOf(from, to int) linkKey { return linkKey(from+1)<<32 | linkKey(to+1) }

func newLinkIndex(faults []*fault) linkIndex {
	byLink := make(map[linkKey][]*fault)
	for _, f := range faults {
		l := f.link
		byLink[keyOf(l.From, l.To)] = append(byLink[keyOf(l.From, l.To)], f)
		if l.Both {
			byLink[keyOf(l.To, l.From)] = append(byLink[keyOf(l.To, l.From)], f)
		}
	}
	x := make(linkIndex, len(byLink))
	for k, faults := range byLink {
		x[k] = newTimeline(faults)
	}
	return x
}

// during visits the faults of a link that are going on at an instant, each once.
func (x linkIndex) during(from, to int, at time.Duration, visit func(*fault)) {
	if len(x) == 0 {
		return
	}
	x[keyOf(from, to)].during(at, visit)
	x[keyOf(from, Any)].during(at, visit)
	x[keyOf(Any, to)].during(at, visit)
	x[keyOf(Any, Any)].during(at, visit)
}

package fault

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// span is the machines first … last.
type span struct{ first, last int }

// spans is a set of machines. Invariant: ascending, and between two neighbours
// at least one machine is missing, so equal sets have equal spans.
type spans []span

// spansOf returns the set of some machines.
func spansOf(ids []int) spans {
	set := make(spans, len(ids))
	for i, id := range ids {
		set[i] = span{id, id}
	}
	return union(set)
}

// union makes a set of any spans, which it may overwrite.
func union(s []span) spans {
	slices.SortFunc(s, func(a, b span) int { return cmp.Compare(a.first, b.first) })
	set := s[:0]
	for _, next := range s {
		if n := len(set); n > 0 && next.first <= set[n-1].last+1 {
			set[n-1].last = max(set[n-1].last, next.last)
			continue
		}
		set = append(set, next)
	}
	return set
}

func (s spans) has(id int) bool {
	_, found := slices.BinarySearchFunc(s, id, func(r span, id int) int {
		switch {
		case r.last < id:
			return -1
		case r.first > id:
			return 1
		}
		return 0
	})
	return found
}

// common returns the first machine that is in both sets.
func (s spans) common(t spans) (id int, ok bool) {
	for len(s) > 0 && len(t) > 0 {
		switch {
		case s[0].last < t[0].first:
			s = s[1:]
		case t[0].last < s[0].first:
			t = t[1:]
		default:
			return max(s[0].first, t[0].first), true
		}
	}
	return 0, false
}

// size returns how many machines are in the set.
func (s spans) size() int {
	n := 0
	for _, r := range s {
		n += r.last - r.first + 1
	}
	return n
}

// ids returns the machines of the set one by one.
func (s spans) ids() []int {
	if len(s) == 0 {
		return nil
	}
	ids := make([]int, 0, s.size())
	for _, r := range s {
		for id := r.first; id <= r.last; id++ {
			ids = append(ids, id)
		}
	}
	return ids
}

// except returns those of so many machines that are not in the set.
func (s spans) except(machines int) spans {
	var rest spans
	first := 0
	for _, r := range s {
		if first < r.first {
			rest = append(rest, span{first, r.first - 1})
		}
		first = r.last + 1
	}
	if first < machines {
		rest = append(rest, span{first, machines - 1})
	}
	return rest
}

// pick returns the i-th machine of the set, from 0.
func (s spans) pick(i int) int {
	for _, r := range s {
		if n := r.last - r.first + 1; i >= n {
			i -= n
			continue
		}
		return r.first + i
	}
	panic("fault: a set has no such machine")
}

// text returns the set as a plan writes it; a set of all machines is "all".
func (s spans) text(machines int) string {
	if len(s) == 1 && s[0] == (span{0, machines - 1}) {
		return "all"
	}
	var parts []string
	for _, r := range s {
		first, last := strconv.Itoa(r.first), strconv.Itoa(r.last)
		switch r.last - r.first {
		case 0:
			parts = append(parts, first)
		case 1:
			parts = append(parts, first, last)
		default:
			parts = append(parts, first+".."+last)
		}
	}
	return strings.Join(parts, ",")
}

package fault

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// A set of machines, against a map.
func TestSpans(t *testing.T) {
	const machines = 12
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) (spans, map[int]bool) {
			ids := rapid.SliceOf(rapid.IntRange(0, machines-1)).Draw(t, name)
			in := make(map[int]bool)
			for _, id := range ids {
				in[id] = true
			}
			return spansOf(ids), in
		}
		s, in := draw("s")
		other, inOther := draw("other")
		var ids, rest []int
		shared := -1
		for id := range machines {
			require.Equal(t, in[id], s.has(id))
			if in[id] {
				ids = append(ids, id)
			} else {
				rest = append(rest, id)
			}
			if shared < 0 && in[id] && inOther[id] {
				shared = id
			}
		}
		require.Equal(t, ids, s.ids())
		require.Equal(t, len(ids), s.size())
		require.Equal(t, rest, s.except(machines).ids())
		for i, id := range ids {
			require.Equal(t, id, s.pick(i))
		}
		for i := range s[:max(len(s)-1, 0)] {
			require.Less(t, s[i].last+1, s[i+1].first)
		}
		id, ok := s.common(other)
		require.Equal(t, shared >= 0, ok)
		if ok {
			require.Equal(t, shared, id)
		}
		require.Equal(t, spansOf(slices.Concat(s.ids(), other.ids())).ids(), union(slices.Concat(s, other)).ids())
		require.Panics(t, func() { s.pick(len(ids)) })
	})
}

package fault

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// What is going on, against a look at all; and each fault is visited once, by
// start.
func TestTimeline(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		instant := func() time.Duration { return time.Duration(rapid.IntRange(0, 30).Draw(t, "instant")) }
		var faults []*fault
		for i := range rapid.IntRange(0, 20).Draw(t, "faults") {
			f := &fault{n: i, at: instant(), length: 1 + instant()}
			if rapid.IntRange(0, 9).Draw(t, "forever") == 0 {
				f.length = Forever
			}
			faults = append(faults, f)
		}
		line := newTimeline(slices.Clone(faults))
		slices.SortStableFunc(faults, func(a, b *fault) int { return int(a.at - b.at) })
		from := instant()
		to := from + 1 + instant()
		var during, overlapping, wantDuring, wantOverlapping []*fault
		for _, f := range faults {
			if f.at <= from && from < f.end() {
				wantDuring = append(wantDuring, f)
			}
			if f.at < to && from < f.end() {
				wantOverlapping = append(wantOverlapping, f)
			}
		}
		line.during(from, func(f *fault) { during = append(during, f) })
		line.overlapping(from, to, func(f *fault) { overlapping = append(overlapping, f) })
		require.Equal(t, wantDuring, during)
		require.Equal(t, wantOverlapping, overlapping)
	})
}

// A decision looks at few faults, however many the plan has.
func TestTimelineLooksAtFew(t *testing.T) {
	var faults []*fault
	const n = 100_000
	for i := range n {
		faults = append(faults, &fault{n: i, at: time.Duration(10 * i), length: 5})
	}
	faults[0].length = Forever // everything after it stands behind one that is going on
	line := newTimeline(faults)
	// The ways to the two that are going on, and to the first that is to come, are
	// all that may be looked at.
	on := make(map[int]bool)
	for _, i := range []int{0, n / 2, n/2 + 1} {
		for lo, hi := 0, n; lo < hi; {
			m := (lo + hi) / 2
			on[m] = true
			if i < m {
				hi = m
			} else {
				lo = m + 1
			}
		}
	}
	for i := range n {
		if !on[i] {
			line.faults[i] = nil
		}
	}
	looked := 0
	line.during(10*n/2+1, func(*fault) { looked++ })
	require.Equal(t, 2, looked)
	require.Zero(t, testing.AllocsPerRun(10, func() { line.during(10*n/2+1, func(*fault) { looked++ }) }))
}

// Nor does it look at random faults that it can say nothing about.
func TestSoaksAreOfLinks(t *testing.T) {
	p, err := Parse("random kill every 1s; random pause every 1s; random reset every 1s; random cut every 1s", 3)
	require.NoError(t, err)
	require.Len(t, p.soaks, 1)
}

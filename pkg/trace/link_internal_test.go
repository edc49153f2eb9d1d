package trace

import (
	"math"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The set of spans is a set.
func TestNumbersAreASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s numbers
		twin := make(map[uint64]bool)
		number := rapid.OneOf(rapid.Uint64Range(0, 40), rapid.Uint64Range(math.MaxUint64-5, math.MaxUint64))
		for range rapid.IntRange(0, 100).Draw(t, "adds") {
			n := number.Draw(t, "n")
			require.Equal(t, !twin[n], s.add(n), n)
			twin[n] = true
			var largest uint64
			for n := range twin {
				largest = max(largest, n)
			}
			require.Equal(t, largest, s.largest())
			spans := s.spans()
			for i, sp := range spans {
				require.LessOrEqual(t, sp.first, sp.last)
				require.True(t, i == 0 || spans[i-1].last+1 < sp.first, "%v", spans)
			}
			for n := range uint64(50) {
				require.Equal(t, twin[n], s.has(n))
				require.Equal(t, twin[math.MaxUint64-n], s.has(math.MaxUint64-n))
			}
		}
	})
}

// A set with too many holes forgets the lowest.
func TestNumbersAreBounded(t *testing.T) {
	for name, nth := range map[string]func(i uint64) uint64{
		"rising":  func(i uint64) uint64 { return 2 * i },
		"falling": func(i uint64) uint64 { return 1_000_000 - 2*i },
	} {
		t.Run(name, func(t *testing.T) {
			var s numbers
			for i := range uint64(100_000) {
				s.add(nth(i))
				if n := len(s.spans()); !s.has(nth(i)) || n > maxSpans { // require would take seconds
					t.Fatalf("%d: there is %v, in %d spans", nth(i), s.has(nth(i)), n)
				}
			}
			require.Equal(t, max(nth(0), nth(99_999)), s.largest())
			require.False(t, s.has(s.largest()-1))
		})
	}
}

// Messages are taken once each, in any order, also of numbers that go back.
func TestLinkTakes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l link
		twin := make(map[uint64]int)
		for i := range rapid.IntRange(0, 300).Draw(t, "moves") {
			seq := rapid.Uint64Range(0, 50).Draw(t, "seq")
			if rapid.Bool().Draw(t, "push") && l.sent.add(seq) {
				l.push(seq, flight{line: i + 1})
				twin[seq] = i + 1
				continue
			}
			f := l.take(seq)
			if twin[seq] == 0 {
				require.Nil(t, f)
				continue
			}
			require.Equal(t, flight{line: twin[seq]}, *f)
			delete(twin, seq)
		}
		require.Equal(t, len(twin), int(l.flights.n)+len(l.odd().late))
	})
}

// What a link holds does not grow with the messages that have gone over it, even if the
// first never came.
func TestLinkForgets(t *testing.T) {
	var l link
	l.push(1, flight{})
	for seq := uint64(2); seq < 100_000; seq++ {
		l.push(seq, flight{})
		if seq > 10 {
			require.NotNil(t, l.take(seq-8))
		}
	}
	require.Len(t, l.late, 2) // 1 and 2
	require.LessOrEqual(t, len(l.flights.slots), 256)
}

// Links of many machines are far apart.
func TestLinkIsSmall(t *testing.T) {
	require.LessOrEqual(t, unsafe.Sizeof(link{}), uintptr(128))
}

package windows

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// A window is never longer than the look-ahead, and more than half as long.
func TestShift(t *testing.T) {
	for _, none := range []int64{-1, 0} {
		_, ok := Shift(none)
		require.False(t, ok)
	}
	for lookahead, want := range map[int64]uint8{1: 0, 2: 1, 3: 1, 1_000_000: 19, 1 << 32: 32, 1<<33 + 1: 32} {
		shift, ok := Shift(lookahead)
		require.True(t, ok)
		require.Equal(t, want, shift, "%d", lookahead)
	}
}

// A calendar hands out each item in the window in which it is due, and no other, against a
// list. Few buckets and long times: it goes round many times.
func TestWheel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const shift = 4
		w := NewWheel[int64](shift, rapid.Int64Range(1, 5000).Draw(t, "longest"))
		add := func(after int64) int64 {
			due := after + rapid.Int64Range(0, 10_000).Draw(t, "due")
			w.Add(due, due)
			return due
		}
		var left []int64
		for range rapid.IntRange(0, 300).Draw(t, "items") {
			left = append(left, add(0))
		}
		for window := w.Next(None); window != None; window = w.Next(window) {
			var got, want []int64
			last := int64(window+1)<<shift - 1
			w.Open(window)
			for items := w.Take(); len(items) > 0; items = w.Take() {
				for _, due := range items {
					if due > last {
						w.Add(due, due)
						continue
					}
					got = append(got, due)
					if rapid.IntRange(0, 3).Draw(t, "again") == 0 {
						left = append(left, add(last+1))
					}
				}
			}
			left = slices.DeleteFunc(left, func(due int64) bool {
				if due <= last {
					want = append(want, due)
				}
				return due <= last
			})
			slices.Sort(got)
			slices.Sort(want)
			require.Equal(t, want, got)
		}
		require.Empty(t, left)
	})
}

// Piles against slices: what is added comes out, in its order, also what is added to a
// pile while it is read.
func TestPiles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const n = 5
		p := NewPiles[int](n)
		plain := make([][]int, n)
		pile := rapid.IntRange(0, n-1)
		number := 0
		add := func(most int) {
			i := pile.Draw(t, "pile")
			for range rapid.IntRange(0, most).Draw(t, "items") {
				p.Add(i, number)
				plain[i] = append(plain[i], number)
				number++
			}
		}
		for range rapid.IntRange(0, 30).Draw(t, "steps") {
			add(3 * Chunk)
			i := pile.Draw(t, "read")
			require.Equal(t, len(plain[i]) == 0, p.Empty(i))
			var got []int
			want := plain[i]
			plain[i] = nil
			p.Open(i)
			for items := p.Take(); len(items) > 0; items = p.Take() {
				got = append(got, items...)
				add(2)
				require.Equal(t, got[len(got)-len(items):], items, "stays while others are added")
			}
			require.Equal(t, want, got)
		}
		p.clear()
		for i := range n {
			require.True(t, p.Empty(i))
		}
	})
}

// crowd is parts that each tell all of each window, and hear of all.
type crowd struct {
	parts []*teller
}

type teller struct {
	*crowd
	me    int
	out   Outbox[uint64]
	heard [][]uint64 // by window, of whom
	until uint64
	stop  uint64
}

func (p *teller) Collect() {
	var heard []uint64
	for _, from := range p.parts {
		for items := range p.out.Sent(&from.out, p.me) {
			heard = append(heard, items...)
		}
	}
	p.heard = append(p.heard, heard)
}

func (p *teller) Execute(window uint64) Outcome {
	p.out.Turn()
	for to := range p.parts {
		p.out.Send(to, window<<8|uint64(p.me))
	}
	next := window + 1 + uint64(p.me) // the nearest of all counts
	if window >= p.until {
		next = None
	}
	return Outcome{Next: next, Events: window, Stop: window == p.stop && p.me == len(p.parts)-1}
}

// What is sent in a window is there before the next, of all parts and once; a part that
// stops the run stops all after the same window.
func TestRun(t *testing.T) {
	for _, n := range []int{1, 2, 3, 7} {
		for _, stop := range []uint64{None, 123} {
			c := &crowd{}
			var parts []Part
			for me := range n {
				p := &teller{crowd: c, me: me, out: NewOutbox[uint64](n), until: 500, stop: stop}
				c.parts, parts = append(c.parts, p), append(parts, p)
			}
			passed := uint64(0)
			stopped := Run(parts, 0, func(window, events uint64) {
				require.Equal(t, passed, window)
				require.Equal(t, window*uint64(n), events)
				passed++
			})
			require.Equal(t, stop != None, stopped)
			require.Equal(t, min(stop, 500)+1, passed)
			for _, p := range c.parts {
				require.Len(t, p.heard, int(passed)+1)
				require.Empty(t, p.heard[0])
				for window, heard := range p.heard[1:] {
					var want []uint64
					for me := range n {
						want = append(want, uint64(window)<<8|uint64(me))
					}
					require.Equal(t, want, heard)
				}
			}
		}
	}
}

package counter_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/internal/counter"
)

// Counters are a map, however many machines there are.
func TestCountersAreAMap(t *testing.T) {
	t.Run("uint32", testMap[uint32])
	t.Run("uint64", testMap[uint64])
}

func testMap[N uint32 | uint64](t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		machines := rapid.SampledFrom([]int{1, 3, 1023, 1024, 100_000}).Draw(t, "machines")
		c, twin := counter.New[N](machines), make(map[int]N)
		for range rapid.IntRange(1, 100).Draw(t, "calls") {
			// Few machines, the last among them, so that each is counted often.
			id := rapid.OneOf(rapid.IntRange(0, min(3, machines-1)), rapid.Just(machines-1)).Draw(t, "machine")
			switch rapid.SampledFrom([]string{"next", "next", "set", "clear"}).Draw(t, "call") {
			case "next":
				twin[id]++
				require.Equal(t, twin[id], c.Next(id))
			case "set":
				twin[id] = N(rapid.Uint32().Draw(t, "n"))
				c.Set(id, twin[id])
			case "clear":
				clear(twin)
				c.Clear()
			}
		}
	})
}

// A hundred thousand machines with a number for each of the others would want 80 GB.
func TestManyMachinesTakeNoMemory(t *testing.T) {
	result := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			c := counter.New[uint64](100_000)
			c.Next(99_999)
		}
	})
	require.Less(t, result.AllocedBytesPerOp(), int64(2000))
}

func TestNextAllocatesNothing(t *testing.T) {
	c := counter.New[uint64](1023)
	require.Zero(t, testing.AllocsPerRun(100, func() { c.Next(1022) }))
}

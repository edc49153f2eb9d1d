// Package counter counts by machine, as the messages on each link that leaves one
// are numbered: 1, 2, 3, …
package counter

// sparseFrom is from how many machines on only those that were counted take memory.
// An array is the fastest, but N machines with an array of N each want N² numbers:
// 80 GB for 100,000 machines.
const sparseFrom = 1 << 10

// Counters are numbers by machine, 0 at first. They are made by [New].
type Counters[N uint32 | uint64] struct {
	dense  []N // nil: sparse
	sparse map[int32]N
}

// New returns counters for the machines 0 … machines-1.
func New[N uint32 | uint64](machines int) Counters[N] {
	if machines < sparseFrom {
		return Counters[N]{dense: make([]N, machines)}
	}
	return Counters[N]{sparse: make(map[int32]N)}
}

// Next adds 1 to a machine's number and returns it.
func (c *Counters[N]) Next(machine int) N {
	if c.dense != nil {
		c.dense[machine]++
		return c.dense[machine]
	}
	n := c.sparse[int32(machine)] + 1
	c.sparse[int32(machine)] = n
	return n
}

// Set gives a machine a number.
func (c *Counters[N]) Set(machine int, n N) {
	if c.dense != nil {
		c.dense[machine] = n
		return
	}
	c.sparse[int32(machine)] = n
}

// Clear sets all numbers to 0.
func (c *Counters[N]) Clear() {
	clear(c.dense)
	clear(c.sparse)
}

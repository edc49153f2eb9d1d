package machine

// counters numbers the messages on every link that leaves a machine: 1, 2, 3, …
//
// A plain array is the fastest, but N machines with an array of N each want N²
// numbers: 80 GB for 100,000 machines. From sparseFrom machines on, only links
// that carried a message take memory.
type counters struct {
	dense  []uint64 // by recipient; nil: sparse
	sparse map[int32]uint64
}

const sparseFrom = 1 << 10

func newCounters(machines int) counters {
	if machines < sparseFrom {
		return counters{dense: make([]uint64, machines)}
	}
	return counters{sparse: make(map[int32]uint64)}
}

// next returns the number of the next message to machine `to`.
func (c *counters) next(to int) uint64 {
	if c.dense != nil {
		c.dense[to]++
		return c.dense[to]
	}
	n := c.sparse[int32(to)] + 1
	c.sparse[int32(to)] = n
	return n
}

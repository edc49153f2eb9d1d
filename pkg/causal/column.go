package causal

// column is a list that grows without being copied, in blocks. What is in it holds no
// pointer, so the garbage collector has nothing to look at.
type column[T any] struct {
	blocks [][]T
	n      int
}

const (
	blockShift = 13
	blockSize  = 1 << blockShift
)

func (c *column[T]) add(v T) {
	last := c.n >> blockShift
	if last == len(c.blocks) {
		c.begin()
	}
	c.blocks[last] = append(c.blocks[last], v)
	c.n++
}

// begin begins a block. The first one grows with what is in it: of many machines, most
// may have few events.
func (c *column[T]) begin() {
	var block []T
	if len(c.blocks) > 0 {
		block = make([]T, 0, blockSize)
	}
	c.blocks = append(c.blocks, block)
}

func (c *column[T]) at(i int) *T { return &c.blocks[i>>blockShift][i&(blockSize-1)] }

// search returns the first place at which f holds, n if there is none; f does not hold
// up to there, and holds from there on.
func (c *column[T]) search(f func(*T) bool) int { return c.searchIn(0, c.n, f) }

// searchIn is search among the places from lo to just before hi, hi if there is none.
func (c *column[T]) searchIn(lo, hi int, f func(*T) bool) int {
	for lo < hi {
		if m := int(uint(lo+hi) >> 1); f(c.at(m)) {
			hi = m
		} else {
			lo = m + 1
		}
	}
	return lo
}

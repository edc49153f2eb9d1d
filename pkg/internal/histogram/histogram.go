// Package histogram tells percentiles of any number of whole numbers, by the nearest
// rank and in bounded memory: exactly where the numbers are small, as clocks' jumps are,
// and above that to a known share of them.
//
// Each number has a weight: how often it was, or for how long. A [Histogram] counts small
// numbers one by one and larger ones in cells whose width grows with them, as
// HdrHistogram does (Tene, 2012). It holds only the blocks of cells in which something
// is, so that a million of them, each with a few numbers, take little more than those.
package histogram

import "math/bits"

// Histogram is how often each of many numbers was.
type Histogram struct {
	exact  uint                // numbers of no more bits have a cell of their own
	blocks []*[perBlock]uint64 // of cells; nil: all are 0
	small  *[perBlock]uint64   // blocks[0] where it counts the numbers below perBlock one by one, which most are
}

const perBlock = 256

// New returns an empty Histogram that tells numbers below 2^exact exactly. One that is
// larger is told too high by less than a 2^(exact-1)th of it. exact is from 1 to 32.
func New(exact uint) *Histogram { return &Histogram{exact: exact} }

// Add takes in a number with a weight. All weights together are below 2^64.
func (h *Histogram) Add(n, weight uint64) {
	if n < perBlock && h.small != nil {
		h.small[n] += weight
	} else {
		h.add(n, weight)
	}
}

// add is the part of Add that is not inlined.
func (h *Histogram) add(n, weight uint64) {
	cell := h.cell(n)
	b := cell / perBlock
	for b >= uint64(len(h.blocks)) {
		h.blocks = append(h.blocks, nil)
	}
	if h.blocks[b] == nil {
		h.put(b, new([perBlock]uint64))
	}
	h.blocks[b][cell%perBlock] += weight
}

// put makes a block one of the cells.
func (h *Histogram) put(b uint64, block *[perBlock]uint64) {
	if h.blocks[b] = block; b == 0 && (perBlock-1)>>h.exact == 0 {
		h.small = block
	}
}

// Merge takes in all numbers of another Histogram that tells the same numbers exactly.
func (h *Histogram) Merge(o *Histogram) {
	for len(h.blocks) < len(o.blocks) {
		h.blocks = append(h.blocks, nil)
	}
	for b, block := range o.blocks {
		if block == nil {
			continue
		}
		if h.blocks[b] == nil {
			h.put(uint64(b), new([perBlock]uint64))
		}
		for i, weight := range block {
			h.blocks[b][i] += weight
		}
	}
}

// Total returns the weight of all numbers.
func (h *Histogram) Total() (total uint64) {
	for _, block := range h.blocks {
		if block == nil {
			continue
		}
		for _, weight := range block {
			total += weight
		}
	}
	return total
}

// Percentile returns the smallest of the numbers that, together with all smaller ones,
// has at least so many per cent of the weight; 0 if there is none. percent is from 0 to
// 100. Where it is not exact, the result is the largest number that it can be.
func (h *Histogram) Percentile(percent uint64) uint64 {
	total := h.Total()
	rank := max(1, total/100*percent+(total%100*percent+99)/100) // rounded up, without an overflow
	var below uint64
	for b, block := range h.blocks {
		if block == nil {
			continue
		}
		for i, weight := range block {
			if below += weight; below >= rank {
				return h.last(uint64(b*perBlock + i))
			}
		}
	}
	return 0
}

// cell returns where a number is counted. All numbers below 2^exact have one each. So
// has the upper half of these with each further bit, which then is dropped.
func (h *Histogram) cell(n uint64) uint64 {
	if n>>h.exact == 0 {
		return n
	}
	dropped := uint(bits.Len64(n)) - h.exact
	return uint64(dropped)<<(h.exact-1) + n>>dropped
}

// last returns the largest number that is counted in a cell.
func (h *Histogram) last(cell uint64) uint64 {
	if cell>>h.exact == 0 {
		return cell
	}
	dropped := uint(cell>>(h.exact-1)) - 1
	kept := cell - uint64(dropped)<<(h.exact-1)
	return (kept+1)<<dropped - 1 // of the very last cell, 0 - 1
}

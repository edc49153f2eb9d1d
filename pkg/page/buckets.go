package page

// buckets keep the least and the greatest value in each of a bounded number of equal times,
// however long the run turns out to be: where a time is behind the last one, two neighbours
// become one, as often as it takes.
type buckets struct {
	limit int   // how many there may be, even
	width int64 // of each, µs
	list  []bucket
}

// bucket is the values in one of them. Where there was none, it has the last one of those
// before.
type bucket struct {
	least, greatest, last int64
	some                  bool
}

func newBuckets(limit int, width int64) *buckets { return &buckets{limit: limit, width: max(1, width)} }

// add takes in a value at a time, in µs from the start; what was before the start counts as
// at the start.
func (b *buckets) add(at, value int64) {
	i := b.place(at)
	for len(b.list) <= i {
		b.list = append(b.list, bucket{})
	}
	k := &b.list[i]
	if !k.some {
		*k = bucket{value, value, value, true}
		return
	}
	k.least, k.greatest, k.last = min(k.least, value), max(k.greatest, value), value
}

// place returns the bucket of a time, for which there is room then.
func (b *buckets) place(at int64) int {
	at = max(0, at)
	for at/b.width >= int64(b.limit) {
		b.halve()
	}
	return int(at / b.width)
}

// halve makes one bucket of two.
func (b *buckets) halve() {
	b.width *= 2
	n := (len(b.list) + 1) / 2
	for i := range n {
		k := b.list[2*i]
		if 2*i+1 < len(b.list) {
			k = k.and(b.list[2*i+1])
		}
		b.list[i] = k
	}
	b.list = b.list[:n]
}

// and returns a bucket and the one after it as one.
func (k bucket) and(next bucket) bucket {
	switch {
	case !next.some:
		return k
	case !k.some:
		return next
	}
	return bucket{min(k.least, next.least), max(k.greatest, next.greatest), next.last, true}
}

// most returns the greatest value from one time to another, of the buckets that lie there at
// least in part; 0 if there is none.
func (b *buckets) most(from, to int64) (most int64) {
	for i := max(0, from) / b.width; i <= to/b.width && i < int64(len(b.list)); i++ {
		most = max(most, b.list[i].greatest)
	}
	return most
}

// columns returns the least and the greatest values of the first n buckets, each as what it
// differs by from the one before. Before the first value, all are as given.
func (b *buckets) columns(n int, before int64) (least, greatest column) {
	last := before
	var wroteLeast, wroteGreatest int64
	for i := range n {
		low, high := last, last
		if i < len(b.list) && b.list[i].some {
			low, high, last = b.list[i].least, b.list[i].greatest, b.list[i].last
		}
		least.signed(low - wroteLeast)
		greatest.signed(high - wroteGreatest)
		wroteLeast, wroteGreatest = low, high
	}
	return least, greatest
}

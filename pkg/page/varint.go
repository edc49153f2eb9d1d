package page

import "encoding/binary"

// sections collects columns of numbers as LEB128 varints, one after the other. Signed
// numbers are zigzag: 0, -1, 1, -2, … are 0, 1, 2, 3, ….
type sections struct {
	bytes []byte
	list  []Section
}

// add adds a column.
func (s *sections) add(name string, machine int, c *column) {
	s.list = append(s.list, Section{Name: name, Machine: machine, Offset: len(s.bytes), Bytes: len(c.bytes), Count: c.count})
	s.bytes = append(s.bytes, c.bytes...)
}

// column is the numbers of one column.
type column struct {
	bytes []byte
	count int
}

func (c *column) unsigned(n uint64) {
	c.bytes = binary.AppendUvarint(c.bytes, n)
	c.count++
}

func (c *column) signed(n int64) {
	c.bytes = binary.AppendVarint(c.bytes, n)
	c.count++
}

// zigzag returns a signed number as an unsigned one.
func zigzag(n int64) uint64 { return uint64(n)<<1 ^ uint64(n>>63) }

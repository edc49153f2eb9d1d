package logging

import (
	"bytes"
	"io"
	"os"

	"github.com/scalemodel/lamport/pkg/internal/guarded"
)

// Last returns the last whole line of the log in a file, without reading what is before it,
// and reports false where there is none.
func Last(name string) (rec Record, ok bool) {
	f, err := guarded.OpenFile(name, os.O_RDONLY)
	if err != nil {
		return Record{}, false
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return Record{}, false
	}
	// Two lines are no longer than this: the last whole one, and one that is torn.
	from := max(0, size-2*MaxLine)
	tail, err := io.ReadAll(io.NewSectionReader(f, from, size-from))
	if err != nil {
		return Record{}, false
	}
	tail = tail[:bytes.LastIndexByte(tail, '\n')+1]
	if len(tail) == 0 {
		return Record{}, false
	}
	line := tail[bytes.LastIndexByte(tail[:len(tail)-1], '\n')+1:]
	ok = NewReader(bytes.NewReader(line), name).Next(&rec) == nil
	return rec, ok
}

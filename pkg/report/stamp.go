package report

import (
	"slices"
	"time"

	"github.com/scalemodel/lamport/pkg/internal/timestamp"
)

// stamp formats times. The zero stamp is ready.
type stamp struct {
	writer timestamp.Writer
	text   timestamp.Text
}

func (t *stamp) append(b []byte, micro int64) []byte {
	if t.text[0] == 0 {
		copy(t.text[:], timestamp.Epoch)
	}
	if !t.writer.WriteMicro(&t.text, micro) { // no run is so old, but a log may say so
		return time.UnixMicro(micro).UTC().AppendFormat(b, "2006-01-02T15:04:05.000000Z")
	}
	b = slices.Grow(b, timestamp.Len) // an array of known length is copied without a call
	*(*timestamp.Text)(b[len(b) : len(b)+timestamp.Len]) = t.text
	return b[:len(b)+timestamp.Len]
}

package report

import (
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
	at := time.UnixMicro(micro)
	if !t.writer.Write(&t.text, at) { // no run is so old, but a log may say so
		return at.UTC().AppendFormat(b, "2006-01-02T15:04:05.000000Z")
	}
	return append(b, t.text[:]...)
}

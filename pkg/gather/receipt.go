package gather

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/scalemodel/lamport/pkg/internal/guarded"
	"github.com/scalemodel/lamport/pkg/logging"
)

// Receipt says that a gathering has confirmed that it has a log, up to its last whole line.
type Receipt struct {
	Addr   string // of the gathering
	Bytes  int64
	digest digest
}

// keptReceipt is the JSON of a receipt's file, which docs/gather.md describes.
type keptReceipt struct {
	Format int    `json:"format"`
	To     string `json:"to"`
	Bytes  int64  `json:"bytes"`
	Digest string `json:"digest"`
}

const (
	receiptFormat = 1
	maxReceipt    = 4 << 10 // bytes
)

// receiptName returns the name of the file beside a log that holds its receipt.
func receiptName(log string) string {
	return strings.TrimSuffix(strings.TrimSuffix(log, logging.Gzipped), ".log") + ".delivered"
}

// Keep notes the receipt beside the log in a file, in the place of an earlier one.
func (r *Receipt) Keep(log string) error {
	b, err := json.MarshalIndent(keptReceipt{receiptFormat, r.Addr, r.Bytes, r.digest.String()}, "", "  ")
	if err != nil {
		return err
	}
	return guarded.Replace(receiptName(log), func(f *os.File) error {
		_, err := f.Write(append(b, '\n'))
		return err
	})
}

// Confirmed reports whether a receipt beside the log in a file says that the gathering at addr
// has it as it is now, so that there is nothing to deliver. With an error that cannot be said.
func Confirmed(log, addr string) (bool, error) {
	name := receiptName(log)
	b, err := guarded.ReadFile(name, maxReceipt)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	var kept keptReceipt
	if err == nil {
		err = guarded.Unmarshal(b, &kept)
	}
	switch {
	case err != nil:
		return false, fmt.Errorf("%s: %w", name, err)
	case kept.Format != receiptFormat:
		return false, fmt.Errorf("%s: format %d, want %d", name, kept.Format, receiptFormat)
	case kept.To != addr:
		return false, nil
	}
	l, err := openLog(log)
	if err != nil {
		return false, err
	}
	defer l.close()
	if l.size != kept.Bytes {
		return false, nil
	}
	if err := l.hash(l.size); err != nil {
		return false, err
	}
	return l.whole.String() == kept.Digest, nil
}

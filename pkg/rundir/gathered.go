package rundir

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/scalemodel/lamport/pkg/internal/guarded"
)

// Same reports whether two records are of one run, wherever and by whichever release each
// was written.
func (r *Record) Same(o *Record) bool { return sameRun(r, o) }

// WriteRecord puts a record into a run's directory, as a whole or not at all, in the place
// of one that is there. Where and when are the caller's: the run is over.
func WriteRecord(dir string, r *Record) error {
	err := guarded.Replace(filepath.Join(dir, RecordName), func(f *os.File) error { return r.write(f) })
	if err != nil {
		return fmt.Errorf("the record cannot be written: %w", err)
	}
	return nil
}

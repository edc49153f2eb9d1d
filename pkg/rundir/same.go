package rundir

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/scalemodel/lamport/pkg/internal/guarded"
)

// Same reports whether two records are of one run, wherever and by whichever release each
// was written.
func (r *Record) Same(o *Record) bool {
	a, errA := json.Marshal(&Record{Spec: r.Spec, Restart: r.Restart, Sync: r.Sync, NoLogs: r.NoLogs, ReplayOf: r.ReplayOf})
	b, errB := json.Marshal(&Record{Spec: o.Spec, Restart: o.Restart, Sync: o.Sync, NoLogs: o.NoLogs, ReplayOf: o.ReplayOf})
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

// WriteRecord puts a record into a run's directory, as a whole or not at all, in the place
// of one that is there. Where and when are the caller's: the run is over.
func WriteRecord(dir string, r *Record) error {
	err := guarded.Replace(filepath.Join(dir, RecordName), func(f *os.File) error { return r.write(f) })
	if err != nil {
		return fmt.Errorf("the record cannot be written: %w", err)
	}
	return nil
}

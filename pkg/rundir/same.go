package rundir

import (
	"bytes"
	"encoding/json"
)

// Same reports whether two records are of one run, wherever and by whichever release each
// was written.
func (r *Record) Same(o *Record) bool {
	a, errA := json.Marshal(&Record{Spec: r.Spec, Restart: r.Restart, Sync: r.Sync, NoLogs: r.NoLogs, ReplayOf: r.ReplayOf})
	b, errB := json.Marshal(&Record{Spec: o.Spec, Restart: o.Restart, Sync: o.Sync, NoLogs: o.NoLogs, ReplayOf: o.ReplayOf})
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

package cluster

import "time"

// Virtual is what a run in virtual time is told besides.
type Virtual struct {
	Epoch   time.Time `json:"epoch"` // the global time at which it begins
	Latency string    `json:"latency"`
	Phase   string    `json:"phase"`
}

// MakeDir makes the directory of a run that this package does not start itself,
// and in it the run's record, where it says where and when. An error leaves nothing
// behind. Should the run not come about, remove takes away what was made.
func MakeDir(path string, r *Record) (remove func(), err error) {
	r.here()
	d, err := newRunDir(path, r)
	if err != nil {
		return nil, err
	}
	return func() { d.remove(true) }, nil
}

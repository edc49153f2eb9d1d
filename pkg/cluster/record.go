package cluster

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
)

// RecordName is the name of a run's [Record] in its directory.
const RecordName = "run.json"

// Record is everything that is needed to do a run again, and where and when it
// was done.
type Record struct {
	Format   int          `json:"format"` // of this record, 1
	Version  string       `json:"version"`
	Run      string       `json:"run"`
	Machines int          `json:"machines"`
	Rates    []clock.Rate `json:"rates"`
	Ports    []int        `json:"ports,omitempty"`
	Die      int          `json:"die"`
	Seed     uint64       `json:"seed"`
	Duration string       `json:"duration"` // such as "1m0s"; "0s": until stopped
	Window   int          `json:"window,omitzero"`
	Restart  bool         `json:"restart,omitzero"` // machines that die
	Sync     bool         `json:"sync,omitzero"`    // they wait for the disk
	Host     string       `json:"host"`
	System   string       `json:"system"` // operating system and architecture
	CPUs     int          `json:"cpus"`
	Faults   string       `json:"faults,omitempty"` // the plan, with all seeds
	Started  time.Time    `json:"started"`
	Virtual  *Virtual     `json:"virtual,omitempty"` // nil: in real time
	// ReplayOf is the directory, without what leads to it, of the run that was
	// replayed here, empty if none was.
	ReplayOf string `json:"replay_of,omitempty"`
}

func (c *Cluster) record() *Record {
	r := &Record{
		Version:  c.cfg.Version,
		Run:      c.cfg.Run,
		Machines: len(c.cfg.Rates),
		Rates:    c.cfg.Rates,
		Ports:    c.Ports(),
		Die:      c.cfg.Die,
		Seed:     c.cfg.Seed,
		Faults:   c.cfg.Faults.String(),
		Duration: c.cfg.Duration.String(),
		Window:   c.cfg.Window,
		Restart:  c.cfg.Restart,
		Sync:     c.cfg.Sync,
	}
	if len(c.cfg.Replay) > 0 {
		if path, err := filepath.Abs(c.cfg.Replay[0]); err == nil {
			r.ReplayOf = filepath.Base(filepath.Dir(path))
		}
	}
	r.here()
	return r
}

// here fills in where and when the run is done.
func (r *Record) here() {
	name, err := os.Hostname()
	if err != nil {
		name = "unknown"
	}
	r.Format = 1
	r.Host = name
	r.System = runtime.GOOS + "/" + runtime.GOARCH
	r.CPUs = runtime.NumCPU()
	r.Started = time.Now().UTC().Truncate(time.Microsecond)
}

func (r *Record) write(w io.Writer) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

// ReadRecord reads the record of a run from a file. A path that does not exist
// gives an error that wraps fs.ErrNotExist.
func ReadRecord(path string) (*Record, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var r Record
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, fmt.Errorf("%s: not the record of a run: %w", path, err)
	}
	if r.Format != 1 {
		return nil, fmt.Errorf("%s: format %d of another release (%s); this one reads format 1", path, r.Format, r.Version)
	}
	return &r, nil
}

// Check says what keeps a record from being done again.
func (r *Record) Check() error {
	d, err := time.ParseDuration(r.Duration)
	switch {
	case len(r.Rates) != r.Machines:
		return fmt.Errorf("rates for %d machines, but there are %d", len(r.Rates), r.Machines)
	case r.Die < 1:
		return fmt.Errorf("a die with %d faces: want at least 1", r.Die)
	case err != nil || d < 0:
		return fmt.Errorf("duration %q: want a duration such as 1m0s", r.Duration)
	}
	return nil
}

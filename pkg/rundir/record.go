package rundir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/internal/guarded"
)

// format is the version of a record's form.
const format = 1

// Record is everything that is needed to do a run again, and where and when it
// was done. docs/files.md describes its JSON.
type Record struct {
	Version string `json:"version"` // of the program
	experiment.Spec
	Ports   []int     `json:"ports,omitempty"`  // of processes
	Restart bool      `json:"restart,omitzero"` // machines that die are started again
	TLS     bool      `json:"tls,omitzero"`     // machines knew each other by certificates, made for the run
	Sync    bool      `json:"sync,omitzero"`    // machines wait for the disk
	NoLogs  bool      `json:"no_logs,omitzero"` // none were written, in virtual time
	Host    string    `json:"host"`
	Hosts   []string  `json:"hosts,omitempty"` // of each machine, where these are not all processes of Host
	System  string    `json:"system"`          // operating system and architecture
	CPUs    int       `json:"cpus"`
	Started time.Time `json:"started"`
	// ReplayOf is the directory, without what leads to it, of the run that was
	// replayed here, empty if none was.
	ReplayOf string `json:"replay_of,omitempty"`
}

// here fills in where and when the run is done.
func (r *Record) here() {
	name, err := os.Hostname()
	if err != nil {
		name = "unknown"
	}
	r.Host = name
	r.System = runtime.GOOS + "/" + runtime.GOARCH
	r.CPUs = runtime.NumCPU()
	r.Started = time.Now().UTC().Truncate(time.Microsecond)
}

// plain is a Record without its methods.
type plain Record

// written is a Record in JSON. Its first fields take the place of those of the same
// names below: they are written as people read and type them.
type written struct {
	Format   int             `json:"format"`
	Version  string          `json:"version"`
	Machines int             `json:"machines"`
	Duration string          `json:"duration"` // such as "1m0s"; "0s": until stopped
	Faults   string          `json:"faults,omitempty"`
	Virtual  *writtenVirtual `json:"virtual,omitempty"`
	*plain
}

type writtenVirtual struct {
	Epoch time.Time `json:"epoch"`
	experiment.Virtual
}

// MarshalJSON writes the record as people read it.
func (r *Record) MarshalJSON() ([]byte, error) {
	w := written{
		Format:   format,
		Version:  r.Version,
		Machines: len(r.Rates),
		Duration: r.Duration.String(),
		Faults:   r.Faults.String(),
		plain:    (*plain)(r),
	}
	if r.Virtual != nil {
		w.Virtual = &writtenVirtual{experiment.Epoch, *r.Virtual}
	}
	return json.Marshal(w)
}

// UnmarshalJSON reads what MarshalJSON writes, and nothing that could not be a run.
func (r *Record) UnmarshalJSON(b []byte) (err error) {
	var head struct {
		Format  int    `json:"format"`
		Version string `json:"version"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return err
	}
	if head.Format != format {
		return &FormatError{head.Format, head.Version[:min(len(head.Version), maxText)]}
	}
	*r = Record{}
	w := written{plain: (*plain)(r)}
	if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	r.Version = w.Version
	if len(r.Rates) != w.Machines {
		return fmt.Errorf("rates for %s, but there are %d", figure.Plural(len(r.Rates), "machine"), w.Machines)
	}
	if r.Duration, err = time.ParseDuration(w.Duration); err != nil {
		return &experiment.Error{Field: "duration", Value: fmt.Sprintf("%q", w.Duration), Err: errors.New("want a duration such as 1m0s")}
	}
	if w.Virtual != nil {
		if !w.Virtual.Epoch.Equal(experiment.Epoch) {
			return fmt.Errorf("virtual time from %v: this release begins at %v", w.Virtual.Epoch, experiment.Epoch)
		}
		r.Virtual = &w.Virtual.Virtual
	}
	if len(r.Rates) > 0 {
		if r.Faults, err = experiment.ParseFaults(w.Faults, len(r.Rates), r.Seed, max(r.Duration, 0)); err != nil {
			return err
		}
	}
	return r.Check()
}

// maxText is how long the texts of a record can be that only people read, in bytes.
const maxText = 4096

// OneHost reports whether all machines ran on one host, and so with one system clock.
func (r *Record) OneHost() bool {
	return len(r.Hosts) == 0 || !slices.ContainsFunc(r.Hosts, func(h string) bool { return h != r.Hosts[0] })
}

// Check returns nil if the record can be that of a run. What is wrong with the run
// itself is an [experiment.Error]; the rest only says where and how it was done.
func (r *Record) Check() error {
	for _, text := range []struct{ name, value string }{
		{"version", r.Version}, {"host", r.Host}, {"system", r.System}, {"replay_of", r.ReplayOf},
	} {
		if len(text.value) > maxText {
			return fmt.Errorf("%s of %d bytes: want at most %d", text.name, len(text.value), maxText)
		}
	}
	if len(r.Hosts) > 0 && len(r.Hosts) != len(r.Rates) {
		return fmt.Errorf("%s for %s", figure.Plural(len(r.Hosts), "host"), figure.Plural(len(r.Rates), "machine"))
	}
	for _, host := range r.Hosts {
		if len(host) > maxText {
			return fmt.Errorf("a host of %d bytes: want at most %d", len(host), maxText)
		}
	}
	for _, port := range r.Ports {
		if port < 0 || port > 65535 {
			return fmt.Errorf("port %d: want 0 to 65535", port)
		}
	}
	return r.Spec.Check()
}

// FormatError says that a record is of a form that this release does not read.
type FormatError struct {
	Format  int
	Version string // of the program that wrote it
}

// Error returns it in a sentence.
func (e *FormatError) Error() string {
	return fmt.Sprintf("format %d of another release (%s); this one reads format %d", e.Format, e.Version, format)
}

func (r *Record) write(w io.Writer) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

// MaxRecord is the largest record that is read, in bytes: one of a million machines
// has 10 MB.
const MaxRecord = 64 << 20

// ReadRecord reads the record of the run in a directory, checked. Where there is
// none the error wraps [fs.ErrNotExist].
func ReadRecord(dir string) (*Record, error) {
	name := filepath.Join(dir, RecordName)
	b, err := guarded.ReadFile(name, MaxRecord)
	if err != nil {
		return nil, err
	}
	var r Record
	err = guarded.Unmarshal(b, &r)
	var other *FormatError
	switch {
	case errors.As(err, &other):
		return nil, fmt.Errorf("%s: %w", name, err)
	case err != nil:
		return nil, fmt.Errorf("%s: not the record of a run: %w", name, err)
	}
	return &r, nil
}

package trace

import (
	"io"

	"github.com/scalemodel/lamport/pkg/mixed"
)

// FromStream puts a run together from the logs that were found in a stream. They must stay
// open for as long as the run is used. Violations and errors name the lines of the stream.
func FromStream(l *mixed.Logs) (*Run, error) {
	logs := make([]Log, len(l.Machines))
	for i, m := range l.Machines {
		logs[i] = Log{ID: m.ID, Name: l.Name, Open: func() (Source, error) { return m.Open(), nil },
			Text: func() (io.ReadCloser, error) { return m.Text(), nil }}
	}
	run, err := New(logs...)
	if err == nil {
		run.Dir = l.Name
	}
	return run, err
}

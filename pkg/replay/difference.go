package replay

import (
	"fmt"
	"strings"
	"time"

	"github.com/scalemodel/lamport/pkg/logging"
)

// Difference is where a machine, executed again, does something else than its
// record says.
type Difference struct {
	File string // of the record
	Line int    // 1, 2, 3, …
	// Recorded is that line, Replayed what would stand there now, or in words why
	// nothing could. They are without their times, unless those are compared
	// too.
	Recorded, Replayed string
}

// Error returns all of it in one line.
func (d *Difference) Error() string {
	return fmt.Sprintf("%s:%d: recorded is %q, replayed %q", d.File, d.Line, d.Recorded, d.Replayed)
}

// Text returns both lines, one below the other, with a mark where they part.
func (d *Difference) Text() string {
	same := 0
	for same < min(len(d.Recorded), len(d.Replayed)) && d.Recorded[same] == d.Replayed[same] {
		same++
	}
	return fmt.Sprintf("%s:%d differs\n  recorded  %s\n  replayed  %s\n            %s^\n",
		d.File, d.Line, d.Recorded, d.Replayed, strings.Repeat(" ", same))
}

// timeLen is the length of a line's time, with the space behind it.
const timeLen = len("2026-11-22T17:13:40.066633Z ")

// text returns a record as its line in the log, without time and level.
func text(r *logging.Record) string {
	var b strings.Builder
	w := logging.NewWriter(&b, r.ID)
	at := time.Unix(0, 0)
	switch r.Kind {
	case logging.StartRecord:
		w.Start(at, r.Start)
	case logging.EventRecord:
		w.Event(at, &r.Event)
	case logging.PauseRecord:
		w.Pause(at, r.Pause)
	case logging.ResumeRecord:
		w.Resume(at, r.Resume)
	case logging.StopRecord:
		w.Stop(at, r.Stop)
	case logging.OffsetRecord:
		w.Offset(at, r.Offset)
	}
	if err := w.Flush(); err != nil {
		return err.Error() // a strings.Builder does not fail; what is written was read
	}
	line := strings.TrimSuffix(b.String(), "\n")
	return strings.TrimPrefix(line[timeLen:], "[INFO]  ")
}

package lab

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/internal/quote"
	"github.com/scalemodel/lamport/pkg/page"
	"github.com/scalemodel/lamport/pkg/replay"
	"github.com/scalemodel/lamport/pkg/rundir"
	"github.com/scalemodel/lamport/pkg/trace"
)

// differences returns where runs that should be the same as the first one differ from it
// first.
func differences(shown []*shownRun) []page.Difference {
	list := []page.Difference{}
	for i, other := range shown[1:] {
		mode, ok := sameAgain(shown[0].run.Record, other.run.Record)
		if !ok {
			continue
		}
		d := compareRuns(shown[0], other, mode)
		d.Runs = [2]int{0, i + 1}
		list = append(list, d)
	}
	return list
}

// sameAgain reports whether one run is the other done again, and what is compared then: in
// virtual time all, of a replay all but the times. A run of processes that was started again
// has another name besides, and does the same as long as messages arrive as they did.
func sameAgain(a, b *rundir.Record) (mode replay.Mode, ok bool) {
	if a == nil || b == nil {
		return 0, false
	}
	if a.Die != b.Die || a.Seed != b.Seed || !slices.Equal(a.Rates, b.Rates) || (a.Virtual == nil) != (b.Virtual == nil) {
		return 0, false
	}
	switch {
	case a.ReplayOf != "" || b.ReplayOf != "":
		return replay.ButTimes, a.Run == b.Run
	case a.Faults.String() != b.Faults.String():
		return 0, false
	case a.Virtual == nil:
		return replay.ButNames, true
	}
	return replay.Exact, a.Latency.String() == b.Latency.String() && a.Phase == b.Phase
}

// compareRuns finds the first line, by the times of the first run, that another run has
// otherwise.
func compareRuns(a, b *shownRun, mode replay.Mode) page.Difference {
	type differing struct {
		machine int
		*replay.Comparison
		at int64
	}
	var first *differing
	others, same := 0, 0
	for _, l := range a.run.Logs {
		log := logOf(b.run, l.ID)
		if log == "" {
			continue
		}
		c, err := replay.Compare(l.Name, log, mode)
		if err != nil {
			return page.Difference{Text: quote.Short("they cannot be compared: "+err.Error(), 1000), At: nowhere()}
		}
		if c.Outcome == replay.Same {
			same++
			continue
		}
		others++
		d := &differing{l.ID, c, a.collector.TimeOf(l.ID, c.Difference.Line)}
		if first == nil || d.at < first.at {
			first = d
		}
	}
	if first == nil {
		what := "the same, but for the times"
		switch mode {
		case replay.Exact:
			what = "the same, byte for byte"
		case replay.ButNames:
			what += " and the name of the run"
		}
		return page.Difference{Text: fmt.Sprintf("the logs of %s are %s", figure.Plural(same, "machine"), what), At: nowhere()}
	}
	d := first.Difference
	text := fmt.Sprintf("%s:%d is the first line that differs: %q in %s, %q in %s", filepath.Base(d.File), d.Line, d.Recorded, a.head.Name, d.Replayed, b.head.Name)
	if others > 1 {
		text += fmt.Sprintf("; %s %s later", figure.Plural(others-1, "other log"), figure.Verb(others-1, "differs", "differ"))
	}
	return page.Difference{
		Text: quote.Short(text, 2000),
		At:   []page.At{a.collector.At(first.machine, d.Line), b.collector.At(first.machine, d.Line)},
	}
}

// nowhere are the places of a difference that has none.
func nowhere() []page.At { return []page.At{{Position: -1}, {Position: -1}} }

// logOf returns the path of a machine's log, "" if it has none.
func logOf(run *trace.Run, id int) string {
	for i := range run.Logs {
		if run.Logs[i].ID == id {
			return run.Logs[i].Name
		}
	}
	return ""
}

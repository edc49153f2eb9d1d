package report

import (
	"encoding/csv"
	"io"
	"strconv"

	"github.com/scalemodel/lamport/pkg/trace"
)

// CheckCSV writes the verdicts on runs as one table: a column for the run, its state and
// its counts, one for each law with how often it is broken, and what comes first of all
// that is wrong or missing.
type CheckCSV struct {
	w     *csv.Writer
	begun bool
}

// NewCheckCSV returns a table without a row, which writes to w.
func NewCheckCSV(w io.Writer) *CheckCSV { return &CheckCSV{w: csv.NewWriter(w)} }

// Add writes the row of a run, with its verdict, nil if err says why it cannot be read.
// Before the first row go the names of the columns.
func (c *CheckCSV) Add(run string, v *trace.Verdict, err error) error {
	if !c.begun {
		c.begun = true
		header := []string{"run", "state", "machines", "events", "messages_sent", "messages_received", "messages_pending",
			"messages_undelivered", "receives_unmatched", "violations"}
		for _, l := range trace.Laws {
			header = append(header, "law_"+string(l))
		}
		_ = c.w.Write(append(header, "what"))
	}
	var row []string
	if v == nil {
		row = append([]string{run, string(Unreadable)}, make([]string, 8+len(trace.Laws))...)
		row = append(row, err.Error())
	} else {
		row = []string{run, string(v.State), strconv.Itoa(v.Machines)}
		counts := []uint64{v.Events, v.Sent, v.Received, v.Pending, v.Undelivered, v.Unmatched, v.Violated()}
		for _, l := range trace.Laws {
			counts = append(counts, v.Broken[l])
		}
		for _, n := range counts {
			row = append(row, strconv.FormatUint(n, 10))
		}
		row = append(row, wrong(v))
	}
	_ = c.w.Write(row)
	c.w.Flush()
	return c.w.Error()
}

// wrong says what comes first of what is wrong with a run, or missing of it.
func wrong(v *trace.Verdict) string {
	switch {
	case len(v.Violations) > 0:
		first := &v.Violations[0]
		return first.Events[0].String() + ": " + string(first.Law) + ": " + first.What
	case len(v.Open) > 0:
		return v.Open[0]
	}
	return ""
}

// StatsCSV writes the figures of runs as one table.
type StatsCSV struct {
	w     *csv.Writer
	begun bool
}

// NewStatsCSV returns a table without a row, which writes to w.
func NewStatsCSV(w io.Writer) *StatsCSV { return &StatsCSV{w: csv.NewWriter(w)} }

// Add writes a row for each machine of a run, or one for a run that cannot be read, where
// s is nil; before the first, the names of the columns.
func (c *StatsCSV) Add(run string, s *trace.Stats) error {
	names := StatsHeader()
	if !c.begun {
		c.begun = true
		_ = c.w.Write(append([]string{"run", "state"}, names...))
	}
	if s == nil {
		_ = c.w.Write(append([]string{run, string(Unreadable)}, make([]string, len(names))...))
	} else {
		for i := range s.Machines {
			_ = c.w.Write(append([]string{run, string(s.Verdict.State)}, StatsRow(&s.Machines[i])...))
		}
	}
	c.w.Flush()
	return c.w.Error()
}

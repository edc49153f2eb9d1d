package page

import (
	"math"
	"path/filepath"
	"time"

	"github.com/scalemodel/lamport/pkg/causal"
	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/internal/palette"
	"github.com/scalemodel/lamport/pkg/internal/quote"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/trace"
)

// Collector gathers what a page shows of a run from one walk over it.
type Collector struct {
	run     *trace.Run
	o       Options
	records *records
	charts  *charts
	events  *causal.Builder
	x       *causal.Index // what it has built
}

// Options says how much of a run a page shows. Charts and tables are of the whole run.
type Options struct {
	// From and To are the part of the run whose events are shown, counted from its start; a
	// To of 0 is the end.
	From, To time.Duration
	// Events is the largest number of events that are shown, the first ones; 0:
	// [MaxEvents]. Less than 0: none are.
	Events int
}

// MaxEvents is the largest number of events that a page shows unless told otherwise: more
// would be slow to open.
const MaxEvents = 2_000_000

// NewCollector returns a Collector for one walk over the run.
func NewCollector(run *trace.Run, o Options) *Collector {
	if o.Events == 0 {
		o.Events = MaxEvents
	}
	c := &Collector{run: run, o: o, records: newRecords(run), charts: newCharts(run)}
	if o.Events > 0 {
		c.events = causal.NewBuilder(run, causal.Options{From: o.From, To: o.To, Events: o.Events})
	}
	return c
}

// Visitors returns what is to be shown the walk.
func (c *Collector) Visitors() []trace.Visitor {
	if c.events == nil {
		return []trace.Visitor{c.records, c.charts}
	}
	return []trace.Visitor{c.records, c.charts, c.events}
}

// Run returns what a page shows of the run, when the walk has come to its end with these
// figures: its part of the head, and its columns.
func (c *Collector) Run(stats *trace.Stats) (*Run, []byte) {
	x, why := c.index()
	c.x = x
	r := &Run{
		Name: quote.Short(name(stats, c.run.Dir), maxText), Dir: quote.Visible(c.run.Dir),
		StartUnixMicro: c.records.start, Duration: c.charts.end,
		Virtual:  c.run.Record != nil && c.run.Record.Virtual != nil,
		Verdict:  verdictOf(stats.Verdict),
		Machines: c.machines(x),
		Foreign:  foreign(c.run, x),
	}
	for i := range r.Machines {
		r.First = append(r.First, uint64(x.First(i)))
	}
	var s sections
	encodeEvents(&s, x, c.records.start)
	r.Series = c.charts.encodeSeries(&s, stats)
	r.Columns = Columns{Bytes: len(s.bytes), CheckpointEvery: x.Every(), Sections: s.list}
	r.Facts, r.Again = facts(c.run, stats)
	r.Spans = c.spans(stats)
	r.Findings = findings(stats, c.charts, r.Spans)
	r.Histograms, r.Tables = histograms(stats, c.charts), tables(stats)
	r.Left = c.left(x, why, stats)
	r.Text = alternatives(stats)
	return r, s.bytes
}

// index returns the events that are shown; where there can be none, an index of the machines
// alone, and why.
func (c *Collector) index() (x *causal.Index, why error) {
	if c.events != nil {
		if x, why = c.events.Index(); why == nil {
			return x, nil
		}
	}
	x, _ = causal.NewBuilder(c.run, causal.Options{}).Index() // of nothing, which does not fail
	return x, why
}

// name is what a run is called: its directory's name, since all runs in virtual time have
// the same.
func name(stats *trace.Stats, dir string) string {
	if dir != "" {
		if abs, err := filepath.Abs(dir); err == nil {
			if target, err := filepath.EvalSymlinks(abs); err == nil { // runs/latest
				abs = target
			}
			return filepath.Base(abs)
		}
	}
	return stats.Run
}

// maxDetails is how many violations are shown, or things that are missing.
const maxDetails = 20

func verdictOf(v *trace.Verdict) Verdict {
	out := Verdict{State: string(v.State), Text: quote.Visible(v.String())}
	for i := range v.Violations {
		if len(out.Details) < maxDetails {
			out.Details = append(out.Details, quote.Short(v.Violations[i].String(), maxText))
		}
	}
	for _, text := range append(v.Open[:len(v.Open):len(v.Open)], v.Remarks...) {
		if len(out.Details) < maxDetails {
			out.Details = append(out.Details, quote.Short(text, maxText))
		}
	}
	return out
}

// machines returns the machines that have a log.
func (c *Collector) machines(x *causal.Index) []Machine {
	list := make([]Machine, x.Machines())
	for i := range list {
		m, rec := &list[i], &c.records.machines[i]
		*m = Machine{
			ID: x.ID(i), Color: x.ID(i) % palette.Size, Events: uint64(x.End(i) - x.First(i)),
			File: quote.Visible(fileOf(c.run, x.ID(i))), Missing: rec.start == nil && rec.events == 0, Records: rec.records,
		}
		if m.Records == nil {
			m.Records = []Record{}
		}
		if rec.start != nil {
			m.Rate = rec.start.Start.Rate.String()
			if rate := rec.start.Start.Rate; rate != 0 && rate != clock.Unpaced {
				perSecond := rate.PerSecond()
				m.TicksPerSecond = &perSecond
			}
		}
	}
	return list
}

// maxForeign is how many machines without a log are named, the first ones.
const maxForeign = 100

// foreign returns the machines of a run that have no log.
func foreign(run *trace.Run, x *causal.Index) []int {
	list := []int{}
	for id := 0; id < run.Machines && len(list) < maxForeign; id++ {
		if _, ok := x.Find(id); !ok {
			list = append(list, id)
		}
	}
	return list
}

// fileOf returns the name of a machine's log.
func fileOf(run *trace.Run, id int) string {
	for i := range run.Logs {
		if l := &run.Logs[i]; l.ID == id {
			if l.File != "" {
				return l.File
			}
			return l.Name
		}
	}
	return logging.FileName(id, 0)
}

// At returns where the event in a line of a machine's log stands in the page, after Run.
func (c *Collector) At(id, line int) At {
	at := At{Position: -1}
	var ok bool
	if at.Machine, ok = c.x.Find(id); !ok {
		return At{Position: -1}
	}
	if p, ok := c.x.OfLine(at.Machine, line); ok {
		at.Position = int64(p.Position)
	}
	return at
}

// TimeOf returns when the event in a line of a machine's log was, in Unix µs, after Run; the
// largest time for one that the page does not have.
func (c *Collector) TimeOf(id, line int) int64 {
	if at := c.At(id, line); at.Position >= 0 {
		return c.x.At(causal.Place{Machine: at.Machine, Position: int(at.Position)}).Micro
	}
	return math.MaxInt64
}

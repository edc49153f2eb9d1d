package page

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/internal/quote"
	"github.com/scalemodel/lamport/pkg/internal/shell"
	"github.com/scalemodel/lamport/pkg/trace"
)

// command returns the command that does a run again. One of very many machines has a long
// list of rates, and is done again by its record.
func command(run *trace.Run) string {
	if text := run.Record.Command(); len(text) <= maxText {
		return quote.Visible(text)
	}
	return quote.Visible("launcher rerun " + shell.Quote(run.Dir))
}

// facts returns what ran, as labels and values, and the command that does it again.
func facts(run *trace.Run, stats *trace.Stats) (list [][2]string, again string) {
	add := func(label, value string) { list = append(list, [2]string{label, quote.Short(value, maxText)}) }
	add("machines", figure.Count(run.Machines))
	r := run.Record
	if r == nil {
		add("run", stats.Run)
		add("die", strconv.Itoa(stats.Die))
	} else {
		add("rates", figure.Rates(r.Rates, 16))
		add("die", strconv.Itoa(r.Die))
		add("seed", strconv.FormatUint(r.Seed, 10))
		add("length", r.Lasts())
		if r.Virtual != nil {
			add("time", "virtual")
			add("latency", r.Latency.String())
			add("phase", r.Phase.String())
		}
		if !r.Faults.Empty() {
			add("faults", strings.ReplaceAll(r.Faults.String(), "\n", "; "))
		}
		if r.ReplayOf != "" {
			add("replay of", r.ReplayOf)
		} else {
			again = command(run)
		}
	}
	add("events", figure.Count(stats.Events))
	if stats.Elapsed > 0 {
		add("took", figure.Duration(stats.Elapsed))
	}
	if o := stats.ClockOffsets; stats.Corrected && o != nil {
		add("times", fmt.Sprintf("by the clock of machine %d", o.Reference))
	}
	if !stats.Start.IsZero() && (r == nil || r.Virtual == nil) {
		add("began", stats.Start.UTC().Format(time.DateTime)+" UTC")
	}
	if r != nil {
		add("host", fmt.Sprintf("%s, %s, %s", r.Host, r.System, figure.Plural(r.CPUs, "core")))
		add("recorded by", "launcher "+r.Version)
	}
	return list, again
}

package page

import (
	"fmt"
	"strings"

	"github.com/scalemodel/lamport/pkg/causal"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/internal/quote"
	"github.com/scalemodel/lamport/pkg/internal/shell"
	"github.com/scalemodel/lamport/pkg/trace"
)

// left says what the page leaves out, and how it can be seen; "" for nothing.
func (c *Collector) left(x *causal.Index, why error, stats *trace.Stats) string {
	var says []string
	if why != nil {
		says = append(says, why.Error())
	}
	if kept := uint64(x.Kept()); kept < stats.Events {
		says = append(says, fmt.Sprintf("the diagram shows %s of %s; charts and tables are of the whole run; \"%s\" shows those of any time",
			figure.Count(kept), figure.Plural(stats.Events, "event"),
			quote.Visible("launcher report --from 10s --to 20s "+shell.Quote(c.run.Dir))))
	}
	if !x.Cones() {
		says = append(says, fmt.Sprintf("pasts and futures of events are shown for up to %d machines", causal.MaxMachines))
	}
	if n := len(c.records.machines); n > len(c.charts.machines) {
		says = append(says, fmt.Sprintf("charts show the first %d of %s", len(c.charts.machines), figure.Plural(n, "machine")))
	}
	return strings.Join(says, "; ")
}

package lab

import (
	"context"
	"encoding/json"

	"github.com/scalemodel/lamport/pkg/causal"
	"github.com/scalemodel/lamport/pkg/report"
	"github.com/scalemodel/lamport/pkg/trace"
)

// ExplainFormats are the formats of an explanation, the one for people first.
var ExplainFormats = []string{"text", "json"}

// Explain says whether one event of a run can have influenced another, or how one stands
// to all others.
type Explain struct {
	Dir    string
	Events []report.EventName // one or two
	Format string             // one of [ExplainFormats]
}

// Run reads the run and prints the explanation.
func (x Explain) Run(_ context.Context, env *Env) error {
	from, err := env.open(x.Dir)
	if err != nil {
		return err
	}
	defer from.close()
	env.remarkPassed(from)
	run := from.Run
	events := causal.NewBuilder(run, causal.Options{})
	verdict, err := run.Walk(trace.Options{}, events)
	if err != nil {
		return err
	}
	index, err := events.Index()
	if err != nil {
		return err
	}
	places := []causal.Place{causal.Nowhere, causal.Nowhere}
	for i, name := range x.Events {
		if places[i], err = name.Find(run, index); err != nil {
			return err
		}
	}
	explanation := report.Explain(run, index, verdict, places[0], places[1])
	if err := explanation.Quote(run); err != nil {
		return err
	}
	if x.Format == "json" {
		enc := json.NewEncoder(env.json())
		enc.SetIndent("", "  ")
		return enc.Encode(explanation)
	}
	return explanation.Text(env.Out, env.screen())
}

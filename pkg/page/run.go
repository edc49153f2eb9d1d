package page

import (
	"github.com/scalemodel/lamport/pkg/trace"
)

// OfRun reads a run and returns what a page shows of it.
func OfRun(run *trace.Run) (*Run, []byte, error) {
	r := &Run{Name: run.Dir, Dir: run.Dir, Facts: [][2]string{}, Findings: []Finding{}, Spans: []Span{}, Foreign: []int{}}
	verdict, err := run.Walk(trace.Options{})
	if err != nil {
		return nil, nil, err
	}
	r.Verdict = Verdict{State: string(verdict.State), Text: verdict.String()}
	for _, id := range run.Present() {
		r.Machines = append(r.Machines, Machine{ID: id, Color: id % 8, Records: []Record{}})
	}
	return r, nil, nil
}

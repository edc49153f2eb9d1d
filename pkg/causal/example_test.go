package causal_test

import (
	"fmt"
	"log"

	"github.com/scalemodel/lamport/pkg/causal"
	"github.com/scalemodel/lamport/pkg/trace"
)

// What came before what is told from one walk over the logs.
func Example() {
	run, err := trace.Open("../trace/testdata/small")
	if err != nil {
		log.Fatal(err)
	}
	b := causal.NewBuilder(run, causal.Options{})
	if _, err := run.Walk(trace.Options{}, b); err != nil {
		log.Fatal(err)
	}
	x, err := b.Index()
	if err != nil {
		log.Fatal(err)
	}
	a, _ := x.OfStep(1, 3) // of the machine at place 1
	for _, step := range []uint64{1, 2} {
		p, _ := x.OfStep(0, step)
		fmt.Printf("to step %d of machine 0 it stands %s\n", step, x.Relation(a, p))
	}
	fmt.Printf("%+v\n", x.Counts(a))
	p, _ := x.OfStep(0, 4)
	chain, origin := x.Carried(p)
	e := x.At(p)
	fmt.Printf("clock %d was carried by %d message, from step %d of machine %d on\n", e.Clock, len(chain), x.At(origin).Step, x.ID(origin.Machine))
	// Output:
	// to step 1 of machine 0 it stands concurrent
	// to step 2 of machine 0 it stands before
	// {Past:2 Future:11 Concurrent:1}
	// clock 6 was carried by 1 message, from step 1 of machine 1 on
}

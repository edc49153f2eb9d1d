package page_test

import (
	"fmt"
	"log"
	"strings"

	"github.com/scalemodel/lamport/pkg/page"
	"github.com/scalemodel/lamport/pkg/trace"
)

// One walk gathers the figures of a run and all that its page shows.
func ExampleCollector() {
	run, err := trace.Open("../trace/testdata/small")
	if err != nil {
		log.Fatal(err)
	}
	c := page.NewCollector(run, page.Options{})
	stats, err := run.Stats(c.Visitors()...)
	if err != nil {
		log.Fatal(err)
	}
	head, columns := c.Run(stats)
	p := page.Page{Head: page.NewHead(page.KindRun, "example", "A small run"), Data: [][]byte{columns}}
	p.Head.Runs = append(p.Head.Runs, *head)
	var file strings.Builder
	if err := p.Write(&file); err != nil {
		log.Fatal(err)
	}
	fmt.Println(head.Verdict.State)
	for _, m := range head.Machines {
		fmt.Printf("machine %d: %d events, rate %s\n", m.ID, m.Events, m.Rate)
	}
	fmt.Println(strings.HasPrefix(file.String(), "<!doctype html>"))
	// Output:
	// correct
	// machine 0: 5 events, rate 1
	// machine 1: 10 events, rate 2
	// true
}

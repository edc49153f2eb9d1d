package trace_test

import (
	"fmt"
	"io"
	"log"
	"strings"

	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/trace"
)

// A run is checked from its own logs.
func ExampleRun_Walk() {
	run, err := trace.Open("testdata/small")
	if err != nil {
		log.Fatal(err)
	}
	verdict, err := run.Walk(trace.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(verdict)
	// Output: correct: all laws hold for 15 events on 2 machines; 5 messages sent = 4 received + 1 pending
}

// One walk serves the laws, the figures, and whoever else wants to see the lines.
func ExampleRun_Walk_visitors() {
	run, err := trace.Open("testdata/small")
	if err != nil {
		log.Fatal(err)
	}
	figures := trace.NewCollector(run)
	waits := 0
	verdict, err := run.Walk(trace.Options{}, figures, trace.VisitorFunc(func(s *trace.Step) error {
		if s.Sent != nil && s.Micro-s.Sent.Micro > 1000 {
			waits++
		}
		return nil
	}))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(verdict.State)
	for _, m := range figures.Stats(verdict).Machines {
		fmt.Printf("machine %d: largest jump %d\n", m.ID, m.Jumps.Max)
	}
	fmt.Println(waits, "messages took more than a millisecond")
	// Output:
	// correct
	// machine 0: largest jump 4
	// machine 1: largest jump 1
	// 2 messages took more than a millisecond
}

// A log can be anywhere, such as in a string.
func ExampleNew() {
	const text = `2026-11-22T17:13:40.000000Z [INFO]  vm-0: start: version=1 run=alone machines=1 rate=1 seed=1 die=10 peers=""
2026-11-22T17:13:41.000000Z [INFO]  vm-0: internal: step=1 clock=2 queue=0
`
	run, err := trace.New(trace.TextLog(0, "a string", func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(text)), nil
	}))
	if err != nil {
		log.Fatal(err)
	}
	verdict, err := run.Walk(trace.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(&verdict.Violations[0])
	// Output:
	// a string:2: increment: clock 2 after clock 0, expected 1
	//     a string:2: 2026-11-22T17:13:41.000000Z [INFO]  vm-0: internal: step=1 clock=2 queue=0
	//     a string:1: 2026-11-22T17:13:40.000000Z [INFO]  vm-0: start: version=1 run=alone machines=1 rate=1 seed=1 die=10 peers=""
}

// Where a law is broken, the lines that break it are shown side by side. Here
// somebody stamped a message before the send was counted.
func ExampleRun_Walk_broken() {
	run, err := trace.Open("testdata/broken")
	if err != nil {
		log.Fatal(err)
	}
	verdict, err := run.Walk(trace.Options{})
	if err != nil {
		log.Fatal(err)
	}
	for _, v := range verdict.Violations {
		fmt.Println(&v)
	}
	fmt.Println(verdict)
	// Output:
	// testdata/broken/vm_1_2.log:7: match: the receive says sent=4, but this message was sent at clock 5
	//     testdata/broken/vm_1_2.log:7: 2026-11-22T17:13:43.066789Z [INFO]  vm-1: receive: step=6 clock=6 queue=0 from=0 seq=1 sent=4
	//     testdata/broken/vm_0_1.log:4: 2026-11-22T17:13:43.066670Z [INFO]  vm-0: send: step=3 clock=5 queue=0 to=1:1
	// BROKEN: 1 violation among 15 events on 2 machines: match (1)
}

// A walk shows all lines in an order that respects happened-before, with the send
// to each receive, and vector clocks for who asks.
func ExampleOptions_vectors() {
	run, err := trace.Open("testdata/small")
	if err != nil {
		log.Fatal(err)
	}
	_, err = run.Walk(trace.Options{Vectors: true}, trace.VisitorFunc(func(s *trace.Step) error {
		if s.Event != nil && s.Event.Kind == event.Receive {
			fmt.Printf("machine %d step %d, sent in line %d: clock %d, vector clock %v\n", s.Machine, s.Event.Step, s.Sent.Line, s.Event.Clock, s.Vector)
		}
		return nil
	}))
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// machine 0 step 2, sent in line 4: clock 4, vector clock [2 3]
	// machine 1 step 6, sent in line 4: clock 6, vector clock [3 6]
	// machine 1 step 8, sent in line 5: clock 8, vector clock [4 8]
	// machine 0 step 5, sent in line 10: clock 10, vector clock [5 9]
}

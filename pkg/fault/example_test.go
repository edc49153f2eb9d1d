package fault_test

import (
	"fmt"
	"time"

	"github.com/scalemodel/lamport/pkg/fault"
)

// A plan is text, one fault a line; times count from the start of the run.
func ExampleParse() {
	p, err := fault.Parse(`
		at 10s kill 1 to 12s              # back after two seconds
		at 30s partition 1,2 | 0 for 10s
		from 0s delay 0->* 200ms 50ms
		random reset every 5s seed 7`, 3)
	if err != nil {
		fmt.Println(err)
	}
	fmt.Println(p)
	// Output:
	// at 10s kill 1 for 2s
	// at 30s partition 1,2 | 0 for 10s
	// from 0s delay 0->* 200ms 50ms
	// random reset every 5s seed 7
}

// An error says where, and what was expected there.
func ExampleSyntaxError() {
	_, err := fault.Parse("at 10s kill 1 for 2s\nat 20s pause 3 for 1s", 3)
	fmt.Println(err)
	_, err = fault.Parse("at 10s kill 1 for 2", 3)
	fmt.Println(err)
	// Output:
	// line 2, column 14: there is no machine 3: the run has machines 0 to 2
	// line 1, column 19: expected a duration with its unit, such as 2s, found "2"
}

// Whoever carries it out waits for each action and does it.
func ExamplePlan_Actions() {
	p, _ := fault.Parse("at 1s kill 0 for 2s; random pause every 5s seed 7", 3)
	for a := range p.Actions(15 * time.Second) {
		switch {
		case a.Kind == fault.Kill && !a.Over:
			fmt.Println(a.At, "kill", a.Machines)
		case a.Kind == fault.Kill:
			fmt.Println(a.At, "start", a.Machines, "again")
		default:
			fmt.Println(a)
		}
	}
	// Output:
	// 1s kill [0]
	// 3s start [0] again
	// at 3.083387838s pause 1 for 1s
	// at 4.083387838s over: pause 1
	// at 7.220837772s pause 1 for 1s
	// at 8.220837772s over: pause 1
	// at 11.280549232s pause 2 for 1s
	// at 12.280549232s over: pause 2
}

// A connection asks before each write whether its bytes flow.
func ExamplePlan_Blocked() {
	p, _ := fault.Parse("at 30s partition 0 | 1,2 for 10s; at 35s cut 1->2 for 1s", 3)
	for _, link := range [][2]int{{0, 1}, {1, 2}, {2, 1}} {
		until, blocked := p.Blocked(link[0], link[1], 35*time.Second)
		fmt.Println(link, blocked, until)
	}
	// Output:
	// [0 1] true 40s
	// [1 2] true 36s
	// [2 1] false 0s
}

// Chance is a function of the link and the number of the write, so a delay can be
// computed again.
func ExamplePlan_Delay() {
	p, _ := fault.Parse("from 10s delay 0->1 200ms 50ms seed 7", 2)
	for n := range uint64(3) {
		fmt.Println(p.Delay(0, 1, time.Minute, n).Round(time.Millisecond))
	}
	fmt.Println(p.Delay(0, 1, 0, 0), p.Delay(1, 0, time.Minute, 0))
	// Output:
	// 214ms
	// 176ms
	// 206ms
	// 0s 0s
}

// The launcher gives all machines one text, with the seeds written out and nothing
// still broken at the end of the run.
func ExamplePlan_Seeded() {
	p, _ := fault.Parse("random kill every 5s; random cut every 10s seed 7", 3)
	p, _ = p.Seeded(42).Within(time.Minute)
	fmt.Println(p)
	// Output:
	// random kill every 5s for 1s to 1m seed 356455577
	// random cut every 10s for 1s to 1m seed 7
}

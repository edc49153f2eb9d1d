package experiment_test

import (
	"fmt"
	"time"

	"github.com/scalemodel/lamport/pkg/experiment"
)

func ExampleParseRates() {
	for _, text := range []string{"1,5,4", "max", "random", "2-9", "lognormal:3,0.5"} {
		rates, err := experiment.ParseRates(text, 3, 42)
		fmt.Println(text, rates, err)
	}
	// Output:
	// 1,5,4 [1 5 4] <nil>
	// max [max max max] <nil>
	// random [3 2 5] <nil>
	// 2-9 [7 5 3] <nil>
	// lognormal:3,0.5 [1.375 2.295 2.826] <nil>
}

func ExampleParseLatency() {
	l, err := experiment.ParseLatency("uniform:1ms,5ms")
	fmt.Println(l, l.Min(), err)
	// Output: uniform:1ms,5ms 1ms <nil>
}

// What is wrong with a run is said in one line, and which part of it.
func ExampleSpec_Check() {
	s := experiment.Spec{Common: experiment.Common{Run: "lab", Die: 10, Duration: -time.Second}}
	fmt.Println(s.Check())
	// Output: duration -1s: a duration cannot be negative
}

package sim_test

import (
	"context"
	"fmt"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/fault"
	"github.com/scalemodel/lamport/pkg/sim"
)

// A minute of the laboratory's cluster takes no time, and is always the same.
func ExampleRun() {
	r, err := sim.Run(context.Background(), sim.Config{Spec: experiment.Spec{
		Common:  experiment.Common{Run: "example", Die: 10, Seed: 42, Duration: time.Minute},
		Rates:   []clock.Rate{1 * clock.Hertz, 5 * clock.Hertz, 4 * clock.Hertz},
		Virtual: &experiment.Virtual{Latency: experiment.DefaultLatency()},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for m := range r.Machines() {
		fmt.Printf("machine %d: %d events, clock %d, %d waiting\n", m.ID, m.Steps, m.Clock, m.Queue)
	}
	// Output:
	// machine 0: 60 events, clock 227, 22 waiting
	// machine 1: 300 events, clock 302, 1 waiting
	// machine 2: 240 events, clock 302, 0 waiting
}

// A failure that a plan and a seed provoke is provoked again.
func ExampleRun_faults() {
	plan, err := fault.Parse("at 10s kill 1 for 2s; at 30s reset 0-2", 3)
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 {
		r, err := sim.Run(context.Background(), sim.Config{Spec: experiment.Spec{
			Common:  experiment.Common{Run: "example", Die: 10, Seed: 42, Duration: time.Minute, Faults: plan},
			Rates:   []clock.Rate{1 * clock.Hertz, 5 * clock.Hertz, 4 * clock.Hertz},
			Virtual: &experiment.Virtual{Latency: experiment.Constant(20 * time.Millisecond)},
		}})
		if err != nil {
			fmt.Println(err)
			return
		}
		for m := range r.Machines() {
			if m.Missed > 0 {
				fmt.Printf("machine %d did %d events and missed %d ticks\n", m.ID, m.Steps, m.Missed)
			}
		}
	}
	// Output:
	// machine 1 did 290 events and missed 10 ticks
	// machine 1 did 290 events and missed 10 ticks
}

package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/cluster"
	"github.com/scalemodel/lamport/pkg/experiment"
)

// Three machines for ten seconds, on whatever ports are free.
func Example() {
	vm, err := cluster.FindVM()
	if err != nil {
		log.Fatal(err)
	}
	run, err := cluster.New(cluster.Config{
		Spec: experiment.Spec{
			Common: experiment.Common{Run: "example", Die: 10, Seed: 42, Duration: 10 * time.Second},
			Rates:  []clock.Rate{clock.Hertz, 5 * clock.Hertz, 4 * clock.Hertz},
		},
		Ports: []int{0, 0, 0},
		Dir:   "runs/example",
		VM:    vm,
	})
	if err != nil {
		log.Fatal(err)
	}
	machines, err := run.Run(context.Background(), nil)
	if death, ok := errors.AsType[*cluster.Death](err); ok {
		fmt.Println("machine", death.ID, "has died:", death.State)
	}
	for _, m := range machines {
		if m != nil {
			fmt.Println("machine", m.ID, "has executed", m.Steps, "steps")
		}
	}
}

func ExampleParsePorts() {
	fmt.Println(cluster.ParsePorts("2050,3050,4050", 3))
	fmt.Println(cluster.ParsePorts("auto", 2))
	fmt.Println(cluster.ParsePorts("2050,3050", 3))
	// Output:
	// [2050 3050 4050] <nil>
	// [0 0] <nil>
	// [] ports: 2 ports for 3 machines: give one each
}

package sweep_test

import (
	"fmt"

	"github.com/scalemodel/lamport/pkg/sweep"
)

func ExampleMean95() {
	jumps := sweep.Mean95([]float64{3.6, 3.9, 4.1, 3.5, 3.9}) // of five trials
	fmt.Println(jumps)
	fmt.Println(jumps.Has(4), jumps.Sign())
	// Output:
	// 3.80 ± 0.30
	// true 1
}

func ExampleSeeds() {
	fmt.Println(sweep.Seeds(1, 3))
	// Output: [2433363436 3203108257 4170425070]
}

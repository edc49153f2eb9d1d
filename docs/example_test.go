package docs_test

import (
	"fmt"

	"github.com/scalemodel/lamport/pkg/clock"
)

// The code of the README, which TestReadmeExample holds against it.
func Example_readme() {
	a, b := clock.NewLamport(0), clock.NewLamport(5)

	stamp, _ := a.Tick()       // a send is an event: count it first, then stamp the message
	now, _ := b.Receive(stamp) // a receive is later than both: max(5, 1) + 1

	fmt.Println("sent at", stamp, "received at", now) // sent at 1 received at 6
	// Output:
	// sent at 1 received at 6
}

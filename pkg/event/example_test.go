package event_test

import (
	"fmt"

	"github.com/scalemodel/lamport/pkg/event"
)

// A send to two machines is one event with one stamp, which both messages carry.
// Each is numbered on its own link.
func ExampleEvent() {
	e := event.Event{Step: 2, Clock: 2, Kind: event.Send}
	e.SetMessages(
		event.Message{From: 0, To: 1, Seq: 1, Sent: 2},
		event.Message{From: 0, To: 2, Seq: 7, Sent: 2},
	)

	fmt.Printf("step %d, clock %d: %v\n", e.Step, e.Clock, e.Kind)
	for _, m := range e.Messages() {
		fmt.Printf("message %d on the link %d → %d, stamped %d\n", m.Seq, m.From, m.To, m.Sent)
	}
	// Output:
	// step 2, clock 2: send
	// message 1 on the link 0 → 1, stamped 2
	// message 7 on the link 0 → 2, stamped 2
}

func ExampleKind_String() {
	fmt.Println(event.Internal, event.Send, event.Receive)
	// Output: internal send receive
}

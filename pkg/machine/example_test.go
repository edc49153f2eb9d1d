package machine_test

import (
	"fmt"

	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/machine"
)

// A run of two machines, the first twice as fast as the second: the network is a
// function call, and time is a loop.
func Example() {
	var machines []*machine.Machine
	for id := range 2 {
		m, err := machine.New(machine.Config{ID: id, Machines: 2, Die: 6, Seed: 41})
		if err != nil {
			panic(err)
		}
		machines = append(machines, m)
	}

	var ev event.Event
	for range 3 {
		for _, id := range []int{0, 0, 1} {
			m := machines[id]
			if err := m.Step(&ev); err != nil {
				panic(err)
			}
			fmt.Printf("machine %d, step %d, clock %d: %v", id, ev.Step, ev.Clock, ev.Kind)
			for _, msg := range ev.Messages() {
				fmt.Printf(" (%d → %d, stamped %d)", msg.From, msg.To, msg.Sent)
				if ev.Kind == event.Send {
					machines[msg.To].Deliver(msg)
				}
			}
			fmt.Println()
		}
	}
	// Output:
	// machine 0, step 1, clock 1: send (0 → 1, stamped 1)
	// machine 0, step 2, clock 2: internal
	// machine 1, step 1, clock 2: receive (0 → 1, stamped 1)
	// machine 0, step 3, clock 3: internal
	// machine 0, step 4, clock 4: internal
	// machine 1, step 2, clock 3: send (1 → 0, stamped 3)
	// machine 0, step 5, clock 5: receive (1 → 0, stamped 3)
	// machine 0, step 6, clock 6: send (0 → 1, stamped 6)
	// machine 1, step 3, clock 7: receive (0 → 1, stamped 6)
}

// One machine: a message waits, so the first step receives it; then the queue is
// empty and the die decides.
func ExampleMachine() {
	m, err := machine.New(machine.Config{ID: 0, Machines: 3, Die: machine.DefaultDie, Seed: 1})
	if err != nil {
		panic(err)
	}
	m.Deliver(event.Message{From: 2, To: 0, Seq: 1, Sent: 7})

	var ev event.Event
	for range 3 {
		if err := m.Step(&ev); err != nil {
			panic(err)
		}
		fmt.Println(ev.Step, ev.Clock, ev.Kind, ev.Messages())
	}
	// Output:
	// 1 8 receive [{2 0 1 7}]
	// 2 9 internal []
	// 3 10 send [{0 2 1 10}]
}

// A shell that must not overrun a link asks before it steps.
func ExampleMachine_NextRecipients() {
	m, err := machine.New(machine.Config{ID: 0, Machines: 3, Die: 3, Seed: 1})
	if err != nil {
		panic(err)
	}
	next := m.NextRecipients()
	for i := range next.Len() {
		fmt.Println("the next step sends to machine", next.At(i))
	}

	m.Deliver(event.Message{From: 2, To: 0, Seq: 1, Sent: 7})
	fmt.Println("a message waits: the next step sends to", m.NextRecipients().Len(), "machines")
	// Output:
	// the next step sends to machine 1
	// a message waits: the next step sends to 0 machines
}

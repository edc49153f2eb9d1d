package docs_test

import (
	"context"
	"fmt"
	"net"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/transport"
)

// The first code of the README, which TestReadmeExample holds against this file.
func Example_readme() {
	a, b := clock.NewLamport(0), clock.NewLamport(5)

	stamp, _ := a.Tick()       // a send is an event: count it first, then stamp the message
	now, _ := b.Receive(stamp) // a receive is later than both: max(5, 1) + 1

	fmt.Println("sent at", stamp, "received at", now) // sent at 1 received at 6
	// Output:
	// sent at 1 received at 6
}

// inbox is a Handler that passes on what comes.
type inbox chan string

func (in inbox) Deliver(from int, first uint64, payloads [][]byte) error {
	for i, payload := range payloads {
		in <- fmt.Sprintf("message %d of machine %d: %s", first+uint64(i), from, payload)
	}
	return nil
}

func (inbox) Room(int) {}

// other is the machine at the other end, on a listener of its own.
func other(ctx context.Context, ln net.Listener, peer string, done chan<- struct{}) {
	defer close(done)
	in := make(inbox, 1)
	node, _ := transport.New(transport.Config{ID: 1, Run: "example", Peers: []transport.Peer{{ID: 0, Addr: peer}}, Handler: in}, ln)
	_ = node.Connect(ctx)
	fmt.Println(<-in)
	node.Consumed(0, 1)
	node.Drain(ctx)
	node.Settle(ctx)
	node.Close(ctx)
}

// The second code of the README.
func Example_readmeLinks() {
	ctx, in, done := context.Background(), make(inbox, 1), make(chan struct{})
	there, _ := transport.Listen("127.0.0.1", 0)
	peer := there.Addr().String()

	ln, _ := transport.Listen("127.0.0.1", 0)
	node, _ := transport.New(transport.Config{
		ID: 0, Run: "example", Peers: []transport.Peer{{ID: 1, Addr: peer}},
		Handler: in, // is given each message of the peers once, in order
	}, ln)
	go other(ctx, there, ln.Addr().String(), done)
	_ = node.Connect(ctx)         // returns when both directions of every link are up
	node.Send(1, []byte("hello")) // kept, and sent again if need be, until it is consumed
	node.Drain(ctx)               // nothing more: waits until everything sent has arrived
	node.Settle(ctx)              // what has come is safe here: its senders may forget it
	node.Close(ctx)

	<-done
	// Output:
	// message 1 of machine 0: hello
}

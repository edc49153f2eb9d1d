package transport_test

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/scalemodel/lamport/pkg/transport" //nolint:depguard // the package itself
)

// printer is a Handler that prints what comes in, and passes on its numbers.
type printer struct{ numbers chan uint64 }

func (p printer) Deliver(from int, first uint64, payloads [][]byte) error {
	for i, payload := range payloads {
		fmt.Printf("message %d of machine %d: %s\n", first+uint64(i), from, payload)
		p.numbers <- first + uint64(i)
	}
	return nil
}

func (printer) Room(int) {}

// newNode makes one machine of a run of two.
func newNode(id int, ln net.Listener, peer string, h transport.Handler) *transport.Node {
	n, err := transport.New(transport.Config{
		ID:      id,
		Run:     "example",
		Peers:   []transport.Peer{{ID: 1 - id, Addr: peer}},
		Handler: h,
	}, ln)
	if err != nil {
		panic(err)
	}
	return n
}

// Two machines, here in one process, and one message. It is delivered exactly
// once, however often the connection breaks, and kept by its sender until it is
// consumed.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var lns [2]net.Listener
	for i := range lns {
		ln, err := transport.Listen("127.0.0.1", 0)
		if err != nil {
			panic(err)
		}
		lns[i] = ln
	}
	inbox := printer{make(chan uint64, 1)}
	sender := newNode(0, lns[0], lns[1].Addr().String(), printer{})
	receiver := newNode(1, lns[1], lns[0].Addr().String(), inbox)

	done := make(chan struct{})
	go func() { // as a rule another process, on another host
		defer close(done)
		if err := receiver.Connect(ctx); err != nil {
			panic(err)
		}
		receiver.Consumed(0, <-inbox.numbers)
		receiver.Drain(ctx)
		receiver.Settle(ctx)
		receiver.Close(ctx)
	}()

	if err := sender.Connect(ctx); err != nil {
		panic(err)
	}
	sender.Send(1, []byte("hello"))
	undelivered := sender.Drain(ctx) // nothing follows; returns when the others have said the same
	sender.Settle(ctx)               // what came is safe: its senders may forget it
	sender.Close(ctx)
	<-done
	fmt.Println("undelivered:", len(undelivered))
	// Output:
	// message 1 of machine 0: hello
	// undelivered: 0
}

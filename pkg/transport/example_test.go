package transport_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/scalemodel/lamport/pkg/transport" //nolint:depguard // the package itself
)

// printer is a Handler that prints what it gets.
type printer struct{ received chan uint64 }

func (p printer) Deliver(from int, first uint64, payloads [][]byte) error {
	for i, payload := range payloads {
		seq := first + uint64(i)
		fmt.Printf("message %d of machine %d: %s\n", seq, from, payload)
		p.received <- seq
	}
	return nil
}

func (printer) Room(int) {}

// Two machines in one process: the first sends, the second consumes.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var nodes [2]*transport.Node
	received := make(chan uint64, 10)
	var lns [2]net.Listener
	for i := range lns {
		ln, err := transport.Listen("127.0.0.1", 0)
		if err != nil {
			fmt.Println(err)
			return
		}
		lns[i] = ln
	}
	for i := range nodes {
		var err error
		nodes[i], err = transport.New(transport.Config{
			ID:      i,
			Run:     "example",
			Peers:   []transport.Peer{{ID: 1 - i, Addr: lns[1-i].Addr().String()}},
			Handler: printer{received},
		}, lns[i])
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	both := func(f func(n *transport.Node)) {
		var wg sync.WaitGroup
		for _, n := range nodes {
			wg.Go(func() { f(n) })
		}
		wg.Wait()
	}
	both(func(n *transport.Node) {
		if err := n.Connect(ctx); err != nil {
			fmt.Println(err)
		}
	})

	nodes[0].Send(1, []byte("hello"))
	nodes[0].Send(1, []byte("world"))
	nodes[1].Consumed(0, <-received)
	nodes[1].Consumed(0, <-received)

	both(func(n *transport.Node) {
		undelivered := n.Drain(ctx) // here, note what has come and is not consumed
		n.Settle(ctx)
		n.Close(ctx)
		if len(undelivered) > 0 {
			fmt.Println("undelivered:", undelivered)
		}
	})
	fmt.Println("messages sent:", nodes[0].Stats().Messages)
	// Output:
	// message 1 of machine 0: hello
	// message 2 of machine 0: world
	// messages sent: 2
}

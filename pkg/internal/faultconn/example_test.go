package faultconn_test

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/scalemodel/lamport/pkg/fault"
	"github.com/scalemodel/lamport/pkg/internal/faultconn"
)

// Whatever dials can be decorated. What is written while the link is cut arrives
// when the cut is over.
func ExampleFaults_Dial() {
	plan, err := fault.Parse("at 0s cut 0->1 for 20ms", 2)
	if err != nil {
		panic(err)
	}
	ctx, over := context.WithCancel(context.Background())
	defer over()
	near, far := net.Pipe()
	faults := faultconn.New(plan, 0)
	dial := faults.Dial(func(context.Context, string, string) (net.Conn, error) { return near, nil }, func(string) int { return 1 })

	began := time.Now()
	conn, err := dial(ctx, "tcp", "hostb:3050") // before the run, nothing breaks
	if err != nil {
		panic(err)
	}
	faults.Begin(ctx, began)
	go func() { _, _ = conn.Write([]byte("hello")) }()
	buf := make([]byte, 5)
	_, err = far.Read(buf)
	fmt.Println(string(buf), err, time.Since(began) >= 20*time.Millisecond)
	_ = conn.Close()
	// Output: hello <nil> true
}

package gather_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/scalemodel/lamport/pkg/gather"
)

// A machine delivers its log, as it was written, to where those of its run are gathered.
func Example() {
	dir, _ := os.MkdirTemp("", "gather")
	defer os.RemoveAll(dir)
	log := `2026-11-22T17:13:40.066633Z [INFO]  vm-0: start: version=1 run=small machines=1 rate=1 seed=126 die=10 peers=""
2026-11-22T17:13:41.066670Z [INFO]  vm-0: internal: step=1 clock=1 queue=0
2026-11-22T17:13:41.066933Z [INFO]  vm-0: stop: step=1 clock=1 queue=0 pending=""
`
	file := filepath.Join(dir, "vm_0_1.log")
	os.WriteFile(file, []byte(log), 0o600)

	run := filepath.Join(dir, "run")
	g, _ := gather.Open(gather.Config{Dir: run, Run: "small", Machines: 1})
	ln, _ := net.Listen("tcp", "127.0.0.1:0")
	ctx, end := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- g.Serve(ctx, ln, nil) }()

	c := gather.NewClient(ln.Addr().String(), nil)
	fmt.Println("delivered:", c.Deliver(ctx, file, gather.Here("1.0")))
	c.Close()
	<-g.Full()
	end()
	fmt.Println("served:", <-served)
	g.Close()

	got, _ := os.ReadFile(filepath.Join(run, "vm_0_1.log"))
	fmt.Println("the same bytes:", string(got) == log)
	// Output:
	// delivered: <nil>
	// served: <nil>
	// the same bytes: true
}

package vm_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/vm"
)

// A run of one machine: it has nobody to talk to, so all its events are
// internal.
func ExampleRun() {
	dir, err := os.MkdirTemp("", "run")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	m, err := vm.Run(context.Background(), vm.Config{
		Common: experiment.Common{Run: "example", Die: 10, Seed: 42, Duration: 50 * time.Millisecond},
		Rate:   100 * clock.Hertz,
		LogDir: dir,
	}, ln)
	if err != nil {
		panic(err)
	}
	fmt.Println(m.Steps+m.Missed, "ticks were due")
	logs, _ := filepath.Glob(filepath.Join(dir, "*"))
	fmt.Println(filepath.Base(logs[0]))
	// Output:
	// 5 ticks were due
	// vm_0_100.log
}

// A run that could not begin leaves nothing behind.
func ExampleStartError() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	_, err = vm.Run(context.Background(), vm.Config{
		Common: experiment.Common{Run: "example", Die: 0},
		Rate:   clock.Hertz,
		LogDir: os.TempDir(),
	}, ln)
	if start := (*vm.StartError)(nil); errors.As(err, &start) {
		fmt.Println("not begun:", start)
	}
	// Output:
	// not begun: die 0: a die has at least 1 face
}

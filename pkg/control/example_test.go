package control_test

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/scalemodel/lamport/pkg/control"
	"github.com/scalemodel/lamport/pkg/summary"
)

// Both ends, with pipes for the standard files of a process.
func Example() {
	stdin, lifeline := io.Pipe()
	reports, stdout := io.Pipe()

	go func() { // the vm
		s := control.NewSession(stdin, stdout)
		cause := func(linger time.Duration) error { return fmt.Errorf("stopped, with %v to linger", linger) }
		err := s.Run(context.Background(), time.Second, cause, func(ctx context.Context) error {
			s.Report(summary.Status{Phase: summary.Connecting})
			<-s.Gate()
			s.Report(summary.Status{Phase: summary.Running})
			<-ctx.Done()
			return context.Cause(ctx)
		})
		fmt.Println("vm:", err)
		_ = stdout.Close()
	}()

	vm := control.NewLifeline(lifeline) // the launcher
	for s := range control.Reports(reports) {
		fmt.Println("launcher: the machine is", s.Phase)
		switch s.Phase {
		case summary.Connecting:
			vm.Go()
		case summary.Running:
			vm.Stop(10 * time.Second)
		}
	}
	// Output:
	// launcher: the machine is connecting
	// launcher: the machine is running
	// vm: stopped, with 10s to linger
}

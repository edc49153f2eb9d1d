package main

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/scalemodel/lamport/pkg/cluster"
)

// hint says beside an error how to mend it, where that is known. The packages below
// say what is in the way; flags are this command's.
func hint(err error) error {
	if e, ok := errors.AsType[*cluster.PortError](err); ok && errors.Is(e, syscall.EADDRINUSE) {
		return fmt.Errorf("%w: end the program that holds it, or give machine %d another one with --ports (--ports auto takes free ones) (%w)",
			err, e.ID, syscall.EADDRINUSE)
	}
	return err
}

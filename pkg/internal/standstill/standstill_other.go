//go:build !unix

// Package standstill has a process stand still for a while.
package standstill

import (
	"errors"
	"os"
)

// Can says whether processes can be stopped for a while on this system.
const Can = false

// Hold says that it cannot be done.
func Hold(*os.Process, bool) error { return errors.New("this system cannot pause a process") }

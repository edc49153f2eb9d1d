//go:build !unix

package cluster

import (
	"errors"
	"os"
)

// CanPause says whether processes can be stopped for a while on this system.
const CanPause = false

func pause(*os.Process, bool) error { return errors.New("this system cannot pause a process") }

package exit

import (
	"errors"
	"runtime"
	"syscall"

	"github.com/scalemodel/lamport/pkg/internal/disk"
)

// What keeps a program from its work and may pass by itself, so that it ends with [Retry].

// DiskFull reports whether an error says that a disk, or its owner's share of it, has no room.
func DiskFull(err error) bool { return disk.IsFull(err) }

// PortTaken reports whether an error says that another process has a port, or the like.
func PortTaken(err error) bool {
	const windowsInUse = syscall.Errno(10048)
	return errors.Is(err, syscall.EADDRINUSE) || runtime.GOOS == "windows" && errors.Is(err, windowsInUse)
}

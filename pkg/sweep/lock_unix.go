//go:build unix

package sweep

import (
	"errors"
	"os"
	"syscall"
)

// lock keeps other processes from the sweep. It ends with the process, however
// that ends. Where the file system knows no locks there is none.
func lock(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return ErrBusy
	}
	return nil
}

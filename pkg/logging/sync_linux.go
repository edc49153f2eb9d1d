package logging

import (
	"errors"
	"os"
	"syscall"
)

// dataFile is a file whose Sync waits for its data and its length, but not, as
// fsync does, for its times, which nobody recovers from.
type dataFile struct{ *os.File }

// Sync calls fdatasync.
func (f dataFile) Sync() error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var syncErr error
	err = conn.Control(func(fd uintptr) {
		for {
			if syncErr = syscall.Fdatasync(int(fd)); !errors.Is(syncErr, syscall.EINTR) {
				return
			}
		}
	})
	if err == nil && syncErr != nil {
		err = &os.PathError{Op: "fdatasync", Path: f.Name(), Err: syncErr}
	}
	return err
}

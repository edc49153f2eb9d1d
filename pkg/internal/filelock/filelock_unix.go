//go:build unix

package filelock

import (
	"errors"
	"os"
	"syscall"
)

func try(f *os.File) bool {
	return !errors.Is(flock(f, syscall.LOCK_EX|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}

func release(f *os.File) { _ = flock(f, syscall.LOCK_UN) }

func flock(f *os.File, how int) (err error) {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	ctlErr := conn.Control(func(fd uintptr) { err = syscall.Flock(int(fd), how) })
	return errors.Join(ctlErr, err)
}

//go:build unix

package guarded

import "syscall"

// noWait opens a named pipe, which somebody may have put in the place of a file,
// without waiting for its other end. To a regular file it is nothing.
const noWait = syscall.O_NONBLOCK

// Package filelock keeps a file to one process at a time, where the system and the
// file system can.
package filelock

import "os"

// Try locks an open file and reports whether that is granted: false means that
// another process, or another opening of the file in this one, holds the lock.
// Where there are no locks it is always granted. A lock ends with the process,
// however that ends.
func Try(f *os.File) bool { return try(f) }

// Release gives the lock back. To close the file alone is not enough where a child
// process is just being made: until it runs its own program it has the file too.
func Release(f *os.File) { release(f) }

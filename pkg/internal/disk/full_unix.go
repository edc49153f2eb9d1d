//go:build !windows

package disk

import "syscall"

// full are the errors of a file system without room for more.
var full = []error{syscall.ENOSPC, syscall.EDQUOT}

//go:build !windows

package progress

import "io"

// prepare does nothing: these terminals understand what moves the cursor.
func prepare(io.Writer) {}

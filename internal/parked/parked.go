// Package parked tells tests when a goroutine has come to rest. Whoever waits says
// nothing, so "it waits" can otherwise only be hoped for after some time.
package parked

import (
	"runtime"
	"strings"
)

// In reports whether some goroutine waits in a select statement of this function
// right now. The function is named as in a stack trace, without the path of its
// package: "vm.(*runner).join".
func In(function string) bool {
	for trace := range strings.SplitSeq(stacks(), "\n\n") {
		state, frames, _ := strings.Cut(trace, "\n")
		innermost, _, _ := strings.Cut(frames, "\n")
		if strings.Contains(state, "[select") && strings.HasPrefix(innermost[strings.LastIndexByte(innermost, '/')+1:], function+"(") {
			return true
		}
	}
	return false
}

// stacks returns the traces of all goroutines.
func stacks() string {
	for b := make([]byte, 64<<10); ; b = make([]byte, 2*len(b)) {
		if n := runtime.Stack(b, true); n < len(b) {
			return string(b[:n])
		}
	}
}

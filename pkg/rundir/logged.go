package rundir

import (
	"os"
	"strings"
)

// Logged returns how many bytes the event logs in a directory have so far. It says
// nothing of files that it cannot look at.
func Logged(dir string) (bytes uint64) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "vm_") || !strings.HasSuffix(e.Name(), ".log") {
			continue
		}
		if info, err := e.Info(); err == nil {
			bytes += uint64(info.Size())
		}
	}
	return bytes
}

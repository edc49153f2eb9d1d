// Package needs says in tests what they cannot do without. Where it is missing they are
// skipped, but where every change is tested, with CI=true, all of it is there, and they fail.
package needs

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Programs asks for these programs, one of a system's among them even where only root has
// it on the path.
func Programs(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err == nil {
			continue
		}
		if _, err := os.Stat(filepath.Join("/usr/sbin", name)); err == nil {
			continue
		}
		Without(t, "%s is missing", name)
	}
}

// Without ends a test for a reason.
func Without(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

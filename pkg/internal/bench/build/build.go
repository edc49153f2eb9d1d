// Package build builds the commands for whoever measures them.
package build

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Commands builds the launcher and vm into a directory, as "make build" does.
func Commands(dir string) error {
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", dir+string(filepath.Separator),
		"github.com/scalemodel/lamport/cmd/launcher", "github.com/scalemodel/lamport/cmd/vm")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

// Package enginetest is what the tests of the recipes under deploy/ share: the two
// programs, built once, and the programs of the engines, started and waited for.
package enginetest

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scalemodel/lamport/internal/needs"
)

// Deadline is how long a test waits for what must happen.
const Deadline = 2 * time.Minute

// Main runs the tests of a package, and takes away what they have built.
func Main(m *testing.M) {
	code := m.Run()
	if bin != "" {
		_ = os.RemoveAll(bin)
	}
	os.Exit(code)
}

var (
	bin   string // the directory of the programs
	build = sync.OnceValues(func() ([]byte, error) {
		var err error
		if bin, err = os.MkdirTemp("", "lamport-engines-"); err != nil {
			return nil, err
		}
		if err := os.Chmod(bin, 0o755); err != nil { // an engine may run them as another user
			return nil, err
		}
		// Mostly as "make cross" does, so that this has less to do after that; but by no
		// profile, for which the launcher's packages and their own would be compiled apart
		// from vm's.
		cmd := exec.Command("go", "build", "-trimpath", "-pgo=off", "-o", bin+string(filepath.Separator), "./cmd/...")
		cmd.Dir = Root()
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // as they are copied to other hosts
		return cmd.CombinedOutput()
	})
)

// Programs builds launcher and vm, and returns their directory.
func Programs(t testing.TB) string {
	t.Helper()
	if out, err := build(); err != nil {
		t.Fatalf("the programs cannot be built: %v\n%s", err, out)
	}
	return bin
}

// Root returns the root of the repository.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..", "..")
}

// NeedRoot skips a test that makes hosts of this one. Where every change is tested, it
// fails.
func NeedRoot(t testing.TB) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("namespaces are Linux's")
	}
	if os.Geteuid() != 0 {
		needs.Without(t, "namespaces are for root")
	}
}

// Environ returns the environment without what would speak to our programs or to the
// engine, but with our programs first on the path.
func Environ(t testing.TB, more ...string) []string {
	t.Helper()
	foreign := []string{"VM_", "LAUNCHER_", "SLURM", "SBATCH_", "OMPI_", "PMIX_", "PMI_", "RANK=", "WORLD_SIZE="}
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return slices.ContainsFunc(foreign, func(prefix string) bool { return strings.HasPrefix(v, prefix) })
	})
	path := strings.Join([]string{Programs(t), os.Getenv("PATH"), "/usr/sbin", "/sbin"}, ":")
	return append(append(env, "PATH="+path), more...)
}

// Eventually waits until something is true.
func Eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(Deadline); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("in %v it does not come to this: %s", Deadline, what)
		}
	}
}

// Copy copies files to a directory, where a user would have them, with their modes.
func Copy(t testing.TB, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(name)), b, info.Mode()); err != nil {
			t.Fatal(err)
		}
	}
}

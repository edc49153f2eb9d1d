//go:build unix

package main

import (
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/trace/tracetest"
)

// Standard output of a process is special: writing to it without a reader kills, unless
// something is done.
func TestPipeIsClosed(t *testing.T) {
	t.Parallel()
	dir := recordedRun(t, tracetest.Config{Rates: tracetest.Hertz(2000, 2000, 2000), Duration: 4 * time.Second})
	broken := smallRun(t)
	change(t, filepath.Join(broken, "vm_1_2.log"), "step=9 clock=9", "step=9 clock=8")
	for want, commands := range map[string][][]string{
		"0": {{"order", dir}, {"export", "--format", "jsonl", dir}, {"export", "--format", "csv", "-o", "/dev/stdout", dir}, {"check", dir}, {"stats", dir}},
		"1": {{"check", broken}},
	} {
		for _, args := range commands {
			r, w, err := os.Pipe()
			require.NoError(t, err)
			p := launcher(t, t.TempDir(), args...)
			p.cmd.Stdout = w
			p.start()
			require.NoError(t, w.Close())
			if want == "0" && len(args) > 2 || args[0] == "order" { // as "head -1" does
				_, err = io.ReadFull(r, make([]byte, 100))
				require.NoError(t, err)
			}
			require.NoError(t, r.Close())
			assert.Equal(t, want, p.wait(), args)
			assert.Empty(t, p.errors.String(), args)
		}
	}
}

package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkLinks is from the writing of run.json to the last machine's "all links are up", for
// whole runs of a hundred machines on this host: 9,900 links, of which each two share
// one TLS handshake.
func BenchmarkLinks(b *testing.B) {
	bin := b.TempDir()
	build := exec.Command("go", "build", "-o", bin+string(filepath.Separator), "../vm", ".")
	out, err := build.CombinedOutput()
	require.NoError(b, err, "%s", out)
	for _, c := range []struct {
		name string
		args []string
	}{{"plain", nil}, {"tls", []string{"--tls"}}} {
		b.Run("machines=100/"+c.name, func(b *testing.B) {
			var total time.Duration
			for b.Loop() {
				dir := filepath.Join(b.TempDir(), "run")
				args := append([]string{"run", "--machines", "100", "--rates", "1", "--duration", "1s", "--out", dir}, c.args...)
				out, err := exec.Command(filepath.Join(bin, "launcher"), args...).CombinedOutput()
				require.NoError(b, err, "%s", out)
				total += untilLinked(b, dir, 100)
			}
			b.ReportMetric(total.Seconds()/float64(b.N), "seconds-to-links")
		})
	}
}

// untilLinked returns how long the machines of a run took for their links.
func untilLinked(b *testing.B, dir string, machines int) (took time.Duration) {
	b.Helper()
	info, err := os.Stat(filepath.Join(dir, "run.json"))
	require.NoError(b, err)
	logs, err := fs.Glob(os.DirFS(dir), "vm_*.stderr")
	require.NoError(b, err)
	linked := 0
	for _, name := range logs {
		text, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(b, err)
		for line := range bytes.Lines(text) {
			if stamp, _, ok := strings.Cut(string(line), " "); ok && bytes.Contains(line, []byte("all links are up")) {
				at, err := time.Parse(time.RFC3339Nano, stamp)
				require.NoError(b, err)
				took = max(took, at.Sub(info.ModTime()))
				linked++
			}
		}
	}
	require.Equal(b, machines, linked, fmt.Sprint(logs))
	return took
}

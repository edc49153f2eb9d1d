package trace_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/trace"
)

func gzipped(t require.TestingT, text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := io.WriteString(w, text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.String()
}

func walk(t require.TestingT, dir string) *trace.Verdict {
	run, err := trace.Open(dir)
	require.NoError(t, err)
	v, err := run.Walk(trace.Options{})
	require.NoError(t, err)
	return v
}

// A run whose logs are compressed, some or all, is the same run.
func TestCompressedFiles(t *testing.T) {
	plain := small(t)
	want := walk(t, plain.dir(t))
	for _, some := range []string{"vm_0", "vm_"} {
		l := make(logs)
		for name, text := range plain {
			if strings.HasPrefix(name, some) {
				name, text = name+".gz", gzipped(t, text)
			}
			l[name] = text
		}
		assert.Equal(t, want, walk(t, l.dir(t)))
	}
}

// A violation names the line in the text, and shows it.
func TestViolationInACompressedLog(t *testing.T) {
	plain := small(t)
	for name, text := range plain {
		delete(plain, name)
		plain[name+".gz"] = gzipped(t, strings.Replace(text, "step=4 ", "step=5 ", 1))
	}
	dir := plain.dir(t)
	v := walk(t, dir)
	require.Equal(t, trace.Broken, v.State)
	at := v.Violations[0].Events[0]
	assert.Equal(t, ".gz", filepath.Ext(at.File))
	assert.Equal(t, 5, at.Line)
	assert.Contains(t, at.Text, "step=5 ")
}

// A compressed log beside the same one as it was is one log too many.
func TestCompressedBesideItsLog(t *testing.T) {
	l := small(t)
	l["vm_0_1.log.gz"] = gzipped(t, l["vm_0_1.log"])
	v := walk(t, l.dir(t))
	require.Equal(t, trace.Broken, v.State)
	assert.Equal(t, "machine 0 has two logs; only the other one is checked", v.Violations[0].What)
}

// Wherever a compressed log breaks off, the run is not called correct, and nothing is
// called broken but where the rest is missing to others.
func TestCompressedLogBreaksOff(t *testing.T) {
	l := small(t)
	whole := gzipped(t, l["vm_1_2.log"])
	delete(l, "vm_1_2.log")
	dir := l.dir(t)
	name := filepath.Join(dir, "vm_1_2.log.gz")
	for cut := range len(whole) {
		require.NoError(t, os.WriteFile(name, []byte(whole[:cut]), 0o666))
		v := walk(t, dir)
		require.Equal(t, trace.Incomplete, v.State, "cut at %d: %+v", cut, v.Violations)
	}
	// The end of the data is missing, and no line.
	v := walk(t, dir)
	require.Len(t, v.Open, 1)
	lines := strings.Count(small(t)["vm_1_2.log"], "\n")
	assert.Equal(t, fmt.Sprintf("%s:%d: the compressed data break off after the stop line: whether that is the end is not known", name, lines), v.Open[0])
	require.NoError(t, os.WriteFile(name, []byte(whole[:len(whole)*2/3]), 0o666))
	v = walk(t, dir)
	assert.Contains(t, v.Open[0], "the compressed data break off after this line: what machine 1 did after step ")
}

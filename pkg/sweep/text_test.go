package sweep

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/internal/terminal"
	"github.com/scalemodel/lamport/pkg/trace"
)

var update = flag.Bool("update", false, "write the golden files anew")

// On a terminal of any width the tables fit, and nothing is left out.
func TestTextOfAnyWidth(t *testing.T) {
	m := invent(t, lists(5, []string{"1,5,4", "3,3,3"}, 10, 5), func(r *Run, id int) outcome {
		x := float64(3+r.Trial+id) / 7
		return outcome{jump: x, drift: x * 7, growth: x / 9, predicted: x / 11, gaps: uint64(r.Trial)}
	})
	for _, width := range []int{0, 40, 60, 80, 120} {
		text := string(m.report().Text(terminal.Screen{Width: width}))
		file := filepath.Join("testdata", fmt.Sprintf("text-%d.golden", width))
		if *update {
			require.NoError(t, os.MkdirAll("testdata", 0o777))
			require.NoError(t, os.WriteFile(file, []byte(text), 0o666))
		}
		want, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.Equal(t, string(want), text, "if this is meant: go test ./pkg/sweep -update")
		for line := range strings.SplitSeq(text, "\n") {
			if width > 0 {
				assert.LessOrEqual(t, terminal.Width(line), width, "%q", line)
			}
		}
		for _, k := range allMeasures[:driftEnd] {
			assert.Contains(t, text, k.column)
		}
	}
	// Too narrow for anything: it comes to an end.
	for width := range 40 {
		assert.NotEmpty(t, m.report().Text(terminal.Screen{Width: width}))
	}
}

func TestTextInColour(t *testing.T) {
	m := invent(t, lists(2, []string{"1,5"}, 10), func(*Run, int) outcome { return outcome{jump: 3} })
	on := terminal.Screen{Width: 80, Colour: true}
	plain := string(m.report().Text(terminal.Screen{Width: 80}))
	assert.Contains(t, string(m.report().Text(on)), "\n\x1b[32mruns\x1b[0m   all 2 are correct")
	assert.Equal(t, plain, terminal.Plain(string(m.report().Text(on))))
	m.results[0].Stats.Verdict.State = trace.Broken
	assert.Contains(t, string(m.report().Text(on)), "\n\x1b[1;31mruns\x1b[0m   1 of 2 is correct; NOT: ")
}

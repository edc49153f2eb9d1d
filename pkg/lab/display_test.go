package lab

import (
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// Machines report wherever somebody may read what they say. In a short run, too: it gets a
// line as soon as it has to wait for somebody at its end, and that must not be of long ago.
func TestMachinesReportToWhoeverReads(t *testing.T) {
	for _, c := range []struct {
		name  string
		quiet bool
		lasts time.Duration
		want  time.Duration
	}{
		{"nobody reads", true, time.Minute, 0},
		{"lines", false, time.Minute, lineStatusEvery},
		{"lines of a short run", false, 20 * time.Second, lineStatusEvery},
		{"lines of a run without end", false, 0, lineStatusEvery},
	} {
		t.Run(c.name, func(t *testing.T) {
			var p Processes
			p.display(&Env{Err: io.Discard, Quiet: c.quiet}, c.lasts)
			assert.Equal(t, c.want, p.StatusEvery)
		})
	}
}

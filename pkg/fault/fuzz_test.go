package fault_test

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/fault"
)

// FuzzParse gives the parser any text. It must not panic; an error is at a place
// in the text; and a plan reads itself back, and answers whatever it is asked.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"at 10s kill 1 for 2s # comment\nat 10s pause 0,2 to 11s",
		"at 30s partition 0 | 1,2 for 10s; at 31s partition 1 for 10s",
		"at 40s cut 0->1 for 5s; at 40s cut *-2 for 5µs; at 50s reset *",
		"from 0s delay *->* 200ms 50ms; from 1s delay 0->* 1h 1h seed 7 for 3s",
		"at 55s stop-reading 0..2 for 5s",
		"random kill every 5s seed 7\nrandom pause every 5s for 500ms from 1h to 2h",
		"random partition every 1ns for 99ns\nrandom kill every 1ns for 99ns; random reset every 1ns",
		"at 0s kill all for 1000000h; random kill every 1ns for 10ns",
		"at 1000000h stop-reading * for 1000000h; random cut every 1000000h to 1000000h for 1000000h",
		"at 1s kill 1 for x", "at 1e9s kill ９ for 1s", "at 0s cut 0-\xff", "random", ";;;#;\r",
	} {
		for _, machines := range []int{1, 3, 1_000_000} {
			f.Add(text, machines)
		}
	}
	f.Fuzz(func(t *testing.T, text string, machines int) {
		p, err := fault.Parse(text, machines)
		if err != nil {
			require.Nil(t, p)
			var at *fault.SyntaxError
			if !errors.As(err, &at) {
				require.True(t, machines < 1 || machines > 1<<31-1)
				return
			}
			lines := strings.SplitAfter(text, "\n")
			require.True(t, at.Line >= 1 && at.Line <= len(lines), "%v", err)
			require.True(t, at.Column >= 1 && at.Column <= utf8.RuneCountInString(lines[at.Line-1])+1, "%v", err)
			return
		}
		for _, p := range []*fault.Plan{p, p.Seeded(1)} {
			canonical := p.String()
			q, err := fault.Parse(canonical, machines)
			require.NoError(t, err)
			require.Equal(t, canonical, q.String())
			if !p.Empty() {
				require.Equal(t, p, q)
			}
		}
		if machines > 1000 {
			return // each action lists its machines
		}
		n, last := 0, time.Duration(0)
		for a := range p.Actions(fault.Forever) {
			require.GreaterOrEqual(t, a.At, last)
			last = a.At
			for _, at := range []time.Duration{a.At - 1, a.At, a.At + a.For} {
				if until, blocked := p.Blocked(0, 1, at); blocked {
					require.Greater(t, until, at)
				}
				if until, stopped := p.NotReading(0, at); stopped {
					require.Greater(t, until, at)
				}
				require.GreaterOrEqual(t, p.Delay(1, 0, at, uint64(n)), time.Duration(0))
			}
			if n++; n == 50 {
				break
			}
		}
	})
}

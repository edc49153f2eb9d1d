package experiment

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/clock"
)

func TestDrawRates(t *testing.T) {
	rates, err := drawRates("uniform:0.5,6", 10_000, 1)
	require.NoError(t, err)
	sum := 0.0
	for _, r := range rates {
		require.GreaterOrEqual(t, r, clock.Hertz/2)
		require.LessOrEqual(t, r, 6*clock.Hertz)
		require.Zero(t, r%rateStep)
		sum += r.PerSecond()
	}
	require.InDelta(t, 3.25, sum/10_000, 0.1)
	rates, err = drawRates("lognormal:100000,8", 10_000, 1)
	require.NoError(t, err)
	for _, r := range rates {
		require.LessOrEqual(t, r, clock.MaxRate)
		require.Positive(t, r)
	}
	for s, want := range map[string]string{
		"normal:1,2":       `there is no "normal"`,
		"uniform:1":        `1 number, expected 2`,
		"uniform:6,1":      `6 is above 1`,
		"uniform:0,1":      `must be above 0`,
		"uniform:1,max":    `want a multiple of 0.001`,
		"uniform:0.0005,1": `want a multiple of 0.001`,
		"lognormal:3,x":    `want a sigma from 0 to 8`,
	} {
		_, err := drawRates(s, 3, 1)
		require.ErrorContains(t, err, want)
	}
}

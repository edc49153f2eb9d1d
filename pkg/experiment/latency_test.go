package experiment

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLatencyText(t *testing.T) {
	for _, s := range []string{"0s", "1ms", "uniform:0s,5ms", "exp:2ms", "lognormal:2ms,0.5", "lognormal:1s,0", "lognormal:1s,8", "lognormal:1s,0.123456789"} {
		l, err := ParseLatency(s)
		require.NoError(t, err)
		require.Equal(t, s, l.String())
	}
	for s, want := range map[string]string{
		"":                   `"" is not a duration`,
		"5":                  `"5" is not a duration`,
		"-1ms":               `-1ms is not from 0 to 1000h0m0s`,
		"1ms,2ms":            `2 numbers, expected 1`,
		"normal:1ms":         `there is no "normal"`,
		"uniform:1ms":        `1 number, expected 2`,
		"uniform:5ms,1ms":    `5ms is above 1ms`,
		"lognormal:1ms,9":    `want a sigma from 0 to 8`,
		"lognormal:1ms,-0.5": `want a sigma from 0 to 8`,
	} {
		_, err := ParseLatency(s)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, latencies)
	}
}

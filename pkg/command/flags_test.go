package command

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/clock"
)

func TestParseSeed(t *testing.T) {
	for in, want := range map[string]uint64{"0": 0, "42": 42, "007": 7, "18446744073709551615": 1<<64 - 1} {
		got, err := ParseSeed(in)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	for _, in := range []string{"-1", "18446744073709551616", "1.5", "0x10", "1e3", " 1", "seed"} {
		_, err := ParseSeed(in)
		require.EqualError(t, err, `--seed "`+in+`": want a whole number from 0 to 18446744073709551615`)
	}
}

func TestSeedIsDrawn(t *testing.T) {
	seen := map[uint64]bool{}
	for range 5 {
		seed, err := ParseSeed("")
		require.NoError(t, err)
		assert.Less(t, seed, uint64(1)<<32, "short enough to be typed again")
		seen[seed] = true
	}
	assert.Greater(t, len(seen), 1, "five equal draws come once in 10³⁸ runs")
}

func TestParseRates(t *testing.T) {
	tests := []struct {
		in       string
		machines int
		want     string
	}{
		{"", 0, "1,5,4"},
		{"", 3, "1,5,4"},
		{"1,5,4", 0, "1,5,4"},
		{" 1, 0.25 ,max", 0, "1,0.25,max"},
		{"5", 0, "5"},
		{"5", 4, "5,5,5,5"},
		{"max", 2, "max,max"},
		{"2,3", 2, "2,3"},
		// A seed gives the same rates for ever; see random below.
		{"random", 0, "3,2,5"},
		{"random", 3, "3,2,5"},
		{"", 5, "3,2,5,6,2"},
		{"random", 1, "3"},
	}
	for _, tt := range tests {
		rates, err := ParseRates(tt.in, tt.machines, 42)
		require.NoError(t, err, tt.in)
		var got []string
		for _, r := range rates {
			got = append(got, r.String())
		}
		assert.Equal(t, tt.want, strings.Join(got, ","), "%q for %d machines", tt.in, tt.machines)
	}
}

func TestRandomRatesAreOneToSix(t *testing.T) {
	rates, err := ParseRates("random", 6000, 1)
	require.NoError(t, err)
	count := map[clock.Rate]int{}
	for _, r := range rates {
		count[r]++
	}
	require.Len(t, count, 6)
	for r := clock.Rate(1); r <= 6; r++ {
		assert.InDelta(t, 1000, count[r*clock.Hertz], 150, "rate %d", r)
	}
	other, err := ParseRates("random", 6000, 2)
	require.NoError(t, err)
	assert.NotEqual(t, rates, other, "another seed")
}

func TestParseRatesSaysWhatIsWrong(t *testing.T) {
	tests := []struct {
		in       string
		machines int
		want     string
	}{
		{"1,5", 3, "--rates: 2 rates for 3 machines: give one each, one for all, or random"},
		{"1,0", 0, `--rates: rate "0": must be above 0`},
		{"1,,4", 0, `--rates: rate "": want a number of ticks per second such as 5 or 0.25, or "max"`},
		{"1,random", 0, `--rates: rate "random": want a number of ticks per second such as 5 or 0.25, or "max"`},
	}
	for _, tt := range tests {
		_, err := ParseRates(tt.in, tt.machines, 42)
		require.EqualError(t, err, tt.want)
	}
}

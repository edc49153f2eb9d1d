package machine

import (
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/internal/splitmix"
)

// deviation says how far counts are from all equal, in standard deviations:
// Pearson's chi-square, made normal by the approximation of Wilson and Hilferty
// (PNAS 17, 1931).
func deviation(counts []int) float64 {
	total := 0
	for _, n := range counts {
		total += n
	}
	expected := float64(total) / float64(len(counts))
	var chi2 float64
	for _, n := range counts {
		chi2 += (float64(n) - expected) * (float64(n) - expected) / expected
	}
	free := float64(len(counts) - 1)
	spread := 2 / (9 * free)
	return (math.Cbrt(chi2/free) - (1 - spread)) / math.Sqrt(spread)
}

// assertUniform holds counts against the uniform distribution. True chance
// strays further than 4.5 standard deviations once in 150,000 tests, to
// either side: counts that are too even are no chance either. All seeds are
// fixed, so a test that passes does so for ever.
func assertUniform(t *testing.T, counts []int, format string, args ...any) {
	t.Helper()
	assert.Less(t, math.Abs(deviation(counts)), 4.5, "%s: %v", fmt.Sprintf(format, args...), counts)
}

func TestDeviationTellsLoadedDice(t *testing.T) {
	assert.InDelta(t, 0, deviation([]int{1005, 990, 1012, 980, 1020, 993}), 2)
	assert.Greater(t, deviation([]int{1000, 1000, 1000, 1000, 1000, 1250}), 4.5)
	assert.Less(t, deviation(slices.Repeat([]int{1000}, 60)), -4.5, "too even")
}

var (
	someSeeds = []uint64{0, 1, 2, 42, 1 << 32, 1 << 63, math.MaxUint64}
	someIDs   = []int{0, 1, 2, 3, 999_999}
)

func TestThrowsAreUniform(t *testing.T) {
	for _, faces := range []int{2, 3, 6, DefaultDie, 17, 1000} {
		// along the steps of one machine,
		for _, seed := range someSeeds {
			for _, id := range someIDs {
				d, counts := NewDice(seed, id), make([]int, faces)
				for k := range uint64(20_000) {
					counts[d.throw(k+1, 0, faces)]++
				}
				assertUniform(t, counts, "%d faces, seed %d, machine %d", faces, seed, id)
			}
		}
		// along the machines of one run, along the seeds, along the throws of a step.
		byMachine, bySeed := make([]int, faces), make([]int, faces)
		var byThrow [throwsPerStep][]int
		for i := range byThrow {
			byThrow[i] = make([]int, faces)
		}
		for n := range 20_000 {
			byMachine[NewDice(1, n).throw(1, 0, faces)]++
			bySeed[NewDice(uint64(n), 0).throw(1, 0, faces)]++
			for i := range byThrow {
				byThrow[i][NewDice(1, 1).throw(uint64(n), i, faces)]++
			}
		}
		assertUniform(t, byMachine, "%d faces, step 1 of many machines", faces)
		assertUniform(t, bySeed, "%d faces, step 1 under many seeds", faces)
		for i := range byThrow {
			assertUniform(t, byThrow[i], "%d faces, throw %d", faces, i)
		}
	}
}

// Two throws that a run puts side by side know nothing of each other: all pairs
// of faces come equally often.
func TestThrowsAreIndependent(t *testing.T) {
	const faces = DefaultDie
	first := func(seed uint64, id int, k uint64) int { return NewDice(seed, id).throw(k, 0, faces) }
	for name, other := range map[string]func(seed uint64, id int, k uint64) int{
		"the next step":                func(seed uint64, id int, k uint64) int { return first(seed, id, k+1) },
		"two steps on":                 func(seed uint64, id int, k uint64) int { return first(seed, id, k+2) },
		"1024 steps on":                func(seed uint64, id int, k uint64) int { return first(seed, id, k+1024) },
		"the next machine":             func(seed uint64, id int, k uint64) int { return first(seed, id+1, k) },
		"the machine after that":       func(seed uint64, id int, k uint64) int { return first(seed, id+2, k) },
		"the next seed":                func(seed uint64, id int, k uint64) int { return first(seed+1, id, k) },
		"a seed with one bit changed":  func(seed uint64, id int, k uint64) int { return first(seed^1<<40, id, k) },
		"the next seed and machine":    func(seed uint64, id int, k uint64) int { return first(seed+1, id+1, k) },
		"the next machine and step":    func(seed uint64, id int, k uint64) int { return first(seed, id+1, k+1) },
		"the same step's next throw":   func(seed uint64, id int, k uint64) int { return NewDice(seed, id).throw(k, 1, faces) },
		"the step before's last throw": func(seed uint64, id int, k uint64) int { return NewDice(seed, id).throw(k-1, 3, faces) },
		"the step before's next throw": func(seed uint64, id int, k uint64) int { return NewDice(seed, id).throw(k-1, 1, faces) },
		"the same step's last throw":   func(seed uint64, id int, k uint64) int { return NewDice(seed, id).throw(k, 3, faces) },
	} {
		counts := make([]int, faces*faces)
		for seed := range uint64(10) {
			for id := range 10 {
				for k := range uint64(1000) {
					counts[first(seed, id, k+1)*faces+other(seed, id, k+1)]++
				}
			}
		}
		assertUniform(t, counts, "a throw and that of %s", name)
	}
}

// If one machine's sequence were another's, shifted, the two would be in step for
// the rest of a run. No value may come twice: among a million random numbers of
// 64 bits, two are equal in one of 37 million runs.
func TestNoMachineWalksTheSequenceOfAnother(t *testing.T) {
	const machines, steps = 500, 250
	seen := make(map[uint64]bool, 2*machines*steps*throwsPerStep)
	for seed := range uint64(2) {
		for id := range machines {
			d := NewDice(seed, id)
			for position := range uint64(steps * throwsPerStep) {
				value := splitmix.Mix(d.start + position*d.width)
				if seen[value] {
					t.Fatalf("seed %d, machine %d, position %d: a number for the second time", seed, id, position)
				}
				seen[value] = true
			}
		}
	}
}

func TestThrowShowsAFace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		faces := rapid.IntRange(1, math.MaxInt32).Draw(t, "faces")
		d := NewDice(rapid.Uint64().Draw(t, "seed"), rapid.IntRange(0, math.MaxInt32).Draw(t, "id"))
		k, i := rapid.Uint64().Draw(t, "k"), rapid.IntRange(0, throwsPerStep-1).Draw(t, "i")
		got := d.throw(k, i, faces)
		require.GreaterOrEqual(t, got, 0)
		require.Less(t, got, faces)
		require.Equal(t, got, d.throw(k, i, faces), "the same throw again")
	})
}

// Recorded runs are replayed from their seed, on any machine and with any later
// version of this program. If this table has to change, they no longer can be.
func TestThrowsNeverChange(t *testing.T) {
	for _, c := range []struct {
		seed  uint64
		id    int
		faces string // of a die with ten, steps 1 to 20
		sum   uint64 // FNV-1a over steps 1 to 10,000, all throws
	}{
		{0, 0, "10 5 2 2 2 3 3 7 7 3 1 5 10 6 2 3 2 4 9 10 ", 0x6a63b05fed780714},
		{1, 0, "1 10 2 8 3 8 6 9 10 5 10 3 9 5 3 8 1 6 1 7 ", 0xa0675f9a3bdfb958},
		{1, 1, "8 1 5 1 5 4 4 8 2 1 1 6 5 10 5 1 8 9 8 2 ", 0x7f9505a0740e3076},
		{1, 2, "3 5 9 1 3 3 5 2 4 6 1 8 4 10 7 5 5 2 1 6 ", 0xdb323fa38287aa8d},
		{42, 0, "10 7 8 8 1 9 9 5 7 10 4 8 10 8 10 10 2 2 3 2 ", 0xaad383ca32684dbe},
		{42, 1, "7 7 8 7 7 6 4 3 2 8 3 3 6 8 7 1 8 3 4 1 ", 0x7bd33dcb26f53d98},
		{42, 2, "5 8 5 6 2 7 4 1 4 8 4 10 3 7 2 2 5 6 9 9 ", 0x37ad4c1abaa04462},
		{math.MaxUint64, 999999, "1 8 1 3 3 10 10 4 9 1 2 4 1 6 8 3 8 4 6 5 ", 0x27082853682a9718},
	} {
		d := NewDice(c.seed, c.id)
		faces := ""
		for k := range uint64(20) {
			faces += fmt.Sprint(1+d.throw(k+1, 0, DefaultDie), " ")
		}
		sum := fnv.New64a()
		for k := range uint64(10_000) {
			for i := range throwsPerStep {
				_, _ = fmt.Fprint(sum, d.throw(k+1, i, math.MaxInt32), " ")
			}
		}
		assert.Equal(t, c.faces, faces, "seed %d, machine %d", c.seed, c.id)
		assert.Equal(t, c.sum, sum.Sum64(), "seed %d, machine %d", c.seed, c.id)
	}
	// The ends of the range, where a wider or narrower integer would show.
	d := NewDice(math.MaxUint64, math.MaxInt32)
	assert.Equal(t, 1179035667, d.throw(math.MaxUint64, 3, math.MaxInt32))
}

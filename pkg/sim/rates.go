package sim

import (
	"fmt"
	"math/bits"
	"strings"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/internal/splitmix"
)

// rateStep is the step in which rates are drawn, a thousandth of a tick per second:
// their names stay short, and a million machines share a few thousand rates.
const rateStep = clock.Hertz / 1000

const rateForms = `"uniform:1,6" or "lognormal:3,0.5" (the median and the sigma)`

// IsRateDistribution reports whether s is meant for [DrawRates].
func IsRateDistribution(s string) bool { return strings.Contains(s, ":") }

// DrawRates draws the rates of so many machines from a distribution:
// "uniform:1,6" or "lognormal:3,0.5", with the median and the standard deviation of
// the logarithm. Each machine's is a function of the seed and its id. They are
// multiples of 0.001 ticks per second, from 0.001 to 1000000.
func DrawRates(s string, machines int, seed uint64) ([]clock.Rate, error) {
	bad := func(format string, args ...any) ([]clock.Rate, error) {
		return nil, fmt.Errorf("rates %q: %s; want %s", s, fmt.Sprintf(format, args...), rateForms)
	}
	name, rest, _ := strings.Cut(s, ":")
	args := strings.Split(rest, ",")
	if name != "uniform" && name != "lognormal" {
		return bad("there is no %q", name)
	}
	if len(args) != 2 {
		return bad("%d numbers, expected 2", len(args))
	}
	steps := func(s string) (uint64, error) {
		r, err := clock.ParseRate(strings.TrimSpace(s))
		if err == nil && (r == clock.Unpaced || r%rateStep != 0) {
			err = fmt.Errorf("rate %q: want a multiple of 0.001", s)
		}
		return uint64(r / rateStep), err
	}
	a, err := steps(args[0])
	if err != nil {
		return bad("%v", err)
	}
	var draw func(key uint64) uint64
	if name == "uniform" {
		b, err := steps(args[1])
		if err != nil {
			return bad("%v", err)
		}
		if b < a {
			return bad("%s is above %s", args[0], args[1])
		}
		draw = func(key uint64) uint64 { return a + below(key, b-a+1) }
	} else {
		sigma, err := parseSigma(args[1])
		if err != nil {
			return bad("%v", err)
		}
		draw = func(key uint64) uint64 {
			hi, lo := bits.Mul64(a, expOf(sigma, gauss(key)))
			if hi >= 1<<31 {
				return uint64(clock.MaxRate / rateStep)
			}
			return min(max(hi<<32|lo>>32, 1), uint64(clock.MaxRate/rateStep))
		}
	}
	rates := make([]clock.Rate, machines)
	key := splitmix.First(seed ^ saltRate)
	for i := range rates {
		rates[i] = clock.Rate(draw(splitmix.First(key+uint64(i)))) * rateStep
	}
	return rates, nil
}

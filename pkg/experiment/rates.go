package experiment

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/internal/splitmix"
)

// DefaultRates are the laboratory's, for its three machines.
const DefaultRates = "1,5,4"

// defaultMachines is how many machines a run has where nothing says it.
const defaultMachines = 3

// ParseRates reads the rates of a run's machines, in ticks per second:
//
//   - a list, one for each machine: "1,5,4"
//   - one for all: "5", or "max" for machines that never pause
//   - "random": whole ones from 1 to 6, drawn from the seed
//   - a range to draw from: "2-9" gives whole ones, "0.5-2" multiples of 0.001
//   - a distribution to draw from: "uniform:1,6", or "lognormal:3,0.5" with the
//     median and the standard deviation of the logarithm, from 0 to 8; multiples
//     of 0.001, at most 1000000
//
// machines is how many there are, or 0 for as many as a list of several has, and 3
// otherwise. An empty text stands for [DefaultRates] where these fit, and
// for "random" otherwise. The same text, number and seed give the same rates in
// every release. An error is an [*Error] about the field "rates" or "machines".
func ParseRates(text string, machines int, seed uint64) ([]clock.Rate, error) {
	if machines != 0 { // before there is memory for as many
		if err := checkMachines(machines); err != nil {
			return nil, err
		}
	}
	rates, err := parseRates(text, machines, seed)
	if err != nil {
		return nil, &Error{Field: "rates", Err: err}
	}
	return rates, nil
}

func parseRates(text string, machines int, seed uint64) ([]clock.Rate, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		text = "random"
		if machines == 0 || machines == defaultMachines {
			text = DefaultRates
		}
	}
	if !RatesAreDrawn(text) {
		return listRates(text, machines)
	}
	if machines == 0 {
		machines = defaultMachines
	}
	if text == "random" {
		text = "1-6"
	}
	if strings.Contains(text, ":") {
		return drawRates(text, machines, seed)
	}
	return rangeRates(text, machines, seed)
}

// RatesAreDrawn reports whether a text for [ParseRates] lets the seed draw the
// rates, so that they differ from seed to seed.
func RatesAreDrawn(text string) bool {
	low, _, ranged := strings.Cut(text, "-")
	return text == "random" || strings.Contains(text, ":") || ranged && strings.TrimSpace(low) != ""
}

// listRates reads a list, or one rate for all.
func listRates(text string, machines int) ([]clock.Rate, error) {
	var rates []clock.Rate
	for part := range strings.SplitSeq(text, ",") {
		r, err := clock.ParseRate(strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		rates = append(rates, r)
	}
	switch {
	case len(rates) == 1 && machines == 0:
		return slices.Repeat(rates, defaultMachines), nil
	case len(rates) == 1:
		return slices.Repeat(rates, machines), nil
	case machines == 0 || machines == len(rates):
		return rates, nil
	}
	return nil, fmt.Errorf("%s for %s: give one each, one for all, or random", figure.Plural(len(rates), "rate"), figure.Plural(machines, "machine"))
}

// rangeRates draws rates from a range such as "1-6".
func rangeRates(text string, machines int, seed uint64) ([]clock.Rate, error) {
	first, last, _ := strings.Cut(text, "-")
	low, err := clock.ParseRate(strings.TrimSpace(first))
	if err != nil {
		return nil, err
	}
	high, err := clock.ParseRate(strings.TrimSpace(last))
	if err != nil {
		return nil, err
	}
	switch {
	case low == clock.Unpaced || high == clock.Unpaced:
		return nil, fmt.Errorf("%q: max cannot be the end of a range", text)
	case low > high:
		return nil, fmt.Errorf("%q: %v is above %v", text, low, high)
	case low%clock.Hertz != 0 || high%clock.Hertz != 0:
		return drawRates(fmt.Sprintf("uniform:%v,%v", low, high), machines, seed)
	}
	// This generator's sequence is fixed, so a seed gives the same rates in every
	// release.
	rng := rand.New(rand.NewPCG(seed, 0x7261746573)) // "rates"
	rates := make([]clock.Rate, machines)
	for i := range rates {
		rates[i] = low + clock.Rate(rng.IntN(int((high-low)/clock.Hertz)+1))*clock.Hertz
	}
	return rates, nil
}

// rateStep is the step in which rates are drawn, a thousandth of a tick per second:
// their names stay short, and a million machines share a few thousand rates.
const rateStep = clock.Hertz / 1000

const distributions = `"uniform:1,6" or "lognormal:3,0.5" (the median and the sigma)`

// saltRate keeps the rates' draws apart from all others.
const saltRate = 0x72617465 // "rate"

// drawRates draws the rates of so many machines from a distribution. Each
// machine's is a function of the seed and its id.
func drawRates(s string, machines int, seed uint64) ([]clock.Rate, error) {
	bad := func(format string, args ...any) ([]clock.Rate, error) {
		return nil, fmt.Errorf("%q: %s; want %s", s, fmt.Sprintf(format, args...), distributions)
	}
	name, rest, _ := strings.Cut(s, ":")
	args := strings.Split(rest, ",")
	if name != "uniform" && name != "lognormal" {
		return bad("there is no %q", name)
	}
	if len(args) != 2 {
		return bad("%s, expected 2", figure.Plural(len(args), "number"))
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

package command

import (
	crand "crypto/rand"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/scalemodel/lamport/pkg/clock"
)

// ParseSeed reads a seed, or draws one where s is empty.
func ParseSeed(s string) (uint64, error) {
	if s == "" {
		var b [8]byte
		_, _ = crand.Read(b[:]) // never fails
		// Short enough to be read out and typed again.
		return uint64(binary.BigEndian.Uint32(b[:])), nil
	}
	seed, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, Usage("--seed %q: want a whole number from 0 to 18446744073709551615", s)
	}
	return seed, nil
}

// ParseRates reads the rates of a run: a list ("1,5,4"), one rate for all
// ("5", "max"), or "random", whole ones from 1 to 6 drawn from the seed.
// machines is their number, or 0 for as many as the list has. An empty s gives
// the laboratory's 1, 5, 4 for three machines and random ones otherwise.
func ParseRates(s string, machines int, seed uint64) ([]clock.Rate, error) {
	if s == "" {
		s = "random"
		if machines == 0 || machines == 3 {
			s = "1,5,4"
		}
	}
	if s == "random" {
		if machines == 0 {
			machines = 3
		}
		// This generator's sequence is fixed, so a seed gives the same
		// rates in every release.
		rng := rand.New(rand.NewPCG(seed, 0x7261746573)) // "rates"
		rates := make([]clock.Rate, machines)
		for i := range rates {
			rates[i] = clock.Rate(1+rng.IntN(6)) * clock.Hertz
		}
		return rates, nil
	}
	var rates []clock.Rate
	for part := range strings.SplitSeq(s, ",") {
		r, err := clock.ParseRate(strings.TrimSpace(part))
		if err != nil {
			return nil, Usage("--rates: %w", err)
		}
		rates = append(rates, r)
	}
	switch {
	case machines == 0 || machines == len(rates):
		return rates, nil
	case len(rates) == 1:
		return slices.Repeat(rates, machines), nil
	}
	return nil, Usage("--rates: %d rates for %d machines: give one each, one for all, or random", len(rates), machines)
}

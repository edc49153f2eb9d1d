package experiment

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"

	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/internal/splitmix"
)

// Latency is how long a message is under way, per link and message. The zero
// Latency is none: a message is there at the instant at which it is sent.
type Latency struct {
	kind latencyKind
	a, b time.Duration
	// sigma is the standard deviation of the logarithm, in units of 2⁻³², of a
	// lognormal latency.
	sigma int64
}

type latencyKind uint8

const (
	constant    latencyKind = iota // a
	uniform                        // a to b, both included
	exponential                    // of mean a
	lognormal                      // of median a and sigma
)

// maxLatency bounds every latency, so that no sum of instants overflows.
const maxLatency = 1000 * time.Hour

// DefaultLatency is that of a local network.
func DefaultLatency() Latency { return Constant(time.Millisecond) }

// Constant returns a latency that is the same for all messages, from 0 to 1000
// hours.
func Constant(d time.Duration) Latency { return Latency{kind: constant, a: d} }

const latencies = `"1ms", "uniform:1ms,5ms", "exp:2ms" (the mean) or "lognormal:2ms,0.5" (the median and the sigma)`

// ParseLatency reads a latency: "1ms" for all messages, "uniform:1ms,5ms",
// "exp:2ms" with the mean, or "lognormal:2ms,0.5" with the median and the
// standard deviation of the logarithm, from 0 to 8. An error is an [*Error] about
// the field "latency".
func ParseLatency(s string) (Latency, error) {
	bad := func(format string, args ...any) (Latency, error) {
		return Latency{}, &Error{"latency", strconv.Quote(s), fmt.Errorf("%s; want %s", fmt.Sprintf(format, args...), latencies)}
	}
	name, rest, named := strings.Cut(s, ":")
	if !named {
		name, rest = "constant", s
	}
	args := strings.Split(rest, ",")
	want := 1
	if name == "uniform" || name == "lognormal" {
		want = 2
	}
	if len(args) != want {
		return bad("%s, expected %d", figure.Plural(len(args), "number"), want)
	}
	l := Latency{}
	var err error
	if l.a, err = parseDelay(args[0]); err != nil {
		return bad("%v", err)
	}
	switch name {
	case "constant":
		return l, nil
	case "uniform":
		l.kind = uniform
		if l.b, err = parseDelay(args[1]); err != nil {
			return bad("%v", err)
		}
		if l.b < l.a {
			return bad("%v is above %v", l.a, l.b)
		}
	case "exp":
		l.kind = exponential
	case "lognormal":
		l.kind = lognormal
		if l.sigma, err = parseSigma(args[1]); err != nil {
			return bad("%v", err)
		}
	default:
		return bad("there is no %q", name)
	}
	return l, nil
}

func parseDelay(s string) (time.Duration, error) {
	d, err := time.ParseDuration(strings.TrimSpace(s))
	switch {
	case err != nil:
		return 0, fmt.Errorf("%q is not a duration", s)
	case d < 0 || d > maxLatency:
		return 0, fmt.Errorf("%v is not from 0 to %v", d, maxLatency)
	}
	return d, nil
}

// String returns the text that [ParseLatency] reads back as l.
func (l Latency) String() string {
	switch l.kind {
	case uniform:
		return fmt.Sprintf("uniform:%v,%v", l.a, l.b)
	case exponential:
		return fmt.Sprintf("exp:%v", l.a)
	case lognormal:
		return fmt.Sprintf("lognormal:%v,%s", l.a, sigmaText(l.sigma))
	}
	return l.a.String()
}

// MarshalText writes the latency as [Latency.String] does.
func (l Latency) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText reads the latency as [ParseLatency] does.
func (l *Latency) UnmarshalText(b []byte) error {
	v, err := ParseLatency(string(b))
	if err == nil {
		*l = v
	}
	return err
}

// Fixed returns the latency of all messages, where it is the same for all.
func (l Latency) Fixed() (d time.Duration, ok bool) { return l.a, l.kind == constant }

// Min returns the smallest latency that a message can have.
func (l Latency) Min() time.Duration {
	if l.kind == constant || l.kind == uniform {
		return l.a
	}
	return 0
}

// Draw returns the latency, in nanoseconds, that belongs to a key: a pure
// function of the two. Keys may be any numbers that differ, such as a counter's.
func (l Latency) Draw(key uint64) int64 {
	switch l.kind {
	case uniform:
		return int64(l.a) + int64(below(key, uint64(l.b-l.a)+1))
	case exponential:
		return scale(int64(l.a), minusLn(splitmix.First(key)))
	case lognormal:
		return scale(int64(l.a), expOf(l.sigma, gauss(key)))
	}
	return int64(l.a)
}

// scale returns a·f for a fixed-point f of 2⁻³², cut to maxLatency.
func scale(a int64, f uint64) int64 {
	hi, lo := bits.Mul64(uint64(a), f)
	if hi >= 1<<31 {
		return int64(maxLatency)
	}
	return min(int64(hi<<32|lo>>32), int64(maxLatency))
}

// below returns a number from 0 to n-1.
func below(key, n uint64) uint64 {
	return splitmix.Below(splitmix.First(key), n)
}

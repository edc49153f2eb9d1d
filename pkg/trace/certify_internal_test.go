package trace

import (
	"math/big"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/trace/tracetest"
)

// A digest is the polynomial's value, as its definition has it.
func TestDigestIsAPolynomial(t *testing.T) {
	p := big.NewInt(prime)
	require.True(t, p.ProbablyPrime(20))
	element := rapid.OneOf(rapid.Uint64Range(0, 3), rapid.Uint64Range(prime-3, prime-1), rapid.Uint64Range(0, prime-1))
	rapid.Check(t, func(t *rapid.T) {
		point := element.Draw(t, "point")
		stamps := rapid.SliceOf(element).Draw(t, "stamps")
		digest, want := uint64(0), new(big.Int)
		for i, stamp := range stamps {
			digest = fold(digest, point, stamp)
			power := new(big.Int).Exp(new(big.Int).SetUint64(point), big.NewInt(int64(len(stamps)-1-i)), p)
			want.Add(want, power.Mul(power, new(big.Int).SetUint64(stamp)))
		}
		require.Equal(t, want.Mod(want, p).Uint64(), digest)
	})
}

// What a sender keeps gives the digest of any number of messages up to all, as far back as it
// reaches; and no other.
func TestDigestsOfTheRecentStamps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		point := rapid.Uint64Range(0, prime-1).Draw(t, "point")
		keep := uint64(4) << rapid.IntRange(0, 4).Draw(t, "keep")
		digests := []uint64{0}
		var s side
		for range rapid.IntRange(0, 200).Draw(t, "messages") {
			stamp := rapid.Uint64Range(0, prime-1).Draw(t, "stamp")
			s.send(stamp, point, keep)
			s.sends++
			digests = append(digests, fold(digests[len(digests)-1], point, stamp))
		}
		for n := range uint64(250) {
			got, ok := s.digest(n, point, keep)
			require.Equal(t, n <= s.sends && n+keep >= s.sends, ok, n)
			if ok {
				require.Equal(t, digests[n], got, n)
			}
		}
		require.LessOrEqual(t, len(s.recent), int(keep))
	})
}

// Where more messages are underway at the end than stamps are kept, the log of their sender is read
// once more, and no other: and it is still seen which stamps do not fit.
func TestTooManyUnderway(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, tracetest.Record(dir, tracetest.Config{Rates: tracetest.Hertz(1, 100, 100), Duration: 20 * time.Second, Seed: 1}))
	run, err := Open(dir)
	require.NoError(t, err)
	opened := make([]atomic.Int64, len(run.Logs))
	for i := range run.Logs {
		l, open := &run.Logs[i], run.Logs[i].Open
		l.Open = func() (Source, error) {
			opened[i].Add(1)
			return open()
		}
	}
	certify := func(bytes int) (v *Verdict, looks [3]int64) {
		v = newCertifier(run, Options{}, 12345, bytes).run()
		for i := range opened {
			looks[i] = opened[i].Swap(0)
		}
		return v, looks
	}
	few, looks := certify(6 * 8 * 64)
	require.NotNil(t, few)
	require.Equal(t, Correct, few.State)
	require.Greater(t, few.Pending, uint64(2*64))
	require.Equal(t, [3]int64{1, 2, 2}, looks)
	many, looks := certify(6 * 8 * 512)
	require.Equal(t, many, few)
	require.Equal(t, [3]int64{1, 1, 1}, looks)

	open := run.Logs[0].Open
	run.Logs[0].Open = func() (Source, error) {
		s, err := open()
		return &otherStamp{Source: s}, err
	}
	v, looks := certify(6 * 8 * 64)
	require.Nil(t, v)
	require.EqualValues(t, 1, looks[0])
	require.Contains(t, looks[1:], int64(2)) // in the log of its sender
}

// otherStamp is a log in which one receive names another stamp, while the machine's clock is ahead of
// both: by itself, it keeps the laws.
type otherStamp struct {
	Source
	clock clock.Time
	done  bool
}

func (s *otherStamp) Next(rec *logging.Record) error {
	if err := s.Source.Next(rec); err != nil || rec.Kind != logging.EventRecord {
		return err
	}
	if rec.Event.Kind == event.Receive && !s.done {
		if m := rec.Event.Messages()[0]; m.Sent > 1 && m.Sent < s.clock {
			m.Sent--
			rec.Event.SetMessages(m)
			s.done = true
		}
	}
	s.clock = rec.Event.Clock
	return nil
}

// What a run costs in memory does not grow with its length, however many messages it has.
func TestCertifyingLongRuns(t *testing.T) {
	cost := func(d time.Duration) float64 {
		dir := t.TempDir()
		require.NoError(t, tracetest.Record(dir, tracetest.Config{Rates: tracetest.Hertz(300, 300, 300), Duration: d, Seed: 1, Delay: time.Millisecond}))
		run, err := Open(dir)
		require.NoError(t, err)
		return testing.AllocsPerRun(1, func() {
			v := newCertifier(run, Options{}, 12345, 6*8*64).run()
			require.NotNil(t, v)
			require.Greater(t, v.Received, uint64(6*64))
		})
	}
	require.InDelta(t, cost(10*time.Second), cost(40*time.Second), 20)
}

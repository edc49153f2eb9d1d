package replay

import (
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/logging"
)

// A link gives what it was given, in that order.
func TestLinkIsAQueue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := link{seq: 1}
		var twin []clock.Time
		taken := uint64(0)
		for _, push := range rapid.SliceOfN(rapid.Bool(), 0, 200).Draw(t, "push") {
			switch {
			case push:
				sent := clock.Time(len(twin))*7 + clock.Time(taken)
				l.push(sent)
				twin = append(twin, sent)
			case len(twin) > 0:
				taken++
				seq, sent := l.pop()
				require.Equal(t, taken, seq)
				require.Equal(t, twin[0], sent)
				twin = twin[1:]
			}
			require.Equal(t, len(twin), l.waiting())
		}
	})
}

// A queue that moves on while it never is empty does not grow.
func TestLinkTakesNoMoreThanWaits(t *testing.T) {
	l := link{seq: 1}
	for range 10 {
		l.push(1)
	}
	for range 100_000 {
		l.push(1)
		l.pop()
	}
	require.Less(t, cap(l.stamps), 64)
}

// Whoever is asked for is found again, be it no machine of the run.
func TestLinksBySender(t *testing.T) {
	for _, machines := range []int{1, 3, manyMachines - 1, manyMachines, 1000} {
		ls := newLinks(machines)
		var asked []int32
		for _, id := range []int32{0, 2, int32(machines) - 1, int32(machines), 1<<31 - 1} {
			l := ls.from(id)
			require.Equal(t, uint64(1), l.seq)
			require.Same(t, l, ls.from(id))
			asked = append(asked, id)
		}
		var all []int32
		for id, l := range ls.all() {
			require.Same(t, l, ls.from(id))
			all = append(all, id)
		}
		slices.Sort(asked)
		slices.Sort(all)
		require.Equal(t, slices.Compact(asked), all)
	}
}

// few is a source of so many records, then of an error.
type few struct {
	records []logging.Record
	err     error
	closed  bool
}

func (f *few) Next(rec *logging.Record) error {
	if len(f.records) == 0 {
		return f.err
	}
	*rec = f.records[0]
	f.records = f.records[1:]
	return nil
}

func (f *few) Close() error {
	f.closed = true
	return nil
}

// batched is few with many records at once.
type batched struct{ *few }

func (b batched) NextBatch(entries []logging.Entry) (n int, err error) {
	var rec logging.Record
	for ; n < len(entries); n++ {
		if err := b.Next(&rec); err != nil {
			return n, err
		}
		entries[n].Set(&rec)
	}
	return n, nil
}

// Read ahead, a source is the same: its records, its error, and that for ever. It can be
// left at any line.
func TestAheadIsTheSame(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	for _, n := range []int{0, 1, 63, 64, 65, 2000, 20_000} {
		for _, err := range []error{io.EOF, errors.New("broken")} {
			var records []logging.Record
			for i := range n {
				rec := logging.Record{Line: i + 1, UnixMicro: int64(i), ID: 3, Kind: logging.EventRecord, Event: event.Event{Step: uint64(i)}}
				if i%100 == 99 {
					rec = logging.Record{Line: i + 1, ID: 3, Kind: logging.ResumeRecord, Resume: logging.Resume{Step: uint64(i)}}
				}
				records = append(records, rec)
			}
			for _, sources := range []int{1, 100} {
				single := &few{records: records, err: err}
				many := &few{records: records, err: err}
				for of, source := range map[*few]Source{single: single, many: batched{many}} {
					a := newAhead(source, sources)
					var rec logging.Record
					for i := range records {
						require.NoError(t, a.Next(&rec))
						require.Equal(t, records[i], rec)
					}
					require.Equal(t, err, a.Next(&rec))
					require.Equal(t, err, a.Next(&rec))
					require.NoError(t, a.Close())
					require.True(t, of.closed)
				}
				left := newAhead(&few{records: records, err: err}, sources)
				var rec logging.Record
				_ = left.Next(&rec)
				require.NoError(t, left.Close())
			}
		}
	}
}

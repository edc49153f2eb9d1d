package trace_test

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/trace"
	"github.com/scalemodel/lamport/pkg/trace/tracetest"
)

// looks returns how often each log is opened for a verdict: once where the lines need not be
// put in order.
func looks(t require.TestingT, l logs) (*trace.Verdict, int64) {
	memories := l.inMemory(t)
	run := run(t, memories)
	v, err := verdict(t, run, trace.Options{})
	require.NoError(t, err)
	times := memories[0].opened.Load()
	for _, m := range memories {
		require.Zero(t, m.open.Load())
		if v.State == trace.Correct {
			require.Equal(t, times, m.opened.Load())
		}
	}
	return v, times - 2 // for New, and for the walk that is sure to put them in order
}

// Whatever keeps the laws is not put in order to see that: logs that break off, that are missing, and
// machines that came back are no reason to.
func TestPlainRunsAreNotPutInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := goodRun(t)
		v, times := looks(t, l)
		require.Equal(t, trace.Correct, v.State)
		require.EqualValues(t, 1, times)
	})
	t.Run("breaks off", func(t *testing.T) {
		l := three(t)
		name := l.names()[1]
		l[name] = l[name][:len(l[name])-10] // in its stop line
		v, times := looks(t, l)
		require.Equal(t, trace.Incomplete, v.State)
		require.EqualValues(t, 1, times)
	})
	t.Run("is missing", func(t *testing.T) {
		l := three(t)
		delete(l, l.names()[2])
		v, times := looks(t, l)
		require.Equal(t, trace.Incomplete, v.State)
		require.Positive(t, v.Unmatched)
		require.EqualValues(t, 1, times)
	})
}

// Sends that no log shows any more, since it breaks off before them, leave the order in doubt.
func TestRunsWithoutSomeSendsArePutInOrder(t *testing.T) {
	l := logs{
		"vm_0_1.log": script(0, 2, "internal clock=1"),
		"vm_1_1.log": script(1, 2, "receive clock=3 from=0 seq=1 sent=2", `stop clock=3 queue=0 pending=""`),
	}
	v, times := looks(t, l)
	require.Equal(t, trace.Incomplete, v.State)
	require.EqualValues(t, 1, v.Unmatched)
	require.EqualValues(t, 2, times)
}

// behind are receives of a machine whose clock was ahead of their stamps, on one link: these can change,
// and the log by itself still keeps the laws.
func behind(l logs) (name string, at []int) {
	re := regexp.MustCompile(` clock=(\d+) .* from=0 .* sent=(\d+)`)
	for _, name := range l.names()[1:] {
		at, last := []int(nil), 0
		for i, line := range l.lines(name) {
			if m := re.FindStringSubmatch(line); m != nil {
				sent, _ := strconv.Atoi(m[2])
				if sent+1 < last {
					at = append(at, i)
				}
			}
			if m := stepAndClock.FindStringSubmatch(line); m != nil {
				last, _ = strconv.Atoi(m[2])
			}
		}
		if len(at) > 4 {
			return name, at
		}
	}
	return "", nil
}

var sentStamp = regexp.MustCompile(`sent=\d+`)

// What only the two ends of a link together show is seen: one stamp that is another, two that are
// swapped, and all of a link that are moved by one.
func TestStampsOfBothEndsAreCompared(t *testing.T) {
	good := record(t, tracetest.Config{Rates: tracetest.Hertz(40, 60, 50), Duration: 30 * time.Second, Seed: 1, Delay: 2 * time.Second})
	name, at := behind(good)
	require.NotEmpty(t, name)
	for what, change := range map[string]func(lines []string){
		"one in the middle": func(lines []string) {
			i := at[len(at)/2]
			sent, _ := strconv.Atoi(sentStamp.FindString(lines[i])[len("sent="):])
			lines[i] = sentStamp.ReplaceAllString(lines[i], fmt.Sprint("sent=", sent+1))
		},
		"two swapped": func(lines []string) {
			a, b := at[1], at[2]
			one, other := sentStamp.FindString(lines[a]), sentStamp.FindString(lines[b])
			lines[a], lines[b] = sentStamp.ReplaceAllString(lines[a], other), sentStamp.ReplaceAllString(lines[b], one)
		},
		"all moved": func(lines []string) {
			for n, i := range at[:len(at)-1] {
				lines[i] = sentStamp.ReplaceAllString(lines[i], sentStamp.FindString(good.lines(name)[at[n+1]]))
			}
		},
	} {
		t.Run(what, func(t *testing.T) {
			l := logs{}
			for n := range good {
				l[n] = good[n]
			}
			lines := slices.Clone(good.lines(name))
			change(lines)
			l.setLines(name, lines)
			v := l.check(t)
			require.Equal(t, trace.Broken, v.State)
			require.Equal(t, []trace.Law{trace.LawMatch}, slices.Collect(func(yield func(trace.Law) bool) {
				for _, law := range trace.Laws {
					if v.Broken[law] > 0 && !yield(law) {
						return
					}
				}
			}))
		})
	}
}

// A message that is received twice, never, or before the one ahead of it, and one that was
// never sent, are seen though clocks and steps are in order.
func TestMessagesThatAreNotThoseOfTheSender(t *testing.T) {
	stop := func(clock int) string { return fmt.Sprintf(`stop clock=%d queue=0 pending=""`, clock) }
	sends := []string{"send clock=1 to=1:1", "send clock=2 to=1:2", "send clock=3 to=1:3", stop(3)}
	for _, tt := range []struct {
		name     string
		receives []string
		laws     []trace.Law
	}{
		{"all", []string{"receive clock=2 from=0 seq=1 sent=1", "receive clock=3 from=0 seq=2 sent=2", "receive clock=4 from=0 seq=3 sent=3", stop(4)}, nil},
		{"twice", []string{"receive clock=2 from=0 seq=1 sent=1", "receive clock=3 from=0 seq=2 sent=2", "receive clock=4 from=0 seq=2 sent=2", stop(4)}, []trace.Law{trace.LawFIFO}},
		{"lost", []string{"receive clock=2 from=0 seq=1 sent=1", "receive clock=3 from=0 seq=2 sent=2", stop(3)}, []trace.Law{trace.LawConservation}},
		{"lost in between", []string{"receive clock=2 from=0 seq=1 sent=1", "receive clock=4 from=0 seq=3 sent=3", stop(4)}, []trace.Law{trace.LawFIFO, trace.LawConservation}},
		{"overtaken", []string{"receive clock=3 from=0 seq=2 sent=2", "receive clock=4 from=0 seq=1 sent=1", "receive clock=5 from=0 seq=3 sent=3", stop(5)}, []trace.Law{trace.LawFIFO}},
		{"one too many", []string{"receive clock=2 from=0 seq=1 sent=1", "receive clock=3 from=0 seq=2 sent=2", "receive clock=4 from=0 seq=3 sent=3", "receive clock=5 from=0 seq=4 sent=4", stop(5)}, []trace.Law{trace.LawMatch, trace.LawConservation}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := logs{"vm_0_1.log": script(0, 2, sends...), "vm_1_1.log": script(1, 2, tt.receives...)}.check(t)
			require.Len(t, v.Broken, len(tt.laws), "%v", v)
			for _, law := range tt.laws {
				require.Positive(t, v.Broken[law], law)
			}
		})
	}
}

// Two stamps that are one in the field of the digests are two stamps.
func TestHugeStamps(t *testing.T) {
	const prime = 1<<61 - 1
	stop := func(clock uint64) string { return fmt.Sprintf(`stop clock=%d queue=0 pending=""`, clock) }
	l := logs{
		"vm_0_1.log": script(0, 2, "send clock=1 to=1:1", stop(1)),
		"vm_1_1.log": script(1, 2, fmt.Sprintf("receive clock=%d from=0 seq=1 sent=%d", uint64(prime+2), uint64(prime+1)), stop(prime+2)),
	}
	require.Equal(t, map[trace.Law]uint64{trace.LawMatch: 1}, l.check(t).Broken)
}

// A log that cannot be read is reported as ever, and a run with one is put in order first.
func TestUnreadableLogsWithoutVisitors(t *testing.T) {
	for _, line := range []int{1, 2, 30} {
		l := three(t)
		for _, name := range l.names()[1:] {
			lines := l.lines(name)
			lines[line] = "what\n"
			l.setLines(name, lines)
		}
		_, err := l.walk(t, trace.Options{})
		require.ErrorContains(t, err, fmt.Sprintf(":%d: expected a time", line+1))
	}
}

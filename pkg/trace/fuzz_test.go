package trace_test

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/trace"
	"github.com/scalemodel/lamport/pkg/trace/tracetest"
)

// FuzzWalk takes any bytes for two or three logs. The walk never panics and always
// ends, and its verdict is the dumb twin's.
func FuzzWalk(f *testing.F) {
	add := func(l logs) {
		var b [3]string
		for name, content := range l {
			b[name[len("vm_")]-'0'] = content
		}
		f.Add(b[0], b[1], b[2], uint8(len(l)))
	}
	add(small(f))
	good := record(f, tracetest.Config{Rates: tracetest.Hertz(1, 2, 4), Duration: 3 * time.Second, Seed: 2, Die: 4, Delay: time.Second})
	add(good)
	for i := range damages {
		l := small(f)
		damages[i].do(f, l)
		maps.DeleteFunc(l, func(name, _ string) bool { return !slices.Contains(fuzzed, name) })
		add(l)
	}
	for n := range 2 {
		l := make(logs)
		cycle(l, n+2)
		add(l)
	}
	add(record(f, tracetest.Config{Rates: tracetest.Hertz(1, 2, 4), Duration: 3 * time.Second, Seed: 2, Compare: []time.Duration{0, time.Second}}))
	f.Add("", "", "", uint8(3))
	f.Add("x", "\n", "\xff", uint8(3))
	f.Add(strings.Replace(good["vm_0_1.log"], "machines=3", "machines=1000", 1), "", "", uint8(1))
	late := maps.Clone(good) // its times are as far apart as they can be
	late["vm_1_2.log"] = regexp.MustCompile(`(?m)^.{10}(T.*step=3 .*)$`).ReplaceAllString(late["vm_1_2.log"], "9999-12-31$1")
	add(late)
	late["vm_1_2.log"] = strings.Replace(late["vm_1_2.log"], "2026-", "1970-", 1)
	add(late)
	add(logs{"vm_0_1.log": strings.NewReplacer("clock=", "clock=1844674407370955161", "rate=1 ", "rate=1000000 ").Replace(good["vm_0_1.log"])})

	shelf := &shelf{f.TempDir(), make(logs)}
	f.Fuzz(func(t *testing.T, a, b, c string, n uint8) {
		l := make(logs)
		for i, content := range []string{a, b, c}[:max(n%4, 1)] {
			l[fuzzed[i]] = content
		}
		run := shelf.open(t, l)
		if run == nil {
			return
		}
		v, err := verdict(t, run, trace.Options{All: true})
		state, laws, naiveErr := naiveCheck(t, run.Dir)
		if err != nil {
			require.Error(t, naiveErr)
			require.Nil(t, v)
			return
		}
		require.NoError(t, naiveErr)
		require.Equal(t, state, v.State, "%v but %v", v, laws)
		require.Equal(t, laws, slices.Sorted(maps.Keys(v.Broken)))
		// Figures of nonsense are nonsense, but they are had and can be written.
		stats, err := run.Stats()
		if run.Machines > 1<<16 {
			require.Error(t, err)
			return
		}
		require.NoError(t, err)
		_, err = json.Marshal(stats)
		require.NoError(t, err)
		if corrected, err := run.CorrectedStats(); err == nil {
			require.Equal(t, v.State, corrected.Verdict.State)
			_, err = json.Marshal(corrected)
			require.NoError(t, err)
		}
	})
}

// fuzzed are the names of the logs that are fuzzed.
var fuzzed = []string{"vm_0_1.log", "vm_1_2.log", "vm_2_4.log"}

package fault_test

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/fault"
)

// mustParse reads a plan for three machines.
func mustParse(t testing.TB, text string) *fault.Plan {
	t.Helper()
	return mustParseFor(t, text, 3)
}

func mustParseFor(t testing.TB, text string, machines int) *fault.Plan {
	t.Helper()
	p, err := fault.Parse(text, machines)
	require.NoError(t, err, "%s", text)
	return p
}

func TestParse(t *testing.T) {
	for text, canonical := range map[string]string{
		"":                                             "",
		" \t \r\n;; # nothing\n;":                      "",
		" none\n":                                      "",
		"at 10s kill 1 for 2s":                         "at 10s kill 1 for 2s",
		"at 10s kill 1 to 12s":                         "at 10s kill 1 for 2s",
		"from 10s kill 1 for 2s":                       "at 10s kill 1 for 2s",
		"at 0s kill 2 , 0 for 1s":                      "at 0s kill 0,2 for 1s",
		"at 0 kill 2,0,1 for 1s":                       "at 0s kill all for 1s",
		"at 0s kill all for 1s":                        "at 0s kill all for 1s",
		"at 0s kill * for 1s":                          "at 0s kill all for 1s",
		"at 0s kill 0..2 for 1s":                       "at 0s kill all for 1s",
		"at 0s kill 1 .. 2 for 1s # and then\r\n":      "at 0s kill 1,2 for 1s",
		"at 90m kill 0 for 90s":                        "at 1h30m kill 0 for 1m30s",
		"at 120m kill 0 for 1000us":                    "at 2h kill 0 for 1ms",
		"at 1.5s kill 0 for 1.5µs":                     "at 1.5s kill 0 for 1.5µs",
		"at 1s kill 0 for 100h;at 2s kill 1 for 10m0s": "at 1s kill 0 for 100h\nat 2s kill 1 for 10m",
		"at 1s kill 0 for 1s\n\nat 2s kill 0 for 1s":   "at 1s kill 0 for 1s\nat 2s kill 0 for 1s", // back, and gone again
		"at 2s kill 0 for 1s\n\nat 1s kill 0 for 1s":   "at 2s kill 0 for 1s\nat 1s kill 0 for 1s",
		"at 20s pause 2 for 3s":                        "at 20s pause 2 for 3s",
		"at 1s partition 0|1,2 for 1s":                 "at 1s partition 0 | 1,2 for 1s",
		"at 1s partition 2 ,1| 0 to 2s":                "at 1s partition 1,2 | 0 for 1s",
		"at 1s partition 1 for 1s":                     "at 1s partition 1 for 1s",
		"at 40s cut 0->1 for 5s":                       "at 40s cut 0->1 for 5s",
		"at 40s cut 0 -> 1 for 5s":                     "at 40s cut 0->1 for 5s",
		"at 40s cut 1-0 for 5s":                        "at 40s cut 0-1 for 5s",
		"at 40s cut *-0 for 5s":                        "at 40s cut 0-* for 5s",
		"at 40s cut 0-* for 5s":                        "at 40s cut 0-* for 5s",
		"at 40s cut *->0 for 5s":                       "at 40s cut *->0 for 5s",
		"at 40s cut all->all for 5s":                   "at 40s cut * for 5s",
		"at 40s cut *-* for 5s":                        "at 40s cut * for 5s",
		"from 0s delay 0->1 200ms 50ms":                "from 0s delay 0->1 200ms 50ms",
		"at 0s delay 0->1 200ms 50ms seed 0":           "from 0s delay 0->1 200ms 50ms seed 0",
		"from 1s delay *->* 20ms 20ms seed 9 to 3s":    "from 1s delay * 20ms 20ms for 2s seed 9",
		"from 1s delay 0->* 20ms for 2s":               "from 1s delay 0->* 20ms for 2s",
		"at 50s reset 2-1":                             "at 50s reset 1-2",
		"at 50s reset 2->1":                            "at 50s reset 2->1",
		"at 50s reset *":                               "at 50s reset *",
		"at 55s stop-reading 2,0 for 5s":               "at 55s stop-reading 0,2 for 5s",
		"random kill every 5s":                         "random kill every 5s for 1s",
		"random pause every 5s for 500ms":              "random pause every 5s for 500ms",
		"random stop-reading seed 3 every 5s":          "random stop-reading every 5s for 1s seed 3",
		"random reset every 5s from 0s":                "random reset every 5s",
		"random cut to 1h seed 18446744073709551615 from 1m for 2s every 5s": "random cut every 5s for 2s from 1m to 1h seed 18446744073709551615",
		"random partition every 1s for 99999ms":                              "random partition every 1s for 1m39.999s",
		"random partition every 1s to 1000000h":                              "random partition every 1s for 1s",
	} {
		p, err := fault.Parse(text, 3)
		require.NoError(t, err, "%q", text)
		assert.Equal(t, canonical, p.String(), "%q", text)
		assert.Equal(t, canonical == "", p.Empty(), "%q", text)
		assert.Equal(t, p, mustParse(t, canonical), "%q", text)
	}
	assert.Equal(t, "at 0s kill all for 1s\nat 0s cut * for 1s",
		mustParseFor(t, "at 0s kill 0..999999 for 1s; at 0s cut * for 1s", 1_000_000).String())
	assert.Equal(t, "at 0s partition 0..499999 | 500001..999998 for 1s",
		mustParseFor(t, "at 0s partition 0..499999 | 500001..999998 for 1s", 1_000_000).String())
	assert.Equal(t, "at 0s stop-reading all for 1s", mustParseFor(t, "at 0s stop-reading 0 for 1s", 1).String())
}

func TestParseErrors(t *testing.T) {
	for _, c := range []struct{ text, err string }{
		{"\n# so far so good\nat 10s kill 1 for x", `line 3, column 19: expected a duration such as 2s, found "x"`},
		{"at 1s kill 0 for 1s; at 2s kill 1 fro 1s", `line 1, column 35: expected "for" or "to", found "fro"`},
		{"at 1s kill 0 for 1µs; at 2s kil 1 for 1s", `line 1, column 29: expected a fault: kill, pause, partition, cut, delay, reset or stop-reading, found "kil"`},

		{"kill 1 at 2s", `line 1, column 1: expected "at", "from" or "random", found "kill"`},
		{"AT 1s kill 1 for 2s", `line 1, column 1: expected "at", "from" or "random", found "AT"`},
		{"at", `line 1, column 3: expected a duration such as 2s, found the end of the line`},
		{"at # soon", `line 1, column 4: expected a duration such as 2s, found the end of the line`},
		{"at ; at 1s", `line 1, column 4: expected a duration such as 2s, found ";"`},
		{"at 10 kill 1 for 2s", `line 1, column 4: expected a duration with its unit, such as 2s, found "10"`},
		{"at -1s kill 1 for 2s", `line 1, column 4: expected a duration that is not negative, found "-1s"`},
		{"at 1000001h kill 1 for 2s", `line 1, column 4: expected a duration of at most 1000000h, found "1000001h"`},
		{"at 1s", `line 1, column 6: expected a fault: kill, pause, partition, cut, delay, reset or stop-reading, found the end of the line`},
		{"at 1s burn-the-house-down-and-leave 1", `line 1, column 7: expected a fault: kill, pause, partition, cut, delay, reset or stop-reading, found "burn-the-house-down-and-…"`},

		{"at 1s kill for 2s", `line 1, column 12: expected the number of a machine, found "for"`},
		{"at 1s kill", `line 1, column 11: expected the number of a machine, found the end of the line`},
		{"at 1s kill -1 for 2s", `line 1, column 12: expected the number of a machine, found "-1"`},
		{"at 1s kill 0, for 2s", `line 1, column 15: expected the number of a machine, found "for"`},
		{"at 1s kill 3 for 2s", `line 1, column 12: there is no machine 3: the run has machines 0 to 2`},
		{"at 1s kill 0,99999999999999999999 for 2s", `line 1, column 14: there is no machine 99999999999999999999: the run has machines 0 to 2`},
		{"at 1s kill 1,1 for 2s", `line 1, column 14: machine 1 is named twice`},
		{"at 1s kill 2,0..2 for 2s", `line 1, column 14: machine 2 is named twice`},
		{"at 1s kill all,0 for 2s", `line 1, column 16: machine 0 is named twice`},
		{"at 1s kill 2..1 for 2s", `line 1, column 12: 2..1: the first machine of a range comes after the last`},
		{"at 1s kill 0..3 for 2s", `line 1, column 15: there is no machine 3: the run has machines 0 to 2`},
		{"at 1s kill 1for 2s", `line 1, column 12: expected the number of a machine, found "1for"`},
		{"at 1s kill 1", `line 1, column 13: expected "for" and how long, found the end of the line`},
		{"at 1s kill 1 2s", `line 1, column 14: expected "for" or "to", found "2s"`},
		{"at 1s kill 1 for", `line 1, column 17: expected a duration such as 2s, found the end of the line`},
		{"at 1s kill 1 for 0s", `line 1, column 18: expected a duration above 0, found "0s"`},
		{"at 1s kill 1 for -2s", `line 1, column 18: expected a duration above 0, found "-2s"`},
		{"at 1s kill 1 to 1s", `line 1, column 17: the end, 1s, is not after the start, 1s`},
		{"at 1s kill 1 for 1s to 2s", `line 1, column 21: expected the end of the fault, found "to"`},
		{"at 1s kill 1 to 2s seed 1", `line 1, column 20: expected the end of the fault, found "seed"`},

		{"at 1s kill 1 for 2s\nat 2999ms kill 0..1 for 1s", `line 2, column 16: machine 1 is down from 1s to 3s already (line 1)`},
		{"at 2999ms kill 0..1 for 1s; at 1s pause 1 for 2s", `line 1, column 41: machine 1 is down from 2.999s to 3.999s already (line 1)`},
		{"at 1s pause all for 1h\n\nat 30m pause 2 for 1s", `line 3, column 14: machine 2 is paused from 1s to 1h0m1s already (line 1)`},

		{"at 1s partition 0 | for 1s", `line 1, column 21: expected the number of a machine, found "for"`},
		{"at 1s partition 0 || 1 for 1s", `line 1, column 20: expected the number of a machine, found "|"`},
		{"at 1s partition 0,1 | 2,1 for 1s", `line 1, column 25: machine 1 is named twice`},
		{"at 1s partition 0,1,2 for 1s", `line 1, column 17: a partition has two groups or more, with | between them: "0 | 1,2"`},
		{"at 1s partition 0 | 1", `line 1, column 22: expected "for" and how long, found the end of the line`},

		{"at 1s cut 0 for 1s", `line 1, column 13: expected "->" for one way or "-" for both, found "for"`},
		{"at 1s cut 0->0 for 1s", `line 1, column 11: machine 0 has no link to itself`},
		{"at 1s cut 0-0 for 1s", `line 1, column 11: machine 0 has no link to itself`},
		{"at 1s cut 0->7 for 1s", `line 1, column 14: there is no machine 7: the run has machines 0 to 2`},
		{"at 1s cut 0->", `line 1, column 14: expected the number of a machine, found the end of the line`},
		{"at 1s cut 0->1", `line 1, column 15: expected "for" and how long, found the end of the line`},

		{"from 0s delay 0->1", `line 1, column 19: expected a duration such as 2s, found the end of the line`},
		{"from 0s delay 0->1 0s", `line 1, column 20: expected a duration above 0, found "0s"`},
		{"from 0s delay 0->1 1ms -1ms", `line 1, column 24: expected a duration above 0, found "-1ms"`},
		{"from 0s delay 0->1 1ms 1001us", `line 1, column 24: the jitter, 1.001ms, is above the mean, 1ms, and no delay can be negative`},
		{"from 0s delay 0->1 1ms seed 7", `line 1, column 24: expected "for" or "to", found "seed"`},
		{"from 0s delay 0->1 1ms 1ms sed 7", `line 1, column 28: expected "for", "to" or "seed", found "sed"`},
		{"from 0s delay 0->1 1ms 1ms seed -7", `line 1, column 33: expected a whole number from 0 to 18446744073709551615, found "-7"`},
		{"from 0s delay 0->1 1ms 1ms seed", `line 1, column 32: expected a whole number from 0 to 18446744073709551615, found the end of the line`},
		{"at 1s reset 0-1 for 1s", `line 1, column 17: expected the end of the fault, found "for"`},

		{"random delay every 1s", `line 1, column 8: expected a fault: kill, pause, partition, cut, reset or stop-reading, found "delay"`},
		{"random kill 1 every 1s", `line 1, column 13: expected "every", "from", "to", "seed" or "for", found "1"`},
		{"random kill", `line 1, column 12: expected "every" and the mean time between two, found the end of the line`},
		{"random kill seed 7", `line 1, column 19: expected "every" and the mean time between two, found the end of the line`},
		{"random kill every 0s", `line 1, column 19: expected a duration above 0, found "0s"`},
		{"random kill every 1s every 2s", `line 1, column 22: expected "from", "to", "seed" or "for", found "every"`},
		{"random kill every 1s from -1s", `line 1, column 27: expected a duration that is not negative, found "-1s"`},
		{"random kill every 1s for 2s from 3s to 4s", `line 1, column 13: none that lasts 2s can begin after 3s and be over by 4s`},
		{"random kill every 10ms", `line 1, column 13: 101 would be going on at a time, with one every 10ms, each for 1s: at most 100 may`},
		{"random reset every 1s for 1s", `line 1, column 23: expected "from", "to" or "seed", found "for"`},
	} {
		p, err := fault.Parse(c.text, 3)
		assert.Nil(t, p, "%q", c.text)
		var at *fault.SyntaxError
		if assert.ErrorAs(t, err, &at, "%q", c.text) {
			assert.Equal(t, c.err, err.Error(), "%q", c.text)
		}
	}
	for text, want := range map[string]string{
		"at 1s kill 1 for 1s":           "line 1, column 12: there is no machine 1: the run has machine 0",
		"at 1s cut * for 1s":            "line 1, column 11: a run with 1 machine has no links",
		"at 1s partition 0 | 1 for 1s":  "line 1, column 17: a run with 1 machine has no links",
		"random reset every 1s":         "line 1, column 14: a run with 1 machine has no links",
		"random partition every 1s":     "line 1, column 18: a run with 1 machine has no links",
		"from 0s delay 0->* 1s for 10s": "line 1, column 15: a run with 1 machine has no links",
	} {
		_, err := fault.Parse(text, 1)
		require.EqualError(t, err, want, "%q", text)
	}
	tooMany := math.MaxInt32
	tooMany++ // below 0 where an int has 32 bits
	for _, machines := range []int{-1, 0, tooMany} {
		_, err := fault.Parse("", machines)
		assert.ErrorContains(t, err, "a run has 1 to 2147483647")
	}
}

// upTo returns 0 … n-1.
func upTo(n int) []int {
	ids := make([]int, n)
	for i := range ids {
		ids[i] = i
	}
	return ids
}

// lineOf draws a line of a plan, in any spelling that is allowed.
func lineOf(t *rapid.T, machines int) string {
	pick := func(s ...string) string { return rapid.SampledFrom(s).Draw(t, "word") }
	number := func(least, most int) string { return strconv.Itoa(rapid.IntRange(least, most).Draw(t, "number")) }
	duration := func(least int) string {
		return number(least, 40) + pick("s", "s", "s", "ms", "m", ".5s")
	}
	id := func() int { return rapid.IntRange(0, machines-1).Draw(t, "id") }
	seed := func() string {
		return " seed " + pick("0", "1", "7", "18446744073709551615")
	}
	link := func() string {
		a := id()
		b := (a + rapid.IntRange(1, machines-1).Draw(t, "step")) % machines
		return pick("*", "*->*", strconv.Itoa(a)+"->"+strconv.Itoa(b), strconv.Itoa(a)+"->"+strconv.Itoa(b), strconv.Itoa(a)+"-"+strconv.Itoa(b), "*->"+strconv.Itoa(a), strconv.Itoa(a)+" -> *", "* - "+strconv.Itoa(b))
	}
	list := func(ids []int) string {
		var b strings.Builder
		for i, id := range ids {
			if i > 0 {
				b.WriteString(pick(",", ", ", " ,"))
			}
			b.WriteString(strconv.Itoa(id))
		}
		return b.String()
	}
	order := rapid.Permutation(upTo(machines)).Draw(t, "order")
	some := order[:rapid.IntRange(1, machines).Draw(t, "some")]
	lasting := func() string {
		return pick(" for "+duration(1), " for "+duration(1), " to 41"+pick("m", "m5s"))
	}
	switch kind := pick("kill", "pause", "partition", "cut", "delay", "reset", "stop-reading", "random"); kind {
	case "kill", "pause", "stop-reading":
		return pick("at ", "from ") + duration(0) + " " + kind + " " + pick("all", list(some), list(some)) + lasting()
	case "partition":
		cut := rapid.IntRange(1, machines-1).Draw(t, "cut")
		groups := list(order[:cut])
		if rest := order[cut : cut+rapid.IntRange(0, machines-cut).Draw(t, "named")]; len(rest) > 0 {
			groups += pick("|", " | ") + list(rest)
		}
		return "at " + duration(0) + " partition " + groups + lasting()
	case "cut":
		return "at " + duration(0) + " cut " + link() + lasting()
	case "delay":
		return "from " + duration(0) + " delay " + link() + pick(" 50ms", " 50ms 50ms", " 1s 20ms"+seed()) + pick("", "", " for "+duration(1))
	case "reset":
		return "at " + duration(0) + " reset " + link()
	default:
		kind := pick("kill", "pause", "partition", "cut", "reset", "stop-reading")
		s := "random " + kind + " every " + number(1, 20) + pick("s", ".5s")
		if kind != "reset" {
			s += pick("", " for "+number(1, 60)+"s", " for "+number(1, 60)+"0ms")
		}
		return s + pick("", seed()) + pick("", " from "+duration(0)) + pick("", " to 42m")
	}
}

// planOf draws a plan: lines of which none strikes a machine that an earlier one
// strikes.
func planOf(t *rapid.T, machines int) *fault.Plan {
	text := ""
	p := new(fault.Plan)
	for range rapid.IntRange(0, 12).Draw(t, "lines") {
		longer := text + rapid.SampledFrom([]string{"\n", ";", "\r\n", " # so\n\n"}).Draw(t, "between") + lineOf(t, machines)
		q, err := fault.Parse(longer, machines)
		var at *fault.SyntaxError
		switch {
		case err == nil:
			text, p = longer, q
		case !errors.As(err, &at) || !strings.Contains(at.Msg, "already"):
			t.Fatalf("%q: %v", longer, err)
		}
	}
	return p
}

// Parse(p.String()) is p, and the text is canonical already.
func TestStringIsParsedBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		machines := rapid.IntRange(2, 5).Draw(t, "machines")
		p := planOf(t, machines)
		if rapid.Bool().Draw(t, "seeded") {
			p = p.Seeded(rapid.Uint64().Draw(t, "seed"))
		}
		q, err := fault.Parse(p.String(), machines)
		require.NoError(t, err)
		require.Equal(t, p.String(), q.String())
		if !p.Empty() {
			require.Equal(t, p, q)
		}
	})
}

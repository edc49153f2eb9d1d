package replay_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/replay"
)

// two writes two logs and compares them.
func two(t require.TestingT, dir, was, is string, mode replay.Mode) (*replay.Comparison, error) {
	record, replayed := filepath.Join(dir, "record.log"), filepath.Join(dir, "replayed.log")
	require.NoError(t, os.WriteFile(record, []byte(was), 0o666))
	require.NoError(t, os.WriteFile(replayed, []byte(is), 0o666))
	return replay.Compare(record, replayed, mode)
}

// log is what write writes, as text.
func log(lines ...string) string {
	var b strings.Builder
	for i, l := range lines {
		machine, rest, _ := strings.Cut(l, " ")
		fmt.Fprintf(&b, "2026-11-22T17:13:%02d.000000Z [INFO]  vm-%s: %s\n", i, machine, rest)
	}
	return b.String()
}

// The same log, some events longer or shorter, with and without its stop line, forged, cut
// and emptied.
func TestCompare(t *testing.T) {
	dir, zero, _ := pair(t)
	const start, send, receive, stop = 0, 2, 3, 4
	whole := log(zero...)
	with := func(at int, line string) string {
		l := slices.Clone(zero)
		l[at] = line
		return log(l...)
	}
	early := log(append(slices.Clone(zero[:receive]), `0 stop: step=2 clock=2 queue=1 pending=1:1`)...)
	unended := log(zero[:receive]...)
	for _, tt := range []struct {
		name    string
		was, is string
		outcome replay.Outcome
		lines   int
		differs string // recorded, replayed
	}{
		{"the same", whole, whole, replay.Same, 5, ""},
		{"the same, and both break off", unended, unended, replay.Same, 3, ""},
		{"nothing but a start line", log(zero[start]), log(zero[start]), replay.Same, 1, ""},
		{"stopped earlier", early, whole, replay.Stopped, 3,
			`3 "vm-0: stop: step=2 clock=2 queue=1 pending=1:1" "vm-0: receive: step=3 clock=5 queue=0 from=1 seq=1 sent=4"`},
		{"stopped before its first event", log(zero[start], `0 stop: step=0 clock=0 queue=0 pending=""`), whole, replay.Stopped, 1,
			`1 "vm-0: stop: step=0 clock=0 queue=0 pending=\"\"" "vm-0: send: step=1 clock=1 queue=0 to=1:1"`},
		{"stopped where it came back later", early, with(receive, `0 resume: step=2 clock=2`), replay.Stopped, 3, ""},
		{"stopped when it had come back", log(zero[start], zero[1], `0 resume: step=1 clock=1`, `0 stop: step=1 clock=1 queue=0 pending=""`),
			log(zero[start], zero[1], `0 resume: step=1 clock=1`, zero[send]), replay.Stopped, 3, ""},
		{"broken off", unended, whole, replay.BrokenOff, 3,
			`3 "the end of the log" "vm-0: receive: step=3 clock=5 queue=0 from=1 seq=1 sent=4"`},
		{"broken off before its stop line", log(zero[:stop]...), whole, replay.BrokenOff, 4, ""},
		{"broken off in a line", whole[:strings.Index(whole, "receive: step=3")+9], whole, replay.BrokenOff, 3,
			`3 "vm-0: receive: " "vm-0: receive: step=3 clock=5 queue=0 from=1 seq=1 sent=4"`},
		{"broken off before a newline", whole[:len(whole)-1], whole, replay.BrokenOff, 4, ""},
		{"broken off in a time", unended + "2026-11", whole, replay.BrokenOff, 3, ""},
		{"other messages wait at the end", whole, with(stop, `0 stop: step=3 clock=5 queue=1 pending=1:1`), replay.StopDiffers, 4,
			`4 "vm-0: stop: step=3 clock=5 queue=0 pending=\"\"" "vm-0: stop: step=3 clock=5 queue=1 pending=1:1"`},

		{"another event", whole, with(send, `0 internal: step=2 clock=2 queue=0`), replay.Differs, 2,
			`2 "vm-0: send: step=2 clock=2 queue=0 to=1:2" "vm-0: internal: step=2 clock=2 queue=0"`},
		{"another first line", whole, with(start, strings.Replace(zero[start], "seed=1", "seed=2", 1)), replay.Differs, 0, ""},
		{"another level", whole, strings.Replace(whole, "[INFO]  vm-0: send: step=2", "[WARN]  vm-0: send: step=2", 1), replay.Differs, 2, ""},
		{"the replay is stopped earlier", whole, early, replay.Differs, 3, ""},
		{"the replay breaks off", whole, log(zero[:stop]...), replay.Differs, 4,
			`4 "vm-0: stop: step=3 clock=5 queue=0 pending=\"\"" "the end of the log"`},
		{"a line after the stop", whole, log(append(slices.Clone(zero), zero[stop])...), replay.Differs, 5,
			`5 "the end of the log" "vm-0: stop: step=3 clock=5 queue=0 pending=\"\""`},
		{"nothing but a time after the stop", whole, whole + "2026-11-22T17:13:40.066633Z \n", replay.Differs, 5, ""},
		{"an event in place of the stop", whole, with(stop, `0 internal: step=4 clock=6 queue=0`), replay.Stopped, 4, ""},
		{"the last event twice", whole, with(stop, zero[receive]), replay.Stopped, 4,
			`4 "vm-0: stop: step=3 clock=5 queue=0 pending=\"\"" "vm-0: receive: step=3 clock=5 queue=0 from=1 seq=1 sent=4"`},
		{"torn in another line", whole[:strings.Index(whole, "receive: step=3")+9] + "x", whole, replay.Differs, 3, ""},
		{"torn behind the end of the replay", whole + "2026", whole, replay.Differs, 5,
			`5 "2026" "the end of the log"`},

		{"a stop that is not the last line", log(append(slices.Clone(zero[:receive]), `0 stop: step=2 clock=2 queue=0 pending=""`, zero[stop])...), whole, replay.Differs, 3, ""},
		{"a stop with a torn line behind it", early + "2026", whole, replay.Differs, 3, ""},
		{"a stop at another step", strings.Replace(early, "stop: step=2", "stop: step=3", 1), whole, replay.Differs, 3, ""},
		{"a stop at another clock", strings.Replace(early, "clock=2 queue=1", "clock=3 queue=1", 1), whole, replay.Differs, 3, ""},
		{"a stop of another machine", strings.Replace(early, "vm-0: stop", "vm-1: stop", 1), whole, replay.Differs, 3, ""},
		{"a stop in a run's name", log(strings.Replace(zero[start], "run=r", `run=": stop: "`, 1)), whole, replay.Differs, 0, ""},
		{"no line of a log", unended + strings.Repeat("x", 40) + ": stop: \n", whole, replay.Differs, 3, ""},
		{"no line of a log in the replay", early, unended + strings.Repeat("x", 40) + "\n", replay.Differs, 3, ""},
		{"both stop, and the record goes on", whole + log(zero[1]), with(stop, `0 stop: step=3 clock=5 queue=1 pending=1:1`), replay.Differs, 4, ""},
		{"both stop, and the replay goes on", whole, with(stop, `0 stop: step=3 clock=5 queue=1 pending=1:1`) + log(zero[1]), replay.Differs, 4, ""},
		{"both stop, at different steps", whole, with(stop, `0 stop: step=4 clock=5 queue=0 pending=""`), replay.Differs, 4, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, mode := range []replay.Mode{replay.ButTimes, replay.Exact} {
				c, err := two(t, dir, tt.was, tt.is, mode)
				require.NoError(t, err)
				assert.Equal(t, tt.outcome, c.Outcome, "%v, not %v", c.Outcome, tt.outcome)
				assert.Equal(t, tt.lines, c.Lines)
				if tt.outcome == replay.Same {
					assert.Nil(t, c.Difference)
					assert.NoError(t, c.Err())
					continue
				}
				assert.Equal(t, tt.lines+1, c.Difference.Line)
				assert.Equal(t, c.Difference, c.Err())
				if tt.differs != "" && mode == replay.ButTimes {
					assert.Equal(t, tt.differs, fmt.Sprintf("%d %q %q", c.Lines, c.Difference.Recorded, c.Difference.Replayed))
				}
			}
		})
	}
}

// A time is compared where it is to be the same.
func TestCompareTimes(t *testing.T) {
	dir, zero, _ := pair(t)
	was := log(zero...)
	is := strings.Replace(was, "17:13:02", "17:13:03", 1)
	c, err := two(t, dir, was, is, replay.ButTimes)
	require.NoError(t, err)
	assert.Equal(t, replay.Same, c.Outcome)
	c, err = two(t, dir, was, is, replay.Exact)
	require.NoError(t, err)
	assert.Equal(t, replay.Differs, c.Outcome)
	assert.Equal(t, filepath.Join(dir, "record.log")+":3 differs\n"+
		"  recorded  2026-11-22T17:13:02.000000Z [INFO]  vm-0: send: step=2 clock=2 queue=0 to=1:2\n"+
		"  replayed  2026-11-22T17:13:03.000000Z [INFO]  vm-0: send: step=2 clock=2 queue=0 to=1:2\n"+
		"                              ^\n", c.Difference.Text())
}

// A run that was started again has another name, which is no difference where nobody asks.
func TestCompareButNames(t *testing.T) {
	dir, zero, _ := pair(t)
	was := log(zero...)
	renamed := regexp.MustCompile(` run=\S+`).ReplaceAllString(was, ` run="an other one"`)
	require.NotEqual(t, was, renamed)
	for mode, want := range map[replay.Mode]replay.Outcome{replay.ButNames: replay.Same, replay.ButTimes: replay.Differs, replay.Exact: replay.Differs} {
		c, err := two(t, dir, was, renamed, mode)
		require.NoError(t, err)
		assert.Equal(t, want, c.Outcome)
	}
	c, err := two(t, dir, was, strings.Replace(renamed, "seed=1", "seed=2", 1), replay.ButNames)
	require.NoError(t, err)
	assert.Equal(t, replay.Differs, c.Outcome, "all else has to be the same")
}

// What cannot be read is not the same.
func TestCompareRefuses(t *testing.T) {
	dir, zero, _ := pair(t)
	whole := log(zero...)
	const never = "expected a start line, found an empty log: this machine never began"
	for _, tt := range []struct{ name, was, is, want string }{
		{"both empty", "", "", "record.log:1: " + never},
		{"an empty record", "", whole, "record.log:1: " + never},
		{"an empty replay", whole, "", "replayed.log:1: " + never},
		{"a record with half a line", whole[:30], whole, "record.log:1: expected a start line, found it torn"},
		{"a replay with half a line", whole, whole[:30], "replayed.log:1: expected a start line, found it torn"},
		{"a torn replay", whole, whole[:len(whole)-1], "replayed.log:5: expected a newline after the last line, found it torn"},
		{"both torn", whole[:len(whole)-1], whole[:len(whole)-1], "replayed.log:5: expected a newline after the last line, found it torn"},
		{"a torn line behind the record", whole, whole + "2026", "replayed.log:6: expected a newline after the last line, found it torn"},
		{"a short line", whole, "2026\n", "replayed.log:1: too short for a line of an event log"},
		{"an empty line", log(zero[:2]...) + "\n", whole, "record.log:3: too short for a line of an event log"},
		{"a long line", whole, whole[:100] + strings.Repeat("x", logging.MaxLine), "replayed.log:1: cannot read on: bufio.Scanner: token too long"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, mode := range []replay.Mode{replay.ButTimes, replay.Exact} {
				c, err := two(t, dir, tt.was, tt.is, mode)
				require.Error(t, err)
				assert.Nil(t, c)
				assert.Equal(t, tt.want, strings.ReplaceAll(err.Error(), dir+string(filepath.Separator), ""))
			}
		})
	}
	record := write(t, dir, "record.log", zero...)
	for _, pair := range [][2]string{{record, filepath.Join(dir, "none")}, {filepath.Join(dir, "none"), record}} {
		_, err := replay.Compare(pair[0], pair[1], replay.Exact)
		assert.ErrorIs(t, err, os.ErrNotExist)
	}
	_, err := replay.Compare(record, dir, replay.Exact)
	assert.Error(t, err, "a directory")
}

// Same is said of the same lines and of nothing else: two logs made of a few lines, whole
// or cut, against a comparison of the texts.
func TestCompareEqualsDumbTwin(t *testing.T) {
	dir, zero, _ := pair(t)
	pool := append(slices.Clone(zero), `0 stop: step=2 clock=2 queue=0 pending=""`, `0 resume: step=2 clock=2`)
	rapid.Check(t, func(t *rapid.T) {
		begin := rapid.IntRange(1, len(zero)).Draw(t, "in common")
		draw := func(name string) string {
			text := log(append(slices.Clone(zero[:begin]), rapid.SliceOfN(rapid.SampledFrom(pool), 0, 2).Draw(t, name)...)...)
			return text[:len(text)-rapid.SampledFrom([]int{0, 0, 0, 1, 20, 90}).Draw(t, name+" cut")]
		}
		was, is := draw("was"), draw("is")
		c, err := two(t, dir, was, is, replay.Exact)
		common := 0
		wasLines, isLines := strings.SplitAfter(was, "\n"), strings.SplitAfter(is, "\n")
		for common < min(len(wasLines), len(isLines))-1 && wasLines[common] == isLines[common] {
			common++
		}
		if err != nil {
			require.ErrorIs(t, err, logging.ErrTorn)
			require.False(t, strings.HasSuffix(is, "\n") && strings.Contains(was, "\n"), "only a torn replay is an error")
			return
		}
		require.Equal(t, common, c.Lines)
		require.Equal(t, was == is, c.Outcome == replay.Same)
		goesOn := common < len(isLines)-1
		last, rest := wasLines[common], len(wasLines)-1-common // whole lines of the record after those
		switch c.Outcome {
		case replay.Stopped, replay.StopDiffers:
			require.True(t, goesOn && rest == 1 && strings.Contains(last, ": stop: "))
			require.Equal(t, c.Outcome == replay.StopDiffers, strings.Contains(isLines[common], ": stop: "))
		case replay.BrokenOff:
			require.True(t, goesOn && rest == 0 && strings.HasPrefix(isLines[common], last))
		case replay.Differs:
			require.False(t, goesOn && rest == 0 && strings.HasPrefix(isLines[common], last) && !strings.Contains(wasLines[common-1], ": stop: "),
				"all that there is of the record is the same")
		}
	})
}

package trace_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/trace"
	"github.com/scalemodel/lamport/pkg/trace/tracetest"
)

// goodRun draws a run that keeps the laws: any rates, delays, clocks that are
// off, and machines that came back.
func goodRun(t *rapid.T) logs {
	cfg := tracetest.Config{
		Duration: time.Duration(rapid.IntRange(0, 3000).Draw(t, "duration")) * time.Millisecond,
		Seed:     rapid.Uint64().Draw(t, "seed"),
		Die:      rapid.IntRange(1, 10).Draw(t, "die"),
		Delay:    time.Duration(rapid.IntRange(0, 1000).Draw(t, "delay")) * time.Millisecond,
	}
	for _, r := range rapid.SliceOfN(rapid.Uint64Range(1, 20), 1, 5).Draw(t, "rates") {
		cfg.Rates = append(cfg.Rates, tracetest.Hertz(r)...)
	}
	if off := time.Duration(rapid.IntRange(0, 500).Draw(t, "off")) * time.Millisecond; off > 0 {
		cfg.Time = func(machine int, elapsed time.Duration) time.Duration {
			if machine%2 == 1 && elapsed > time.Second { // and set back
				return elapsed - off
			}
			return elapsed + time.Duration(machine)*off
		}
	}
	l := record(t, cfg)
	if rapid.IntRange(0, 3).Draw(t, "comes back") == 0 {
		name := rapid.SampledFrom(l.names()).Draw(t, "who")
		l.comeBack(name, rapid.IntRange(1, len(l.lines(name))-1).Draw(t, "where"))
	}
	return l
}

var stepAndClock = regexp.MustCompile(`step=(\d+) clock=(\d+)`)

// comeBack puts a resume line behind the first n lines of a log.
func (l logs) comeBack(name string, n int) {
	lines := l.lines(name)
	step, clock := "0", "0"
	if m := stepAndClock.FindStringSubmatch(lines[n-1]); m != nil {
		step, clock = m[1], m[2]
	}
	head, _, _ := strings.Cut(lines[n-1], ": ")
	l.setLines(name, slices.Insert(lines, n, fmt.Sprintf("%s: resume: step=%s clock=%s\n", head, step, clock)))
}

// mutation is one change to a run's logs.
type mutation struct {
	name string
	// do makes the change, and says what it changed in which line, or nothing
	// if that cannot be done here.
	do func(t *rapid.T, l logs) changed
}

type changed struct {
	log  string
	line int // 0: no line that is still there
}

// someLine changes the lines of some log, of which it is given one that has the
// pattern.
func someLine(name, pattern string, do func(t *rapid.T, l logs, lines []string, i int) []string) mutation {
	re := regexp.MustCompile(pattern)
	return mutation{name, func(t *rapid.T, l logs) changed {
		var logs []string
		for _, log := range l.names() {
			if slices.ContainsFunc(l.lines(log), re.MatchString) {
				logs = append(logs, log)
			}
		}
		if logs == nil {
			return changed{}
		}
		log := rapid.SampledFrom(logs).Draw(t, "log")
		lines := l.lines(log)
		var at []int
		for i := range lines {
			if re.MatchString(lines[i]) {
				at = append(at, i)
			}
		}
		i := rapid.SampledFrom(at).Draw(t, "line")
		if lines = do(t, l, lines, i); lines == nil {
			return changed{}
		}
		l.setLines(log, lines)
		return changed{log: log}
	}}
}

// number replaces a number, given by a pattern with one group, in some line of some
// log.
func number(pattern string) mutation {
	re := regexp.MustCompile(pattern)
	line := 0
	m := someLine(pattern, pattern, func(t *rapid.T, _ logs, lines []string, i int) []string {
		line = i + 1
		group := re.FindStringSubmatchIndex(lines[i])
		old, _ := strconv.ParseUint(lines[i][group[2]:group[3]], 10, 64)
		value := rapid.OneOf(
			rapid.Just(old+1), rapid.Just(old-1), rapid.Just(old+2), rapid.Just(2*old),
			rapid.Uint64Range(0, 20), rapid.Uint64(),
		).Filter(func(v uint64) bool { return v != old }).Draw(t, "value")
		lines[i] = lines[i][:group[2]] + strconv.FormatUint(value, 10) + lines[i][group[3]:]
		return lines
	})
	return mutation{m.name, func(t *rapid.T, l logs) changed {
		at := m.do(t, l)
		at.line = line
		return at
	}}
}

const notResume = ": (start|internal|send|receive|stop): "

// caught are the mutations after which no run is correct.
var caught = []mutation{
	number(` step=(\d+)`), number(` clock=(\d+)`),
	number(`(?:to="?|,)\d+:(\d+)`), number(`(?:to="?|,)(\d+):`),
	number(`from=(\d+)`), number(`seq=(\d+)`), number(`sent=(\d+)`),
	number(`stop:.* queue=(\d+)`), number(`pending="?(\d+):`), number(`pending="?\d+:(\d+)`),
	number(`machines=(\d+)`), number(`rate=(\d+)`), number(`peers="?(\d+)`), number(`vm-(\d+)`),
	// To come back, or to come back twice, changes nothing.
	someLine("leave a line out", notResume, func(_ *rapid.T, _ logs, lines []string, i int) []string {
		return slices.Delete(lines, i, i+1)
	}),
	someLine("a line twice", notResume, func(_ *rapid.T, _ logs, lines []string, i int) []string {
		return slices.Insert(lines, i, lines[i])
	}),
	someLine("two lines swapped", "", func(_ *rapid.T, _ logs, lines []string, i int) []string {
		if i == 0 {
			return nil
		}
		lines[i-1], lines[i] = lines[i], lines[i-1]
		return lines
	}),
	someLine("a line taken from anywhere", "", func(t *rapid.T, l logs, lines []string, i int) []string {
		from := l.lines(rapid.SampledFrom(l.names()).Draw(t, "from"))
		line := rapid.SampledFrom(from).Draw(t, "taken")
		if line == lines[i] || strings.Contains(line, " resume: ") {
			return nil
		}
		return slices.Insert(lines, i, line)
	}),
	someLine("a line replaced by any other", "", func(t *rapid.T, l logs, lines []string, i int) []string {
		from := l.lines(rapid.SampledFrom(l.names()).Draw(t, "from"))
		line := rapid.SampledFrom(from).Draw(t, "taken")
		if line == lines[i] {
			return nil
		}
		lines[i] = line
		return lines
	}),
	someLine("broken off", "", func(_ *rapid.T, _ logs, lines []string, i int) []string { return lines[:i] }),
	someLine("torn", "", func(t *rapid.T, _ logs, lines []string, i int) []string {
		n := rapid.IntRange(1, len(lines[i])-1).Draw(t, "bytes")
		return append(lines[:i], lines[i][:n])
	}),
	{"something behind the end", func(t *rapid.T, l logs) changed {
		name := rapid.SampledFrom(l.names()).Draw(t, "log")
		line := rapid.SampledFrom(l.lines(name)).Draw(t, "line")
		l[name] += line[:rapid.IntRange(1, len(line)).Draw(t, "bytes")]
		return changed{log: name}
	}},
	someLine("an internal event for another", " (send|receive): ", func(_ *rapid.T, _ logs, lines []string, i int) []string {
		lines[i] = regexp.MustCompile(`(send|receive)(: step=\d+ clock=\d+ queue=\d+).*`).ReplaceAllString(lines[i], "internal$2")
		return lines
	}),
	someLine("an invented send", " internal: ", func(t *rapid.T, _ logs, lines []string, i int) []string {
		head, tail, _ := strings.Cut(strings.TrimSuffix(lines[i], "\n"), "internal")
		lines[i] = fmt.Sprintf("%ssend%s to=%d:%d\n", head, tail, rapid.IntRange(0, 5).Draw(t, "to"), rapid.Uint64Range(0, 9).Draw(t, "seq"))
		return lines
	}),
	someLine("an invented receive", " internal: ", func(t *rapid.T, _ logs, lines []string, i int) []string {
		head, tail, _ := strings.Cut(strings.TrimSuffix(lines[i], "\n"), "internal")
		lines[i] = fmt.Sprintf("%sreceive%s from=%d seq=%d sent=0\n", head, tail, rapid.IntRange(0, 5).Draw(t, "from"), rapid.Uint64Range(0, 9).Draw(t, "seq"))
		return lines
	}),
	{"a log missing", func(t *rapid.T, l logs) changed {
		if len(l) == 1 {
			return changed{}
		}
		name := rapid.SampledFrom(l.names()).Draw(t, "log")
		delete(l, name)
		return changed{log: name}
	}},
	{"a log twice", func(t *rapid.T, l logs) changed {
		name := rapid.SampledFrom(l.names()).Draw(t, "log")
		l[strings.Replace(name, ".log", "0.log", 1)] = l[name]
		return changed{log: name}
	}},
	{"a log under another name", func(t *rapid.T, l logs) changed {
		a, b := rapid.SampledFrom(l.names()).Draw(t, "log"), rapid.SampledFrom(l.names()).Draw(t, "other")
		if a == b {
			return changed{}
		}
		l[a], l[b] = l[b], l[a]
		return changed{log: a}
	}},
	{"a log of another run", func(t *rapid.T, l logs) changed {
		name := rapid.SampledFrom(l.names()).Draw(t, "log")
		die := regexp.MustCompile(`die=(\d+)`).FindStringSubmatch(l[name])
		if len(l) == 1 || die == nil {
			return changed{}
		}
		rates := regexp.MustCompile(`vm_\d+_(\d+)`)
		var cfg tracetest.Config
		for id := range len(l) {
			for _, n := range l.names() {
				if strings.HasPrefix(n, fmt.Sprintf("vm_%d_", id)) {
					r, _ := strconv.ParseUint(rates.FindStringSubmatch(n)[1], 10, 64)
					cfg.Rates = append(cfg.Rates, tracetest.Hertz(r)...)
				}
			}
		}
		cfg.Die, _ = strconv.Atoi(die[1])
		cfg.Duration, cfg.Seed = 2*time.Second, rapid.Uint64().Draw(t, "other seed")
		l[name] = strings.Replace(record(t, cfg)[name], "run=test", "run=other", 1)
		return changed{log: name}
	}},
	{"another run's name or die", func(t *rapid.T, l logs) changed {
		if len(l) == 1 { // there is no second witness
			return changed{}
		}
		name := rapid.SampledFrom(l.names()).Draw(t, "log")
		if rapid.Bool().Draw(t, "name") {
			l[name] = strings.Replace(l[name], "run=test", "run=rest", 1)
		} else {
			l[name] = regexp.MustCompile(`die=\d+`).ReplaceAllString(l[name], "die=77")
		}
		return changed{name, 1}
	}},
}

// uncaught are the mutations that leave all laws unbroken, as docs/checking.md says.
var uncaught = []mutation{
	number(`seed=(\d+)`),
	number(`(?:internal|send|receive):.* queue=(\d+)`),
	{"another time", func(t *rapid.T, l logs) changed {
		name := rapid.SampledFrom(l.names()).Draw(t, "log")
		lines := l.lines(name)
		i := rapid.IntRange(0, len(lines)-1).Draw(t, "line")
		if len(lines[i]) < 4 { // another mutation has torn it
			return changed{}
		}
		lines[i] = fmt.Sprintf("%04d%s", rapid.IntRange(1970, 9999).Draw(t, "year"), lines[i][4:])
		l.setLines(name, lines)
		return changed{name, i + 1}
	}},
	{"a resume line more", func(t *rapid.T, l logs) changed {
		name := rapid.SampledFrom(l.names()).Draw(t, "log")
		if len(l.lines(name)) < 2 {
			return changed{}
		}
		l.comeBack(name, rapid.IntRange(1, len(l.lines(name))-1).Draw(t, "line"))
		return changed{log: name}
	}},
	{"another die, in all logs", func(_ *rapid.T, l logs) changed {
		for name := range l {
			l[name] = regexp.MustCompile(`die=\d+`).ReplaceAllString(l[name], "die=77")
		}
		return changed{log: "all"}
	}},
	{"an event left out at the end of a log, and the stop line to go with it", func(_ *rapid.T, l logs) changed {
		for _, name := range l.names() {
			lines := l.lines(name)
			n := len(lines)
			if n < 4 || !strings.Contains(lines[n-2], " internal: ") || !stepAndClock.MatchString(lines[n-3]) {
				continue
			}
			lines[n-1] = stepAndClock.ReplaceAllString(lines[n-1], stepAndClock.FindString(lines[n-3]))
			l.setLines(name, slices.Delete(lines, n-2, n-1))
			return changed{log: name}
		}
		return changed{}
	}},
	someLine("two recipients swapped", ` to="`, func(_ *rapid.T, _ logs, lines []string, i int) []string {
		lines[i] = regexp.MustCompile(`to="(.*),(.*)"`).ReplaceAllString(lines[i], `to="$2,$1"`)
		return lines
	}),
}

// shelf is a directory for one run after the other, which hardly differ: to make
// a file takes far longer than to check it.
type shelf struct {
	dir   string
	holds logs
}

func newShelf(t *testing.T) *shelf { return &shelf{t.TempDir(), make(logs)} }

// open opens the logs. It returns nil where a number is one that no run has.
func (s *shelf) open(t require.TestingT, l logs) *trace.Run {
	for name := range s.holds {
		if _, ok := l[name]; !ok {
			require.NoError(t, os.Remove(filepath.Join(s.dir, name)))
			delete(s.holds, name)
		}
	}
	for name, content := range l {
		if old, ok := s.holds[name]; !ok || old != content {
			require.NoError(t, os.WriteFile(filepath.Join(s.dir, name), []byte(content), 0o666))
			s.holds[name] = content
		}
	}
	run, err := trace.Open(s.dir)
	if err != nil {
		require.ErrorContains(t, err, "expected ")
		require.Nil(t, run)
	}
	return run
}

func TestGoodRunsAreCorrect(t *testing.T) {
	shelf := newShelf(t)
	rapid.Check(t, func(t *rapid.T) {
		run := shelf.open(t, goodRun(t))
		v, err := verdict(t, run, trace.Options{})
		require.NoError(t, err)
		require.Equal(t, trace.Correct, v.State, "%v", v)
		require.Equal(t, v.Sent, v.Received+v.Pending)
		state, laws, err := naiveCheck(t, run.Dir)
		require.NoError(t, err)
		require.Equal(t, trace.Correct, state, "%v", laws)
	})
}

// agrees holds a walk of a mutant against the dumb twin, and returns the verdict, or
// nil where the logs cannot be read.
func agrees(t *rapid.T, run *trace.Run) *trace.Verdict {
	v, err := verdict(t, run, trace.Options{All: true})
	state, laws, naiveErr := naiveCheck(t, run.Dir)
	if err != nil {
		var at *logging.Error
		require.ErrorAs(t, err, &at)
		require.Error(t, naiveErr) // if more is wrong, not necessarily the same
		return nil
	}
	require.NoError(t, naiveErr)
	require.Equal(t, state, v.State, "%v but %v", v, laws)
	require.Equal(t, laws, slices.Sorted(maps.Keys(v.Broken)))
	for _, violation := range v.Violations {
		require.NotEmpty(t, violation.Events)
	}
	return v
}

// No single change to what the laws speak of goes unseen, and where it is a number
// that changed, its line is shown.
func TestMutantsAreCaught(t *testing.T) {
	mutate(t, caught, func(t *rapid.T, run *trace.Run, at changed) {
		v := agrees(t, run)
		if v == nil {
			return // a line that is none
		}
		walksInOrder(t, run)
		require.NotEqual(t, trace.Correct, v.State, "%v", v)
		if v.State == trace.Incomplete {
			require.NotEmpty(t, v.Open)
			return
		}
		require.True(t, at.line == 0 || slices.ContainsFunc(v.Violations, func(v trace.Violation) bool {
			return slices.ContainsFunc(v.Events, func(e trace.Ref) bool {
				return filepath.Base(e.File) == at.log && e.Line == at.line
			})
		}), "%s:%d is not among %v", at.log, at.line, v.Violations)
	})
}

// walksInOrder holds that the walk of a broken run respects happened-before too, as
// long as there is such an order.
func walksInOrder(t *rapid.T, run *trace.Run) {
	n, err := naiveRead(t, run.Dir)
	require.NoError(t, err)
	if n.cyclic() {
		return
	}
	events, v := order(t, run, trace.Options{})
	require.Len(t, events, int(v.Events))
	require.Zero(t, v.Broken[trace.LawAcyclic])
	respects(t, n, events)
}

func TestUncaughtMutants(t *testing.T) {
	mutate(t, uncaught, func(t *rapid.T, run *trace.Run, _ changed) {
		if v := agrees(t, run); v != nil {
			require.Equal(t, trace.Correct, v.State, "%v", v)
		}
	})
}

// mutate makes good runs, and of each one mutant of every kind that it has room for.
func mutate(t *testing.T, mutations []mutation, check func(*rapid.T, *trace.Run, changed)) {
	shelf, made := newShelf(t), make(map[string]int)
	rapid.Check(t, func(t *rapid.T) {
		good := goodRun(t)
		for _, m := range mutations {
			l := maps.Clone(good)
			at := m.do(t, l)
			if at.log == "" {
				continue
			}
			if run := shelf.open(t, l); run != nil {
				t.Log(m.name, at)
				check(t, run, at)
				made[m.name]++
			}
		}
	})
	for _, m := range mutations {
		require.NotZero(t, made[m.name], m.name)
	}
}

// Logs with many things wrong with them are none that the twins differ on.
func TestTwinsAgree(t *testing.T) {
	shelf := newShelf(t)
	rapid.Check(t, func(t *rapid.T) {
		l := goodRun(t)
		for range rapid.IntRange(2, 6).Draw(t, "mutations") {
			m := rapid.SampledFrom(slices.Concat(caught, uncaught)).Draw(t, "mutation")
			m.do(t, l)
			maps.DeleteFunc(l, func(_, content string) bool { return content == "" })
			if len(l) == 0 {
				return
			}
		}
		if run := shelf.open(t, l); run != nil {
			agrees(t, run)
		}
	})
}

// anyLogs draws logs whose lines are well formed and nothing else: small numbers, so
// that much of it fits together by chance, and now and then a huge one.
func anyLogs(t *rapid.T) logs {
	const machines = 4
	number := rapid.OneOf(rapid.Uint64Range(0, 4), rapid.Uint64Range(0, 4), rapid.Uint64Range(0, 4), rapid.SampledFrom([]uint64{1 << 32, 1<<64 - 2, 1<<64 - 1}))
	peer := rapid.IntRange(0, machines)
	count := rapid.IntRange(1, 3)
	l := make(logs)
	for id := range rapid.IntRange(1, machines).Draw(t, "logs") {
		var lines []string
		clock := uint64(0)
		for range rapid.IntRange(0, 10).Draw(t, "lines") {
			if clock++; rapid.IntRange(0, 5).Draw(t, "jump") == 0 {
				clock = number.Draw(t, "clock")
			}
			line := fmt.Sprintf(" clock=%d", clock)
			switch rapid.IntRange(0, 9).Draw(t, "kind") {
			case 0:
				line = "internal" + line
			case 1, 2, 3:
				line = fmt.Sprintf("send%s to=%d:%d", line, peer.Draw(t, "to"), number.Draw(t, "seq"))
			case 4:
				line = fmt.Sprintf("send%s to=\"%d:%d,%d:%d\"", line, peer.Draw(t, "to"), number.Draw(t, "seq"), peer.Draw(t, "to"), number.Draw(t, "seq"))
			case 5, 6, 7, 8:
				line = fmt.Sprintf("receive%s from=%d seq=%d sent=%d", line, peer.Draw(t, "from"), number.Draw(t, "seq"), number.Draw(t, "sent"))
			default:
				line = fmt.Sprintf("resume clock=%d", clock)
			}
			lines = append(lines, line)
		}
		stop := fmt.Sprintf("stop clock=%d", clock)
		queue, waiting := 0, []string(nil)
		for p := range machines + 1 {
			if rapid.IntRange(0, 3).Draw(t, "pending") == 0 {
				n := count.Draw(t, "messages")
				queue += n
				waiting = append(waiting, fmt.Sprintf("%d:%d", p, n))
			}
		}
		pending := strings.Join(waiting, ",")
		if len(waiting) != 1 {
			pending = `"` + pending + `"`
		}
		stop += fmt.Sprintf(" queue=%d pending=%s", queue, pending)
		if rapid.IntRange(0, 5).Draw(t, "undelivered") == 0 {
			stop += fmt.Sprintf(" undelivered=%d:%d", peer.Draw(t, "peer"), count.Draw(t, "messages"))
		}
		switch rapid.IntRange(0, 9).Draw(t, "end") {
		case 0: // no stop line
		case 1:
			lines = append(lines, stop, stop)
		default:
			lines = append(lines, stop)
		}
		log := script(id, machines, lines...)
		if rapid.IntRange(0, 9).Draw(t, "torn") == 0 {
			log = log[:len(log)-1]
		}
		l[fmt.Sprintf("vm_%d_1.log", id)] = log
	}
	return l
}

// The checker stands up to logs that no machine has written.
func TestTwinsAgreeOnAnyLogs(t *testing.T) {
	shelf := newShelf(t)
	rapid.Check(t, func(t *rapid.T) {
		run := shelf.open(t, anyLogs(t))
		agrees(t, run)
		n, err := naiveRead(t, run.Dir)
		require.NoError(t, err)
		if !n.cyclic() {
			events, _ := order(t, run, trace.Options{Vectors: true})
			respects(t, n, events)
		}
	})
}

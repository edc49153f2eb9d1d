package trace_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/trace"
)

const (
	log0 = "vm_0_1.log"
	log1 = "vm_1_2.log"
)

func TestGoodRun(t *testing.T) {
	v := small(t).check(t)
	require.Equal(t, &trace.Verdict{
		State: trace.Correct, Machines: 2, Events: 15, Sent: 5, Received: 4, Pending: 1, Broken: map[trace.Law]uint64{},
	}, v)
	require.Equal(t, "correct: all laws hold for 15 events on 2 machines; 5 messages sent = 4 received + 1 pending", v.String())
}

// damage is one thing wrong with the small run.
type damage struct {
	name string
	do   func(t testing.TB, l logs)
	// laws are all that are broken, with how often.
	laws map[trace.Law]uint64
	// first says where the first violation shows: "law file:line file:line …".
	first string
	// shown is the law for which this is the example of docs/checking.md.
	shown trace.Law
}

// edit returns what replaces the only occurrence of old in a log.
func edit(name, old, fresh string) func(testing.TB, logs) {
	return func(t testing.TB, l logs) { l.edit(t, name, old, fresh) }
}

// move returns what takes line `from` of a log (1, 2, …) out, and puts it in again as
// line `to`, if that is not 0.
func move(name string, from, to int) func(testing.TB, logs) {
	return func(_ testing.TB, l logs) {
		lines := l.lines(name)
		line := lines[from-1]
		lines = slices.Delete(lines, from-1, from)
		if to > 0 {
			lines = slices.Insert(lines, to-1, line)
		}
		l.setLines(name, lines)
	}
}

// add returns what puts a line into a log, as line n.
func add(name string, n int, line string) func(testing.TB, logs) {
	return func(_ testing.TB, l logs) { l.setLines(name, slices.Insert(l.lines(name), n-1, line+"\n")) }
}

// twice returns what repeats line n of a log.
func twice(name string, n int) func(testing.TB, logs) {
	return func(_ testing.TB, l logs) { l.setLines(name, slices.Insert(l.lines(name), n, l.lines(name)[n-1])) }
}

// all does one thing after the other.
func all(do ...func(testing.TB, logs)) func(testing.TB, logs) {
	return func(t testing.TB, l logs) {
		for _, f := range do {
			f(t, l)
		}
	}
}

var damages = []damage{
	// step
	{"a hole in the steps", move(log1, 6, 0), // internal, step 5
		map[trace.Law]uint64{trace.LawStep: 1}, "step vm_1_2.log:6 vm_1_2.log:5", "step"},
	{"a step twice", twice(log1, 2),
		map[trace.Law]uint64{trace.LawStep: 1, trace.LawIncrement: 1}, "step vm_1_2.log:3 vm_1_2.log:2", ""},
	{"two events swapped", move(log1, 2, 3),
		map[trace.Law]uint64{trace.LawStep: 3, trace.LawIncrement: 3}, "step vm_1_2.log:2 vm_1_2.log:1", ""},
	{"a step that is not counted up", edit(log1, "internal: step=5 clock=5", "internal: step=4 clock=5"),
		map[trace.Law]uint64{trace.LawStep: 2}, "step vm_1_2.log:6 vm_1_2.log:5", ""},
	{"steps that start at 0", edit(log1, "internal: step=1 ", "internal: step=0 "),
		map[trace.Law]uint64{trace.LawStep: 2}, "step vm_1_2.log:2 vm_1_2.log:1", ""},
	{"a stop at another step", edit(log0, "stop: step=5", "stop: step=6"),
		map[trace.Law]uint64{trace.LawStep: 1}, "step vm_0_1.log:7 vm_0_1.log:6", ""},
	{"a step after the largest", edit(log0, "internal: step=1 ", "internal: step=18446744073709551615 "),
		map[trace.Law]uint64{trace.LawStep: 2}, "step vm_0_1.log:2 vm_0_1.log:1", ""},

	// increment
	{"an internal event that counts twice", edit(log1, "internal: step=5 clock=5", "internal: step=5 clock=6"),
		map[trace.Law]uint64{trace.LawIncrement: 1, trace.LawReceive: 1}, "increment vm_1_2.log:6 vm_1_2.log:5", "increment"},
	{"an internal event that does not count", edit(log1, "internal: step=2 clock=2", "internal: step=2 clock=1"),
		map[trace.Law]uint64{trace.LawIncrement: 2}, "increment vm_1_2.log:3 vm_1_2.log:2", ""},
	{"a clock that regresses", edit(log1, "internal: step=7 clock=7", "internal: step=7 clock=3"),
		map[trace.Law]uint64{trace.LawIncrement: 1, trace.LawReceive: 1}, "increment vm_1_2.log:8 vm_1_2.log:7", ""},
	{"a send that does not count", edit(log0, "send: step=4 clock=6", "send: step=4 clock=5"),
		map[trace.Law]uint64{trace.LawIncrement: 1, trace.LawMatch: 1}, "increment vm_0_1.log:5 vm_0_1.log:4", ""},
	{"a clock that starts at 0", edit(log0, "internal: step=1 clock=1", "internal: step=1 clock=0"),
		map[trace.Law]uint64{trace.LawIncrement: 1}, "increment vm_0_1.log:2 vm_0_1.log:1", ""},
	{"a stop at another clock", edit(log0, "stop: step=5 clock=10", "stop: step=5 clock=9"),
		map[trace.Law]uint64{trace.LawIncrement: 1}, "increment vm_0_1.log:7 vm_0_1.log:6", ""},
	{"a clock that wraps", func(_ testing.TB, l logs) {
		l[log0] = script(0, 1, "internal clock=18446744073709551615", "internal clock=0", `stop clock=0 queue=0 pending=""`)
		delete(l, log1)
	}, map[trace.Law]uint64{trace.LawIncrement: 2}, "increment vm_0_1.log:2 vm_0_1.log:1", ""},

	// receive
	{"a receive that does not count", edit(log0, "receive: step=2 clock=4", "receive: step=2 clock=3"),
		map[trace.Law]uint64{trace.LawReceive: 1, trace.LawIncrement: 1, trace.LawCondition: 1}, "receive vm_0_1.log:3 vm_0_1.log:2", ""},
	{"a receive of an old message that does not count", edit(log1, "receive: step=6 clock=6", "receive: step=6 clock=5"),
		map[trace.Law]uint64{trace.LawReceive: 1, trace.LawIncrement: 1, trace.LawCondition: 1}, "receive vm_1_2.log:7 vm_1_2.log:6", ""},
	{"a receive that adds instead of taking the larger", edit(log0, "receive: step=5 clock=10", "receive: step=5 clock=16"),
		map[trace.Law]uint64{trace.LawReceive: 1, trace.LawIncrement: 1}, "receive vm_0_1.log:6 vm_0_1.log:5", ""},
	{"a receive that ignores its message", edit(log0, "receive: step=2 clock=4", "receive: step=2 clock=2"),
		map[trace.Law]uint64{trace.LawReceive: 1, trace.LawIncrement: 1, trace.LawCondition: 1}, "receive vm_0_1.log:3 vm_0_1.log:2", "receive"},

	// match
	{"a stamp from before the increment", edit(log0, "receive: step=2 clock=4 queue=0 from=1 seq=1 sent=3", "receive: step=2 clock=3 queue=0 from=1 seq=1 sent=2"),
		map[trace.Law]uint64{trace.LawMatch: 1, trace.LawCondition: 1, trace.LawIncrement: 1}, "match vm_0_1.log:3 vm_1_2.log:4", "condition"},
	{"another stamp", edit(log1, "sent=5", "sent=4"),
		map[trace.Law]uint64{trace.LawMatch: 1}, "match vm_1_2.log:7 vm_0_1.log:4", "match"},
	{"an invented message, and all numbers after it shifted", all(
		edit(log0, "internal: step=1 clock=1 queue=0", "receive: step=1 clock=1 queue=0 from=1 seq=1 sent=0"),
		edit(log0, "receive: step=2 clock=4 queue=0 from=1 seq=1", "receive: step=2 clock=4 queue=0 from=1 seq=2"),
		edit(log0, "receive: step=5 clock=10 queue=0 from=1 seq=2", "receive: step=5 clock=10 queue=0 from=1 seq=4")),
		map[trace.Law]uint64{trace.LawMatch: 3, trace.LawFIFO: 1, trace.LawCondition: 2, trace.LawConservation: 1, trace.LawAcyclic: 1}, "match vm_0_1.log:2 vm_1_2.log:4", ""},
	{"a message that nobody sent", edit(log1, "internal: step=1 clock=1 queue=0", "receive: step=1 clock=1 queue=0 from=0 seq=9 sent=0"),
		map[trace.Law]uint64{trace.LawMatch: 1, trace.LawFIFO: 2, trace.LawConservation: 1}, "fifo vm_1_2.log:2 vm_0_1.log:4", ""},
	{"a message of nobody", edit(log1, "from=0 seq=2", "from=2 seq=2"),
		map[trace.Law]uint64{trace.LawMatch: 1, trace.LawConservation: 1}, "match vm_1_2.log:9", ""},
	{"a message to nobody", edit(log0, "to=1:2", "to=2:2"),
		map[trace.Law]uint64{trace.LawMatch: 2, trace.LawConservation: 1}, "match vm_0_1.log:5", ""},
	{"a message to oneself", edit(log0, "to=1:2", "to=0:2"),
		map[trace.Law]uint64{trace.LawMatch: 2, trace.LawConservation: 1}, "match vm_0_1.log:5", ""},
	{"a message of oneself", edit(log1, "from=0 seq=2", "from=1 seq=2"),
		map[trace.Law]uint64{trace.LawMatch: 1, trace.LawConservation: 1}, "match vm_1_2.log:9", ""},
	{"a number used twice", edit(log0, "to=1:2", "to=1:1"),
		map[trace.Law]uint64{trace.LawMatch: 2}, "match vm_0_1.log:5 vm_0_1.log:4", ""},

	// condition
	{"all stamps from before the increment", all(
		edit(log0, "receive: step=2 clock=4 queue=0 from=1 seq=1 sent=3", "receive: step=2 clock=3 queue=0 from=1 seq=1 sent=2"),
		edit(log0, "send: step=3 clock=5", "send: step=3 clock=4"),
		edit(log0, "send: step=4 clock=6", "send: step=4 clock=5"),
		edit(log0, "receive: step=5 clock=10 queue=0 from=1 seq=2 sent=9", "receive: step=5 clock=9 queue=0 from=1 seq=2 sent=8"),
		edit(log0, "stop: step=5 clock=10", "stop: step=5 clock=9"),
		edit(log1, "seq=1 sent=5", "seq=1 sent=3"), edit(log1, "seq=2 sent=6", "seq=2 sent=4")),
		map[trace.Law]uint64{trace.LawMatch: 4, trace.LawCondition: 2}, "match vm_0_1.log:3 vm_1_2.log:4", ""},

	// fifo
	{"a receive left out", all(
		edit(log0, "receive: step=2 clock=4 queue=0 from=1 seq=1 sent=3", "receive: step=2 clock=10 queue=0 from=1 seq=2 sent=9"),
		edit(log0, "send: step=3 clock=5", "send: step=3 clock=11"), edit(log0, "send: step=4 clock=6", "send: step=4 clock=12"),
		edit(log0, "receive: step=5 clock=10 queue=0 from=1 seq=2 sent=9", "internal: step=5 clock=13 queue=0"),
		edit(log0, "stop: step=5 clock=10", "stop: step=5 clock=13")),
		map[trace.Law]uint64{trace.LawFIFO: 1, trace.LawConservation: 1, trace.LawAcyclic: 1, trace.LawMatch: 2, trace.LawCondition: 2},
		"acyclic vm_0_1.log:3 vm_0_1.log:4 vm_1_2.log:7 vm_1_2.log:10", ""},
	{"two receives swapped", all(
		edit(log1, "seq=1 sent=5", "seq=X sent=5"), edit(log1, "seq=2 sent=6", "seq=1 sent=5"), edit(log1, "seq=X sent=5", "seq=2 sent=6")),
		map[trace.Law]uint64{trace.LawReceive: 1, trace.LawFIFO: 2, trace.LawCondition: 1}, "receive vm_1_2.log:7 vm_1_2.log:6", ""},
	{"overtaken", all( // as above, with the clocks that go with it
		edit(log1, "step=6 clock=6 queue=0 from=0 seq=1 sent=5", "step=6 clock=7 queue=0 from=0 seq=2 sent=6"),
		edit(log1, "step=7 clock=7", "step=7 clock=8"),
		edit(log1, "step=8 clock=8 queue=0 from=0 seq=2 sent=6", "step=8 clock=9 queue=0 from=0 seq=1 sent=5"),
		edit(log1, "step=9 clock=9", "step=9 clock=10"), edit(log1, "send: step=10 clock=10", "send: step=10 clock=11"),
		edit(log1, "stop: step=10 clock=10", "stop: step=10 clock=11"),
		edit(log0, "step=5 clock=10 queue=0 from=1 seq=2 sent=9", "step=5 clock=11 queue=0 from=1 seq=2 sent=10"),
		edit(log0, "stop: step=5 clock=10", "stop: step=5 clock=11")),
		map[trace.Law]uint64{trace.LawFIFO: 2}, "fifo vm_1_2.log:7 vm_0_1.log:4", "fifo"},
	{"a receive twice", edit(log1, "seq=2 sent=6", "seq=1 sent=5"),
		map[trace.Law]uint64{trace.LawFIFO: 1}, "fifo vm_1_2.log:9 vm_1_2.log:7", ""},
	{"a number left out", edit(log1, "to=0:3", "to=0:4"),
		map[trace.Law]uint64{trace.LawFIFO: 1}, "fifo vm_1_2.log:11 vm_1_2.log:10", ""},
	{"numbers that start at 0", edit(log0, "to=1:1", "to=1:0"),
		map[trace.Law]uint64{trace.LawFIFO: 2, trace.LawMatch: 1}, "fifo vm_0_1.log:4", ""},
	{"numbers that go back", all(
		edit(log0, "to=1:1", "to=1:X"), edit(log0, "to=1:2", "to=1:1"), edit(log0, "to=1:X", "to=1:2"),
		edit(log1, "seq=1 sent=5", "seq=2 sent=5"), edit(log1, "clock=8 queue=0 from=0 seq=2", "clock=8 queue=0 from=0 seq=1")),
		map[trace.Law]uint64{trace.LawFIFO: 4}, "fifo vm_0_1.log:4", ""},
	{"a huge number", edit(log0, "to=1:1", "to=1:18446744073709551615"),
		map[trace.Law]uint64{trace.LawFIFO: 2, trace.LawMatch: 1}, "fifo vm_0_1.log:4", ""},

	// conservation
	{"a lost message", edit(log0, "queue=1 pending=1:1", `queue=0 pending=""`),
		map[trace.Law]uint64{trace.LawConservation: 1}, "conservation vm_0_1.log:7 vm_1_2.log:12 vm_1_2.log:11", "conservation"},
	{"a message from nowhere", edit(log0, "queue=1 pending=1:1", "queue=2 pending=1:2"),
		map[trace.Law]uint64{trace.LawConservation: 1}, "conservation vm_0_1.log:7 vm_1_2.log:12 vm_0_1.log:6", ""},
	{"a queue that is not what is pending", edit(log0, "queue=1 pending", "queue=2 pending"),
		map[trace.Law]uint64{trace.LawConservation: 1}, "conservation vm_0_1.log:7", ""},
	{"pending messages of nobody", edit(log0, "pending=1:1", "pending=2:1"),
		map[trace.Law]uint64{trace.LawConservation: 2}, "conservation vm_0_1.log:7", ""},
	{"pending messages of oneself", edit(log0, "pending=1:1", "pending=0:1"),
		map[trace.Law]uint64{trace.LawConservation: 2}, "conservation vm_0_1.log:7", ""},
	{"undelivered messages to nobody", edit(log0, "pending=1:1", "pending=1:1 undelivered=7:1"),
		map[trace.Law]uint64{trace.LawConservation: 1}, "conservation vm_0_1.log:7", ""},
	{"sums beyond the largest number", edit(log0, "queue=1 pending=1:1", `queue=0 pending="1:18446744073709551615,2:1"`),
		map[trace.Law]uint64{trace.LawConservation: 3}, "conservation vm_0_1.log:7", ""},
	{"more received than sent, and a sum that would hide it", all(
		edit(log1, "internal: step=7 clock=7 queue=0", "receive: step=7 clock=7 queue=0 from=0 seq=2 sent=6"),
		edit(log1, `queue=0 pending=""`, "queue=0 pending=0:18446744073709551615")),
		map[trace.Law]uint64{trace.LawFIFO: 1, trace.LawConservation: 2}, "fifo vm_1_2.log:9 vm_1_2.log:8", ""},

	// acyclic
	{"two receives before their sends", func(_ testing.TB, l logs) { cycle(l, 2) },
		map[trace.Law]uint64{trace.LawAcyclic: 1, trace.LawCondition: 2, trace.LawMatch: 2}, "acyclic vm_0_1.log:2 vm_0_1.log:3 vm_1_1.log:2 vm_1_1.log:3", "acyclic"},

	// run
	{"no start line", move(log0, 1, 0),
		map[trace.Law]uint64{trace.LawRun: 1}, "run vm_0_1.log:1", ""},
	{"a start line further down", move(log0, 1, 2),
		map[trace.Law]uint64{trace.LawRun: 1}, "run vm_0_1.log:1", ""},
	{"two start lines", twice(log0, 1),
		map[trace.Law]uint64{trace.LawRun: 1}, "run vm_0_1.log:2 vm_0_1.log:1", ""},
	{"a line after the stop", twice(log0, 7),
		map[trace.Law]uint64{trace.LawRun: 1}, "run vm_0_1.log:8 vm_0_1.log:7", ""},
	{"events after the stop", move(log0, 7, 5),
		map[trace.Law]uint64{trace.LawRun: 1, trace.LawStep: 2, trace.LawIncrement: 2}, "step vm_0_1.log:5 vm_0_1.log:4", ""},
	{"half a line after the stop", func(_ testing.TB, l logs) { l[log0] += "2026-11-22T17:13:46" },
		map[trace.Law]uint64{trace.LawRun: 1}, "run vm_0_1.log:8 vm_0_1.log:7", ""},
	{"a line of another machine", add(log0, 3, "2026-11-22T17:13:41.500000Z [INFO]  vm-1: internal: step=2 clock=2 queue=0"),
		map[trace.Law]uint64{trace.LawRun: 1, trace.LawStep: 1}, "run vm_0_1.log:3", ""},
	{"the log of another machine", func(_ testing.TB, l logs) { l[log0] = l[log1] },
		nil, "run vm_0_1.log:1", ""},
	{"a log of another name", func(_ testing.TB, l logs) { l["vm_0_7.log"] = l[log0]; delete(l, log0) },
		map[trace.Law]uint64{trace.LawRun: 1}, "run vm_0_7.log:1", ""},
	{"a log of another number", func(_ testing.TB, l logs) { l["vm_2_2.log"] = l[log1]; delete(l, log1) },
		nil, "run vm_2_2.log:1", ""},
	{"a log too many", func(_ testing.TB, l logs) { l["vm_0_2.log"] = l[log0] },
		map[trace.Law]uint64{trace.LawRun: 1}, "run vm_0_2.log:1 vm_0_1.log:1", ""},
	{"a machine too many", func(_ testing.TB, l logs) {
		l["vm_2_1.log"] = strings.NewReplacer("machines=3", "machines=2", "run=script", "run=small", `"0,1"`, "0").
			Replace(script(2, 3, `stop clock=0 queue=0 pending=""`))
	}, map[trace.Law]uint64{trace.LawRun: 1}, "run vm_2_1.log:1", ""},
	{"another rate", edit(log0, "rate=1", "rate=1.5"),
		map[trace.Law]uint64{trace.LawRun: 1}, "run vm_0_1.log:1", ""},
	{"another run", edit(log1, "run=small", "run=other"),
		map[trace.Law]uint64{trace.LawRun: 1}, "run vm_1_2.log:1 vm_0_1.log:1", "run"},
	{"another die", edit(log1, "die=10", "die=6"),
		map[trace.Law]uint64{trace.LawRun: 1}, "run vm_1_2.log:1 vm_0_1.log:1", ""},
	{"another number of machines", edit(log1, "machines=2", "machines=3"),
		map[trace.Law]uint64{trace.LawRun: 2}, "run vm_1_2.log:1", ""},
	{"peers left out", edit(log1, "peers=0", `peers=""`),
		map[trace.Law]uint64{trace.LawRun: 1}, "run vm_1_2.log:1", ""},
	{"itself as a peer", edit(log1, "peers=0", "peers=1"),
		map[trace.Law]uint64{trace.LawRun: 1}, "run vm_1_2.log:1", ""},

	// resume
	{"resumed at another step", add(log0, 5, "2026-11-22T17:13:43.500000Z [INFO]  vm-0: resume: step=4 clock=5"),
		map[trace.Law]uint64{trace.LawStep: 2}, "step vm_0_1.log:5 vm_0_1.log:4", ""},
	{"resumed at another clock", add(log0, 5, "2026-11-22T17:13:43.500000Z [INFO]  vm-0: resume: step=3 clock=6"),
		map[trace.Law]uint64{trace.LawIncrement: 2}, "increment vm_0_1.log:5 vm_0_1.log:4", ""},
	{"paused at another step", add(log0, 5, "2026-11-22T17:13:43.500000Z [INFO]  vm-0: pause: step=4 clock=5 elapsed=3.500000"),
		nil, "step vm_0_1.log:5 vm_0_1.log:4", ""},
	{"paused, and gone on", add(log0, 5, "2026-11-22T17:13:43.500000Z [INFO]  vm-0: pause: step=3 clock=5 elapsed=3.500000"),
		map[trace.Law]uint64{trace.LawRun: 1}, "run vm_0_1.log:6 vm_0_1.log:5", ""},
	{"paused, and stopped", add(log0, 7, "2026-11-22T17:13:45.066800Z [INFO]  vm-0: pause: step=5 clock=10 elapsed=5.000000"),
		map[trace.Law]uint64{trace.LawRun: 1}, "run vm_0_1.log:8 vm_0_1.log:7", ""},
	{"paused twice", all(add(log0, 5, "2026-11-22T17:13:43.500000Z [INFO]  vm-0: pause: step=3 clock=5 elapsed=3.500000"),
		add(log0, 6, "2026-11-22T17:13:43.500000Z [INFO]  vm-0: pause: step=3 clock=5 elapsed=3.500000"),
		add(log0, 7, "2026-11-22T17:13:43.500000Z [INFO]  vm-0: resume: step=3 clock=5 elapsed=3.500000")),
		map[trace.Law]uint64{trace.LawRun: 1}, "run vm_0_1.log:6 vm_0_1.log:5", ""},
	{"resumed after the stop", add(log0, 8, "2026-11-22T17:13:46.500000Z [INFO]  vm-0: resume: step=5 clock=10"),
		map[trace.Law]uint64{trace.LawRun: 1}, "run vm_0_1.log:8 vm_0_1.log:7", ""},
}

// cycle replaces the logs by those of a run of n machines, each of which first
// receives from the next one and then sends to the one before.
func cycle(l logs, n int) {
	clear(l)
	for id := range n {
		next, previous := (id+1)%n, (id+n-1)%n
		l[fmt.Sprintf("vm_%d_1.log", id)] = script(id, n,
			fmt.Sprintf("receive clock=%d from=%d seq=1 sent=%d", 2+id, next, 1+id),
			fmt.Sprintf("send clock=%d to=%d:1", 3+id, previous),
			fmt.Sprintf("stop clock=%d queue=0 pending=\"\"", 3+id))
	}
}

// Each law is broken in every way there is, and the checker shows where.
func TestLaws(t *testing.T) {
	for _, d := range damages {
		t.Run(d.name, func(t *testing.T) {
			l := small(t)
			d.do(t, l)
			v := l.check(t)
			require.Equal(t, trace.Broken, v.State)
			require.NotEmpty(t, v.Violations)
			got := []string{string(v.Violations[0].Law)}
			for _, e := range v.Violations[0].Events {
				got = append(got, fmt.Sprintf("%s:%d", filepath.Base(e.File), e.Line))
			}
			if d.laws != nil {
				require.Equal(t, d.laws, v.Broken, "%v", v.Violations)
			}
			require.Equal(t, d.first, strings.Join(got, " "))
			// Each place shows its line.
			for _, v := range v.Violations {
				for _, e := range v.Events {
					require.Equal(t, strings.TrimSuffix(l.lines(filepath.Base(e.File))[e.Line-1], "\n"), e.Text)
				}
			}
		})
	}
}

// The examples of docs/checking.md are what is really said.
func TestDocsShowRealOutput(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "checking.md"))
	require.NoError(t, err)
	shows := func(l logs, text func(*trace.Verdict) string) {
		t.Helper()
		dir := l.dir(t)
		run, err := trace.Open(dir)
		require.NoError(t, err)
		v, err := run.Walk(trace.Options{})
		require.NoError(t, err)
		require.Contains(t, string(page), "\n```text\n"+strings.ReplaceAll(text(v), dir, "runs/small")+"\n```\n")
	}
	shows(small(t), func(v *trace.Verdict) string { return "runs/small: " + v.String() })
	killed := small(t)
	killed.setLines(log1, killed.lines(log1)[:9])
	shows(killed, func(v *trace.Verdict) string {
		return strings.Join(append([]string{"runs/small: " + v.String()}, v.Open...), "\n  ")
	})
	var shown []trace.Law
	for _, d := range damages {
		if d.shown == "" {
			continue
		}
		l := small(t)
		d.do(t, l)
		shows(l, func(v *trace.Verdict) string {
			i := slices.IndexFunc(v.Violations, func(v trace.Violation) bool { return v.Law == d.shown })
			require.GreaterOrEqual(t, i, 0, d.name)
			return v.Violations[i].String()
		})
		shown = append(shown, d.shown)
	}
	require.ElementsMatch(t, trace.Laws, shown)
	for _, law := range trace.Laws {
		require.Contains(t, string(page), "\n### "+string(law)+"\n")
	}
}

// What is missing makes a run incomplete, not broken, and is said.
func TestIncomplete(t *testing.T) {
	const links = "whether messages were lost can be said for 0 of 2 links, those between machines that stopped"
	for _, tt := range []struct {
		name string
		do   func(t testing.TB, l logs)
		want trace.Verdict
	}{
		{"no stop line", move(log0, 7, 0), trace.Verdict{Events: 15, Sent: 5, Received: 4, Open: []string{
			"vm_0_1.log:6: no stop line follows (the machine died, or still runs): what machine 0 did after step 5 is not known", links,
		}}},
		{"paused", func(_ testing.TB, l logs) {
			l.setLines(log0, append(l.lines(log0)[:6], "2026-11-22T17:13:45.100000Z [INFO]  vm-0: pause: step=5 clock=10 elapsed=5.033333\n"))
		}, trace.Verdict{Events: 15, Sent: 5, Received: 4, Paused: 1, Open: []string{
			"vm_0_1.log:7: machine 0 is paused after step 5: it is to be started again, and goes on there", links,
		}}},
		{"paused, and come back", func(_ testing.TB, l logs) {
			l.setLines(log0, append(l.lines(log0)[:6], "2026-11-22T17:13:45.100000Z [INFO]  vm-0: pause: step=5 clock=10 elapsed=5.033333\n",
				"2026-11-22T17:13:46.100000Z [INFO]  vm-0: resume: step=5 clock=10 elapsed=5.033333\n"))
		}, trace.Verdict{Events: 15, Sent: 5, Received: 4, Open: []string{
			"vm_0_1.log:8: no stop line follows (the machine died, or still runs): what machine 0 did after step 5 is not known", links,
		}}},
		{"broken off behind a send", func(_ testing.TB, l logs) { l.setLines(log1, l.lines(log1)[:10]) },
			trace.Verdict{Events: 14, Sent: 4, Received: 4, Pending: 1, Open: []string{
				"vm_1_2.log:10: no stop line follows (the machine died, or still runs): what machine 1 did after step 9 is not known", links,
			}}},
		{"broken off before a send that was received", func(_ testing.TB, l logs) { l.setLines(log1, l.lines(log1)[:9]) },
			trace.Verdict{Events: 13, Sent: 3, Received: 4, Pending: 1, Unmatched: 1, Open: []string{
				"vm_1_2.log:9: no stop line follows (the machine died, or still runs): what machine 1 did after step 8 is not known",
				"receives that cannot be held against their sends, which these logs do not show: 1", links,
			}}},
		{"a torn last line", func(_ testing.TB, l logs) { l[log0] = l[log0][:len(l[log0])-1] },
			trace.Verdict{Events: 15, Sent: 5, Received: 4, Open: []string{
				"vm_0_1.log:7: the last line is torn: what machine 0 did after step 5 is not known", links,
			}}},
		{"nothing but a torn line", func(_ testing.TB, l logs) { l[log0] = l[log0][:20] },
			trace.Verdict{Events: 10, Sent: 3, Received: 2, Unmatched: 2, Open: []string{
				"vm_0_1.log:1: the last line is torn: what machine 0 did after step 0 is not known",
				"receives that cannot be held against their sends, which these logs do not show: 2", links,
			}}},
		{"an empty log", func(_ testing.TB, l logs) { l[log0] = "" },
			trace.Verdict{Events: 10, Sent: 3, Received: 2, Unmatched: 2, Open: []string{
				"vm_0_1.log is empty: what machine 0 did is not known",
				"receives that cannot be held against their sends, which these logs do not show: 2", links,
			}}},
		{"a missing log", func(_ testing.TB, l logs) { delete(l, log0) },
			trace.Verdict{Events: 10, Sent: 3, Received: 2, Unmatched: 2, Open: []string{
				"the log of machine 0 is missing: what it did is not known",
				"receives that cannot be held against their sends, which these logs do not show: 2", links,
			}}},
		{"a machine that left", all(
			edit(log0, "queue=1 pending=1:1", `queue=0 pending=""`), edit(log1, `pending=""`, `pending="" undelivered=0:1`)),
			trace.Verdict{Events: 15, Sent: 5, Received: 4, Undelivered: 1, Open: []string{
				"messages that never reached their recipients, which had left or were cut off: 1 from machine 1 to machine 0",
			}}},
		// A sender that was cut off does not know better, but both logs do.
		{"fewer undelivered than may have been", all(
			edit(log0, "queue=1 pending=1:1", `queue=0 pending=""`), edit(log1, `pending=""`, `pending="" undelivered=0:7`)),
			trace.Verdict{Events: 15, Sent: 5, Received: 4, Undelivered: 1, Open: []string{
				"messages that never reached their recipients, which had left or were cut off: 1 from machine 1 to machine 0",
			}}},
		{"what the recipient has cannot be known", all(
			edit(log1, `pending=""`, `pending="" undelivered=0:1`), move(log0, 7, 0)),
			trace.Verdict{Events: 15, Sent: 5, Received: 4, Open: []string{
				"vm_0_1.log:6: no stop line follows (the machine died, or still runs): what machine 0 did after step 5 is not known", links,
			}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			l := small(t)
			tt.do(t, l)
			l.write(t, dir)
			run, err := trace.Open(dir)
			require.NoError(t, err)
			v, err := run.Walk(trace.Options{})
			require.NoError(t, err)
			for i := range v.Open {
				v.Open[i] = strings.ReplaceAll(v.Open[i], dir+string(filepath.Separator), "")
			}
			tt.want.State, tt.want.Machines, tt.want.Broken = trace.Incomplete, 2, map[trace.Law]uint64{}
			require.Equal(t, &tt.want, v)
			require.Equal(t, fmt.Sprintf("incomplete: no law is broken by %d events on 2 machines, but not all can be said", v.Events), v.String())
		})
	}
}

// A sender that was cut off can only bound what did not arrive. Where all of it has
// arrived, nothing is open; and the bound excuses no more than it covers.
func TestPerhapsUndelivered(t *testing.T) {
	for _, bound := range []string{"0:1", "0:2", "0:18446744073709551615"} {
		l := small(t)
		l.edit(t, log1, `pending=""`, `pending="" undelivered=`+bound)
		v := l.check(t)
		require.Equal(t, trace.Correct, v.State, bound)
		require.Zero(t, v.Undelivered)
		require.Empty(t, v.Open)

		l.edit(t, log0, "queue=1 pending=1:1", "queue=2 pending=1:2") // more than were sent
		require.Equal(t, map[trace.Law]uint64{trace.LawConservation: 1}, l.check(t).Broken)
	}
	l := small(t)
	l.edit(t, log1, `pending=""`, `pending="" undelivered=0:1`)
	l.setLines(log0, slices.Delete(l.lines(log0), 5, 6)) // the last receive, and what was pending
	l.edit(t, log0, "stop: step=5 clock=10 queue=1 pending=1:1", `stop: step=4 clock=6 queue=0 pending=""`)
	require.Equal(t, map[trace.Law]uint64{trace.LawConservation: 1}, l.check(t).Broken, "two are missing")
}

// What is missing excuses nothing that is there.
func TestBrokenAndIncomplete(t *testing.T) {
	for name, d := range map[string]struct {
		do   func(testing.TB, logs)
		laws map[trace.Law]uint64
	}{
		"a hole before a later number": {all(move(log0, 7, 0), edit(log0, "to=1:1", "to=1:3"), edit(log0, "to=1:2", "to=1:4")),
			map[trace.Law]uint64{trace.LawFIFO: 1, trace.LawMatch: 2}},
		"a receive twice, without its sender": {func(t testing.TB, l logs) {
			delete(l, log0)
			l.edit(t, log1, "seq=2 sent=6", "seq=1 sent=6")
		}, map[trace.Law]uint64{trace.LawFIFO: 1}},
		"a torn line and a wrong step": {func(t testing.TB, l logs) {
			l[log0] = l[log0][:len(l[log0])-1]
			l.edit(t, log0, "step=1 ", "step=7 ")
		}, map[trace.Law]uint64{trace.LawStep: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			l := small(t)
			d.do(t, l)
			v := l.check(t)
			require.Equal(t, trace.Broken, v.State)
			require.Equal(t, d.laws, v.Broken)
			require.NotEmpty(t, v.Open)
		})
	}
}

// A list of what is missing does not grow with what is missing.
func TestOpenIsShort(t *testing.T) {
	v := logs{"vm_0_1.log": script(0, 500, "internal clock=1")}.check(t)
	require.Equal(t, trace.Incomplete, v.State)
	require.Equal(t, 500, v.Machines)
	require.Len(t, v.Open, 3)
	require.Equal(t, "the logs of 499 machines are missing, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, …: what they did is not known", v.Open[1])

	l := make(logs)
	for id := range 30 {
		l[fmt.Sprintf("vm_%d_1.log", id)] = script(id, 33, "internal clock=1")
	}
	v = l.check(t)
	require.Len(t, v.Open, 13)
	require.Equal(t, []string{
		"20 more logs break off",
		"the logs of machines 30, 31, 32 are missing: what they did is not known",
		"whether messages were lost can be said for 0 of 1,056 links, those between machines that stopped",
	}, v.Open[10:])
}

// A machine that comes back goes on after its last event.
func TestResume(t *testing.T) {
	l := small(t)
	add(log0, 2, "2026-11-22T17:13:40.500000Z [INFO]  vm-0: resume: step=0 clock=0")(t, l)
	add(log0, 6, "2026-11-22T17:13:43.500000Z [INFO]  vm-0: resume: step=3 clock=5")(t, l)
	add(log0, 7, "2026-11-22T17:13:43.600000Z [INFO]  vm-0: resume: step=3 clock=5")(t, l)
	require.Equal(t, trace.Correct, l.check(t).State)
	// So does one that was paused.
	add(log0, 5, "2026-11-22T17:13:43.100000Z [INFO]  vm-0: pause: step=2 clock=4 elapsed=3.033000")(t, l)
	add(log0, 6, "2026-11-22T17:13:43.200000Z [INFO]  vm-0: resume: step=2 clock=4 elapsed=3.033000")(t, l)
	require.Equal(t, trace.Correct, l.check(t).State)
}

// A send to one machine twice is none that a machine would make, but breaks no law.
func TestTwoMessagesToOne(t *testing.T) {
	require.Equal(t, trace.Correct, logs{
		"vm_0_1.log": script(0, 2, `send clock=1 to="1:1,1:2"`, `stop clock=1 queue=0 pending=""`),
		"vm_1_1.log": script(1, 2, "receive clock=2 from=0 seq=1 sent=1", "receive clock=3 from=0 seq=2 sent=1", `stop clock=3 queue=0 pending=""`),
	}.check(t).State)
}

func TestSingleMachine(t *testing.T) {
	l := logs{"vm_0_1.log": script(0, 1, "internal clock=1", `stop clock=1 queue=0 pending=""`)}
	require.Equal(t, "correct: all laws hold for 1 event on 1 machine; 0 messages sent = 0 received + 0 pending", l.check(t).String())
}

// With All, each violation is kept, and their number says the rest without.
func TestAllViolations(t *testing.T) {
	l := small(t)
	l.edit(t, log0, "internal: step=1 clock=1", "internal: step=7 clock=1")
	l.edit(t, log1, "internal: step=5 clock=5", "internal: step=5 clock=9")
	first, err := l.walk(t, trace.Options{})
	require.NoError(t, err)
	every, err := l.walk(t, trace.Options{All: true})
	require.NoError(t, err)
	require.Equal(t, map[trace.Law]uint64{trace.LawStep: 2, trace.LawIncrement: 1, trace.LawReceive: 1}, first.Broken)
	require.Equal(t, first.Broken, every.Broken)
	require.Len(t, first.Violations, 3)
	require.Len(t, every.Violations, 4)
	require.EqualValues(t, 4, every.Violated())
	require.Equal(t, "BROKEN: 4 violations among 15 events on 2 machines: step (2), increment (1), receive (1)", every.String())
}

// A flood of one law leaves room for the first of another.
func TestViolationsAreBounded(t *testing.T) {
	lines := make([]string, 0, 20_000)
	for i := range cap(lines) {
		lines = append(lines, fmt.Sprintf("internal clock=%d", 2*i+2))
	}
	lines = append(lines, "stop clock=1 queue=3 pending=7:3")
	v, err := logs{"vm_0_1.log": script(0, 1, lines...)}.walk(t, trace.Options{All: true})
	require.NoError(t, err)
	require.Equal(t, map[trace.Law]uint64{trace.LawIncrement: 20_001, trace.LawConservation: 1}, v.Broken)
	require.Len(t, v.Violations, 10_001)
	require.Equal(t, trace.LawConservation, v.Violations[10_000].Law)
}

// What is shown of a line has a bound and does no harm to a terminal.
func TestShownLines(t *testing.T) {
	l := logs{"vm_0_1.log": script(0, 2000), "vm_0_2.log": "\x1b[2J\xff bell\a\n", "vm_0_3.log": "é" + strings.Repeat("€", 1000) + "\n", "vm_0_4.log": ""}
	l.edit(t, "vm_0_1.log", "rate=1", "rate=7")
	v, err := l.walk(t, trace.Options{All: true})
	require.NoError(t, err)
	require.Len(t, v.Violations, 4)
	require.Equal(t, `"\x1b[2J\xff bell\a"`, v.Violations[0].Events[0].Text)
	require.Equal(t, "é"+strings.Repeat("€", 132)+"…", v.Violations[1].Events[0].Text)
	require.Empty(t, v.Violations[2].Events[0].Text)
	require.Less(t, len(v.Violations[3].Events[0].Text), 410)
	require.True(t, strings.HasSuffix(v.Violations[3].Events[0].Text, "…"))
}

// What cannot be read is an error with file and line, and no verdict.
func TestMalformed(t *testing.T) {
	for name, bad := range map[string]struct {
		line int
		do   func(testing.TB, logs)
	}{
		"no log":               {1, func(_ testing.TB, l logs) { l[log1] = "hello\n" }},
		"a newline":            {1, func(_ testing.TB, l logs) { l[log1] = "\n" }},
		"a line in the middle": {4, add(log1, 4, "hello")},
		"a field too many":     {5, edit(log1, "step=4 clock=4 queue=0", "step=4 clock=4 queue=0 x=1")},
		"a number too large":   {5, edit(log1, "step=4", "step=18446744073709551616")},
		"behind the stop":      {13, func(_ testing.TB, l logs) { l[log1] += "hello\n" }},
		"another version":      {1, edit(log1, "version=1", "version=2")},
		"a carriage return":    {2, edit(log1, "clock=1 queue=0\n", "clock=1 queue=0\r\n")},
	} {
		t.Run(name, func(t *testing.T) {
			l := small(t)
			bad.do(t, l)
			v, err := l.walk(t, trace.Options{})
			require.Nil(t, v)
			var at *logging.Error
			require.ErrorAs(t, err, &at)
			require.Equal(t, log1, filepath.Base(at.File))
			require.Equal(t, bad.line, at.Line)
			require.Contains(t, err.Error(), "expected ")
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o666))
	for name, tt := range map[string]struct {
		dir  string
		want string
	}{
		"a missing directory": {filepath.Join(t.TempDir(), "runs"), "cannot be read: no such file or directory; want the directory of a run"},
		"a file":              {file, "cannot be read: not a directory; want the directory of a run"},
		"an empty directory":  {t.TempDir(), "holds no event log (vm_<id>_<rate>.log): want the directory of a run"},
		"other files":         {logs{"run.json": "{}", "vm_0.log": "", "vm_x_1.log": "", "vm_01_1.log": ""}.dir(t), "holds no event log"},
		"a huge machine":      {logs{"vm_1048576_1.log": ""}.dir(t), "expected a machine from 0 to 1048575, found 1048576"},
		"a machine beyond":    {logs{"vm_99999999999999999999_1.log": ""}.dir(t), "expected a machine from 0 to 1048575, found 99999999999999999999"},
		"too many machines": {logs{"vm_0_1.log": strings.Replace(script(0, 2), "machines=2", "machines=1048577", 1)}.dir(t),
			"vm_0_1.log:1: expected at most 1048576 machines, found 1048577"},
	} {
		t.Run(name, func(t *testing.T) {
			run, err := trace.Open(tt.dir)
			require.ErrorContains(t, err, tt.want)
			require.Nil(t, run)
		})
	}
	t.Run("a directory that is called like a log", func(t *testing.T) {
		dir := t.TempDir()
		require.NoError(t, os.Mkdir(filepath.Join(dir, "vm_0_1.log"), 0o777))
		_, err := trace.Open(dir)
		require.ErrorContains(t, err, "vm_0_1.log: expected an event log, found no regular file")
	})
	t.Run("a log that leads nowhere", func(t *testing.T) {
		dir := t.TempDir()
		require.NoError(t, os.Symlink("nowhere", filepath.Join(dir, "vm_0_1.log")))
		_, err := trace.Open(dir)
		require.ErrorIs(t, err, os.ErrNotExist)
	})
}

// A forged first line costs neither time nor memory worth speaking of.
func TestForgedMachines(t *testing.T) {
	l := small(t)
	l.edit(t, log0, "machines=2", "machines=1048576")
	v := l.check(t)
	require.Equal(t, trace.Broken, v.State)
	require.Equal(t, map[trace.Law]uint64{trace.LawRun: 2}, v.Broken)
	require.Len(t, v.Open, 2)
}

// Logs by symbolic link are as good as others, and what else lies in the directory
// does not matter.
func TestOpenFinds(t *testing.T) {
	there := small(t).dir(t)
	dir := logs{"run.json": "{}", "vm_0.err": "", "VM_3_1.log": ""}.dir(t)
	for _, name := range []string{log0, log1} {
		require.NoError(t, os.Symlink(filepath.Join(there, name), filepath.Join(dir, name)))
	}
	run, err := trace.Open(dir)
	require.NoError(t, err)
	require.Equal(t, dir, run.Dir)
	require.Equal(t, 2, run.Machines)
	require.Len(t, run.Logs, 2)
	for id, name := range []string{log0, log1} {
		l := run.Logs[id]
		require.Equal(t, id, l.ID)
		require.Equal(t, filepath.Join(dir, name), l.Name)
		require.Equal(t, name, l.File)
	}

	// A log that goes away between Open and Walk is an error.
	require.NoError(t, os.Remove(filepath.Join(dir, log1)))
	_, err = run.Walk(trace.Options{})
	require.ErrorIs(t, err, os.ErrNotExist)
}

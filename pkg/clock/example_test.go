package clock_test

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
)

// Process a sends a message to process b, which has seen more events already, and
// b answers.
func ExampleLamport() {
	a, b := clock.NewLamport(0), clock.NewLamport(5)

	question, _ := a.Tick() // the message carries the clock after the send
	heard, _ := b.Receive(question)
	answer, _ := b.Tick()
	back, _ := a.Receive(answer)

	fmt.Println("a asks at", question)
	fmt.Println("b hears at", heard)
	fmt.Println("b answers at", answer)
	fmt.Println("a hears at", back)
	// Output:
	// a asks at 1
	// b hears at 6
	// b answers at 7
	// a hears at 8
}

// An event of the process itself: the next timestamp, until there is none.
func ExampleTime_Tick() {
	now, err := clock.Time(0).Tick()
	fmt.Println(now, err)

	_, err = clock.Max.Tick()
	fmt.Println(errors.Is(err, clock.ErrSaturated))
	// Output:
	// 1 <nil>
	// true
}

// A receipt is later than its send, and later than what the process did before,
// however old the message is.
func ExampleTime_Receive() {
	ahead, _ := clock.Time(3).Receive(8)
	behind, _ := clock.Time(8).Receive(3)
	fmt.Println(ahead, behind)
	// Output: 9 9
}

// One forged stamp close to the end would use up every clock that it reaches.
func ExampleTime_ReceiveWithin() {
	now := clock.Time(41)
	_, err := now.ReceiveWithin(clock.Max-1, 1_000_000)
	fmt.Println(errors.Is(err, clock.ErrJump))

	now, _ = now.ReceiveWithin(50, 1_000_000)
	fmt.Println(now)
	// Output:
	// true
	// 51
}

// All events of a run in one order, which every process computes alike from the
// stamps. It puts a cause before its effect; two events with nothing to do
// with each other it puts in some order.
func ExampleStamp_Compare() {
	events := []clock.Stamp{{Time: 3, ID: 0}, {Time: 1, ID: 2}, {Time: 3, ID: 1}, {Time: 1, ID: 0}}
	slices.SortFunc(events, clock.Stamp.Compare)
	for _, e := range events {
		fmt.Printf("at %d on machine %d\n", e.Time, e.ID)
	}
	// Output:
	// at 1 on machine 0
	// at 1 on machine 2
	// at 3 on machine 0
	// at 3 on machine 1
}

func ExampleParseRate() {
	for _, s := range []string{"5", "0.250", "max", "0"} {
		r, err := clock.ParseRate(s)
		fmt.Println(r, r.PerSecond(), err)
	}
	// Output:
	// 5 5 <nil>
	// 0.25 0.25 <nil>
	// max +Inf <nil>
	// 0 0 rate "0": must be above 0
}

// A third of a second is no whole number of nanoseconds, yet after a million
// seconds the ticks are still on time.
func ExampleRate_Due() {
	r := 3 * clock.Hertz
	for _, k := range []uint64{1, 2, 3, 3_000_000} {
		fmt.Println("tick", k, "is due after", time.Duration(r.Due(k)))
	}
	// Output:
	// tick 1 is due after 333.333333ms
	// tick 2 is due after 666.666666ms
	// tick 3 is due after 1s
	// tick 3000000 is due after 277h46m40s
}

func ExampleRate_Ticks() {
	r := 4 * clock.Hertz
	fmt.Println(r.Ticks(int64(time.Minute)), "ticks a minute")
	fmt.Println(r.Ticks(int64(249*time.Millisecond)), "before the first is due")
	// Output:
	// 240 ticks a minute
	// 0 before the first is due
}

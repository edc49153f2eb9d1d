package table_test

import (
	"os"
	"slices"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/internal/table"
	"github.com/scalemodel/lamport/pkg/summary"
)

func ExampleWrite() {
	machines := []summary.Machine{
		{ID: 0, Rate: 1 * clock.Hertz, Elapsed: 10 * time.Second,
			Steps: 10, Internal: 2, Sends: 1, Receives: 7, Sent: 1,
			Clock: 31, MeanJump: 3.1, MaxJump: 9, MeanQueue: 1.5, MaxQueue: 4, Queue: 4},
		{ID: 1, Rate: 5 * clock.Hertz, Elapsed: 10 * time.Second,
			Steps: 50, Internal: 37, Sends: 12, Receives: 1, Sent: 12,
			Clock: 50, MeanJump: 1, MaxJump: 1, Queue: 1},
	}
	_ = table.Write(os.Stdout, slices.Values(machines), table.Options{Machines: 2})
	// Output:
	//                            events              clock     jump      queue            messages
	// machine  rate  internal  send  receive  total    end  mean  max  mean  max  sent  received  pending
	// ───────────────────────────────────────────────────────────────────────────────────────────────────
	// vm-0        1         2     1        7     10     31  3.10    9  1.50    4     1         7        4
	// vm-1        5        37    12        1     50     50  1.00    1  0.00    0    12         1        1
	// ───────────────────────────────────────────────────────────────────────────────────────────────────
	// all                  39    13        8     60     50  1.35    9  0.25    4    13         8        5
	//
	// events       60 events on 2 machines in 10.0 s, 6.00 per second
	// messages     13 sent = 8 received + 5 pending: all accounted for
}

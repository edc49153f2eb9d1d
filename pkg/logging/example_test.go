package logging_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/logging"
)

func ExampleWriter() {
	w := logging.NewWriter(os.Stdout, 0) // or a File
	start := time.Date(2026, 11, 22, 17, 13, 40, 66633000, time.UTC)
	w.Start(start, logging.Start{Run: "q7f3k2", Machines: 3, Rate: clock.Hertz, Seed: 42, Die: 10, Peers: []int{1, 2}})

	send := event.Event{Step: 1, Clock: 1, Kind: event.Send}
	send.SetMessages(
		event.Message{From: 0, To: 1, Seq: 1, Sent: 1},
		event.Message{From: 0, To: 2, Seq: 1, Sent: 1},
	)
	w.Event(start.Add(time.Second), &send)
	w.Event(start.Add(2*time.Second), &event.Event{Step: 2, Clock: 2, Kind: event.Internal})
	w.Stop(start.Add(3*time.Second), logging.Stop{Step: 2, Clock: 2})

	if err := w.Flush(); err != nil { // nothing was written until here
		fmt.Println(err)
	}
	// Output:
	// 2026-11-22T17:13:40.066633Z [INFO]  vm-0: start: version=1 run=q7f3k2 machines=3 rate=1 seed=42 die=10 peers="1,2"
	// 2026-11-22T17:13:41.066633Z [INFO]  vm-0: send: step=1 clock=1 queue=0 to="1:1,2:1"
	// 2026-11-22T17:13:42.066633Z [INFO]  vm-0: internal: step=2 clock=2 queue=0
	// 2026-11-22T17:13:43.066633Z [INFO]  vm-0: stop: step=2 clock=2 queue=0 pending=""
}

func ExampleReader() {
	log, err := os.Open("testdata/sample.log")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer log.Close()

	r := logging.NewReader(log, "sample.log")
	var rec logging.Record // one for all lines
	for {
		err := r.Next(&rec)
		if err == io.EOF {
			break
		}
		if err != nil { // names file and line
			fmt.Println(err)
			return
		}
		switch rec.Kind {
		case logging.StartRecord:
			fmt.Printf("machine %d of %d with rate %s\n", rec.ID, rec.Start.Machines, rec.Start.Rate)
		case logging.EventRecord:
			fmt.Println(rec.Event.Kind, rec.Event.Clock, rec.Event.Messages())
		case logging.StopRecord:
			fmt.Println("stopped after", rec.Stop.Step, "steps with", rec.Stop.Pending)
		}
	}
	// Output:
	// machine 0 of 3 with rate 1
	// internal 1 []
	// send 2 [{0 1 1 2} {0 2 1 2}]
	// receive 8 [{1 0 4 7}]
	// stopped after 60 steps with [{1 2} {2 1}]
}

// A log whose writer was killed ends in the middle of a line. What stands
// before that line is good; Offset says where to cut.
func ExampleReader_Offset() {
	log := `2026-11-22T17:13:41.066640Z [INFO]  vm-0: internal: step=1 clock=1 queue=0
2026-11-22T17:13:42.066641Z [INFO]  vm-0: inter`

	r := logging.NewReader(strings.NewReader(log), "vm_0_1.log")
	var rec logging.Record
	var err error
	for err == nil {
		err = r.Next(&rec)
	}
	fmt.Println(err)
	if errors.Is(err, logging.ErrTorn) {
		fmt.Printf("%q\n", log[:r.Offset()])
	}
	// Output:
	// vm_0_1.log:2: expected a newline after the last line, found it torn: "2026-11-22T17:13:42.066641Z [INFO]  vm-0"…
	// "2026-11-22T17:13:41.066640Z [INFO]  vm-0: internal: step=1 clock=1 queue=0\n"
}

func ExampleCreate() {
	dir, err := os.MkdirTemp("", "run")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	f, err := logging.Create(dir, 2, clock.Hertz*5/2)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer f.Discard() // closes it, and removes it if nothing gets written

	w := logging.NewWriter(f, 2)
	w.Resume(time.Unix(0, 0), logging.Resume{Step: 7, Clock: 9})
	if err := w.Flush(); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(strings.TrimPrefix(f.Name(), dir))

	_, err = logging.Create(dir, 2, clock.Hertz*5/2)
	fmt.Println(errors.Is(err, os.ErrExist))
	// Output:
	// /vm_2_2.5.log
	// true
}

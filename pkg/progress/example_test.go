package progress_test

import (
	"os"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/progress"
	"github.com/scalemodel/lamport/pkg/summary"
)

func Example() {
	display := progress.New(progress.Out{Writer: os.Stderr}, []clock.Rate{1 * clock.Hertz, 5 * clock.Hertz}, time.Minute)
	defer display.Close()

	// Then, for everything that a machine reports:
	display.Update(1, summary.Status{
		Phase: summary.Running,
		Start: time.Now(),
		Steps: 17,
		Clock: 23,
		Queue: 2,
	})
}

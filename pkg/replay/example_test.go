package replay_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/replay"
	"github.com/scalemodel/lamport/pkg/sim"
)

// A run is executed again from its logs. If one figure in them is another, replay
// says where.
func Example() {
	dir, err := os.MkdirTemp("", "run")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	spec := experiment.Spec{
		Common:  experiment.Common{Run: "example", Die: 10, Seed: 1, Duration: time.Minute},
		Rates:   []clock.Rate{1 * clock.Hertz, 5 * clock.Hertz, 4 * clock.Hertz},
		Virtual: new(experiment.Virtual),
	}
	if _, err := sim.Run(context.Background(), sim.Config{Spec: spec, LogDir: dir}); err != nil {
		panic(err)
	}
	paths, _ := filepath.Glob(filepath.Join(dir, "vm_*.log"))

	result, err := replay.Run(context.Background(), paths)
	fmt.Println(result.Machines, "machines,", result.Events, "events,", err)

	b, _ := os.ReadFile(paths[1])
	_ = os.WriteFile(paths[1], []byte(strings.Replace(string(b), "step=9 clock=9", "step=9 clock=8", 1)), 0o666)
	_, err = replay.Run(context.Background(), paths)
	var differs *replay.Difference
	if errors.As(err, &differs) {
		fmt.Println("line", differs.Line)
		fmt.Println(differs.Recorded)
		fmt.Println(differs.Replayed)
	}
	// Output:
	// 3 machines, 600 events, <nil>
	// line 10
	// vm-1: send: step=9 clock=8 queue=0 to=0:1
	// vm-1: send: step=9 clock=9 queue=0 to=0:1
}

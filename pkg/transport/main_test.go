package transport

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain makes the test binary, when a benchmark starts it again as a second
// process, the receiver of what the benchmark sends, all that sends and receives,
// or one machine of three.
func TestMain(m *testing.M) {
	if spec := os.Getenv(wireVar); spec != "" {
		if err := measureWire(spec); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if spec := os.Getenv(oneWayVar); spec != "" {
		if err := oneWayMachine(spec); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if kind := os.Getenv(receiverVar); kind != "" {
		os.Exit(receiver(kind))
	}
	flag.Parse()
	// Those that can run side by side wait for the clock.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

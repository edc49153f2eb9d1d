package transport

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain makes the test binary, when a benchmark starts it again as a second
// process, the receiver of what the benchmark sends.
func TestMain(m *testing.M) {
	if kind := os.Getenv(receiverVar); kind != "" {
		os.Exit(receiver(kind))
	}
	goleak.VerifyTestMain(m)
}

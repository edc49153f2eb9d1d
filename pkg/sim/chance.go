package sim

import (
	"math"

	"github.com/scalemodel/lamport/pkg/internal/splitmix"
)

// salts keep what is drawn for different purposes apart.
const (
	saltLatency = 0x6c6174656e6379 // "latency"
	saltPhase   = 0x7068617365     // "phase"
	saltResend  = 0x726573656e64   // "resend"
)

// below returns a number from 0 to n-1.
func below(key, n uint64) uint64 {
	return splitmix.Below(splitmix.First(key), n)
}

// never is an instant that does not come.
const never int64 = math.MaxInt64

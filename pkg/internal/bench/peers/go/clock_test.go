// Package peers measures our clock beside that of serf, in one process. It is a module of
// its own, so that serf is no dependency of this project.
package peers

import (
	"testing"

	"github.com/hashicorp/serf/serf"

	"github.com/scalemodel/lamport/pkg/clock"
)

// The same messages for both: half of them are ahead of the receiver.
func BenchmarkClock(b *testing.B) {
	b.Run("tick/ours", func(b *testing.B) {
		var c clock.Lamport
		for b.Loop() {
			_, _ = c.Tick()
		}
	})
	b.Run("tick/serf", func(b *testing.B) {
		var c serf.LamportClock
		for b.Loop() {
			c.Increment()
		}
	})
	b.Run("receive/ours", func(b *testing.B) {
		var c clock.Lamport
		var sent clock.Time
		for b.Loop() {
			sent += 2
			_, _ = c.Receive(sent & 0xfffffff)
		}
	})
	b.Run("receive/serf", func(b *testing.B) {
		var c serf.LamportClock
		var sent serf.LamportTime
		for b.Loop() {
			sent += 2
			c.Witness(sent & 0xfffffff) // which does not move where the stamp is old
		}
	})
}

package transport

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// A caller that comes again and again, as one whose certificate is not taken does all the time,
// is named once and then counted; each other one is named, too.
func TestReasonsNameACallerOnce(t *testing.T) {
	var r reasons
	var lines []string
	come := func(at time.Duration, one refusal) {
		if count, worth := r.another(one, at); worth {
			lines = append(lines, fmt.Sprintf("%v %s %s %d", at, one.source, one.text, count))
		}
	}
	expired, other := refusal{"192.0.2.1", CodeCertificate, "expired"}, refusal{"192.0.2.2", CodeCertificate, "expired"}
	for at := range 100 { // once a second
		come(time.Duration(at)*time.Second, expired)
	}
	assert.Equal(t, []string{"0s 192.0.2.1 expired 1", "10s 192.0.2.1 expired 11", "21s 192.0.2.1 expired 22", "43s 192.0.2.1 expired 44", "1m27s 192.0.2.1 expired 88"}, lines)
	lines = nil
	for at := range 5 {
		come(100*time.Second+time.Duration(at), expired)
		come(100*time.Second+time.Duration(at), other)
		come(100*time.Second+time.Duration(at), refusal{"192.0.2.1", CodeCertificate, "of another run"})
	}
	assert.Equal(t, []string{"1m40s 192.0.2.2 expired 102", "1m40s 192.0.2.1 of another run 103"}, lines)
}

// Nobody fills the log by coming from ever new addresses, or with ever new reasons, and the
// memory is bounded; nor does such a flood hide another code.
func TestReasonsInAFlood(t *testing.T) {
	var r reasons
	lines := 0
	for i := range 1000 {
		if _, worth := r.another(refusal{"192.0.2.1", CodeRun, fmt.Sprint("run ", i)}, 0); worth {
			lines++
		}
	}
	assert.Equal(t, 10+6, lines, "ten, and then 16, 32, …, 512")
	assert.Len(t, r.known, maxKnown)
	_, worth := r.another(refusal{"192.0.2.1", CodeMachines, "no"}, 0)
	assert.True(t, worth)
	count, worth := r.another(refusal{"192.0.2.1", CodeRun, "run 1000"}, thinnedPause)
	assert.Equal(t, []any{uint64(1001), true}, []any{count, worth}, "what goes on is not forgotten")
}

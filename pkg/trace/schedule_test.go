package trace_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/trace"
)

// A tick that is a little late is late; one that is later than a period and a tenth of a
// second makes up for those before it, which are missed.
func TestSchedule(t *testing.T) {
	ms := func(n int64) int64 { return n * 1000 }
	for _, tt := range []struct {
		name   string
		rate   clock.Rate
		lasts  time.Duration
		at     []int64 // of the steps, µs after the start
		late   []time.Duration
		missed []uint64
	}{
		{"on time", 10 * clock.Hertz, 0, []int64{ms(100), ms(200)}, []time.Duration{0, 0}, []uint64{0, 0}},
		{"late by a tenth of a second", 10 * clock.Hertz, 0, []int64{ms(199), ms(201)}, []time.Duration{99 * time.Millisecond, time.Millisecond}, []uint64{0, 0}},
		{"held up", 10 * clock.Hertz, 0, []int64{ms(100), ms(550), ms(600)}, []time.Duration{0, 50 * time.Millisecond, 0}, []uint64{0, 3, 0}},
		{"slow, and late by less than a period", clock.Hertz, 0, []int64{ms(1900), ms(2000)}, []time.Duration{900 * time.Millisecond, 0}, []uint64{0, 0}},
		{"after the end none is due", 10 * clock.Hertz, 300 * time.Millisecond, []int64{ms(100), ms(2000)}, []time.Duration{0, 1700 * time.Millisecond}, []uint64{0, 1}},
		{"early, as no machine is", 10 * clock.Hertz, 0, []int64{ms(50)}, []time.Duration{0}, []uint64{0}},
	} {
		s := trace.NewSchedule(&logging.Record{UnixMicro: 1e15, Start: logging.Start{Rate: tt.rate}}, tt.lasts)
		assert.True(t, s.Paced())
		for i, at := range tt.at {
			late, missed := s.Tick(1e15 + at)
			assert.Equal(t, tt.late[i], late, "%s: %d", tt.name, i)
			assert.Equal(t, tt.missed[i], missed, "%s: %d", tt.name, i)
		}
	}
	var none trace.Schedule
	assert.False(t, none.Paced())
	none = trace.NewSchedule(&logging.Record{Start: logging.Start{Rate: clock.Unpaced}}, 0)
	assert.False(t, none.Paced())
}

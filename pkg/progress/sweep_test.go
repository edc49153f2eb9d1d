package progress

import (
	"bytes"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestSweepTexts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSweep(io.Discard, 10, 2, time.Minute)
		assert.Equal(t, "…            ", s.leftText(time.Now()), "nothing is known yet")
		assert.Equal(t, " 2 of 10 runs, 0 under way", s.runsText())
		s.Begin("a")
		s.Begin("b")
		time.Sleep(30 * time.Second)
		assert.Equal(t, " 2 of 10 runs, 2 under way", s.runsText())
		// One run's worth in half a minute: seven more take three and a half.
		assert.Equal(t, "3m30s left   ", s.leftText(time.Now()))
		time.Sleep(2 * time.Minute) // a run that does not end is not more than a run
		assert.Equal(t, 4.0, s.parts(time.Now()))
		s.Done("a")
		s.Done("b")
		assert.Equal(t, " 4 of 10 runs, 0 under way", s.runsText())
		s.Close()

		s = NewSweep(io.Discard, 4, 0, 0)
		s.Begin("a")
		time.Sleep(time.Second)
		assert.Equal(t, "…            ", s.leftText(time.Now()), "nobody knows how long a run takes")
		s.Done("a")
		assert.Equal(t, "3s left      ", s.leftText(time.Now()))
		for range 3 {
			s.Begin("b")
			s.Done("b")
		}
		assert.Equal(t, "1s           ", s.leftText(time.Now()))
		s.Close()
	})
}

func TestSweepIsWholeAtTheEnd(t *testing.T) {
	var out bytes.Buffer
	s := NewSweep(&out, 1, 0, 0)
	s.Begin("a")
	s.Done("a")
	s.Close()
	assert.NotContains(t, out.String(), ">")
}

package experiment_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/logging"
)

func TestStart(t *testing.T) {
	c := experiment.Common{Run: "a", Die: 4, Seed: 7}
	want := logging.Start{Version: 1, Run: "a", Machines: 3, Rate: 5 * clock.Hertz, Seed: 7, Die: 4, Peers: []int{0, 2}}
	assert.Equal(t, want, c.Start(1, 3, 5*clock.Hertz))
	assert.Empty(t, c.Start(0, 1, clock.Unpaced).Peers)

	other := experiment.Common{Duration: 9, Window: 8, Run: "b"}
	other.Adopt(want)
	assert.Equal(t, experiment.Common{Duration: 9, Window: 8, Run: "a", Die: 4, Seed: 7}, other)
}

package trace

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/machine"
)

// The default cluster, worked by hand: with p = 0.2 and machine 0 saturated,
// x₁ = 5 - x₂/5 and x₂ = 4 - x₁/5 give x₁ = 10/3 · 1.3125 = 4.375, x₂ = 3.125.
func TestPredictDefaultCluster(t *testing.T) {
	p := Predict([]float64{1, 5, 4}, 10)
	want := []Prediction{
		{Arrivals: 1.5, Takes: 1, Idle: 0, Growth: 0.5},
		{Arrivals: 0.625, Takes: 5, Idle: 4.375},
		{Arrivals: 0.875, Takes: 4, Idle: 3.125},
	}
	for i := range want {
		assert.InDelta(t, want[i].Arrivals, p[i].Arrivals, 1e-9)
		assert.InDelta(t, want[i].Idle, p[i].Idle, 1e-9)
		assert.InDelta(t, want[i].Growth, p[i].Growth, 1e-9)
		assert.Equal(t, want[i].Takes, p[i].Takes)
		assert.Equal(t, want[i].Growth > 0, p[i].Saturated())
	}
}

func TestPredictIsAFixedPoint(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		rates := make([]float64, 1+rng.IntN(8))
		for i := range rates {
			rates[i] = 0.5 + 6*rng.Float64()
		}
		die := 1 + rng.IntN(12)
		idle := make([]float64, len(rates))
		arrivals := make([]float64, len(rates))
		for i, p := range Predict(rates, die) {
			idle[i] = p.Idle
		}
		arrive(arrivals, idle, die)
		for i, p := range Predict(rates, die) {
			assert.InDelta(t, arrivals[i], p.Arrivals, 1e-6, "rates %v, die %d", rates, die)
			assert.InDelta(t, max(0, rates[i]-arrivals[i]), p.Idle, 1e-6, "rates %v, die %d", rates, die)
		}
	}
}

// The chances that the prediction is built on, against the machine's own dice.
func TestPredictedMessagesAgreeWithTheMachine(t *testing.T) {
	const steps = 60_000
	for machines := 1; machines <= 5; machines++ {
		for _, die := range []int{1, 2, 3, 4, 10} {
			m, err := machine.New(machine.Config{Machines: machines, Die: die, Seed: 5})
			assert.NoError(t, err)
			sent := make([]float64, machines)
			for range steps {
				var ev event.Event
				assert.NoError(t, m.Step(&ev))
				for _, msg := range ev.Messages() {
					sent[msg.To]++
				}
			}
			idle, want := make([]float64, machines), make([]float64, machines)
			idle[0] = 1
			arrive(want, idle, die)
			for to := 1; to < machines; to++ {
				assert.InDelta(t, want[to], sent[to]/steps, 0.01, "machines %d, die %d, to %d", machines, die, to)
			}
		}
	}
}

// Three machines of which the first is sent just as much as it takes: 3 = 9·0.4/1.2.
func TestOnEdge(t *testing.T) {
	for other, want := range map[float64]string{9: "edge", 8.99: "below", 9.01: "above"} {
		p := Predict([]float64{3, other, 9}, 10)[0]
		assert.Equal(t, want == "edge", p.OnEdge(), other)
		if want != "edge" {
			assert.Equal(t, want == "above", p.Saturated(), other)
		}
	}
	assert.False(t, Prediction{Takes: 3, Idle: 3}.OnEdge(), "nothing arrives")
}

package trace

import "math"

// Prediction is what the model's rates say of one machine in the long run.
type Prediction struct {
	Arrivals float64 `json:"arrivals"` // messages per second that reach it
	Takes    float64 `json:"takes"`    // messages per second that it can take: its rate
	Idle     float64 `json:"idle"`     // steps per second that find the queue empty
	Growth   float64 `json:"growth"`   // of its queue, messages per second; 0 unless saturated
}

// Saturated reports whether more messages arrive than the machine can take.
func (p Prediction) Saturated() bool { return p.Growth > 0 }

// OnEdge reports whether just as many messages arrive as the machine can take.
// Then its queue is that of a random walk without a drift: it has no mean.
func (p Prediction) OnEdge() bool {
	const exact = 1e-6 // of the rate, to which the rates are solved
	return p.Arrivals > 0 && math.Abs(p.Arrivals-p.Takes) <= exact*p.Takes
}

// Predict returns, for machines with these rates in ticks per second and dice
// with this many faces, the fixed point of
//
//	arrivals[j] = Σ p·idle[i] over i ≠ j,    idle[j] = max(0, rate[j] - arrivals[j])
//
// where p is the mean number of messages that an idle step sends to a given
// peer: only steps with an empty queue throw the die. A machine whose arrivals
// exceed its rate is never idle, and its queue grows by the difference.
func Predict(rates []float64, die int) []Prediction {
	n := len(rates)
	idle := append([]float64(nil), rates...)
	arrivals := make([]float64, n)
	// Plain iteration can swing between two states for ever; half steps
	// settle, since more idle time elsewhere never means fewer arrivals here.
	for range 10_000 {
		arrive(arrivals, idle, die)
		moved := 0.0
		for j, r := range rates {
			next := (idle[j] + max(0, r-arrivals[j])) / 2
			moved = max(moved, math.Abs(next-idle[j])/r)
			idle[j] = next
		}
		if moved < 1e-13 {
			break
		}
	}
	out := make([]Prediction, n)
	for j, r := range rates {
		out[j] = Prediction{Arrivals: arrivals[j], Takes: r, Idle: idle[j], Growth: max(0, arrivals[j]-r)}
		if out[j].Growth < 1e-9*r {
			out[j].Growth = 0
		}
	}
	return out
}

// arrive sets each machine's arrivals from all machines' idle steps.
func arrive(arrivals, idle []float64, die int) {
	n := len(idle)
	if n == 1 {
		arrivals[0] = 0
		return
	}
	if n == 3 && die == 1 { // face 1 alone: everything goes to the next machine
		for j := range arrivals {
			arrivals[j] = idle[(j+2)%3]
		}
		return
	}
	perPeer := messagesPerThrow(n, die) / float64(n-1)
	total := 0.0
	for _, x := range idle {
		total += x
	}
	for j, x := range idle {
		arrivals[j] = perPeer * (total - x)
	}
}

// messagesPerThrow returns how many messages an idle step sends in the mean:
// faces 1 and 2 send one, face 3 two, or one where there is only one peer.
func messagesPerThrow(machines, die int) float64 {
	messages := float64(min(die, 3))
	if die >= 3 && machines > 2 {
		messages++
	}
	return messages / float64(die)
}

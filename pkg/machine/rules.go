package machine

import "github.com/scalemodel/lamport/pkg/clock"

// Rules are the rules of the model, with what all machines of a run have in common.
// They stand here alone, for a [Machine] and for the machines of virtual time, which
// have no room for a queue of their own. Both say only whether a message waits, and
// so whether a step is a [State.Receive] or an [Rules.Idle].
type Rules struct {
	Machines int // ≥ 1
	Die      int // faces, ≥ 1: 1 to 3 send, the others are internal
}

// State is what the rules move in one machine. It is 32 bytes without a pointer.
type State struct {
	dice  Dice
	steps uint64
	clock clock.Time
}

// NewState returns the state of a machine that has executed nothing, in the run
// with this seed.
func NewState(seed uint64, id int) State { return State{dice: NewDice(seed, id)} }

// Clock returns the timestamp of the last event, 0 before the first.
func (s *State) Clock() clock.Time { return s.clock }

// Steps returns how many instructions the machine has executed.
func (s *State) Steps() uint64 { return s.steps }

// Receive executes an instruction of a machine that has a message in its queue: it
// takes the oldest, which is stamped sent, and the die is not thrown. On
// [clock.ErrSaturated] nothing has happened.
func (s *State) Receive(sent clock.Time) error {
	now, err := s.clock.Receive(sent) // Lamport 1978, IR2
	if err != nil {
		return err
	}
	s.clock, s.steps = now, s.steps+1
	return nil
}

// Idle executes an instruction of machine id, which has an empty queue: a send to
// those that the die says, or an internal event if they are nobody. However many
// they are, it is one event with one stamp, and every message carries it: the
// state's clock after the step. Stamped before, a send could equal its receipt. On
// [clock.ErrSaturated] nothing has happened.
func (r Rules) Idle(s *State, id int) (Recipients, error) {
	now, err := s.clock.Tick() // Lamport 1978, IR1
	if err != nil {
		return Recipients{}, err
	}
	s.clock, s.steps = now, s.steps+1
	if face := r.throw(s.dice, s.steps); face != rest { // Recipients, less one call
		return r.meant(face, s.dice, id, s.steps), nil
	}
	return Recipients{}, nil
}

// Recipients returns whom machine id sends to in a step that finds its queue
// empty.
func (r Rules) Recipients(d Dice, id int, step uint64) Recipients {
	if face := r.throw(d, step); face != rest {
		return r.meant(face, d, id, step)
	}
	return Recipients{}
}

// rest stands for all faces that send nothing.
const rest = 0

// throw returns the face of a step, 1 to 3, or rest.
func (r Rules) throw(d Dice, step uint64) int {
	face := 1 + d.throw(step, 0, r.Die)
	if face > 3 || r.Machines == 1 {
		return rest
	}
	return face
}

// meant returns whom a face from 1 to 3 stands for: machine a, machine b, or both.
// They are two different ones wherever there are two.
func (r Rules) meant(face int, d Dice, id int, step uint64) Recipients {
	others := r.Machines - 1
	var first, second int // 0 … others-1, counted from the machine after this one
	switch others {
	case 1: // both is that one, once
		return Recipients{n: 1, a: r.after(id, 0)}
	case 2:
		second = 1
	default:
		first = d.throw(step, 1, others)
		second = d.throw(step, 2, others-1)
		if second >= first {
			second++
		}
	}
	a, b := r.after(id, first), r.after(id, second)
	switch face {
	case 1:
		return Recipients{n: 1, a: a}
	case 2:
		return Recipients{n: 1, a: b}
	default:
		return Recipients{n: 2, a: a, b: b}
	}
}

// after returns the machine 1+i places after id, in a ring.
func (r Rules) after(id, i int) int32 {
	next := id + 1 + i
	if next >= r.Machines {
		next -= r.Machines
	}
	return int32(next)
}

// Recipients are the machines that a step sends to, each once, in the order in which
// it does. A plain value: whoever asks on every step allocates nothing.
type Recipients struct {
	n    int32
	a, b int32 // the first n of these
}

// Len returns how many machines are sent to.
func (r Recipients) Len() int { return int(r.n) }

// At returns the i-th of them, 0 ≤ i < Len. It panics for any other i: nobody is
// left out, or sent to, in silence.
func (r Recipients) At(i int) int {
	if uint(i) >= uint(r.n) {
		panic("machine: no such recipient")
	}
	if i == 0 {
		return int(r.a)
	}
	return int(r.b)
}

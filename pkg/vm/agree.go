package vm

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/machine"
	"github.com/scalemodel/lamport/pkg/transport"
)

// What the machines of a run have agreed upon follows from what each has said of itself when
// they met. It is settled once all links stand and all are ready, as then everybody has heard
// everybody; and before anything is written or thrown.

// all returns the terms of all machines, by id.
func (m *meetings) all() []terms {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]terms, len(m.heard)+1)
	for id, t := range m.heard {
		if id < len(all) {
			all[id] = t
		}
	}
	all[m.me.id] = m.me.terms
	return all
}

// runSeed returns the seed of a run whose machines have said this, by id: machine 0's. An
// earlier release does not say which it has drawn.
func runSeed(all []terms) (seed uint64, ok bool) {
	zero := all[0]
	if zero.draws {
		return zero.draw, true
	}
	seed, err := strconv.ParseUint(zero.seed, 10, 64)
	return seed, err == nil
}

// errUnagreed says that no record can have what the machines of a run were started with.
var errUnagreed = errors.New("the machines were started differently")

// agreement returns what machines of a run that have said this agree upon, by id: the rates,
// and that die, duration, seed and faults are those of whoever is asked. An error says why
// there is no such thing.
func agreement(all []terms, me int) (rates []clock.Rate, err error) {
	seed, ok := runSeed(all)
	if !ok {
		return nil, errors.New("machine 0 does not say its seed: it is of an earlier release")
	}
	for id, t := range all {
		switch given, err := strconv.ParseUint(t.seed, 10, 64); {
		case t.rate == 0:
			return nil, fmt.Errorf("machine %d does not say its rate: it is of an earlier release", id)
		case t.timed && t.duration != all[me].duration:
			return nil, fmt.Errorf("%w: machines %d and %d have other durations", errUnagreed, min(id, me), max(id, me))
		case err == nil && given != seed:
			return nil, fmt.Errorf("%w: machines 0 and %d have other seeds", errUnagreed, id)
		case t.faults != all[me].faults && t.faults != "":
			return nil, fmt.Errorf("%w: machine %d has another fault plan than machine %d", errUnagreed, id, me)
		}
		rates = append(rates, t.rate)
	}
	return rates, nil
}

// settle takes over what the machines have agreed upon.
func (r *runner) settle() error {
	if r.cfg.Replay != nil {
		return nil // all of that is in the records
	}
	all := r.met.all()
	if seed, ok := runSeed(all); r.cfg.SeedDrawn && r.cfg.ID != 0 {
		if !ok {
			r.cfg.Logger.Warn("machine 0 does not say its seed, so this machine keeps the one that it has drawn", "seed", r.cfg.Seed)
		} else if err := r.reseed(seed); err != nil {
			return err
		}
	}
	if r.cfg.Agreed == nil {
		return nil
	}
	rates, err := agreement(all, r.cfg.ID)
	if err != nil {
		r.cfg.Logger.Warn("there is no record of what all machines have agreed upon", "reason", err)
		return nil
	}
	common := r.cfg.Common
	if common.Window == transport.DefaultWindow {
		common.Window = 0
	}
	common.Faults = common.Faults.Seeded(0) // as it draws without a seed
	return r.cfg.Agreed(experiment.Spec{Common: common, Rates: rates})
}

// reseed makes the machine, which has done nothing yet, that of a run with another seed.
func (r *runner) reseed(seed uint64) (err error) {
	r.cfg.Seed = seed
	r.steps.machine, err = machine.New(machine.Config{ID: r.cfg.ID, Machines: len(r.cfg.Peers) + 1, Die: r.cfg.Die, Seed: seed})
	if err != nil {
		return err
	}
	r.mode, err = newMode(&r.cfg, r.steps, &r.past)
	return err
}

// drawn has machine 0 keep the seed that it has drawn, or take the one that an earlier process
// has kept: its peers may have begun the run with that.
func (r *runner) drawn() error {
	if !r.cfg.SeedDrawn || r.cfg.ID != 0 || r.past.begun() || len(r.cfg.Peers) == 0 {
		return nil
	}
	if r.kept.Seed == nil {
		r.kept.Seed = &r.cfg.Seed
		return nil
	}
	return r.reseed(*r.kept.Seed)
}

// seedText returns the seed as far as it is known before the machines meet: the
// log's, if there is one.
func (r *runner) seedText() any {
	switch {
	case r.past.begun():
		return r.past.seed
	case r.cfg.SeedDrawn && r.cfg.ID != 0:
		return "machine-0's"
	}
	return r.cfg.Seed
}

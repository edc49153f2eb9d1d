package vm

import (
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scalemodel/lamport/pkg/event"
)

// paced executes instructions by a schedule.
type paced struct {
	*stepper
	alone
	schedule *schedule
	logger   hclog.Logger
}

func newPaced(cfg *Config, s *stepper, past *past) *paced {
	s.take = s.machine.DeliverAll
	p := &paced{stepper: s, schedule: newSchedule(cfg.Rate, cfg.Duration), logger: cfg.Logger}
	p.schedule.next = s.machine.Steps() + 1
	if past.paused > 0 { // those before were executed or missed
		p.schedule.next = max(p.schedule.next, cfg.Rate.Ticks(int64(past.paused)-1)+1)
	}
	return p
}

func (p *paced) comeBack() { p.resume() }

func (p *paced) leave(now int64) (reached int64) {
	reached, missed := p.schedule.leave(now)
	p.miss(missed, p.machine.Steps())
	return reached
}

func (p *paced) exact() bool { return true }

// over counts the ticks that were due and never came.
func (p *paced) over(ran time.Duration) (elapsed time.Duration, measured bool) {
	p.figures.Missed(p.schedule.abandon(int64(ran)))
	return ran, false
}

func (p *paced) drive() error {
	if p.delay > 0 {
		p.schedule.comeBack(p.pacer.now(), p.delay)
	}
	var ev event.Event
	for !p.schedule.over() {
		at := p.schedule.due()
		if at > p.pacer.now() { // else it is one of several for which the machine has woken up
			at = p.schedule.wake()
		}
		if !p.until(at) {
			return nil
		}
		if going, err := p.step(&ev); !going || err != nil {
			return err
		}
		now := time.Now()
		p.tick(now, ev.Step)
		p.record(p.instant(), &ev)
		// A burst is committed at once.
		if p.schedule.due() > p.pacer.now() || p.journal.full() {
			if err := p.commit(); err != nil {
				return err
			}
		}
	}
	p.until(p.end) // for the others, the run is not over
	return nil
}

// tick takes in that a step is executed now.
func (p *paced) tick(now time.Time, step uint64) {
	late, missed := p.schedule.tick(int64(now.Sub(p.pacer.start)))
	p.miss(missed, step)
	p.figures.Tick(late)
	p.watcher.ticked(late)
	p.late = late
}

// miss takes in that ticks were missed, before a step or after the last.
func (p *paced) miss(ticks, step uint64) {
	if ticks > 0 {
		p.figures.Missed(ticks)
		p.logger.Warn("ticks missed: the machine was held up, or the host cannot keep its rate", "ticks", ticks, "step", step)
	}
}

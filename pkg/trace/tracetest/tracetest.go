// Package tracetest records runs for the tests of what reads them: real
// machines, in virtual time, over a network with delays.
package tracetest

import (
	"cmp"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/machine"
)

// Start is when every run begins.
var Start = time.Date(2026, 11, 22, 17, 13, 40, 0, time.UTC)

// Config is a run. The same Config gives the same bytes.
type Config struct {
	Rates    []clock.Rate // one machine each, none unpaced
	Duration time.Duration
	Seed     uint64
	Die      int           // 0: the laboratory's
	Delay    time.Duration // of a message on its way: at most, drawn anew for each
	// Time is what a machine's global clock shows so long after the start; nil:
	// just that. So clocks can be off, coarse, or set back.
	Time func(machine int, elapsed time.Duration) time.Duration
	// Compare are instants, ascending. At the first step after each, a machine compares its
	// clock with those of the machines with higher ids, and errs by Within at most.
	Compare []time.Duration
	Within  time.Duration
}

// Hertz returns the rates of as many machines.
func Hertz(perSecond ...uint64) []clock.Rate {
	rates := make([]clock.Rate, len(perSecond))
	for i, r := range perSecond {
		rates[i] = clock.Rate(r) * clock.Hertz
	}
	return rates
}

// Record writes the event logs of a run into an existing directory. They obey all
// laws.
func Record(dir string, cfg Config) error {
	r := &recorder{cfg: cfg, rng: rand.New(rand.NewPCG(cfg.Seed, 1))}
	if r.cfg.Die == 0 {
		r.cfg.Die = machine.DefaultDie
	}
	for id, rate := range cfg.Rates {
		m, err := machine.New(machine.Config{ID: id, Machines: len(cfg.Rates), Die: r.cfg.Die, Seed: cfg.Seed})
		if err != nil {
			return err
		}
		f, err := os.Create(filepath.Join(dir, logging.FileName(id, rate)))
		if err != nil {
			return err
		}
		defer f.Close()
		n := &node{Machine: m, id: id, log: logging.NewWriter(f, id), last: make(map[int32]int64)}
		n.log.Start(r.at(id, 0), logging.Start{
			Run: "test", Machines: len(cfg.Rates), Rate: rate, Seed: cfg.Seed, Die: r.cfg.Die, Peers: others(id, len(cfg.Rates)),
		})
		r.nodes = append(r.nodes, n)
	}
	for {
		n, due := r.next()
		if due > int64(cfg.Duration) {
			return r.stop()
		}
		if err := r.tick(n, due); err != nil {
			return err
		}
	}
}

// recorder is a run while it is recorded. Times are in ns after the start.
type recorder struct {
	cfg   Config
	rng   *rand.Rand
	nodes []*node
}

type node struct {
	*machine.Machine
	id      int
	log     *logging.Writer
	last    map[int32]int64 // when the last message of each peer arrives
	arrived []arrival       // by (time, from, seq)

	compared int // instants of Config.Compare
}

type arrival struct {
	at int64
	event.Message
}

func (a arrival) compare(b arrival) int {
	return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.From, b.From), cmp.Compare(a.Seq, b.Seq))
}

// at returns what the machine's clock shows.
func (r *recorder) at(id int, ns int64) time.Time {
	elapsed := time.Duration(ns)
	if r.cfg.Time != nil {
		elapsed = r.cfg.Time(id, elapsed)
	}
	return Start.Add(elapsed)
}

// next returns whose tick is due first, and when.
func (r *recorder) next() (next *node, due int64) {
	for i, n := range r.nodes {
		if d := r.cfg.Rates[i].Due(n.Steps() + 1); next == nil || d < due {
			next, due = n, d
		}
	}
	return next, due
}

func (r *recorder) tick(n *node, now int64) error {
	n.deliver(now)
	var ev event.Event
	if err := n.Step(&ev); err != nil {
		return err
	}
	n.log.Event(r.at(n.id, now), &ev)
	r.compare(n, now)
	if ev.Kind == event.Send {
		for _, m := range ev.Messages() {
			r.send(m, now)
		}
	}
	if n.log.Buffered() > 64<<10 {
		return n.log.Flush()
	}
	return nil
}

// compare compares clocks, if it is time.
func (r *recorder) compare(n *node, now int64) {
	for ; n.compared < len(r.cfg.Compare) && int64(r.cfg.Compare[n.compared]) <= now; n.compared++ {
		within := r.cfg.Within.Microseconds()
		rng := rand.New(rand.NewPCG(r.cfg.Seed, uint64(now)<<8+uint64(n.id)))
		for peer := n.id + 1; peer < len(r.nodes); peer++ {
			ahead := r.at(peer, now).Sub(r.at(n.id, now)).Microseconds()
			n.log.Offset(r.at(n.id, now), logging.Offset{
				Peer: peer, Ahead: ahead + rng.Int64N(2*within+1) - within, Within: within + 1, RTT: 2 * within,
			})
		}
	}
}

// send puts a message on its way; it overtakes none of its link.
func (r *recorder) send(m event.Message, now int64) {
	to := r.nodes[m.To]
	at := now
	if r.cfg.Delay > 0 {
		at += r.rng.Int64N(int64(r.cfg.Delay) + 1)
	}
	at = max(at, to.last[m.From])
	to.last[m.From] = at
	a := arrival{at, m}
	i, _ := slices.BinarySearchFunc(to.arrived, a, arrival.compare)
	to.arrived = slices.Insert(to.arrived, i, a)
}

// deliver queues what has arrived by now.
func (n *node) deliver(now int64) {
	i := 0
	for i < len(n.arrived) && n.arrived[i].at <= now {
		n.Deliver(n.arrived[i].Message)
		i++
	}
	n.arrived = slices.Delete(n.arrived, 0, i)
}

// stop waits for all messages, and writes the last lines.
func (r *recorder) stop() error {
	for _, n := range r.nodes {
		end := int64(r.cfg.Duration)
		for _, a := range n.arrived {
			end = max(end, a.at)
		}
		n.deliver(end)
		n.log.Stop(r.at(n.id, end), logging.Stop{
			Step: n.Steps(), Clock: n.Clock(), Queue: n.QueueLen(), Pending: logging.Counts(n.Pending()),
		})
		if err := n.log.Flush(); err != nil {
			return err
		}
	}
	return nil
}

func others(id, machines int) []int {
	var peers []int
	for i := range machines {
		if i != id {
			peers = append(peers, i)
		}
	}
	return peers
}

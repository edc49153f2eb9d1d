package lab

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"iter"
	"math"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"time"

	"github.com/scalemodel/lamport/pkg/certs"
	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/gather"
	"github.com/scalemodel/lamport/pkg/internal/disk"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/internal/table"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/page"
	"github.com/scalemodel/lamport/pkg/progress"
	"github.com/scalemodel/lamport/pkg/rundir"
	"github.com/scalemodel/lamport/pkg/summary"
	"github.com/scalemodel/lamport/pkg/trace"
)

// Gather takes the logs of a run in, whose machines are on many hosts, and concludes the
// run as one on this host is concluded.
type Gather struct {
	Listen   string // host:port
	Machines int
	Name     string // of the run
	Dir      string // "": the default one, and runs/latest points at it
	// Timeout is for how long the logs are waited for, 0 for ever.
	Timeout time.Duration
	MaxLog  int64 // bytes of a log; 0: [gather.DefaultMaxLog]
	MinFree MinFree
	Allow   []netip.Prefix // where machines come from; empty: anywhere

	// TLS is the certificate of the gatherer, nil for none. With one, only machines of its
	// run deliver.
	TLS *certs.Credentials

	AtEnd Logs // what is done with the logs
}

// ErrOpen says that anybody on a network could deliver logs.
var ErrOpen = errors.New("anybody who reaches it could deliver logs")

// Check returns nil where it is said who may deliver: on a network nobody but machines with
// certificates, or from known addresses.
func (g *Gather) Check() error {
	host, port, err := net.SplitHostPort(g.Listen)
	if n, wrong := strconv.Atoi(port); err != nil || wrong != nil || n < 0 || n > 65535 {
		return &experiment.Error{Field: "listen", Value: strconv.Quote(g.Listen), Err: errors.New("want host:port, such as 127.0.0.1:7070, or :7070 for all addresses")}
	}
	if g.TLS != nil {
		switch name := g.TLS.Name(); {
		case name.Machine != certs.NoMachine:
			return fmt.Errorf("the certificate is that of %v, %w", name, ErrNoGatherer)
		case name.Run != g.Name:
			return &experiment.Error{Field: "run", Value: strconv.Quote(g.Name), Err: fmt.Errorf("the certificate is that of %v", name)}
		}
		return nil
	}
	if at, err := netip.ParseAddr(host); host == "localhost" || err == nil && at.IsLoopback() {
		return nil
	}
	if len(g.Allow) == 0 {
		return fmt.Errorf("%s can be reached from a network, without certificates: %w", g.Listen, ErrOpen)
	}
	return nil
}

// ListenError says that nobody can deliver to an address.
type ListenError struct {
	Addr string
	Err  error
}

// Error returns it in a sentence.
func (e *ListenError) Error() string {
	err := e.Err
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err
	}
	return fmt.Sprintf("nothing can be delivered to %s: %v", e.Addr, err)
}

// Unwrap returns e.Err.
func (e *ListenError) Unwrap() error { return e.Err }

// ErrNoGatherer says that a certificate is that of a machine.
var ErrNoGatherer = errors.New("and what gathers logs has its own")

// errTimeout is why the logs were not waited for any longer.
var errTimeout = errors.New("the time is over")

// Run gathers the logs, and sums the run up and checks it.
func (g Gather) Run(ctx context.Context, env *Env) error {
	placed := g.Dir != ""
	if !placed {
		g.Dir = rundir.Default(time.Now(), g.Name)
	}
	if err := newGuard(g.Dir, g.MinFree).admit(); err != nil {
		return err
	}
	ln, err := net.Listen("tcp", g.Listen)
	if err != nil {
		return g.inUse(&ListenError{g.Listen, err})
	}
	cfg := gather.Config{
		Dir: g.Dir, Run: g.Name, Machines: g.Machines, Version: env.Version,
		MaxLog: g.MaxLog, Room: g.room, Allow: g.Allow,
		Tell: func(n gather.Notice) { g.tell(env, n) },
	}
	if g.TLS != nil {
		cfg.Peer = gather.Peer
	}
	gathering, err := gather.Open(cfg)
	if err != nil {
		_ = ln.Close()
		return g.inUse(err)
	}
	name := g.Dir
	if !placed {
		var unlinked error
		name, unlinked = latest(g.Dir)
		env.unlinked(unlinked)
	}
	ctx, stop := exit.OnInterrupt(ctx, nil)
	defer stop()
	env.remark("gathering the logs of run %s, of %s, on %s into %s", g.Name, figure.Plural(g.Machines, "machine"), ln.Addr(), g.Dir)
	g.earlier(env, gathering.Machines())

	why := g.wait(ctx, gathering, ln)
	machines := gathering.Machines()
	if err := gathering.Close(); err != nil {
		return exit.With(exit.Died, fmt.Errorf("%s: %w", g.Dir, err))
	}
	if why != nil && !errors.Is(why, errTimeout) && ctx.Err() == nil {
		return exit.With(exit.Died, why)
	}
	env = env.unattended(ctx)
	return env.concluding(g.Dir, func(env *Env) error {
		return g.conclude(env, name, machines, ctx.Err() != nil, why)
	})
}

// inUse gives an error its exit code where it says that another process has what is needed, which
// may end, or that the disk is full.
func (g *Gather) inUse(err error) error {
	if exit.PortTaken(err) || errors.Is(err, gather.ErrBusy) {
		return exit.With(exit.Retry, err)
	}
	return orLater(err)
}

// room returns how many bytes more may be written.
func (g *Gather) room() int64 {
	space, err := disk.Of(g.Dir)
	if err != nil || space.Total == 0 {
		return math.MaxInt64
	}
	return int64(min(space.Free, math.MaxInt64)) - int64(min(g.MinFree.of(space.Total), math.MaxInt64))
}

// wait serves until all logs are there, nil, or returns why it has not.
func (g *Gather) wait(ctx context.Context, gathering *gather.Gathering, ln net.Listener) error {
	serving, end := context.WithCancel(ctx)
	served := make(chan error, 1)
	var conf *tls.Config
	if g.TLS != nil {
		conf = g.TLS.Server()
	}
	go func() { served <- gathering.Serve(serving, ln, conf) }()
	var timeout <-chan time.Time
	if g.Timeout > 0 {
		timer := time.NewTimer(g.Timeout)
		defer timer.Stop()
		timeout = timer.C
	}
	var why error
	select {
	case <-gathering.Full():
	case <-ctx.Done():
		why = context.Cause(ctx)
	case <-timeout:
		why = errTimeout
	case err := <-served:
		end()
		return err
	}
	end()
	return errors.Join(why, <-served)
}

// who names a machine, and where it is.
func who(id int, host, from string) string {
	switch {
	case host == "" || host == from:
		return fmt.Sprintf("%s on %s", figure.Machine(id), from)
	case from == "":
		return fmt.Sprintf("%s on %s", figure.Machine(id), host)
	}
	return fmt.Sprintf("%s on %s (%s)", figure.Machine(id), host, from)
}

// earlier tells of what an earlier process has gathered.
func (g *Gather) earlier(env *Env, machines []gather.Machine) {
	for id, m := range machines {
		if m.Delivery != nil {
			env.remark("there already  %s", delivered(who(id, m.About.Host, m.From), m.Bytes, m.Ended))
		}
	}
}

func delivered(who string, bytes int64, ended bool) string {
	text := fmt.Sprintf("%s: %s", who, progress.Bytes(float64(bytes)))
	if ended {
		return text + ", to its end"
	}
	return text + ", and it may go on"
}

// tell tells people what happens, in a line each.
func (g *Gather) tell(env *Env, n gather.Notice) {
	from := who(n.Machine, n.Host, n.From)
	switch n.Kind {
	case gather.Arriving:
		env.remark("arriving     %s: %s of %s", from, progress.Bytes(float64(n.Bytes)), progress.Bytes(float64(n.Of)))
	case gather.Delivered, gather.Ended:
		env.remark("delivered    %s", delivered(from, n.Bytes, n.Kind == gather.Ended))
	case gather.Other:
		env.say("a second log of %s: it does not go on from the first, and is kept aside as %s", from, filepath.Join(g.Dir, gather.OtherLog(n.Machine)))
	case gather.Differs:
		env.say("%s has another %s than one before", from, rundir.RecordName)
	case gather.Refused:
		if n.Machine < 0 {
			env.say("refused      %s: %v", n.From, n.Err)
			return
		}
		env.say("refused      %s: %v", from, n.Err)
	}
}

// conclude sums the run up, and checks it.
func (g *Gather) conclude(env *Env, name string, machines []gather.Machine, interrupted bool, why error) error {
	if why != nil {
		env.say("not all logs are there: %s", missing(machines))
	}
	run, err := trace.Open(g.Dir)
	switch {
	case errors.Is(err, rundir.ErrNoLogs) && interrupted:
		return exit.With(exit.Interrupted, errors.New("interrupted before any machine had delivered its log"))
	case errors.Is(err, rundir.ErrNoLogs):
		return exit.With(exit.Broken, errors.New("the run is incomplete: no machine has delivered its log"))
	case err != nil:
		return exit.With(exit.Died, err)
	}
	if run, err = g.record(env, run, machines); err != nil {
		return exit.With(exit.Died, err)
	}
	var shown *shownRun
	var stats *trace.Stats
	if g.AtEnd.Report {
		if shown, err = showRun(run, false, page.Options{Events: automatic}); err == nil {
			stats = shown.stats
		}
	} else {
		stats, err = run.Stats()
	}
	if err != nil {
		return exit.With(exit.Died, err)
	}
	var hosts []string // each with its clock
	for _, m := range machines {
		if m.Delivery != nil {
			hosts = append(hosts, m.About.Host)
		}
	}
	if err := env.sumUp(g.Dir, summaries(stats, machines, run.Record), table.Options{Machines: g.Machines, Clocks: max(1, len(distinct(hosts)))}); err != nil {
		return exit.With(exit.Died, err)
	}
	if l := stats.Lateness; l.Ticks > 0 && (run.Record == nil || run.Record.Virtual == nil) {
		if err := env.prose("lateness     of %s of all machines: p50 %s, p99 %s, max %s", figure.Plural(l.Ticks, "tick"),
			figure.Duration(l.P50), figure.Duration(l.P99), figure.Duration(l.Max)); err != nil {
			return exit.With(exit.Died, err)
		}
	}
	var verdict error
	if g.AtEnd.Check {
		verdict = env.check(g.Dir, stats.Verdict, interrupted)
	}
	if shown != nil {
		if _, err := keepPage(g.Dir, env.pageOf([]*shownRun{shown})); err != nil {
			env.say("%v", err)
		} else {
			env.remark("report       %s", filepath.Join(name, rundir.PageName))
		}
	}
	if verdict == nil {
		verdict = twice(machines)
	}
	switch {
	case verdict != nil:
		return verdict
	case interrupted:
		return exit.With(exit.Interrupted, nil)
	}
	env.next("stats", name)
	return nil
}

// twice returns an error where machines have delivered two logs.
func twice(machines []gather.Machine) error {
	var ids []string
	for id, m := range machines {
		if m.Other {
			ids = append(ids, strconv.Itoa(id))
		}
	}
	if ids == nil {
		return nil
	}
	return exit.With(exit.Broken, fmt.Errorf("two logs were delivered that do not go on from each other, of machine %s: which is the run's is not known", figure.List(ids, 10)))
}

// missing names the machines whose logs are not complete.
func missing(machines []gather.Machine) string {
	var nothing, open []string
	for id, m := range machines {
		switch {
		case m.Delivery == nil:
			nothing = append(nothing, figure.Machine(id))
		case !m.Ended:
			open = append(open, figure.Machine(id))
		}
	}
	const most = 10
	switch {
	case open == nil:
		return "nothing has come from " + figure.List(nothing, most)
	case nothing == nil:
		return "no end has come from " + figure.List(open, most)
	}
	return fmt.Sprintf("nothing has come from %s, and no end from %s", figure.List(nothing, most), figure.List(open, most))
}

// record writes the run's record, and returns the run with it.
func (g *Gather) record(env *Env, run *trace.Run, machines []gather.Machine) (*trace.Run, error) {
	starts := make([]*logging.Record, len(machines))
	for i := range run.Logs {
		if l := &run.Logs[i]; l.ID < len(starts) {
			starts[l.ID] = startOf(l)
		}
	}
	record, differ := gather.Record(env.Version, machines, starts)
	if record == nil {
		env.remark("there is no %s: for that, the logs of all machines are needed, with one seed", rundir.RecordName)
		return run, nil
	}
	for _, id := range differ {
		env.say("%s had another %s than the one that is kept", figure.Machine(id), rundir.RecordName)
	}
	if err := rundir.WriteRecord(g.Dir, record); err != nil {
		return nil, err
	}
	return trace.Open(g.Dir)
}

// startOf returns the start line of a log, nil where it has none.
func startOf(l *trace.Log) *logging.Record {
	s, err := l.Open()
	if err != nil {
		return nil
	}
	defer func() { _ = s.Close() }()
	var rec logging.Record
	if s.Next(&rec) != nil || rec.Kind != logging.StartRecord {
		return nil
	}
	return &rec
}

// summaries yields what the machines did, by their logs, and what only they themselves
// know besides.
func summaries(stats *trace.Stats, machines []gather.Machine, record *rundir.Record) iter.Seq[summary.Machine] {
	return func(yield func(summary.Machine) bool) {
		for i := range stats.Machines {
			s := &stats.Machines[i]
			if s.Missing {
				continue
			}
			m := s.Summary
			m.Started = time.Time{} // which the log does not say
			if record != nil && record.Virtual != nil {
				m.Lateness = summary.Lateness{} // nothing was timed
			}
			if s.ID < len(machines) && machines[s.ID].Delivery != nil {
				// A summary of a process that died later is of a part of the log.
				if own := machines[s.ID].About.Summary; own != nil && own.Steps == m.Steps && own.Clock == m.Clock {
					if record != nil && record.OneHost() { // else by clocks that may be apart
						m.Started = own.Started
					}
					m.StartLateness, m.Stalls, m.Stalled, m.Left, m.Wire = own.StartLateness, own.Stalls, own.Stalled, own.Left, own.Wire
				}
			}
			if !yield(m) {
				return
			}
		}
	}
}

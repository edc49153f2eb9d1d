// Package vm runs one machine as a process: paced by the real clock, its links
// over TCP, its events in its log.
//
// The event log is written ahead (output commit; Elnozahy, Alvisi, Wang,
// Johnson, ACM CSUR 34(3), 2002): a message leaves the process only after the
// line of its send has been handed to the operating system, and a message is
// acknowledged only after the line of its receive has. So whatever moment the
// process dies at, no peer knows more of it than its log.
package vm

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scalemodel/lamport/pkg/certs"
	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/replay"
	"github.com/scalemodel/lamport/pkg/summary"
	"github.com/scalemodel/lamport/pkg/transport"
)

// Config is what one machine of a run is started with. The fields up to LogDir
// must be set.
type Config struct {
	// Common is what all machines of the run are told alike. Its faults are done to
	// this machine's connections; kills and pauses are not this package's. Where
	// there are faults, all peers must have ids.
	experiment.Common

	ID     int
	Rate   clock.Rate
	Peers  []transport.Peer
	LogDir string // an existing directory

	// SeedDrawn says that this machine was given no Seed and has drawn this one. It counts for
	// machine 0, whose seed all take that were given none.
	SeedDrawn bool
	// Agreed, if not nil, is told what all machines have agreed upon, before a machine that
	// begins its run does anything. It is not called where they were told different things,
	// and in a replay. With its error, the run does not begin.
	Agreed func(experiment.Spec) error
	// Gate, if not nil, holds the machine back from its peers until it is closed:
	// of many machines on one host the last is started much sooner if the
	// others do not talk to each other already. A machine that comes back to
	// its run does not wait for it.
	Gate <-chan struct{}
	// ConnectTimeout is how long to wait for the peers, 0 for ever.
	ConnectTimeout time.Duration
	// Linger is how long to wait at the end for the peers' last messages,
	// and for them to take this machine's.
	Linger time.Duration
	// Resume goes on where the log of an earlier process of this machine ends,
	// if there is one. Seed and Die are taken from it.
	Resume bool
	// Replay, if not nil, is the record of this machine in an earlier run, which
	// it is to do again: each receive waits for its turn. ID, Rate, Die, Seed
	// and Run must be the record's; there is no Duration.
	Replay *replay.Track
	// AtPace keeps the pace of the record; else it is replayed as fast as the
	// messages come.
	AtPace bool
	// TLS, if not nil, is under the links: nobody without a certificate of the run takes
	// part. It must be this machine's.
	TLS *certs.Credentials
	// Sync makes what is sent or acknowledged survive a loss of power, at the
	// price of a wait for the disk per commit.
	Sync bool
	// MaxJump is how far a message's stamp may be ahead of the machine's clock,
	// DefaultMaxJump if 0. One that is further ahead is refused, since a single
	// forged stamp near the last one would use up the clock of every machine.
	MaxJump uint64
	// Allow, if not nil, says who may come as far as a HELLO; see [transport.Config].
	Allow  func(ctx context.Context, from netip.Addr) bool
	Logger hclog.Logger // diagnostics; nil: none
	// Watch, if not nil, is told of each phase, and every WatchEvery between
	// if that is not 0: one call at a time, and no phase after a later one.
	Watch      func(summary.Status)
	WatchEvery time.Duration
	// Probe, if not nil, is where others may look at the machine.
	Probe *Probe
	// Asked, if not nil, answers who asks on the machine's port; see [transport.Config].
	Asked func(conn net.Conn, read []byte)

	// wall is the system's clock, which may be set at any time: it stamps lines, and peers compare
	// theirs with it. time.Now if nil.
	wall func() time.Time
	// hear is how long a machine that comes back waits for peers that do not answer,
	// hearingTime if 0.
	hear time.Duration
}

// Check returns nil where [Run] takes a configuration, as far as that can be said before a log or a
// peer has been looked at.
func Check(cfg *Config) error { return check(cfg) }

func check(cfg *Config) error {
	if err := cfg.Check(); err != nil {
		return err
	}
	if err := cfg.Rate.Check(); err != nil {
		return err
	}
	if err := checkCertificate(cfg); err != nil {
		return err
	}
	switch {
	case cfg.ConnectTimeout < 0 || cfg.Linger < 0:
		return fmt.Errorf("connect timeout %v, linger %v: neither can be negative", cfg.ConnectTimeout, cfg.Linger)
	case cfg.Replay != nil:
		return checkRecord(cfg)
	}
	return nil
}

// StartError says why a machine could not begin its run. Nothing is left of it, but for
// what its peers know it by, where they may have begun: with that it can come back.
type StartError struct {
	Err error
	// Back: an earlier process has begun the run, and this one could not come back to it. The
	// log is as it was.
	Back bool
}

func (e *StartError) Error() string { return e.Err.Error() }
func (e *StartError) Unwrap() error { return e.Err }

// StopWithin is a cause to end the context of [Run] with. It replaces the
// configured linger, where some peers are known not to answer any more.
type StopWithin struct{ Linger time.Duration }

func (s StopWithin) Error() string {
	return "stopped, with " + s.Linger.String() + " for last messages"
}

// Attend answers on ln, after [Run], those who ask how the machine is, as cfg.Asked says, until ctx
// ends. It closes ln. The process of a machine whose run is over may have something left to do.
func Attend(ctx context.Context, cfg Config, ln net.Listener) {
	transport.Attend(ctx, transport.Config{ID: cfg.ID, Peers: cfg.Peers, Allow: cfg.Allow, TLS: secured(cfg.TLS), Asked: cfg.Asked}, ln)
}

// Run executes a machine from its first instruction to its last: until its
// duration has passed (0: for ever) or ctx ends. It listens on ln, which it
// closes. A [StartError] says that the run has not begun; any other
// error that it broke off, with a log that is whole up to where it ends. A run
// that ctx ended is not an error, unless it had not begun. With [ErrPause] as its cause the
// machine leaves its run open, which is a [PausedError]. An [OverError] comes with the result
// of the run: an earlier process had ended it.
func Run(ctx context.Context, cfg Config, ln net.Listener) (*summary.Machine, error) {
	r, err := newRunner(cfg, ln)
	if err != nil {
		_ = ln.Close()
		return nil, &StartError{Err: err}
	}
	r.cfg.Logger.Info("starting", "listening", ln.Addr(), "rate", cfg.Rate, "seed", r.seedText(), "run", cfg.Run)
	return r.run(ctx)
}

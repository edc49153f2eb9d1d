package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/gather"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/summary"
	"github.com/scalemodel/lamport/pkg/vm"
)

// deliverFlags are the flags of a machine that delivers its log.
func deliverFlags(env func(string) []string) []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "deliver", Usage: "deliver the log to `ADDR`, where \"launcher gather\" listens, at the end and after a restart; the file stays", EnvVars: env("DELIVER")},
		&cli.DurationFlag{Name: "deliver-timeout", Usage: "`TIME` to try that for at the end; 0: forever", Value: 10 * time.Minute, EnvVars: env("DELIVER_TIMEOUT")},
	}
}

// afterSignal is for how long a machine that was told to stop tries to deliver its log. Who
// stops it may kill it soon: Docker after 10 seconds, of which the last messages take two.
const afterSignal = 5 * time.Second

// delivery is how a machine delivers its log.
type delivery struct {
	addr    string // "": not at all
	timeout time.Duration

	cfg    *vm.Config
	logger hclog.Logger

	mu      sync.Mutex
	begun   bool             // there is something to deliver
	result  *summary.Machine // nil: the machine has not come to its end
	early   context.CancelFunc
	earlier sync.WaitGroup // the delivery after a restart
}

// parse reads the flags.
func (d *delivery) parse(c *cli.Context) error {
	d.addr, d.timeout = c.String("deliver"), c.Duration("deliver-timeout")
	switch {
	case d.addr == "" && c.IsSet("deliver-timeout"):
		return command.Usage("--deliver-timeout without --deliver: where is the log to be delivered?")
	case d.addr == "":
		return nil
	case d.timeout < 0:
		return command.Usage("--deliver-timeout %v: a duration cannot be negative", d.timeout)
	}
	if err := gather.CheckAddr(d.addr); err != nil {
		return command.Usage("--deliver %w", err)
	}
	return nil
}

// attach has a machine tell when there is something to deliver. What its log holds when it
// comes back is delivered while it runs: its host may not come back a second time.
func (d *delivery) attach(ctx context.Context, cfg *vm.Config) {
	if d.addr == "" {
		return
	}
	d.cfg, d.logger = cfg, cfg.Logger
	watch := cfg.Watch
	cfg.Watch = func(s summary.Status) {
		d.mu.Lock()
		if s.Phase == summary.Running && !d.begun {
			d.begun = true
			d.afterRestart(ctx)
		}
		if s.Machine != nil {
			d.begun, d.result = true, s.Machine
		}
		d.mu.Unlock()
		if watch != nil {
			watch(s)
		}
	}
}

// afterRestart delivers what an earlier process has left, if there is anything.
func (d *delivery) afterRestart(ctx context.Context) {
	if !d.cfg.Resume {
		return
	}
	ctx, d.early = context.WithCancel(ctx)
	d.earlier.Go(func() {
		switch err := d.deliver(ctx, nil); {
		case err == nil || ctx.Err() != nil: // it is delivered at the end
		default:
			d.logger.Warn("the log up to the restart is not delivered", "error", err)
		}
	})
}

// finish delivers the log of a machine that has ended, and returns how the process ends
// that would otherwise end with err. A machine that was told to stop does not try for long.
func (d *delivery) finish(ctx context.Context, err error) error {
	if d.addr == "" {
		return err
	}
	d.mu.Lock()
	begun, result, early := d.begun, d.result, d.early
	d.mu.Unlock()
	if early != nil {
		early()
		d.earlier.Wait()
	}
	// A run that was over already may have ended before anybody took its log.
	_, over := errors.AsType[*vm.OverError](err)
	switch {
	case !begun && !over:
		return err
	case over && d.delivered():
		d.logger.Info("the log was delivered before, and has not changed since", "to", d.addr)
		return err
	}
	trying, timeout := ctx, d.timeout
	if ctx.Err() != nil {
		trying, timeout = context.WithoutCancel(ctx), afterSignal
		if d.timeout > 0 {
			timeout = min(timeout, d.timeout)
		}
	}
	if timeout > 0 {
		var cancel context.CancelFunc
		trying, cancel = context.WithTimeout(trying, timeout)
		defer cancel()
	}
	return d.ending(ctx, err, d.deliver(trying, result))
}

// ending puts together how the run has ended and what became of the log.
func (d *delivery) ending(ctx context.Context, err, failed error) error {
	if failed == nil {
		return err
	}
	code := exit.Code(err)
	if code == exit.OK || code == exit.Short {
		code = exit.Misused // nobody takes it at the next try either
		if _, late := errors.AsType[*gather.UnreachedError](failed); late {
			code = exit.Retry
		}
		if ctx.Err() != nil { // by who would not wait
			code = exit.Interrupted
			if errors.Is(context.Cause(ctx), vm.ErrPause) { // and will start it again
				code = exit.Paused
			}
		}
	}
	mend := ""
	if refused, ok := errors.AsType[*gather.RefusedError](failed); ok && refused.Status == http.StatusNotFound {
		mend = " (compare --run and --machines of \"launcher gather\" with those of the run)"
	}
	how := "the run is over" // as err says it otherwise
	if !exit.Silent(err) {
		how = err.Error()
	}
	return exit.With(code, fmt.Errorf("%s, and the log is not delivered: %w%s; it stays here, and is delivered later with \"%s\"",
		how, failed, mend, d.byHand()))
}

// byHand returns the command line that delivers the log later.
func (d *delivery) byHand() string {
	words := []string{"launcher", "deliver", "--to", d.addr}
	if d.cfg.TLS != nil {
		f := d.cfg.TLS.Files()
		words = append(words, "--tls-cert", f.Cert, "--tls-key", f.Key, "--tls-ca", f.CA)
	}
	return command.Line(append(words, d.file())...)
}

func (d *delivery) file() string {
	return filepath.Join(d.cfg.LogDir, logging.FileName(d.cfg.ID, d.cfg.Rate))
}

// delivered reports whether the log as it is has been delivered by an earlier process: the gatherer
// may be gone, and would be looked for in vain.
func (d *delivery) delivered() bool {
	yes, err := gather.Confirmed(d.file(), d.addr)
	if err != nil {
		d.logger.Warn("whether the log was delivered before is not known", "error", err)
	}
	return yes
}

func (d *delivery) deliver(ctx context.Context, result *summary.Machine) error {
	about := gather.Here(command.Version())
	about.Duration, about.Summary = d.cfg.Duration, result
	about.Beside(d.cfg.LogDir, d.cfg.Run)
	var conf *tls.Config
	if d.cfg.TLS != nil {
		conf = gather.ClientTLS(d.cfg.TLS)
	}
	client := gather.NewClient(d.addr, conf)
	defer client.Close()
	client.Waiting = func(err error) {
		d.logger.Info("waiting to deliver the log", "to", d.addr, "because", err)
	}
	client.Confirmed = func(r gather.Receipt) {
		if err := r.Keep(d.file()); err != nil {
			d.logger.Warn("that the log is delivered cannot be noted: it is delivered again where the machine is started again", "error", err)
		}
	}
	if err := client.Deliver(ctx, d.file(), about); err != nil {
		return err
	}
	d.logger.Info("the log is delivered", "to", d.addr)
	return nil
}

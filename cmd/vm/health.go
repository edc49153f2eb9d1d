package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/health"
	"github.com/scalemodel/lamport/pkg/summary"
	"github.com/scalemodel/lamport/pkg/transport"
	"github.com/scalemodel/lamport/pkg/vm"
)

// healthFlags are the flags about what a machine says of its health.
func healthFlags(env func(string) []string) []cli.Flag {
	return []cli.Flag{
		// It says what this process is to do, and not how a machine is to run; so a machine
		// and the probe in its container can have one environment.
		&cli.StringFlag{Name: "health", Usage: "ask the running machine at `ADDR` how it is, and do nothing else: HOST:PORT or a PORT of this host (its own or that of its metrics), or unix:PATH. Exit code 0: it lives; 1: it does not"},
		&cli.BoolFlag{Name: "ready", Usage: "with --health: exit code 0 only if all links are up and the run goes on"},
		&cli.StringFlag{Name: "metrics", Usage: "answer /healthz, /readyz and /metrics over HTTP at `ADDR`: a PORT of this host only, HOST:PORT, :PORT on all addresses, or unix:PATH", EnvVars: env("METRICS")},
		&cli.StringFlag{Name: "ready-file", Usage: "`FILE` that is there while the machine is in its run", EnvVars: env("READY_FILE")},
	}
}

// healthOptions are what these flags say.
type healthOptions struct {
	metrics   *health.Address // nil: not served
	readyFile string          // "": none
}

func parseHealth(c *cli.Context) (o healthOptions, err error) {
	if c.IsSet("ready") {
		return o, command.Usage("--ready is for --health: say with --health which machine is to be asked")
	}
	if c.IsSet("metrics") {
		a, err := health.ParseAddress(c.String("metrics"))
		if err != nil {
			return o, command.Usage("--metrics: %w", err)
		}
		o.metrics = &a
	}
	if o.readyFile = c.String("ready-file"); c.IsSet("ready-file") && o.readyFile == "" {
		return o, command.Usage("--ready-file is empty: want the name of a file")
	}
	return o, nil
}

// askHealth asks a running machine, and prints what it says.
func askHealth(c *cli.Context) error {
	if c.Args().Present() {
		return command.Usage("unexpected argument %q: --health takes an address, and no more", c.Args().First())
	}
	a, err := health.ParseAddress(c.String("health"))
	if err != nil {
		return command.Usage("--health: %w", err)
	}
	config, err := askingTLS(c)
	if err != nil {
		return err
	}
	v, err := health.Ask(c.Context, a, c.Bool("ready"), config)
	if err != nil {
		return exit.With(exit.Broken, err)
	}
	if _, err := fmt.Fprintln(c.App.Writer, v.State); err != nil {
		return exit.With(exit.Broken, err)
	}
	if !v.Fine {
		return exit.With(exit.Broken, nil)
	}
	return nil
}

// askingTLS returns how a machine with certificates is asked on the port of its links, with its
// own: nil where there are none. A probe in its container has the same environment.
func askingTLS(c *cli.Context) (*tls.Config, error) {
	var t tlsOptions
	if err := t.parse(c); err != nil || !t.on() {
		return nil, err
	}
	var o options
	if strings.Contains(t.files.Cert+t.files.Key+t.files.CA, idInPath) {
		if err := o.parseRoster(c); err != nil {
			return nil, err
		}
	}
	if err := t.open(&o.machine); err != nil {
		return nil, err
	}
	return o.machine.TLS.Client(), nil
}

// answer lets the machine say how it is on the port of its links, until the returned function is
// called.
func answer(cfg *vm.Config, tell func(health.State, *vm.Report)) (m *health.Monitor, done func()) {
	cfg.Probe = new(vm.Probe)
	m = health.NewMonitor(cfg.Probe.Report, command.Version(), tell)
	cfg.Asked = m.Answer
	return m, m.Close
}

// attendTo answers on the port of a machine that has ended those who ask how it is, until the returned
// function is called: else an engine would kill it while it delivers its log.
func attendTo(cfg vm.Config, ln net.Listener) (done func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var attending sync.WaitGroup
	attending.Go(func() { vm.Attend(ctx, cfg, transport.Lend(ln)) })
	return func() {
		cancel()
		attending.Wait()
	}
}

// attend lets the machine be asked how it is, and tells those who want to know unasked, until
// the returned function is called. Under a launcher, which looks after its machines
// itself, [answer] is enough.
func (o *healthOptions) attend(cfg *vm.Config) (done func(), err error) {
	var ready *health.ReadyFile
	if o.readyFile != "" {
		if ready, err = health.NewReadyFile(o.readyFile); err != nil {
			return nil, command.Usage("--ready-file: %w", err)
		}
	}
	manager := health.NewNotifier(os.Getenv, os.Getpid())
	m, stop := answer(cfg, func(s health.State, r *vm.Report) { manager.Status(s, r.Steps, uint64(r.Clock)) })
	var server *health.Server
	if o.metrics != nil {
		if server, err = m.Serve(*o.metrics); err != nil {
			stop()
			if errors.Is(err, syscall.EADDRINUSE) { // whoever has it may be about to go
				return nil, exit.With(exit.Retry, fmt.Errorf("--metrics: %w: choose another address, or end what has it", err))
			}
			return nil, command.Usage("--metrics: %w", err)
		}
	}
	leave := func() {
		if ready != nil {
			_ = ready.Remove()
		}
	}
	onPhase(cfg, func(p summary.Phase) {
		switch p {
		case summary.Running:
			manager.Ready()
			if ready == nil {
				return
			}
			if err := ready.Write(os.Getpid()); err != nil {
				cfg.Logger.Warn("--ready-file cannot be written", "error", err)
			}
		case summary.Ending:
			leave()
			manager.Stopping()
		}
	})
	return func() {
		leave()
		if server != nil {
			server.Close()
		}
		stop()
	}, nil
}

// onPhase calls f when the machine enters a phase.
func onPhase(cfg *vm.Config, f func(summary.Phase)) {
	watch, last := cfg.Watch, summary.Phase("")
	cfg.Watch = func(s summary.Status) {
		if watch != nil {
			watch(s)
		}
		if s.Phase != last {
			last = s.Phase
			f(s.Phase)
		}
	}
}

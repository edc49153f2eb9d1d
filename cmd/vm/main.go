// Command vm is one virtual machine of a run, as a process: it finds its peers,
// starts together with them, ticks at its own rate, and writes its event log.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/fault"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/machine"
	"github.com/scalemodel/lamport/pkg/replay"
	"github.com/scalemodel/lamport/pkg/summary"
	"github.com/scalemodel/lamport/pkg/transport"
	"github.com/scalemodel/lamport/pkg/vm"
)

func main() {
	os.Exit(command.Run(context.Background(), app(), os.Args, os.Stdout, os.Stderr))
}

const description = `One machine of a run, on any host. Three of them, in any order:

  vm --id 0 --port 2050 --peers hostb:3050,hostc:4050 --rate 1 --bind 0.0.0.0   (on hosta)
  vm --id 1 --port 3050 --peers hosta:2050,hostc:4050 --rate 5 --bind 0.0.0.0   (on hostb)
  vm --id 2 --port 4050 --peers hosta:2050,hostb:3050 --rate 4 --bind 0.0.0.0   (on hostc)

They wait for each other and start together. Ctrl-C stops one in order: its log is
complete, and the others go on. A second Ctrl-C kills it.

Nothing on the network is encrypted or authenticated: bind to an address that only
trusted hosts can reach.`

func app() *cli.App {
	env := func(name string) []string { return []string{"VM_" + name} }
	return &cli.App{
		Name:        "vm",
		Usage:       "one virtual machine with a logical clock",
		UsageText:   "vm --id ID --port PORT --peers HOST:PORT,... [flags]",
		Description: description,
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "id", Usage: "this machine's `ID`, from 0 to the number of peers", Value: -1, DefaultText: "required", EnvVars: env("ID")},
			&cli.IntFlag{Name: "port", Usage: "`PORT` to listen on", DefaultText: "required", EnvVars: env("PORT")},
			&cli.StringFlag{Name: "peers", Usage: "all other machines: `HOST:PORT` or ID=HOST:PORT, apart by commas", EnvVars: env("PEERS")},
			&cli.StringFlag{Name: "rate", Usage: "`TICKS` per second, fractions allowed, or max", Value: "1", EnvVars: env("RATE")},
			&cli.DurationFlag{Name: "duration", Usage: "how `LONG` to run; 0: until interrupted", Value: time.Minute, EnvVars: env("DURATION")},
			&cli.StringFlag{Name: "seed", Usage: "`NUMBER` that decides every throw of the die", DefaultText: "drawn", EnvVars: env("SEED")},
			&cli.IntFlag{Name: "die", Usage: "`FACES` of the die: 1 to 3 send, the others are internal", Value: machine.DefaultDie, EnvVars: env("DIE")},
			&cli.StringFlag{Name: "run", Usage: "`NAME` of the run; machines of another run are refused", Value: "by-hand", EnvVars: env("RUN")},
			&cli.StringFlag{Name: "bind", Usage: "`ADDRESS` to listen on; 0.0.0.0: all", Value: "127.0.0.1", EnvVars: env("BIND")},
			&cli.StringFlag{Name: "log-dir", Usage: "existing `DIR` for the event log", Value: ".", EnvVars: env("LOG_DIR")},
			&cli.DurationFlag{Name: "connect-timeout", Usage: "how `LONG` to wait for the peers; 0: for ever", Value: 10 * time.Minute, EnvVars: env("CONNECT_TIMEOUT")},
			&cli.DurationFlag{Name: "linger", Usage: "how `LONG` to wait at the end for the peers' last messages", Value: 2 * time.Second, EnvVars: env("LINGER")},
			&cli.IntFlag{Name: "window", Usage: "most `MESSAGES` per link that may wait to be consumed", Value: transport.DefaultWindow, EnvVars: env("WINDOW")},
			&cli.BoolFlag{Name: "resume", Usage: "go on where this machine's log ends, after a crash; without a log, begin", EnvVars: env("RESUME")},
			&cli.StringFlag{Name: "replay", Usage: "do again what is recorded in `FILE`, this machine's log of an earlier run: the same messages in the same order. Id, rate, seed, die and run are the record's", EnvVars: env("REPLAY")},
			&cli.StringFlag{Name: "pace", Usage: "of a replay: `max`, or recorded", Value: "max", EnvVars: env("PACE")},
			&cli.StringFlag{Name: "faults", Usage: "`PLAN` of what breaks on the machine's connections; the same text on all machines, with peers as ID=HOST:PORT", EnvVars: env("FAULTS")},
			&cli.BoolFlag{Name: "sync", Usage: "wait for the disk before anything is sent or acknowledged, against loss of power", EnvVars: env("SYNC")},
			&cli.StringFlag{Name: "log-level", Usage: "of the talk on standard error: trace, debug, info, warn, error, off", Value: "info", EnvVars: env("LOG_LEVEL")},

			// For the launcher: standard input is a lifeline whose end means
			// an orderly stop (a line with a duration before it replaces
			// --linger), standard output carries summary.Status as JSON.
			&cli.BoolFlag{Name: "supervised", Hidden: true},
			// Look for the peers only after a line "go" on the lifeline.
			&cli.BoolFlag{Name: "gated", Hidden: true},
			&cli.DurationFlag{Name: "status-every", Hidden: true},
			&cli.IntFlag{Name: "listen-fd", Hidden: true},
		},
		Action: run,
	}
}

func run(c *cli.Context) error {
	if c.Args().Present() {
		return command.Usage("unexpected argument %q: everything is said by flags; \"vm --help\" lists them", c.Args().First())
	}
	cfg, err := config(c)
	if err != nil {
		return err
	}
	if cfg.Replay != nil {
		defer cfg.Replay.Close()
	}
	ln, err := listener(c)
	if err != nil {
		return err
	}
	ctx, stop := onInterrupt(c)
	defer stop()
	if c.Bool("supervised") {
		var over func()
		ctx, over = supervised(ctx, c, &cfg)
		defer over()
	}
	result, err := vm.Run(ctx, cfg, ln)
	var notStarted *vm.StartError
	var differs *replay.Difference
	switch {
	case errors.Is(err, context.Canceled):
		return exit.With(exit.Interrupted, errors.New("interrupted before the run began"))
	case errors.As(err, &notStarted):
		return exit.With(exit.Misused, withHint(err))
	case errors.Is(err, vm.ErrCrash):
		return exit.With(exit.Crashed, err)
	case errors.As(err, &differs):
		return exit.With(exit.Broken, err)
	case err != nil:
		return exit.With(exit.Died, err)
	}
	if !c.Bool("supervised") {
		if err := result.WriteText(c.App.Writer); err != nil {
			return exit.With(exit.Died, err)
		}
	}
	if ctx.Err() != nil {
		return exit.With(exit.Interrupted, nil)
	}
	return nil
}

func config(c *cli.Context) (vm.Config, error) {
	cfg := vm.Config{
		ID:             c.Int("id"),
		Die:            c.Int("die"),
		Run:            c.String("run"),
		Duration:       c.Duration("duration"),
		LogDir:         c.String("log-dir"),
		ConnectTimeout: c.Duration("connect-timeout"),
		Linger:         c.Duration("linger"),
		Window:         c.Int("window"),
		Resume:         c.Bool("resume"),
		Sync:           c.Bool("sync"),
	}
	if err := model(c, &cfg); err != nil {
		return cfg, err
	}
	var err error
	if cfg.Peers, err = vm.ParsePeers(c.String("peers")); err != nil {
		return cfg, command.Usage("--peers: %w", err)
	}
	for _, d := range []string{"duration", "connect-timeout", "linger"} {
		if c.Duration(d) < 0 {
			return cfg, command.Usage("--%s %v: a duration cannot be negative", d, c.Duration(d))
		}
	}
	if cfg.Window < 1 {
		return cfg, command.Usage("--window %d: want at least 1 message", cfg.Window)
	}
	if cfg.Faults, err = faults(c.String("faults"), cfg.Peers); err != nil {
		return cfg, err
	}
	level := hclog.LevelFromString(c.String("log-level"))
	if level == hclog.NoLevel {
		return cfg, command.Usage("--log-level %q: want trace, debug, info, warn, error or off", c.String("log-level"))
	}
	cfg.Logger = hinting{logging.Diagnostics(c.App.ErrWriter, "vm-"+strconv.Itoa(cfg.ID), level)}
	return cfg, nil
}

// model reads which machine this is and what it does, from the flags or from a
// record.
func model(c *cli.Context, cfg *vm.Config) (err error) {
	switch c.String("pace") {
	case "max":
	case "recorded":
		cfg.AtPace = true
	default:
		return command.Usage("--pace %q: want max or recorded", c.String("pace"))
	}
	if c.IsSet("replay") {
		path := c.String("replay")
		if path == "" {
			return command.Usage("--replay is empty: want the log that is to be done again")
		}
		for _, name := range []string{"id", "rate", "duration", "seed", "die", "run"} {
			if c.IsSet(name) {
				return command.Usage("--%s with --replay: that is in the record", name)
			}
		}
		if cfg.Replay, err = replay.Open(path); err != nil {
			return command.Usage("--replay: %w", err)
		}
		s := cfg.Replay.Start()
		cfg.ID, cfg.Rate, cfg.Seed, cfg.Die, cfg.Run, cfg.Duration = cfg.Replay.ID(), s.Rate, s.Seed, s.Die, s.Run, 0
		return nil
	}
	if c.IsSet("pace") {
		return command.Usage("--pace is for a replay: give the record with --replay, or the machine's pace with --rate")
	}
	if !c.IsSet("id") {
		return command.Usage("--id is missing: which machine is this, 0, 1, …?")
	}
	if cfg.Rate, err = clock.ParseRate(c.String("rate")); err != nil {
		return command.Usage("--rate: %w", err)
	}
	cfg.Seed, err = command.ParseSeed(c.String("seed"))
	return err
}

// faults reads the fault plan of a run with these peers.
func faults(text string, peers []transport.Peer) (*fault.Plan, error) {
	if text == "" {
		return nil, nil
	}
	for _, p := range peers {
		if p.ID == transport.AnyID {
			return nil, command.Usage("--faults needs the ids of all peers: write %s as ID=%s", p.Addr, p.Addr)
		}
	}
	plan, err := fault.Parse(text, len(peers)+1)
	if err != nil {
		return nil, command.Usage("--faults: %w", err)
	}
	return plan, nil
}

// listener returns the listener that the launcher has passed down, or makes one.
func listener(c *cli.Context) (net.Listener, error) {
	if fd := c.Int("listen-fd"); fd > 0 {
		f := os.NewFile(uintptr(fd), "listener")
		defer f.Close()
		ln, err := net.FileListener(f)
		if err != nil {
			return nil, command.Usage("--listen-fd %d: not a listening socket: %w", fd, err)
		}
		return ln, nil
	}
	port, bind := c.Int("port"), c.String("bind")
	if !c.IsSet("port") {
		return nil, command.Usage("--port is missing: where does this machine listen, for example 2050?")
	}
	ln, err := transport.Listen(bind, port)
	if err != nil {
		return nil, withHint(err)
	}
	return ln, nil
}

// onInterrupt returns a context that ends with the first signal to stop. By hand
// the second one kills. Under the launcher more signals say nothing new: when
// it is killed, the kernel sends one for each of its threads that was this
// process's parent in turn. To kill, the launcher kills.
func onInterrupt(c *cli.Context) (context.Context, context.CancelFunc) {
	if c.Bool("supervised") {
		return signal.NotifyContext(c.Context, os.Interrupt, syscall.SIGTERM)
	}
	return command.OnInterrupt(c.Context, nil)
}

// supervised ties the process to its launcher, until over is called.
func supervised(ctx context.Context, c *cli.Context, cfg *vm.Config) (_ context.Context, over func()) {
	// The launcher may be gone before us; its death must not cut our log short.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := context.WithCancelCause(ctx)
	done := make(chan struct{})
	gate := make(chan struct{})
	open := sync.OnceFunc(func() { close(gate) })
	if c.Bool("gated") {
		cfg.Gate = gate
	}
	linger := cfg.Linger
	go func() {
		lines := bufio.NewScanner(c.App.Reader)
		for lines.Scan() {
			if lines.Text() == "go" {
				open()
			} else if d, err := time.ParseDuration(lines.Text()); err == nil {
				linger = d
			}
		}
		stop(vm.StopWithin{Linger: linger})
		limit := linger + 5*time.Second
		select {
		case <-done:
		case <-time.After(limit):
			_, _ = fmt.Fprintf(c.App.ErrWriter, "vm: could not stop in order within %v\n", limit)
			os.Exit(exit.Died)
		}
	}()
	enc := json.NewEncoder(c.App.Writer)
	cfg.WatchEvery = c.Duration("status-every")
	cfg.Watch = func(s summary.Status) {
		_ = enc.Encode(s) // nobody is there to hear that nobody is there
	}
	return ctx, func() {
		close(done)
		stop(nil)
	}
}

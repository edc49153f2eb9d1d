// Command vm is one virtual machine of a run, as a process: it finds its peers,
// starts together with them, ticks at its own rate, and writes its event log.
package main

import (
	"context"
	"flag"
	"io"
	"os"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/control"
	"github.com/scalemodel/lamport/pkg/machine"
	"github.com/scalemodel/lamport/pkg/transport"
	"github.com/scalemodel/lamport/pkg/vm"
)

func main() {
	os.Exit(run(context.Background(), os.Args, os.Stdin, os.Stdout, os.Stderr))
}

// run executes the command line args, whose first is the program's name, and
// returns its exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	app := app()
	app.Reader = stdin
	return command.Run(ctx, app, args, stdout, stderr)
}

const description = `One machine of a run, on any host. Start three of them in any order, here on
hosta, hostb and hostc:

  vm --id 0 --port 2050 --peers hostb:3050,hostc:4050 --rate 1
  vm --id 1 --port 3050 --peers hosta:2050,hostc:4050 --rate 5
  vm --id 2 --port 4050 --peers hosta:2050,hostb:3050 --rate 4

or, with one list of all for all, in which each finds itself:

  vm --peers hosta:2050,hostb:3050,hostc:4050 --rate 1,5,4

They wait for each other and start together. Ctrl-C stops one in an orderly way: its log
is complete, and the others continue. A second Ctrl-C kills it.

SIGTERM to one that was started with --resume, or by an engine such as Slurm, Kubernetes
or systemd, pauses it: started again with --resume, it goes on where it was. Where all are
paused, the run stands still. Exit codes: 0 done, 2 wrong usage, 3 the machine broke off,
5 the run to be resumed was stopped short, 75 try again (peers, disk, port), 130 stopped,
143 paused.

An engine that starts one process per machine needs no more than the program: its ranks
are the ids, and its hosts the peers. For others, each flag has a variable, and one
environment serves all machines:

  srun -N3 -n3 vm --rate 1,5,4
  mpirun -np 3 vm --rate 1,5,4
  vm --peers 'vm-{0..2}.lamport:2050' --rate 1,5,4

Without certificates nothing on the network is encrypted, and only addresses of the peers
are let in. With --tls-cert, --tls-key and --tls-ca, which "launcher certs" makes, nobody
else can take part or listen.`

func app() *cli.App {
	var o options
	env := func(name string) []string { return []string{"VM_" + name} }
	return &cli.App{
		Name:        "vm",
		Usage:       "one virtual machine with a logical clock",
		UsageText:   "vm [--id ID] [--port PORT] --peers HOST:PORT,... [flags]",
		Description: description,
		Metadata: map[string]any{command.ChoicesKey: command.Choices{
			"log-level": command.LogLevels,
			"log-to":    logTos,
			"pace":      {"max", "recorded"},
		}},
		Flags: slices.Concat(rosterFlags(env), []cli.Flag{
			allowFlag(env),
			&cli.DurationFlag{Name: "duration", Usage: "`TIME` to run for; 0: until interrupted", Value: time.Minute, EnvVars: env("DURATION")},
			&cli.StringFlag{Name: "seed", Usage: "`NUMBER` that decides every throw of the die", DefaultText: "machine 0's, which is drawn", EnvVars: env("SEED")},
			&cli.IntFlag{Name: "die", Usage: "`FACES` of the die: 1 to 3 send, the others are internal", Value: machine.DefaultDie, EnvVars: env("DIE")},
			&cli.StringFlag{Name: "run", Usage: "`NAME` of the run; machines of another run are refused", Value: "by-hand", EnvVars: env("RUN")},
			&cli.StringFlag{Name: "log-dir", Usage: "existing `DIR` for the event log", Value: ".", EnvVars: env("LOG_DIR")},
			&cli.DurationFlag{Name: "connect-timeout", Usage: "`TIME` to wait for the peers; 0: forever", Value: 10 * time.Minute, EnvVars: env("CONNECT_TIMEOUT")},
			&cli.DurationFlag{Name: "linger", Usage: "`TIME` to wait at the end for the peers' last messages", Value: 2 * time.Second, EnvVars: env("LINGER")},
			&cli.IntFlag{Name: "window", Usage: "maximum number of unconsumed `MESSAGES` per link", Value: transport.DefaultWindow, EnvVars: env("WINDOW")},
			&cli.Uint64Flag{Name: "max-jump", Usage: "refuse messages stamped more than `TICKS` ahead of this machine's clock", Value: vm.DefaultMaxJump, EnvVars: env("MAX_JUMP")},
			&cli.BoolFlag{Name: "resume", Usage: "after a crash or a pause, continue where this machine's log ends; without a log, start afresh. SIGTERM then pauses the machine", EnvVars: env("RESUME")},
			&cli.StringFlag{Name: "replay", Usage: "replay `FILE`, this machine's log of an earlier run: the same messages in the same order. The id, rate, seed, die and run name come from it", EnvVars: env("REPLAY")},
			&cli.StringFlag{Name: "pace", Usage: "`PACE` of a replay: max or recorded", Value: "max", EnvVars: env("PACE")},
			&cli.StringFlag{Name: "faults", Usage: "fault `PLAN` for the machine's connections; the same text on all machines, with peers as ID=HOST:PORT", EnvVars: env("FAULTS")},
			&cli.BoolFlag{Name: "sync", Usage: "wait for the disk before sending or acknowledging, to survive power loss", EnvVars: env("SYNC")},
			&cli.StringFlag{Name: "log-level", Usage: "`LEVEL` of the diagnostics on standard error: trace, debug, info, warn, error, off", Value: "info", EnvVars: env("LOG_LEVEL")},
			logToFlag(env),
		}, tlsFlags(), deliverFlags(env), healthFlags(env), launcherFlags(&o.control)),
		Action: func(c *cli.Context) error {
			switch {
			case c.IsSet("health"):
				return askHealth(c)
			case o.away():
				return o.runAway(c)
			}
			defer o.heed(c)()
			err := o.parse(c)
			if err == nil {
				err = o.run(c.Context, c.App.Reader, c.App.Writer, c.App.ErrWriter)
			}
			return command.Flagged(err)
		},
	}
}

// launcherFlags returns the flags that only the launcher gives, which put what they
// are given into o.
func launcherFlags(o *control.Options) (flags []cli.Flag) {
	set := flag.NewFlagSet("", flag.ContinueOnError)
	o.Register(set)
	set.VisitAll(func(f *flag.Flag) {
		flags = append(flags, &cli.GenericFlag{Name: f.Name, Value: f.Value, Hidden: true})
	})
	return flags
}

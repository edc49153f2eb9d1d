package main

import (
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/gather"
	"github.com/scalemodel/lamport/pkg/lab"
	"github.com/scalemodel/lamport/pkg/roster"
)

func gatherCommand() *cli.Command {
	env := func(name string) []string { return []string{"LAUNCHER_" + name} }
	return &cli.Command{
		Name:      "gather",
		Usage:     "take in the logs of a run on many hosts, check it and sum it up",
		UsageText: "launcher gather --listen ADDR --machines N [flags]",
		Description: `Waits until the machines of a run have delivered their logs ("vm --deliver ADDR", or
"launcher deliver"), and then does what "launcher run" does at the end of a run: the
run's directory, the check, the summary and the page.

  launcher gather --listen 127.0.0.1:7070 --machines 3 --run exam

It may be started before the machines, after them, or again in the same directory, where
it goes on. Ctrl-C or --timeout ends the waiting: what has come is summed up.

Exit code 0: the run is correct; 1: it is broken, or incomplete; 2: nothing could be
gathered; 3: a file could not be written; 75: another process has the port or the
directory; 130: it was interrupted.`,
		Flags: slices.Concat([]cli.Flag{
			&cli.StringFlag{Name: "listen", Usage: "`ADDR` that machines deliver to, host:port; :7070 is that port on all addresses", DefaultText: "required", EnvVars: env("LISTEN")},
			&cli.IntFlag{Name: "machines", Usage: "`NUMBER` of machines of the run", DefaultText: "required", EnvVars: env("MACHINES")},
			&cli.StringFlag{Name: "run", Usage: "`NAME` of the run; logs of another run are refused", DefaultText: "that of the certificate, else by-hand", EnvVars: env("RUN")},
			&cli.StringFlag{Name: "out", Usage: "`DIR` for the run", DefaultText: "runs/<time>-<name>", EnvVars: env("OUT")},
			&cli.DurationFlag{Name: "timeout", Usage: "`TIME` to wait for the logs; 0: forever", EnvVars: env("TIMEOUT")},
			&cli.StringFlag{Name: "allow", Usage: "take logs only from these addresses: a `LIST` such as 10.0.0.0/8,192.0.2.7", DefaultText: "all, but on a network only with certificates", EnvVars: env("ALLOW")},
			&cli.StringFlag{Name: "max-size", Usage: "largest `SIZE` of a machine's log: 500MB, 2GiB", Value: "32GiB", EnvVars: env("MAX_SIZE")},
			minFreeFlag(),
			&cli.BoolFlag{Name: "check", Usage: "check the logs against the laws at the end (--check=false skips it)", Value: true, EnvVars: env("CHECK")},
			reportFlag(),
			&cli.BoolFlag{Name: "quiet", Usage: "print only the result and errors", EnvVars: env("QUIET")},
		}, tlsFileFlags("the gatherer's"), lookFlags()),
		Action: command.PipedToTheEnd(action(gatherOptions)),
	}
}

func gatherOptions(c *cli.Context) (o lab.Gather, err error) {
	o.Listen, o.Machines, o.Name, o.Timeout, o.AtEnd = c.String("listen"), c.Int("machines"), c.String("run"), c.Duration("timeout"), atEnd(c)
	switch {
	case c.Args().Present():
		return o, unexpected(c)
	case o.Listen == "":
		return o, command.Usage("--listen is missing: where do the machines deliver their logs, for example 127.0.0.1:7070?")
	case !c.IsSet("machines"):
		return o, command.Usage("--machines is missing: of how many machines is the run?")
	case o.Machines < 1 || o.Machines > gather.MaxMachines:
		return o, command.Usage("--machines %d: want 1 to %d", o.Machines, gather.MaxMachines)
	case o.Timeout < 0:
		return o, command.Usage("--timeout %v: a duration cannot be negative", o.Timeout)
	}
	if o.TLS, err = credentials(c); err != nil {
		return o, err
	}
	switch {
	case c.IsSet("run"):
	case o.TLS != nil:
		o.Name = o.TLS.Name().Run
	default:
		o.Name = "by-hand"
	}
	if err := experiment.CheckName(o.Name); err != nil {
		return o, err
	}
	if o.Dir, err = outDir(c); err != nil {
		return o, err
	}
	if o.MaxLog, err = lab.ParseSize(c.String("max-size")); err != nil {
		return o, command.Usage("--max-size %w", err)
	}
	if o.MinFree, err = minFree(c); err != nil {
		return o, err
	}
	if o.Allow, err = roster.ParseNetworks(c.String("allow")); err != nil {
		return o, command.Usage("--allow: %w", err)
	}
	return o, o.Check()
}

func deliverCommand() *cli.Command {
	env := func(name string) []string { return []string{"LAUNCHER_" + name} }
	return &cli.Command{
		Name:      "deliver",
		Usage:     "deliver logs to a \"launcher gather\", by hand",
		UsageText: "launcher deliver --to ADDR [flags] DIR|LOG...",
		Description: `Delivers the event logs in directories, or those that are named, to where the logs of
their run are gathered: those of machines that could not do so themselves, or that were
killed and do not come back. The files stay. It may be done again and again: what is
there already is not sent once more.

  launcher deliver --to 127.0.0.1:7070 vm_0_1.log

Exit code 0: all are delivered; 2: one was refused; 75: nobody takes them, try again.`,
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "to", Usage: "`ADDR` where \"launcher gather\" listens, host:port", DefaultText: "required", EnvVars: env("TO")},
			&cli.DurationFlag{Name: "timeout", Usage: "`TIME` to try for with each log; 0: forever", Value: time.Minute, EnvVars: env("TIMEOUT")},
			&cli.BoolFlag{Name: "quiet", Usage: "print only errors", EnvVars: env("QUIET")},
		}, tlsFileFlags("the machine's, or the gatherer's,")...),
		Action: command.PipedToTheEnd(action(deliverOptions)),
	}
}

func deliverOptions(c *cli.Context) (o lab.Deliver, err error) {
	o.To, o.Timeout, o.Logs = c.String("to"), c.Duration("timeout"), c.Args().Slice()
	switch {
	case o.To == "":
		return o, command.Usage("--to is missing: where are the logs gathered, for example hosta:7070?")
	case o.Timeout < 0:
		return o, command.Usage("--timeout %v: a duration cannot be negative", o.Timeout)
	case len(o.Logs) == 0:
		return o, command.Usage("deliver: which logs? Name them, or the directory that they are in")
	}
	if err := gather.CheckAddr(o.To); err != nil {
		return o, command.Usage("--to %w", err)
	}
	o.TLS, err = credentials(c)
	return o, err
}

package main

import (
	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/lab"
)

func replayCommand() *cli.Command {
	return &cli.Command{
		Name:      "replay",
		Usage:     "execute a recorded run again and check that it comes out the same",
		UsageText: "launcher replay [flags] DIR",
		Description: `Executes a run again from its logs: every machine throws its dice again, receives the
same messages in the same order, and must do exactly what is recorded, except for the
global time. Crashes are repeated too.

Exit code 0: the run came out the same; 1: it did not, and the first difference is
shown; 2: a log cannot be read.

--processes replays with vm processes over TCP, in a new run directory:

  launcher replay --processes --pace recorded runs/latest`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "processes", Usage: "replay with vm processes over TCP, not just in this process"},
			&cli.StringFlag{Name: "pace", Usage: "`PACE` of the processes: max or recorded", Value: "max"},
			&cli.StringFlag{Name: "ports", Usage: "ports of the processes: a `LIST`, or auto for free ones", Value: "auto"},
			&cli.StringFlag{Name: "out", Usage: "`DIR` for the run of the processes", DefaultText: "runs/<time>-<name>-replay"},
			&cli.StringFlag{Name: "vm", Usage: "`PATH` of the vm program", DefaultText: "next to this one"},
			&cli.BoolFlag{Name: "report", Usage: "processes: write a page with both runs side by side, report.html, at the end (--report=false skips it)", Value: true, EnvVars: []string{"LAUNCHER_REPORT"}},
			&cli.BoolFlag{Name: "quiet", Usage: "print only the result and errors: no remarks, no progress"},
		},
		Action: action(replayOptions),
	}
}

func replayOptions(c *cli.Context) (o lab.Replay, err error) {
	o.Processes, o.Report, o.Ports, o.VM = c.Bool("processes"), c.Bool("report"), c.String("ports"), c.String("vm")
	if o.Dir, err = runDir(c); err != nil {
		return o, err
	}
	switch pace := c.String("pace"); pace {
	case "max":
	case "recorded":
		o.AtPace = true
	default:
		return o, command.Usage("--pace %q: want max or recorded", pace)
	}
	if !o.Processes {
		for _, name := range []string{"pace", "ports", "out", "vm"} {
			if c.IsSet(name) {
				return o, command.Usage("--%s is for processes: add --processes", name)
			}
		}
	}
	o.Out, err = outDir(c)
	return o, err
}

func rerunCommand() *cli.Command {
	return &cli.Command{
		Name:      "rerun",
		Usage:     "repeat a run with the same configuration and seed",
		UsageText: "launcher rerun [flags] DIR",
		Description: `Starts a run again with what its run.json says, in a new directory. A run in virtual
time must come out with the same bytes, which is checked (exit code 1: it did not).
Processes throw the same dice, but their messages arrive at other instants; "launcher
replay" repeats those too. They run on this host, unless --hosts names others, also
where the run's own were others: a record alone does not reach for hosts. The other exit codes are those of "launcher run".`,
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "out", Usage: "`DIR` for the run", DefaultText: "runs/<time>-<name>"},
			&cli.StringFlag{Name: "ports", Usage: "ports of the processes: a `LIST`, or auto for free ones", DefaultText: "as recorded"},
			&cli.StringFlag{Name: "vm", Usage: "`PATH` of the vm program", DefaultText: "next to this one"},
			&cli.BoolFlag{Name: "check", Usage: "check the logs against the laws at the end (--check=false skips it)", Value: true},
			reportFlag(),
			minFreeFlag(),
			&cli.BoolFlag{Name: "quiet", Usage: "print only the result and errors: no remarks, no progress"},
		}, append(hostsFlags(), lookFlags()...)...),
		Action: command.PipedToTheEnd(action(rerunOptions)),
	}
}

func rerunOptions(c *cli.Context) (o lab.Rerun, err error) {
	o.Ports, o.VM, o.AtEnd = c.String("ports"), c.String("vm"), atEnd(c)
	if o.Dir, err = runDir(c); err != nil {
		return o, err
	}
	if o.MinFree, err = minFree(c); err != nil {
		return o, err
	}
	if o.Hosts, err = hosts(c); err != nil {
		return o, err
	}
	o.Out, err = outDir(c)
	return o, err
}

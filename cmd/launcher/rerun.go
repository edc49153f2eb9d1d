package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/cluster"
	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/sim"
)

func rerunCommand() *cli.Command {
	return &cli.Command{
		Name:      "rerun",
		Usage:     "do a run with the same configuration and seed once more",
		UsageText: "launcher rerun [flags] DIR",
		Description: `Reads from the run.json of a run what it was started with, and starts it once more, in a
new directory. What ran in virtual time comes out with the same bytes, which is checked
(exit code 1: it does not). Processes throw the same dice, but when their messages
arrive is decided anew: "launcher replay" repeats that too.`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "out", Usage: "`DIR` for the run", DefaultText: "runs/<time>-<name>"},
			&cli.StringFlag{Name: "ports", Usage: "of processes: a `LIST` of ports, or auto for free ones", DefaultText: "as recorded"},
			&cli.StringFlag{Name: "vm", Usage: "`PATH` of the vm program", DefaultText: "beside this one"},
			&cli.BoolFlag{Name: "check", Usage: "hold the logs against the laws at the end (--check=false: do not)", Value: true},
			&cli.BoolFlag{Name: "quiet", Usage: "no talk, no progress: only the result and errors"},
		},
		Action: rerun,
	}
}

func rerun(c *cli.Context) error {
	dir, err := oneRunDir(c)
	if err != nil {
		return err
	}
	if c.IsSet("out") && c.String("out") == "" {
		return command.Usage("--out is empty: want the name of a directory")
	}
	path := filepath.Join(dir, cluster.RecordName)
	r, err := cluster.ReadRecord(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return command.Usage("%s does not exist: want the directory of a run that launcher has started", path)
	case err != nil:
		return command.Usage("%w", err)
	case r.ReplayOf != "":
		return command.Usage("%s is a replay of %s: run that again, or replay it", dir, r.ReplayOf)
	}
	if err := r.Check(); err != nil {
		return command.Usage("%s: %w", path, err)
	}
	talk := c.App.ErrWriter
	if c.Bool("quiet") {
		talk = io.Discard
	}
	tellVersion(talk, dir, r)
	if r.Virtual != nil {
		return rerunVirtual(c, dir, r)
	}
	return rerunProcesses(c, path, r)
}

func rerunProcesses(c *cli.Context, path string, r *cluster.Record) error {
	cfg := cluster.Config{
		Run:     newRunName(),
		Rates:   r.Rates,
		Ports:   r.Ports,
		Die:     r.Die,
		Seed:    r.Seed,
		Dir:     c.String("out"),
		VM:      c.String("vm"),
		Window:  r.Window,
		Restart: r.Restart,
		Sync:    r.Sync,
		Version: command.Version(),
	}
	var err error
	if cfg.Duration, err = time.ParseDuration(r.Duration); err != nil {
		return command.Usage("%s: %w", path, err)
	}
	if cfg.Faults, err = faultPlan(r.Faults, len(r.Rates), r.Seed, cfg.Duration); err != nil {
		return err
	}
	if ports := c.String("ports"); ports != "" {
		if cfg.Ports, err = cluster.ParsePorts(ports, len(r.Rates)); err != nil {
			return command.Usage("--ports: %w", err)
		}
	}
	if err := placeAndProgram(&cfg); err != nil {
		return err
	}
	return runProcesses(c, cfg)
}

func rerunVirtual(c *cli.Context, dir string, r *cluster.Record) error {
	for _, name := range []string{"ports", "vm"} {
		if c.IsSet(name) {
			return command.Usage("--%s is for processes, and %s ran in virtual time", name, dir)
		}
	}
	cfg := sim.Config{Run: r.Run, Rates: r.Rates, Die: r.Die, Seed: r.Seed}
	var err error
	if cfg.Duration, err = time.ParseDuration(r.Duration); err != nil {
		return command.Usage("%s: %w", dir, err)
	}
	if cfg.Latency, err = sim.ParseLatency(r.Virtual.Latency); err != nil {
		return command.Usage("%s: latency %w", dir, err)
	}
	if cfg.Phase, err = sim.ParsePhase(r.Virtual.Phase); err != nil {
		return command.Usage("%s: phase %w", dir, err)
	}
	if cfg.Faults, err = faultPlan(r.Faults, len(r.Rates), r.Seed, cfg.Duration); err != nil {
		return err
	}
	if err := cfg.Check(); err != nil {
		return command.Usage("%s: %w", dir, err)
	}
	logs, err := filepath.Glob(filepath.Join(dir, "vm_*.log"))
	if err != nil {
		return command.Usage("%s: %w", dir, err)
	}
	again, err := runVirtual(c, cfg, len(logs) > 0)
	if err != nil {
		return err
	}
	return compareAgain(c.App.Writer, dir, again, logs)
}

// compareAgain says whether the logs of a run in virtual time have come out the same.
// One that was interrupted is only the beginning of what it is now.
func compareAgain(stdout io.Writer, dir, again string, logs []string) error {
	differs, stopped := "", false
	for _, log := range logs {
		now := filepath.Join(again, filepath.Base(log))
		same, begins, goesOn, err := compareLogs(log, now)
		if err != nil {
			return exit.With(exit.Died, err)
		}
		if same {
			continue
		}
		stopped = stopped || goesOn
		if differs == "" || !begins {
			differs = now
		}
		if !begins {
			stopped = false
			break
		}
	}
	switch {
	case stopped:
		_, err := fmt.Fprintf(stdout, "again        the same bytes as in %s, which was stopped before its end, up to there\n", dir)
		return err
	case differs != "":
		return exit.With(exit.Broken, fmt.Errorf("%s is not what it was in %s: \"launcher replay\" of both shows which is right", differs, dir))
	case len(logs) > 0:
		_, err := fmt.Fprintf(stdout, "again        the same bytes as in %s\n", dir)
		return err
	}
	return nil
}

// compareLogs compares two logs line by line. Where they are not the same, begins
// says that all lines of the first but its last, which may be that of a stop, begin the
// other, and goesOn that the other has an event where that last line is.
func compareLogs(log, other string) (same, begins, goesOn bool, err error) {
	f, err := os.Open(log)
	if err != nil {
		return false, false, false, err
	}
	defer f.Close()
	g, err := os.Open(other)
	if err != nil {
		return false, false, false, err
	}
	defer g.Close()
	const longest = 1 << 20 // a line of a log
	was, is := bufio.NewReaderSize(f, longest), bufio.NewReaderSize(g, longest)
	for {
		a, err := was.ReadSlice('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return false, false, false, err
		}
		b, err := is.ReadSlice('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return false, false, false, err
		}
		if bytes.Equal(a, b) {
			if len(a) > 0 {
				continue
			}
			return true, false, false, nil
		}
		stop := []byte(": stop: ")
		begins = len(a) == 0 || bytes.Contains(a, stop)
		goesOn = len(b) > 0 && !bytes.Contains(b, stop)
		_, err = was.ReadByte()
		return false, begins && errors.Is(err, io.EOF), goesOn, nil
	}
}

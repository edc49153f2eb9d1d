package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/cluster"
	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/replay"
	"github.com/scalemodel/lamport/pkg/summary"
	"github.com/scalemodel/lamport/pkg/trace"
	"github.com/scalemodel/lamport/pkg/transport"
)

func replayCommand() *cli.Command {
	return &cli.Command{
		Name:      "replay",
		Usage:     "execute a recorded run again; it must come out the same",
		UsageText: "launcher replay [flags] DIR",
		Description: `Executes a run again from its logs: every machine throws its dice again and receives
the same messages in the same order, and must do what is recorded, field by field, but
for the global time. Crashes are done again too. Exit code 0: it is the same; 1: it is
not, and the first difference is shown; 2: a log cannot be read.

--processes does so with vm processes over TCP, in a new run directory:

  launcher replay --processes --pace recorded runs/latest`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "processes", Usage: "with vm processes over TCP, not just in this process"},
			&cli.StringFlag{Name: "pace", Usage: "of the processes: `max`, or recorded", Value: "max"},
			&cli.StringFlag{Name: "ports", Usage: "of the processes: a `LIST` of ports, or auto for free ones", Value: "auto"},
			&cli.StringFlag{Name: "out", Usage: "`DIR` for the processes' run", DefaultText: "runs/<time>-<name>-replay"},
			&cli.StringFlag{Name: "vm", Usage: "`PATH` of the vm program", DefaultText: "beside this one"},
			&cli.BoolFlag{Name: "quiet", Usage: "no talk, no progress: only the result and errors"},
		},
		Action: replayRun,
	}
}

func replayRun(c *cli.Context) error {
	dir, err := oneRunDir(c)
	if err != nil {
		return err
	}
	talk := c.App.ErrWriter
	if c.Bool("quiet") {
		talk = io.Discard
	}
	cfg, err := replayConfig(c)
	if err != nil {
		return err
	}
	run, err := trace.Open(dir)
	if err != nil {
		return command.Usage("%w", err)
	}
	// A directory without a record may hold logs all the same.
	switch r, err := cluster.ReadRecord(filepath.Join(dir, cluster.RecordName)); {
	case err == nil:
		tellVersion(talk, dir, r)
	case !errors.Is(err, os.ErrNotExist):
		return command.Usage("%w", err)
	}
	var paths []string
	for _, l := range run.Logs {
		paths = append(paths, l.Name)
	}
	ctx, stop := command.OnInterrupt(c.Context, nil)
	result, err := replay.Run(ctx, paths)
	stop()
	if err != nil {
		return replayError(c.App.Writer, err)
	}
	if c.Bool("processes") {
		return replayProcesses(c, cfg, dir, paths, result, talk)
	}
	_, err = fmt.Fprintf(c.App.Writer, "%s: the same again: %s%s\n", dir, replayed(result), reservations(result))
	return err
}

// oneRunDir returns the directory that a command is to read.
func oneRunDir(c *cli.Context) (string, error) {
	dirs, err := runDirs(c)
	if err == nil && len(dirs) > 1 {
		err = command.Usage("%s takes one run at a time, and here are %d", c.Command.Name, len(dirs))
	}
	if err != nil {
		return "", err
	}
	return dirs[0], nil
}

// tellVersion says if a run was recorded by another version.
func tellVersion(talk io.Writer, dir string, r *cluster.Record) {
	if r.Version != command.Version() {
		_, _ = fmt.Fprintf(talk, "%s was recorded by version %s; this is version %s\n", dir, r.Version, command.Version())
	}
}

// replayError gives a difference its place on stdout.
func replayError(stdout io.Writer, err error) error {
	var differs *replay.Difference
	switch {
	case errors.As(err, &differs):
		_, err := io.WriteString(stdout, differs.Text())
		return exit.With(exit.Broken, err)
	case errors.Is(err, context.Canceled):
		return exit.With(exit.Interrupted, errors.New("interrupted before the replay was over"))
	}
	return command.Usage("%w", err)
}

func replayed(r *replay.Result) string {
	s := fmt.Sprintf("%s, %s", count(r.Machines, "machine"), count(int(r.Events), "event"))
	if r.Crashes > 0 {
		s += ", " + count(r.Crashes, "crash")
	}
	return s
}

// reservations says what a replay could not do again.
func reservations(r *replay.Result) string {
	var s string
	for _, id := range r.Missing {
		s += fmt.Sprintf("; machine %d has no log, so its messages are taken as they were received", id)
	}
	for _, id := range r.Unended {
		s += fmt.Sprintf("; the log of machine %d has no end", id)
	}
	return s
}

// count returns "1 event", "2 events", "2 crashes".
func count(n int, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case strings.HasSuffix(noun, "sh"):
		noun += "e"
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// replayConfig reads how processes are to replay a run, before it is known which.
func replayConfig(c *cli.Context) (cluster.Config, error) {
	cfg := cluster.Config{Dir: c.String("out"), VM: c.String("vm"), Restart: true, Version: command.Version()}
	switch pace := c.String("pace"); pace {
	case "max":
	case "recorded":
		cfg.AtPace = true
	default:
		return cfg, command.Usage("--pace %q: want max or recorded", pace)
	}
	if !c.Bool("processes") {
		for _, name := range []string{"pace", "ports", "out", "vm"} {
			if c.IsSet(name) {
				return cfg, command.Usage("--%s is for processes: add --processes", name)
			}
		}
		return cfg, nil
	}
	if c.IsSet("out") && cfg.Dir == "" {
		return cfg, command.Usage("--out is empty: want the name of a directory")
	}
	return cfg, nil
}

// replayProcesses replays with processes what has been replayed in this one: only
// then is it certain that no machine waits in vain.
func replayProcesses(c *cli.Context, cfg cluster.Config, dir string, paths []string, result *replay.Result, talk io.Writer) error {
	switch {
	case len(result.Missing) > 0:
		return command.Usage("%s: machine %d has no log, so no process can do what it did; without --processes, the others are replayed", dir, result.Missing[0])
	case len(result.Unended) > 0:
		return command.Usage("%s: the log of machine %d has no end, and processes can only replay a run that came to its end; replay it without --processes", dir, result.Unended[0])
	case len(result.Left) > 0:
		return command.Usage("%s: machine %d left before the others, and processes can only replay a run whose machines ended together; replay it without --processes", dir, result.Left[0])
	}
	if err := asRecorded(&cfg, paths); err != nil {
		return command.Usage("%w", err)
	}
	var err error
	if cfg.Ports, err = cluster.ParsePorts(c.String("ports"), len(paths)); err != nil {
		return command.Usage("--ports: %w", err)
	}
	// With a smaller window than the run needed, a sender would wait for room, and
	// its recipient for what cannot be sent.
	if result.Widest > transport.DefaultWindow {
		cfg.Window = result.Widest
	}
	if cfg.Dir == "" {
		cfg.Dir = filepath.Join("runs", time.Now().Format("20060102-150405")+"-"+cfg.Run+"-replay")
	}
	if err := placeAndProgram(&cfg); err != nil {
		return err
	}
	show, done := func(int, summary.Status) {}, func() {}
	if cfg.AtPace && !c.Bool("quiet") && isTerminal(c.App.ErrWriter) {
		show, done = display(c, &cfg, result.Lasted)
	}
	run, err := cluster.New(cfg)
	if err != nil {
		return command.Usage("%w", err)
	}
	ctx, stop := command.OnInterrupt(c.Context, run.Kill)
	defer stop()
	_, _ = fmt.Fprintf(talk, "replay of %s: %s; logs in %s\n", dir, replayed(result), cfg.Dir)
	results, err := run.Run(ctx, show)
	done()
	switch {
	case errors.Is(err, cluster.ErrNotBegun):
		return exit.With(exit.Interrupted, err)
	case results == nil:
		return exit.With(exit.Misused, err)
	case err != nil:
		return exit.With(exit.Died, err)
	case ctx.Err() != nil:
		return exit.With(exit.Interrupted, errors.New("interrupted before the replay was over"))
	}
	for id, path := range cfg.Replay { // which may have another name than the log of the replay
		compared, err := replay.Compare(path, filepath.Join(cfg.Dir, logging.FileName(id, cfg.Rates[id])), replay.ButTimes)
		if err == nil {
			err = compared.Err()
		}
		if err != nil {
			return replayError(c.App.Writer, err)
		}
	}
	_, err = fmt.Fprintf(c.App.Writer, "%s: the same again, with processes: %s; logs in %s\n", dir, replayed(result), cfg.Dir)
	return err
}

// asRecorded fills in what the records say.
func asRecorded(cfg *cluster.Config, paths []string) error {
	cfg.Rates = make([]clock.Rate, len(paths))
	cfg.Replay = make([]string, len(paths))
	for _, path := range paths {
		t, err := replay.Open(path)
		if err != nil {
			return err
		}
		s := t.Start()
		cfg.Run, cfg.Seed, cfg.Die, cfg.Rates[t.ID()], cfg.Replay[t.ID()] = s.Run, s.Seed, s.Die, s.Rate, path
		t.Close()
	}
	return nil
}

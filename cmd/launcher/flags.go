package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/fault"
	"github.com/scalemodel/lamport/pkg/lab"
)

// unexpected refuses an argument of a command that has none.
func unexpected(c *cli.Context) error {
	return command.Usage("unexpected argument %q: everything is said by flags; \"launcher %s --help\" lists them", c.Args().First(), c.Command.Name)
}

// spec reads the flags of "run" and "sim" that say what a run is, but for those of
// virtual time.
func spec(c *cli.Context, name string) (s experiment.Spec, err error) {
	s.Common = experiment.Common{Run: name, Die: c.Int("die"), Duration: c.Duration("duration")}
	if s.Seed, err = experiment.ParseSeed(c.String("seed")); err != nil {
		return s, err
	}
	if s.Rates, err = experiment.ParseRates(c.String("rates"), c.Int("machines"), s.Seed); err != nil {
		return s, err
	}
	text, where, err := lab.ReadPlan(c.String("faults"))
	if err != nil {
		return s, err
	}
	s.Faults, err = experiment.ParseFaults(text, len(s.Rates), s.Seed, max(s.Duration, 0))
	if syntax, ok := errors.AsType[*fault.SyntaxError](err); ok && where != "" {
		err = command.Usage("%s: %w", where, syntax)
	}
	return s, err
}

// outDir reads --out, "" where it is not given.
func outDir(c *cli.Context) (string, error) {
	dir := c.String("out")
	if c.IsSet("out") && dir == "" {
		return "", command.Usage("--out is empty: want the name of a directory")
	}
	return dir, nil
}

// runDirs returns the directories that a command is to read.
func runDirs(c *cli.Context) ([]string, error) {
	if !c.Args().Present() {
		return nil, command.Usage("%s: which run? Name its directory, for example runs/latest", c.Command.Name)
	}
	return c.Args().Slice(), nil
}

// recursiveFlag is --recursive.
func recursiveFlag() cli.Flag {
	return &cli.BoolFlag{Name: "recursive", Aliases: []string{"r"}, Usage: "look for runs in the directories and in all directories in them"}
}

// runs returns which runs a command is to read that takes many.
func runs(c *cli.Context) (r lab.Runs, err error) {
	r.Descend = c.Bool("recursive")
	r.Dirs, err = runDirs(c)
	return r, err
}

// runDir returns the one directory that a command is to read.
func runDir(c *cli.Context) (string, error) {
	dirs, err := runDirs(c)
	if err == nil && len(dirs) > 1 {
		err = command.Usage("%s takes one run at a time, and here are %d", c.Command.Name, len(dirs))
	}
	if err != nil {
		return "", err
	}
	return dirs[0], nil
}

// formatFlag is --format; the first of the choices is the default.
func formatFlag(choices ...string) cli.Flag {
	return &cli.StringFlag{Name: "format", Usage: "`FORMAT` of the output: " + oneOf(choices), Value: choices[0]}
}

func format(c *cli.Context, choices ...string) (string, error) {
	f := c.String("format")
	if !slices.Contains(choices, f) {
		return "", command.Usage("--format %q: want %s", f, oneOf(choices))
	}
	return f, nil
}

// oneOf returns "a", "a or b", "a, b or c".
func oneOf(choices []string) string {
	last := len(choices) - 1
	if last == 0 {
		return choices[0]
	}
	return strings.Join(choices[:last], ", ") + " or " + choices[last]
}

// reportFlag is --report.
func reportFlag() cli.Flag {
	return &cli.BoolFlag{Name: "report", Usage: "write a page that shows the result, report.html, at the end (--report=false skips it)", Value: true, EnvVars: []string{"LAUNCHER_REPORT"}}
}

// atEnd reads what is done with the logs of a run at its end. Where they are not even checked,
// there is a page only for those who ask for it.
func atEnd(c *cli.Context) lab.Logs {
	check := c.Bool("check")
	return lab.Logs{Check: check, Report: c.Bool("report") && (check || c.IsSet("report"))}
}

// minFreeFlag is --min-free.
func minFreeFlag() cli.Flag {
	return &cli.StringFlag{Name: "min-free", Usage: "end in order before less than this `SIZE` of the disk is free: 500MB, 2GiB, 5%; 0: never",
		DefaultText: "1GiB or 2%, whichever is less", EnvVars: []string{"LAUNCHER_MIN_FREE"}}
}

func minFree(c *cli.Context) (lab.MinFree, error) {
	if !c.IsSet("min-free") {
		return lab.DefaultMinFree(), nil
	}
	m, err := lab.ParseMinFree(c.String("min-free"))
	if err != nil {
		err = command.Usage("--min-free %w", err)
	}
	return m, err
}

package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/trace"
)

func checkCommand() *cli.Command {
	return &cli.Command{
		Name:      "check",
		Usage:     "hold the logs of runs against the laws",
		UsageText: "launcher check [flags] DIR...",
		Description: `Proves a run from its own logs: every step and clock by the rules, every receive with
its send, the Clock Condition, each link in order, nothing lost. A violation is
shown with the lines that break the law. Exit code 0: every run is correct; 1: one
is broken, or incomplete; 2: a log cannot be read.`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "all", Usage: "show every violation, not just the first of each law"},
			&cli.BoolFlag{Name: "allow-incomplete", Usage: "exit with 0 where no law is broken but something is missing"},
			formatFlag("text", "json"),
		},
		Action: check,
	}
}

func check(c *cli.Context) error {
	dirs, err := runDirs(c)
	if err != nil {
		return err
	}
	format, err := format(c, "text", "json")
	if err != nil {
		return err
	}
	bad := false
	for _, dir := range dirs {
		run, err := trace.Open(dir)
		if err != nil {
			return err
		}
		v, err := run.Walk(trace.Options{All: c.Bool("all")}, nil)
		if err != nil {
			return err
		}
		if err := writeVerdict(c.App.Writer, dir, v, format); err != nil {
			return err
		}
		bad = bad || v.State == trace.Broken || v.State == trace.Incomplete && !c.Bool("allow-incomplete")
	}
	if bad {
		return command.Exit(command.Broken, nil)
	}
	return nil
}

func writeVerdict(w io.Writer, dir string, v *trace.Verdict, format string) error {
	if format == "json" {
		return json.NewEncoder(w).Encode(struct {
			Dir string `json:"dir"`
			*trace.Verdict
		}{dir, v})
	}
	for i := range v.Violations {
		if _, err := fmt.Fprintln(w, &v.Violations[i]); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%s: %v\n", dir, v)
	if rest := v.Violated() - uint64(len(v.Violations)); rest > 0 && err == nil {
		_, err = fmt.Fprintf(w, "%d more violations are not shown; --all shows them\n", rest)
	}
	return err
}

// runDirs returns the directories that a command is to read.
func runDirs(c *cli.Context) ([]string, error) {
	if !c.Args().Present() {
		return nil, command.Usage("%s: which run? Name its directory, for example runs/latest", c.Command.Name)
	}
	for _, arg := range c.Args().Slice() {
		if len(arg) > 1 && arg[0] == '-' {
			return nil, command.Usage("flag %s stands after a directory: flags come first", arg)
		}
	}
	return c.Args().Slice(), nil
}

// formatFlag is --format; the first of the choices is the default.
func formatFlag(choices ...string) cli.Flag {
	return &cli.StringFlag{Name: "format", Usage: "`FORMAT` of the output: " + oneOf(choices), Value: choices[0]}
}

func format(c *cli.Context, choices ...string) (string, error) {
	f := c.String("format")
	for _, choice := range choices {
		if f == choice {
			return f, nil
		}
	}
	return "", command.Usage("--format %q: want %s", f, oneOf(choices))
}

func oneOf(choices []string) string {
	s := choices[0]
	for i, c := range choices[1:] {
		if i == len(choices)-2 {
			s += " or " + c
		} else {
			s += ", " + c
		}
	}
	return s
}

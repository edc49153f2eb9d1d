package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/exit"
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
	all := c.Bool("all")
	broken, unreadable := false, false
	for _, dir := range dirs {
		v, err := checkDir(dir, all)
		if err != nil { // the other runs are no worse for it
			_, _ = fmt.Fprintf(c.App.ErrWriter, "%s: %v\n", c.App.Name, err)
			unreadable = true
			continue
		}
		if err := writeVerdict(c.App.Writer, dir, v, format, all); err != nil {
			return err
		}
		broken = broken || v.State == trace.Broken || v.State == trace.Incomplete && !c.Bool("allow-incomplete")
	}
	switch {
	case unreadable:
		return exit.With(exit.Misused, nil)
	case broken:
		return exit.With(exit.Broken, nil)
	}
	return nil
}

func checkDir(dir string, all bool) (*trace.Verdict, error) {
	run, err := trace.Open(dir)
	if err != nil {
		return nil, err
	}
	return run.Walk(trace.Options{All: all})
}

func writeVerdict(w io.Writer, dir string, v *trace.Verdict, format string, all bool) error {
	if format == "json" {
		return json.NewEncoder(w).Encode(struct {
			Dir string `json:"dir"`
			*trace.Verdict
		}{dir, v})
	}
	var b strings.Builder
	for i := range v.Violations {
		fmt.Fprintf(&b, "%v\n\n", &v.Violations[i])
	}
	fmt.Fprintf(&b, "%s: %v\n", dir, v)
	if shown := len(v.Violations); uint64(shown) < v.Violated() {
		fmt.Fprintf(&b, "  shown: %d of %d", shown, v.Violated())
		if !all {
			b.WriteString(", the first of each law; --all shows more")
		}
		b.WriteByte('\n')
	}
	for _, o := range v.Open {
		fmt.Fprintf(&b, "  %s\n", o)
	}
	_, err := io.WriteString(w, b.String())
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

// oneOf returns "a", "a or b", "a, b or c".
func oneOf(choices []string) string {
	last := len(choices) - 1
	if last == 0 {
		return choices[0]
	}
	return strings.Join(choices[:last], ", ") + " or " + choices[last]
}

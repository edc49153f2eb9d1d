package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/sim/hunt"
)

// huntFlags are those that a hunt takes; it draws the others itself.
var huntFlags = []string{"hunt", "bug", "seed", "quiet"}

// huntRuns looks for a run in virtual time that breaks a law.
func huntRuns(c *cli.Context) error {
	if !c.IsSet("hunt") {
		return command.Usage("--bug is for a hunt: want --hunt NUMBER as well")
	}
	for _, name := range c.LocalFlagNames() {
		known := false
		for _, f := range huntFlags {
			known = known || name == f
		}
		if !known {
			return command.Usage("--%s with --hunt: a hunt draws its runs itself, from --seed", name)
		}
	}
	n := c.Uint64("hunt")
	if n == 0 {
		return command.Usage("--hunt 0: want at least 1 run")
	}
	seed, err := command.ParseSeed(c.String("seed"))
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "lamport-hunt-")
	if err != nil {
		return command.Usage("no place for the logs of a hunt: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // at worst, a temporary directory stays
	ctx, stop := command.OnInterrupt(c.Context, func() { _ = os.RemoveAll(dir) })
	defer stop()

	began := time.Now()
	var watch func(uint64)
	if !c.Bool("quiet") && isTerminal(c.App.ErrWriter) {
		shown := began
		watch = func(tried uint64) {
			if now := time.Now(); now.Sub(shown) > time.Second {
				shown = now
				_, _ = fmt.Fprintf(c.App.ErrWriter, "\r%d of %d runs ", tried, n)
			}
		}
		defer func() { _, _ = fmt.Fprint(c.App.ErrWriter, "\r") }()
	}
	found, tried, err := hunt.Hunt(ctx, dir, seed, n, c.String("bug"), watch)
	took := time.Since(began).Round(time.Millisecond)
	switch {
	case err != nil && ctx.Err() != nil:
		_, _ = fmt.Fprintf(c.App.Writer, "no law is broken in the first %d of %d runs with seed %d, in %v\n", tried, n, seed, took)
		return exit.With(exit.Interrupted, nil)
	case err != nil:
		return command.Usage("--bug: %w", err)
	case found != nil:
		if err := writeFinding(c.App.Writer, found, c.String("bug"), seed, took); err != nil {
			return err
		}
		return exit.With(exit.Broken, nil)
	}
	_, err = fmt.Fprintf(c.App.Writer, "no law is broken in %d runs with seed %d, in %v\n", n, seed, took)
	return err
}

func writeFinding(w io.Writer, f *hunt.Finding, bug string, seed uint64, took time.Duration) error {
	again := f.Case.Command()
	if bug != "" { // no other command makes mistakes
		again = fmt.Sprintf("launcher sim --hunt %d --seed %d --bug %s", f.Number, seed, bug)
	}
	_, err := fmt.Fprintf(w, "run %d breaks a law, found in %v:\n%s\n\nagain: %s\n", f.Number, took, f.What, again)
	return err
}

package lab

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/rundir"
	"github.com/scalemodel/lamport/pkg/sim/hunt"
)

// Hunt looks for a run in virtual time that breaks a law, and keeps that one.
type Hunt struct {
	Dir  string // for the run that breaks a law, "": runs/hunt-<time>-<name>
	Runs uint64 // how many to try
	Seed uint64 // decides what they are
	Bug  string // a mistake that the machines are to make, one of [hunt.Mistakes]; "": none
}

// Run tries the runs until one breaks a law, prints that one and keeps its logs.
func (h Hunt) Run(ctx context.Context, env *Env) error {
	began := time.Now()
	if h.Dir == "" {
		h.Dir = filepath.Join("runs", "hunt-"+began.Format("20060102-150405")+"-"+experiment.NewName())
	}
	if err := rundir.Vacant(h.Dir); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "lamport-hunt-")
	if err != nil {
		return fmt.Errorf("no place for the logs of a hunt: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // at worst, a temporary directory stays
	ctx, stop := exit.OnInterrupt(ctx, func() { _ = os.RemoveAll(dir) })
	defer stop()

	var watch func(uint64)
	if env.draws() {
		shown := began
		watch = func(tried uint64) {
			if now := time.Now(); now.Sub(shown) > time.Second {
				shown = now
				_, _ = fmt.Fprintf(env.Err, "\r%s of %s ", figure.Count(tried), figure.Plural(h.Runs, "run"))
			}
		}
		defer func() { _, _ = fmt.Fprint(env.Err, "\r") }()
	}
	found, tried, err := hunt.Hunt(ctx, dir, h.Seed, h.Runs, h.Bug, watch)
	took := time.Since(began)
	switch {
	case err != nil && ctx.Err() != nil:
		_, _ = fmt.Fprintf(env.text(), "no law is broken in the first %s of %s with seed %d, in %s\n", figure.Count(tried), figure.Plural(h.Runs, "run"), h.Seed, figure.Duration(took))
		return exit.With(exit.Interrupted, nil)
	case err != nil:
		return err
	case found != nil:
		err := h.keep(ctx, env, found)
		if err := h.write(env, found, took); err != nil {
			return err
		}
		if err != nil {
			return err
		}
		return exit.With(exit.Broken, nil)
	}
	_, err = fmt.Fprintf(env.text(), "no law is broken in %s with seed %d, in %s\n", figure.Plural(h.Runs, "run"), h.Seed, figure.Duration(took))
	return err
}

// keep copies the logs of a run to where they stay, with the run's record.
func (h *Hunt) keep(ctx context.Context, env *Env, f *hunt.Finding) error {
	if _, err := rundir.Claim(h.Dir, &rundir.Record{Version: env.Version, Spec: f.Run}); err != nil {
		return err
	}
	if err := os.CopyFS(h.Dir, os.DirFS(f.Dir)); err != nil {
		return fmt.Errorf("the logs of the run cannot be kept: %w", err)
	}
	// The places where the law is broken are there now.
	if what, err := hunt.Check(ctx, h.Dir); err == nil && what != "" {
		f.What = what
	}
	f.Dir = h.Dir
	return nil
}

func (h *Hunt) write(env *Env, f *hunt.Finding, took time.Duration) error {
	again := env.commandLine() + strings.TrimPrefix(f.Run.Command(), "launcher")
	if h.Bug != "" { // no other command makes mistakes
		again = env.commandLine("sim", "--hunt", strconv.FormatUint(f.Number, 10), "--seed", strconv.FormatUint(h.Seed, 10), "--bug", h.Bug)
	}
	text := fmt.Sprintf("run %d breaks a law, found in %s:\n%s\n\nagain: %s\n", f.Number, figure.Duration(took), f.What, again)
	if f.Dir == h.Dir {
		show := env.commandLine("check", "--all", f.Dir)
		if strings.HasPrefix(f.What, hunt.InReplay) {
			show = env.commandLine("replay", f.Dir)
		}
		text += fmt.Sprintf("kept:  %s\nshow:  %s\n       %s\n", f.Dir, show, env.commandLine("diagram", "-o", "run.svg", f.Dir))
	}
	_, err := io.WriteString(env.text(), text)
	return err
}

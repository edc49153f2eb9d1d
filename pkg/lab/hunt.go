package lab

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/sim/hunt"
)

// Hunt looks for a run in virtual time that breaks a law.
type Hunt struct {
	Runs uint64 // how many to try
	Seed uint64 // decides what they are
	Bug  string // a mistake that the machines are to make, one of [hunt.Mistakes]; "": none
}

// Run tries the runs until one breaks a law, and prints that one.
func (h Hunt) Run(ctx context.Context, env *Env) error {
	dir, err := os.MkdirTemp("", "lamport-hunt-")
	if err != nil {
		return fmt.Errorf("no place for the logs of a hunt: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // at worst, a temporary directory stays
	ctx, stop := exit.OnInterrupt(ctx, func() { _ = os.RemoveAll(dir) })
	defer stop()

	began := time.Now()
	var watch func(uint64)
	if env.draws() {
		shown := began
		watch = func(tried uint64) {
			if now := time.Now(); now.Sub(shown) > time.Second {
				shown = now
				_, _ = fmt.Fprintf(env.Err, "\r%d of %d runs ", tried, h.Runs)
			}
		}
		defer func() { _, _ = fmt.Fprint(env.Err, "\r") }()
	}
	found, tried, err := hunt.Hunt(ctx, dir, h.Seed, h.Runs, h.Bug, watch)
	took := time.Since(began).Round(time.Millisecond)
	switch {
	case err != nil && ctx.Err() != nil:
		_, _ = fmt.Fprintf(env.text(), "no law is broken in the first %d of %d runs with seed %d, in %v\n", tried, h.Runs, h.Seed, took)
		return exit.With(exit.Interrupted, nil)
	case err != nil:
		return err
	case found != nil:
		if err := h.write(env, found, took); err != nil {
			return err
		}
		return exit.With(exit.Broken, nil)
	}
	_, err = fmt.Fprintf(env.text(), "no law is broken in %d runs with seed %d, in %v\n", h.Runs, h.Seed, took)
	return err
}

func (h *Hunt) write(env *Env, f *hunt.Finding, took time.Duration) error {
	again := f.Run.Command()
	if h.Bug != "" { // no other command makes mistakes
		again = fmt.Sprintf("launcher sim --hunt %d --seed %d --bug %s", f.Number, h.Seed, h.Bug)
	}
	_, err := fmt.Fprintf(env.text(), "run %d breaks a law, found in %v:\n%s\n\nagain: %s\n", f.Number, took, f.What, again)
	return err
}

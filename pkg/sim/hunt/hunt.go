// Package hunt looks for a run that breaks a law. It draws small runs with random
// faults, executes each in virtual time, and holds its logs against the laws of
// package trace and against the machines themselves, which must do again what is
// recorded. There should be nothing to find; that mistakes are found is shown with
// machines that make some.
package hunt

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/fault"
	"github.com/scalemodel/lamport/pkg/internal/splitmix"
	"github.com/scalemodel/lamport/pkg/replay"
	"github.com/scalemodel/lamport/pkg/sim"
	"github.com/scalemodel/lamport/pkg/sim/internal/mistake"
	"github.com/scalemodel/lamport/pkg/trace"
)

// Draw returns the i-th run of the hunt with a seed. Most are small and hurried: what
// goes wrong goes wrong among few machines, and with few events there is less to
// read.
func Draw(seed, i uint64) (experiment.Spec, error) {
	d := &drawer{state: splitmix.First(splitmix.First(seed) + i)}
	machines := 1 + d.below(5)
	s := experiment.Spec{
		Common: experiment.Common{
			Run:      experiment.VirtualName,
			Die:      1 + d.below(10),
			Seed:     d.next() >> 32,
			Duration: time.Duration(1+d.below(30)) * time.Second,
		},
		Virtual: new(experiment.Virtual),
	}
	latency := d.pick("0s", "1ms", "300ms", "uniform:0s,2s", "uniform:10ms,50ms", "exp:200ms", "lognormal:50ms,1.5")
	phase := d.pick("together", "random")
	var rates []string
	for range machines {
		rates = append(rates, d.pick("1", "2", "3", "4", "5", "6", "0.5", "2.5", "17", "33.333"))
	}
	faults := strings.Join(d.faults(machines, s.Duration), "; ")

	var errs [4]error
	s.Latency, errs[0] = experiment.ParseLatency(latency)
	s.Phase, errs[1] = experiment.ParsePhase(phase)
	s.Rates, errs[2] = experiment.ParseRates(strings.Join(rates, ","), machines, s.Seed)
	s.Faults, errs[3] = experiment.ParseFaults(faults, machines, s.Seed, s.Duration)
	return s, errors.Join(errs[:]...)
}

// Mistakes are the names of the mistakes that a hunt can be shown to find.
func Mistakes() (names []string) {
	for _, k := range mistake.Kinds {
		names = append(names, string(k))
	}
	return names
}

// Finding is a run that breaks a law.
type Finding struct {
	Run    experiment.Spec
	Number uint64 // of the run, from 1
	What   string // which law, where
	Dir    string // with its logs
}

// CheckMistake says what is wrong with the name of a mistake; "" stands for none.
func CheckMistake(name string) error {
	if name != "" && !slices.Contains(Mistakes(), name) {
		return fmt.Errorf("there is no mistake %q: want %s", name, strings.Join(Mistakes(), ", "))
	}
	return nil
}

// Hunt tries runs 0 to n-1 of a seed until one breaks a law, and returns that one,
// nil if there is none, and how many were tried. With the name of a mistake, its
// machines make it. dir is a directory for the logs of one run at a time; those of the
// run that breaks a law are left there.
func Hunt(ctx context.Context, dir string, seed, n uint64, bug string, watch func(tried uint64)) (_ *Finding, tried uint64, err error) {
	if err := CheckMistake(bug); err != nil {
		return nil, 0, err
	}
	for i := range n {
		if ctx.Err() != nil {
			return nil, i, ctx.Err()
		}
		spec, err := Draw(seed, i)
		if err != nil {
			return nil, i, fmt.Errorf("run %d of the hunt cannot be: %w", i+1, err)
		}
		logs := filepath.Join(dir, strconv.FormatUint(i, 10))
		what, err := try(ctx, spec, logs, bug)
		if err != nil {
			what = err.Error() // none of the runs should give one
		}
		switch {
		case err != nil && ctx.Err() != nil:
			return nil, i, errors.Join(ctx.Err(), os.RemoveAll(logs))
		case what != "":
			return &Finding{Run: spec, Number: i + 1, What: what, Dir: logs}, i + 1, nil
		}
		if err := os.RemoveAll(logs); err != nil {
			return nil, i + 1, err
		}
		if watch != nil {
			watch(i + 1)
		}
	}
	return nil, n, nil
}

// try executes a run and says what is wrong with it, as an error too.
func try(ctx context.Context, spec experiment.Spec, dir, bug string) (what string, err error) {
	if err := os.Mkdir(dir, 0o777); err != nil {
		return "", err
	}
	if bug == "" {
		_, err = sim.Run(ctx, sim.Config{Spec: spec, LogDir: dir, Workers: 1})
	} else {
		err = wrong(&spec, dir, mistake.Kind(bug))
	}
	if err != nil {
		return "", err
	}
	return Check(ctx, dir)
}

// wrong executes a run with a mistake. Of its faults, only resets matter there.
func wrong(spec *experiment.Spec, dir string, kind mistake.Kind) error {
	r := mistake.Run{Kind: kind, Spec: *spec, Latency: max(spec.Latency.Min(), time.Millisecond)}
	for a := range spec.Faults.Actions(spec.Duration) {
		if a.Kind == fault.Reset {
			r.Resets = append(r.Resets, a.At)
		}
	}
	return r.Write(dir)
}

// InReplay begins what is wrong with logs that break no law.
const InReplay = "replay: "

// Check returns what is wrong with the logs in a directory, "" for nothing: they break a
// law, or the machines themselves do not do again what is recorded.
func Check(ctx context.Context, dir string) (what string, err error) {
	r, err := trace.Open(dir)
	if err != nil {
		return "", err
	}
	v, err := r.Walk(trace.Options{})
	if err != nil {
		return "", err
	}
	if v.State != trace.Correct {
		what = v.String()
		if len(v.Violations) > 0 {
			what = v.Violations[0].String()
		}
		return what, nil
	}
	var paths []string
	for _, l := range r.Logs {
		paths = append(paths, l.Name)
	}
	_, err = replay.Run(ctx, paths)
	var differs *replay.Difference
	if errors.As(err, &differs) {
		return InReplay + differs.Error(), nil
	}
	return "", err
}

// drawer draws numbers one after the other.
type drawer struct{ state uint64 }

func (d *drawer) next() uint64 {
	d.state++
	return splitmix.First(d.state)
}

func (d *drawer) below(n int) int {
	hi, _ := bits.Mul64(d.next(), uint64(n))
	return int(hi)
}

func (d *drawer) pick(choices ...string) string { return choices[d.below(len(choices))] }

// faults draws a plan whose faults are over within a duration.
func (d *drawer) faults(machines int, duration time.Duration) (lines []string) {
	within := func() (from, to time.Duration) {
		ms := int(duration / time.Millisecond)
		a, b := d.below(ms), d.below(ms)
		return time.Duration(min(a, b)) * time.Millisecond, time.Duration(max(a, b)+1) * time.Millisecond
	}
	struck := time.Duration(0) // until when a machine is down or paused
	for range d.below(6) {
		from, to := within()
		a := d.below(machines)
		span := fmt.Sprintf("from %v %%s to %v", from, to)
		switch kind := d.below(8); {
		case kind < 3 && from >= struck:
			lines = append(lines, fmt.Sprintf(span, fmt.Sprintf("%s %d", d.pick("kill", "kill", "pause"), a)))
			struck = to
		case machines == 1 || kind < 3:
		default:
			b := (a + 1 + d.below(machines-1)) % machines
			switch kind {
			case 3:
				lines = append(lines, fmt.Sprintf(span, fmt.Sprintf("partition %d", a)))
			case 4:
				lines = append(lines, fmt.Sprintf(span, fmt.Sprintf("cut %d->%d", a, b)))
			case 5:
				lines = append(lines, fmt.Sprintf(span, fmt.Sprintf("delay %d-%d 200ms 150ms", a, b)))
			case 6:
				lines = append(lines, fmt.Sprintf("at %v reset *", from))
			default:
				lines = append(lines, fmt.Sprintf(span, fmt.Sprintf("stop-reading %d", a)))
			}
		}
	}
	return lines
}

package vm

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/machine"
)

func TestAgreement(t *testing.T) {
	parse := func(all string) (terms []terms) {
		for part := range strings.SplitSeq(all, "; ") {
			one, err := parseTerms([]byte(part))
			require.NoError(t, err)
			terms = append(terms, one)
		}
		return terms
	}
	for said, want := range map[string]string{
		"duration=1m0s seed=7 rate=1; duration=1m0s seed=7 rate=5":                                 "",
		"duration=1m0s seed=7 rate=1; duration=1m0s seed=drawn rate=5":                             "",
		"duration=1m0s seed=drawn draw=7 rate=1; duration=1m0s seed=drawn rate=5":                  "",
		"duration=1m0s seed=drawn draw=7 rate=1; duration=1m0s seed=7 rate=5":                      "",
		"duration=1m0s draw=7 rate=1; duration=1m0s seed=drawn rate=5":                             "",
		"duration=1m0s seed=7 rate=1; duration=1m0s rate=5":                                        "",
		"duration=1m0s seed=7 rate=1 faults=01234567; duration=1m0s seed=7 rate=5":                 "",
		"duration=1m0s seed=7 rate=1; duration=1m0s seed=8 rate=5":                                 "the machines were started differently: machines 0 and 1 have other seeds",
		"duration=1m0s seed=drawn draw=7 rate=1; duration=1m0s seed=8 rate=5":                      "the machines were started differently: machines 0 and 1 have other seeds",
		"duration=1m0s seed=7 rate=1; duration=2m0s seed=7 rate=5":                                 "the machines were started differently: machines 0 and 1 have other durations",
		"duration=1m0s seed=7 rate=1; duration=1m0s seed=7 rate=5 faults=01234567":                 "the machines were started differently: machine 1 has another fault plan than machine 0",
		"duration=1m0s seed=7 rate=1 faults=00000000; duration=1m0s seed=7 rate=5 faults=01234567": "the machines were started differently: machine 1 has another fault plan than machine 0",
		"duration=1m0s seed=drawn rate=1; duration=1m0s seed=8 rate=5":                             "machine 0 does not say its seed: it is of an earlier release",
		"duration=1m0s seed=7 rate=1; duration=1m0s seed=7":                                        "machine 1 does not say its rate: it is of an earlier release",
	} {
		rates, err := agreement(parse(said), 0)
		if want == "" {
			require.NoError(t, err, said)
			assert.Equal(t, []clock.Rate{clock.Hertz, 5 * clock.Hertz}, rates, said)
			continue
		}
		require.EqualError(t, err, want, said)
		assert.Nil(t, rates)
	}
}

// agreeing has all machines of a fleet note what they have agreed upon.
type agreeing struct {
	mu    sync.Mutex
	specs map[int]experiment.Spec
}

func (a *agreeing) edit(id int, cfg *Config) {
	cfg.Agreed = func(s experiment.Spec) error {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.specs == nil {
			a.specs = make(map[int]experiment.Spec)
		}
		a.specs[id] = s
		return nil
	}
}

// startLine returns what the first line of a log says.
func (f *fleet) startLine(id int) logging.Start { return read(f.t, f.logName(id))[0].Start }

// Machines that were given no seed take that of machine 0, whether it was given one or
// not: they have it before their first line, and before their first throw.
func TestOneSeedForAll(t *testing.T) {
	for _, given := range []bool{true, false} {
		var a agreeing
		f := newFleet(t, []string{"1000", "max", "500"}, func(id int, cfg *Config) {
			cfg.Seed, cfg.SeedDrawn = uint64(100+id), id > 0 || !given
			cfg.Duration = 50 * time.Millisecond
			a.edit(id, cfg)
		})
		f.run()
		for id := range f.cfgs {
			assert.EqualValues(t, 100, f.startLine(id).Seed, "machine %d", id)
			f.cfgs[id].Seed = 100
			f.throws(id)
		}
		f.check()
		want := experiment.Spec{
			Common: experiment.Common{Run: "test", Die: 10, Seed: 100, Duration: 50 * time.Millisecond},
			Rates:  []clock.Rate{1000 * clock.Hertz, clock.Unpaced, 500 * clock.Hertz},
		}
		assert.Equal(t, map[int]experiment.Spec{0: want, 1: want, 2: want}, a.specs)
		// The next run of this directory is another.
		b, err := os.ReadFile(filepath.Join(f.cfgs[0].LogDir, linksName(0, f.cfgs[0].Rate)))
		require.NoError(t, err)
		assert.NotContains(t, string(b), `"seed"`)
	}
}

// throws requires that the dice of a log are those of its start line.
func (f *fleet) throws(id int) {
	f.t.Helper()
	records := entries(f.t, f.logName(id))
	start := records[0].Other.Start
	m, err := machine.New(machine.Config{ID: id, Machines: start.Machines, Die: start.Die, Seed: start.Seed})
	require.NoError(f.t, err)
	for i := range records[1 : len(records)-1] {
		rec := &records[1+i]
		if rec.Event.Kind == event.Receive {
			m.Deliver(rec.Event.Messages()[0])
		}
		var ev event.Event
		if err := m.Step(&ev); err != nil {
			require.NoError(f.t, err)
		}
		f.law(rec.Event.Kind == ev.Kind, "the die's kind of step", rec)
		if ev.Kind == event.Send {
			f.law(slices.Equal(rec.Event.Messages(), ev.Messages()), "the die's recipients", rec)
		}
	}
}

// Where machines were told different things, there is no one record, and all say so.
func TestNoAgreement(t *testing.T) {
	var a agreeing
	var said sharedBuffer
	f := newFleet(t, []string{"1000", "1000"}, func(id int, cfg *Config) {
		cfg.Seed, cfg.Duration = uint64(id), 20*time.Millisecond
		cfg.Logger = logging.Diagnostics(&said, "test", hclog.Info)
		a.edit(id, cfg)
	})
	f.run()
	assert.Empty(t, a.specs)
	assert.Equal(t, 2, strings.Count(said.String(), `there is no record of what all machines have agreed upon: reason="the machines were started differently: machines 0 and 1 have other seeds"`))
	for id := range f.cfgs {
		assert.EqualValues(t, id, f.startLine(id).Seed)
	}
}

// An agreement that cannot be noted is found before the run.
func TestAgreementCannotBeNoted(t *testing.T) {
	f := newFleet(t, []string{"1"}, func(_ int, cfg *Config) {
		cfg.Agreed = func(experiment.Spec) error { return os.ErrPermission }
	})
	f.start(0)
	f.wait()
	requireStartError(t, f.errs[0], os.ErrPermission.Error())
	empty(t, f.cfgs[0].LogDir)
}

// Machine 0 dies after it has told its peers that it is ready, and comes back: they may have
// begun with the seed that it had drawn.
func TestDrawnSeedIsKept(t *testing.T) {
	f := newFleet(t, []string{"1000", "1000"}, func(id int, cfg *Config) {
		cfg.SeedDrawn, cfg.Seed, cfg.ConnectTimeout = true, uint64(100+id), time.Second
	})
	p := newPeer(f, nil)
	f.start(0)
	p.connect(false) // and it is never ready
	soon(t, "its end", f.ended[0])
	require.Error(t, f.errs[0])
	onlyLinks(t, f.cfgs[0])
	cfg := f.cfgs[0]
	cfg.Seed = 300 // drawn anew
	p.close()

	again := newParallelFleet(t, []string{"1000", "1000"}, func(id int, c *Config) {
		c.LogDir, c.SeedDrawn, c.Seed, c.Duration = cfg.LogDir, true, uint64(300+id), 20*time.Millisecond
	})
	again.run()
	for id := range again.cfgs {
		assert.EqualValues(t, 100, again.startLine(id).Seed)
	}
}

// What is said at the start is the seed that the machine will throw by.
func TestTheSeedThatIsSaid(t *testing.T) {
	drawn := func(id int, begun past) any {
		r := &runner{past: begun}
		r.cfg.ID, r.cfg.Seed, r.cfg.SeedDrawn = id, 7, true
		return r.seedText()
	}
	assert.Equal(t, uint64(7), drawn(0, past{}))
	assert.Equal(t, "machine-0's", drawn(1, past{}))
	begun := past{start: time.Unix(1, 0), seed: 9}
	assert.Equal(t, uint64(9), drawn(0, begun), "of the log")
	assert.Equal(t, uint64(9), drawn(1, begun), "of the log")
}

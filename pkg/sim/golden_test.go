package sim

import (
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/fault"
)

// The bytes of these runs never change: not with the cores, not with the system or
// the architecture, and not with a release. If one must, say so to the users.
func TestGolden(t *testing.T) {
	latency := func(s string) experiment.Latency { return parseLatency(t, s) }
	large := func(machines int, rates string) Config {
		cfg := lab(7)
		var err error
		cfg.Rates, err = experiment.ParseRates(rates, machines, cfg.Seed)
		require.NoError(t, err)
		cfg.Duration = 20 * time.Second
		return cfg
	}
	configs := map[string]func() Config{
		"lab": func() Config { return lab(42) },
		"faults": func() Config {
			cfg := lab(42)
			plan, err := fault.Parse("random kill every 5s for 1s; random reset every 2s; random cut every 4s for 2s; from 1s delay * 100ms 90ms; at 40s pause 1 for 3s", 3)
			require.NoError(t, err)
			cfg.Faults = plan
			return cfg
		},
		"uniform": func() Config {
			cfg := large(200, "uniform:1,6")
			cfg.Latency, cfg.Phase = latency("uniform:1ms,2s"), experiment.Random
			return cfg
		},
		"exponential": func() Config {
			cfg := large(50, "lognormal:3,0.7")
			cfg.Latency = latency("exp:300ms")
			return cfg
		},
		"lognormal": func() Config {
			cfg := large(50, "lognormal:3,1.2")
			cfg.Latency, cfg.Phase = latency("lognormal:100ms,1.5"), experiment.Random
			return cfg
		},
	}
	for name, want := range map[string]string{
		"lab":         "a0b8b8af3ff54b49",
		"faults":      "86884ba7123cff4d",
		"uniform":     "d9f3eef1dd858ef6",
		"exponential": "ffc623653f77cd47",
		"lognormal":   "3c8414536952ac28",
	} {
		for _, shards := range []int{1, 2, 3} {
			t.Run(fmt.Sprintf("%s/shards=%d", name, shards), func(t *testing.T) {
				cfg := configs[name]()
				cfg.shards = shards
				dir := t.TempDir()
				run(t, dir, cfg)
				require.Equal(t, want, fmt.Sprintf("%x", sha256.Sum256([]byte(contents(t, dir))))[:16])
			})
		}
	}
}

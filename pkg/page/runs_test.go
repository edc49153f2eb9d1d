package page_test

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/lab"
)

// The runs whose pages are tested in a browser, all in virtual time, so that they are the
// same everywhere. Each is done once.

// planned is a run to be done.
type planned struct {
	machines int
	rates    string
	duration time.Duration
	seed     uint64
	faults   string
}

const plan = "at 15s kill 1 for 6s; at 35s partition 0 | 1,2 for 8s; at 50s pause 2 for 3s"

var plans = map[string]planned{
	"three":   {3, "1,5,4", time.Minute, 42, ""},
	"other":   {3, "1,5,4", time.Minute, 43, ""},
	"faults":  {3, "1,5,4", time.Minute, 7, plan},
	"hundred": {100, "random", time.Minute, 5, ""},
	"100k":    {3, "1,5,4", 10_000 * time.Second, 42, ""},
	"1M":      {3, "1,5,4", 100_000 * time.Second, 42, ""},
}

var (
	making sync.Mutex
	made   = map[string]string{} // by name, the directory
)

// recorded returns the directory of a run.
func recorded(tb testing.TB, name string) string {
	tb.Helper()
	making.Lock()
	defer making.Unlock()
	if dir, ok := made[name]; ok {
		return dir
	}
	p, ok := plans[name]
	require.True(tb, ok, name)
	spec := experiment.Spec{Virtual: &experiment.Virtual{}}
	spec.Run, spec.Die, spec.Seed, spec.Duration = "page", 10, p.seed, p.duration
	var err error
	spec.Rates, err = experiment.ParseRates(p.rates, p.machines, p.seed)
	require.NoError(tb, err)
	spec.Virtual.Latency, err = experiment.ParseLatency("uniform:1ms,120ms")
	require.NoError(tb, err)
	if p.faults != "" {
		spec.Faults, err = experiment.ParseFaults(p.faults, p.machines, p.seed, p.duration)
		require.NoError(tb, err)
	}
	dir := filepath.Join(scratch, name)
	require.NoError(tb, lab.Virtual{Spec: spec, Logs: true, Dir: dir}.Run(context.Background(), quiet()))
	made[name] = dir
	return dir
}

func quiet() *lab.Env {
	return &lab.Env{Version: "v1.2.3", Out: io.Discard, Err: io.Discard, Quiet: true}
}

// written returns the file of the page of a run, or of several together.
func written(tb testing.TB, names ...string) string {
	tb.Helper()
	var dirs []string
	for _, name := range names {
		dirs = append(dirs, recorded(tb, name))
	}
	making.Lock()
	defer making.Unlock()
	file := filepath.Join(scratch, fmt.Sprint(names)+".html")
	if _, ok := made[file]; !ok {
		require.NoError(tb, lab.Report{Dirs: dirs, File: file}.Run(context.Background(), quiet()))
		made[file] = file
	}
	return file
}

package page_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/lab"
	"github.com/scalemodel/lamport/pkg/sweep"
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
	latency  string
}

const plan = "at 15s kill 1 for 6s; at 35s partition 0 | 1,2 for 8s; at 50s pause 2 for 3s"

var plans = map[string]planned{
	"three":   {3, "1,5,4", time.Minute, 42, "", "uniform:1ms,120ms"},
	"faults":  {3, "1,5,4", time.Minute, 7, plan, "uniform:1ms,120ms"},
	"hundred": {100, "random", time.Minute, 5, "", "uniform:1ms,120ms"},
	"crowd":   {300, "random", 5 * time.Second, 5, "", "uniform:1ms,120ms"}, // too many for vector clocks
	"100k":    {3, "1,5,4", 10_000 * time.Second, 42, "", "1ms"},
	"1M":      {3, "1,5,4", 100_000 * time.Second, 42, "", "1ms"},
}

var (
	making sync.Mutex
	made   = map[string]string{} // by name, the directory
)

// recorded returns the directory of a run.
func recorded(tb testing.TB, name string) string {
	tb.Helper()
	if name == "again" {
		return otherwise(tb, recorded(tb, "three"))
	}
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
	spec.Latency, err = experiment.ParseLatency(p.latency)
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

// otherwise returns a run that is the same but for a line of machine 1.
func otherwise(tb testing.TB, dir string) string {
	tb.Helper()
	making.Lock()
	defer making.Unlock()
	again := filepath.Join(scratch, "again")
	if _, ok := made["again"]; ok {
		return again
	}
	require.NoError(tb, os.CopyFS(again, os.DirFS(dir)))
	log := filepath.Join(again, "vm_1_5.log")
	text, err := os.ReadFile(log)
	require.NoError(tb, err)
	changed := bytes.Replace(text, []byte("step=121 clock=121 queue=0"), []byte("step=121 clock=121 queue=5"), 1)
	require.NotEqual(tb, text, changed)
	require.NoError(tb, os.WriteFile(log, changed, 0o600))
	made["again"] = again
	return again
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

// swept returns the directory of a sweep, with the pages of its runs.
func swept(tb testing.TB) string {
	tb.Helper()
	making.Lock()
	defer making.Unlock()
	if dir, ok := made["sweep"]; ok {
		return dir
	}
	dir := filepath.Join(scratch, "sweep")
	grid := sweep.Grid{
		Format: 1, Version: "v1.2.3", Virtual: true, Rates: []string{"1,5,3", "3,3,3"}, Machines: []int{0}, Die: []int{10, 3},
		Latency: []string{"1ms"}, Phase: "together", Duration: 20 * time.Second, Trials: 3, Seed: 5, Seeds: sweep.Seeds(5, 3),
	}
	require.NoError(tb, lab.Sweep{Grid: grid, Dir: dir, Report: true}.Run(context.Background(), quiet()))
	made["sweep"] = dir
	return dir
}

//go:build unix

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Many machines of one host find each other and begin at one instant, and no link has to be
// made anew for that.
// With LAMPORT_LARGE set they are 300.
func TestManyMachines(t *testing.T) {
	machines := 40
	if testing.Short() {
		machines = 20
	}
	if os.Getenv("LAMPORT_LARGE") != "" {
		machines = 300
	}
	p, dir := startRun(t, "--machines", strconv.Itoa(machines), "--rates", "1", "--duration", "1s")
	require.Equal(t, "0", p.wait())
	requireOneStart(t, dir)
	requireCorrect(t, dir)
	for _, m := range summaryOf(t, dir) {
		if m.Wire.Reconnects > 0 {
			t.Errorf("machine %d made %d links anew", m.ID, m.Wire.Reconnects)
		}
	}
}

// Machines that may not have enough files open say so at once, and what they need; what
// they said is kept.
func TestMachinesWithFewDescriptors(t *testing.T) {
	dir := t.TempDir()
	vm := filepath.Join(dir, "vm")
	script := fmt.Sprintf("#!/bin/sh\nulimit -n 20 && exec %s/vm \"$@\"\n", bin)
	require.NoError(t, os.WriteFile(vm, []byte(script), 0o755))
	p := launcher(t, dir, "--ports", "auto", "--out", "run", "--vm", vm, "--machines", "20", "--rates", "1", "--duration", "1m").start()
	require.Equal(t, "2", p.wait())
	assert.Contains(t, p.errors.String(), "too many open files: in a run of 20 machines, each needs 54 file descriptors: allow more with ulimit -n")
	assert.FileExists(t, filepath.Join(dir, "run", "vm_0.stderr"))
}

// A run that this host cannot bear is refused before it begins.
func TestMoreMachinesThanTheHostBears(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("what other hosts bear is not asked")
	}
	dir := t.TempDir()
	script := filepath.Join(dir, "few")
	require.NoError(t, os.WriteFile(script, []byte(fmt.Sprintf("#!/bin/sh\nulimit -n 100 && exec %s/launcher \"$@\"\n", bin)), 0o755))
	p := prepare(t, dir, script, "--machines", "50", "--rates", "1", "--duration", "1s").start()
	require.Equal(t, "2", p.wait())
	assert.Equal(t, `launcher: a run of 50 machines needs 232 file descriptors in one process, and this host has 100 (allow more with "ulimit -n", or take fewer --machines)`+"\n", p.errors.String())
	assert.NoDirExists(t, filepath.Join(dir, "runs"))
}

// Runs of more machines than a process may have files open are read all the same.
func TestMoreLogsThanDescriptors(t *testing.T) {
	dir := virtualRun(t, "--machines", "300", "--rates", "2", "--duration", "2s")
	for _, command := range []string{"check", "replay", "order", "stats"} {
		script := fmt.Sprintf("ulimit -n 200 && exec %s/launcher %s %s", bin, command, dir)
		p := prepare(t, t.TempDir(), "sh", "-c", script).start()
		assert.Equal(t, "0", p.wait(), command)
	}
}

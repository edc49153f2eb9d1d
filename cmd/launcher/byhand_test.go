//go:build unix

package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/rundir"
)

// Three machines that a person starts, in whatever order and one after the other,
// find each other and begin together.
func TestByHand(t *testing.T) {
	for _, c := range []struct {
		name  string
		named bool
		order []int
	}{
		{"host and port", false, []int{2, 0, 1}},
		{"id, host and port", true, []int{1, 2, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := &byHand{t: t, dir: t.TempDir(), ports: freePorts(t, 3), named: c.named,
				flags: []string{"--run", "hand", "--rate", "20", "--duration", "1500ms", "--seed", "3"}}
			machines := make([]*program, 3)
			for i, id := range c.order {
				if i > 0 {
					h.waitForKnock(id)
				}
				machines[id] = h.start(id)
			}
			for id, p := range machines {
				assert.Equal(t, "0", p.wait())
				assert.NotContains(t, p.out.String(), "left early")
				all := records(t, logs(t, h.dir)[id])
				assert.Equal(t, "hand", all[0].Start.Run)
				steps := len(all) - 2
				assert.Equal(t, 30, steps+figure(p, "missed"), "machine %d", id)
				assert.Equal(t, steps, figure(p, "ticks"), "machine %d", id)
			}
			requireOneStart(t, h.dir)
			requireCorrect(t, h.dir)
		})
	}
}

// waitForKnock waits until a machine that was started looks for one that was not.
func (h *byHand) waitForKnock(absent int) {
	h.t.Helper()
	ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", h.ports[absent]))
	require.NoError(h.t, err)
	defer func() { _ = ln.Close() }()
	require.NoError(h.t, ln.(*net.TCPListener).SetDeadline(time.Now().Add(deadline)))
	c, err := ln.Accept()
	require.NoError(h.t, err)
	_ = c.Close()
}

// figure returns the number that stands behind a key in what a machine prints of
// itself, 0 where it is not there.
func figure(p *program, key string) int {
	m := regexp.MustCompile(`(?m)^` + key + `: +(\d+) `).FindStringSubmatch(p.out.String())
	if m == nil {
		return 0
	}
	n, _ := strconv.Atoi(m[1]) // digits
	return n
}

// The number of machines is free, and so are their rates; two find each other
// with flags from the environment as well.
func TestByHandEnvironment(t *testing.T) {
	t.Parallel()
	h := &byHand{t: t, dir: t.TempDir(), ports: freePorts(t, 2), flags: []string{"--run", "env"}}
	var machines []*program
	for id, rate := range []string{"VM_RATE=12.5", "VM_RATE=max"} {
		p := prepare(t, h.dir, filepath.Join(bin, "vm"), "--run", "env", "--peers", h.peers(id))
		p.cmd.Env = append(p.cmd.Env, rate, "VM_DURATION=400ms", "VM_WINDOW=1000",
			"VM_ID="+strconv.Itoa(id), "VM_PORT="+strconv.Itoa(h.ports[id]))
		machines = append(machines, p.start())
	}
	for _, p := range machines {
		assert.Equal(t, "0", p.wait())
	}
	assert.Equal(t, []string{"run.json", "vm_0_12.5.links", "vm_0_12.5.log", "vm_1_max.links", "vm_1_max.log"}, files(t, h.dir))
	requireCorrect(t, h.dir)
}

// Machines of two runs that meet say so, both of them: the one that refuses says why,
// the one that is refused says what it can have been.
func TestByHandTwoRunsMeet(t *testing.T) {
	t.Parallel()
	h := &byHand{t: t, dir: t.TempDir(), ports: freePorts(t, 2)}
	red, blue := h.start(0, "--run", "red"), h.start(1, "--run", "blue")
	const refused = "does not take this machine for one of its run: this is machine "
	names := func(p *program) bool {
		said := p.errors.String() // in the quotes of a log line
		return strings.Contains(said, `machine 0 of 2 in run \"red\" meets machine 1 of 2 in run \"blue\": give all machines of a run the same --run`) ||
			strings.Contains(said, `machine 1 of 2 in run \"blue\" meets machine 0 of 2 in run \"red\": give all machines of a run the same --run`)
	}
	for _, p := range []*program{red, blue} {
		eventually(t, func() bool { return names(p) || strings.Contains(p.errors.String(), refused) }, "%v says what is wrong", p.cmd.Args)
	}
	assert.True(t, names(red) || names(blue), "one has refused the other, and says whom it has met")
	// At least one has given up, and the other may wait for the right one.
	eventually(t, func() bool { return hasEnded(red) || hasEnded(blue) }, "one gives up")
	for _, p := range []*program{red, blue} {
		_ = p.cmd.Process.Signal(os.Interrupt)
		if p.wait() == "2" {
			assert.Contains(t, p.errors.String(), refused)
		} else {
			assert.Contains(t, []string{"130", "signal: interrupt"}, p.wait())
		}
		assert.Empty(t, p.out.String())
	}
	assert.Empty(t, files(t, h.dir), "no log of a run that never was")
}

func hasEnded(p *program) bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// Ctrl-C of one: it ends without waiting for the others, its log is whole, and they finish and
// say who has left.
func TestByHandOneLeaves(t *testing.T) {
	t.Parallel()
	h := &byHand{t: t, dir: t.TempDir(), ports: freePorts(t, 3),
		flags: []string{"--rate", "50", "--duration", "2s", "--die", "4", "--linger", "1h"}}
	machines := []*program{h.start(0), h.start(1), h.start(2)}
	waitForEvents(t, h.dir, 3, 10)
	machines[1].signal(os.Interrupt)
	assert.Equal(t, "130", machines[1].wait())
	assert.True(t, isComplete(t, logs(t, h.dir)[1]))
	assert.NotContains(t, machines[1].errors.String(), "[WARN]", "its peers live, so nothing is missing")
	assert.Contains(t, machines[1].out.String(), "machine:     vm-1, 50 ticks per second\n")
	for _, id := range []int{0, 2} {
		assert.Equal(t, "0", machines[id].wait())
		assert.Contains(t, machines[id].out.String(), "left early:  vm-1\n")
		assert.Contains(t, machines[id].errors.String(), "a machine has left the run")
		all := records(t, logs(t, h.dir)[id])
		assert.Equal(t, 100, len(all)-2+figure(machines[id], "missed"))
		assert.NotEmpty(t, all[len(all)-1].Stop.Undelivered, "what was sent to the one that had left")
	}
	// No law is broken. What the one who left did not take is named.
	code, verdict := checked(t, h.dir)
	assert.Equal(t, "1", code)
	assert.Contains(t, verdict, "incomplete")
	code, verdict = checked(t, h.dir, "--allow-incomplete")
	assert.Equal(t, "0", code, verdict)
}

// Ctrl-C of all at once, as in one terminal.
func TestByHandAllStop(t *testing.T) {
	t.Parallel()
	h := &byHand{t: t, dir: t.TempDir(), ports: freePorts(t, 3), flags: []string{"--rate", "50", "--duration", "0", "--die", "3"}}
	machines := []*program{h.start(0), h.start(1), h.start(2)}
	waitForEvents(t, h.dir, 3, 10)
	for _, p := range machines {
		p.signal(syscall.SIGTERM)
	}
	for _, p := range machines {
		assert.Equal(t, "130", p.wait())
	}
	code, verdict := checked(t, h.dir, "--allow-incomplete")
	assert.Equal(t, "0", code, verdict)
}

// Machines of one run that were told different things tell each other: both say who was told
// what, and how to mend it. What one run cannot bear ends at least one of them.
func TestByHandToldDifferently(t *testing.T) {
	const interrupted = "signal: interrupt"
	for _, c := range []struct {
		name        string
		zero, one   []string
		says, mends string
		fatal       bool
	}{
		{
			"the die", []string{"--die", "10"}, []string{"--die", "6"},
			"machine 0 throws a die of 10 faces, machine 1 one of 6", "give all machines of a run the same --die", true,
		},
		{
			"the duration", []string{"--duration", "400ms"}, []string{"--duration", "500ms"},
			"machine 0 runs for 400ms, machine 1 for 500ms: what machine 0 is sent after its end is lost", "give all machines of a run the same --duration", false,
		},
		{
			"the seed", []string{"--duration", "400ms"}, []string{"--duration", "400ms", "--seed", "7"},
			"machine 0 has drawn its own seed, machine 1 seed 7: no one seed repeats their dice", "give all machines of a run the same --seed", false,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := &byHand{t: t, dir: t.TempDir(), ports: freePorts(t, 2)}
			machines := []*program{h.start(0, c.zero...), h.start(1, c.one...)}
			for _, p := range machines {
				eventually(t, func() bool { return strings.Contains(p.errors.String(), c.says+": "+c.mends) }, "%v says it", p.cmd.Args)
			}
			if c.fatal {
				eventually(t, func() bool { return hasEnded(machines[0]) || hasEnded(machines[1]) }, "one gives up")
			}
			for _, p := range machines {
				if !c.fatal {
					assert.Equal(t, "0", p.wait())
					assert.Equal(t, 1, strings.Count(p.errors.String(), c.says), "once")
					continue
				}
				_ = p.cmd.Process.Signal(os.Interrupt) // if it has not given up already
				assert.Contains(t, []string{"2", "130", interrupted}, p.wait())
			}
			if c.fatal {
				assert.Empty(t, files(t, h.dir), "no log of a run that never was")
			}
		})
	}
}

// What the machines of a run by hand have agreed upon stands in the directory of each, the seed of
// machine 0 with it: so the run can be done again, by their logs and by the record.
func TestByHandIsRecorded(t *testing.T) {
	t.Parallel()
	ports := freePorts(t, 3)
	var list []string
	for _, port := range ports {
		list = append(list, fmt.Sprintf("127.0.0.1:%d", port))
	}
	shared, own := t.TempDir(), t.TempDir()
	var machines []*program
	for id, dir := range []string{shared, own, shared} {
		machines = append(machines, prepare(t, dir, filepath.Join(bin, "vm"), "--id", strconv.Itoa(id),
			"--peers", strings.Join(list, ","), "--rate", "50,200,100", "--duration", "600ms", "--run", "recorded").start())
	}
	for _, p := range machines {
		require.Equal(t, "0", p.wait(), p.errors)
	}
	zero := records(t, filepath.Join(shared, "vm_0_50.log"))[0].Start
	assert.Equal(t, zero.Seed, records(t, filepath.Join(shared, "vm_2_100.log"))[0].Start.Seed)
	assert.Equal(t, zero.Seed, records(t, filepath.Join(own, "vm_1_200.log"))[0].Start.Seed)
	for _, dir := range []string{shared, own} {
		r, err := rundir.ReadRecord(dir)
		require.NoError(t, err)
		assert.Equal(t, zero.Seed, r.Seed)
		assert.Equal(t, "recorded", r.Run)
		assert.Equal(t, 600*time.Millisecond, r.Duration)
		assert.Equal(t, "[50 200 100]", fmt.Sprint(r.Rates))
	}
	assert.Equal(t, []string{"run.json", "vm_0_50.links", "vm_0_50.log", "vm_2_100.links", "vm_2_100.log"}, files(t, shared))

	// Gathered, it is a run like any other.
	require.NoError(t, os.Rename(filepath.Join(own, "vm_1_200.log"), filepath.Join(shared, "vm_1_200.log")))
	requireCorrect(t, shared)
	replayed := launcher(t, shared, "replay", ".").start()
	assert.Equal(t, "0", replayed.wait(), replayed.errors)
	again := launcher(t, shared, "rerun", "--out", "again", ".").start()
	require.Equal(t, "0", again.wait(), again.errors)
	r, err := rundir.ReadRecord(filepath.Join(shared, "again"))
	require.NoError(t, err)
	assert.Equal(t, zero.Seed, r.Seed)
	assert.Equal(t, "[50 200 100]", fmt.Sprint(r.Rates))

	// The next run does not mix with it.
	next := prepare(t, shared, filepath.Join(bin, "vm"), "--id", "0", "--peers", strings.Join(list, ","), "--rate", "7", "--run", "next").start()
	assert.Equal(t, "2", next.wait())
	assert.Contains(t, next.errors.String(), "vm: run.json is of an earlier run, which is not overwritten: choose another --log-dir, or move it away with its logs\n")
}

// A machine that waits for another says who has come instead, and for what it asked. That one
// hears what to compare.
func TestByHandNumberOfMachines(t *testing.T) {
	t.Parallel()
	h := &byHand{t: t, dir: t.TempDir(), ports: freePorts(t, 3)}
	alone := prepare(t, h.dir, filepath.Join(bin, "vm"), "--id", "0", "--port", strconv.Itoa(h.ports[0]),
		"--peers", fmt.Sprintf("127.0.0.1:%d", h.ports[2])).start() // where nobody is
	eventually(t, func() bool { return strings.Contains(alone.errors.String(), "starting") }, "it has started")
	wrong := h.start(1) // of three
	assert.Equal(t, "2", wrong.wait())
	assert.Contains(t, wrong.errors.String(), fmt.Sprintf("127.0.0.1:%d does not take this machine for one of its run: this is machine 1 of 3 in run \"by-hand\": "+
		"compare --run, --id, and the number and addresses of --peers with its own; its diagnostics say which differs\n", h.ports[0]))
	const said = "machine 1 is in a run of 3 machines, machine 0 in one of 2: give each all the others as --peers"
	eventually(t, func() bool { return strings.Contains(alone.errors.String(), said) }, "it says who has come")
	alone.signal(os.Interrupt)
	assert.Equal(t, "130", alone.wait())
	assert.Empty(t, files(t, h.dir))
}

// A machine that waits for others can be told not to.
func TestByHandInterruptedBeforeTheRun(t *testing.T) {
	t.Parallel()
	h := &byHand{t: t, dir: t.TempDir(), ports: freePorts(t, 2)}
	p := h.start(0)
	eventually(t, func() bool { return len(files(t, h.dir)) > 0 || strings.Contains(p.errors.String(), "starting") }, "it has started")
	p.signal(os.Interrupt)
	assert.Equal(t, "130", p.wait())
	assert.Contains(t, p.errors.String(), "vm: interrupted before the run began\n")
	assert.Empty(t, files(t, h.dir))
}

// The port of one is taken by another program.
func TestByHandPortTaken(t *testing.T) {
	t.Parallel()
	h := &byHand{t: t, dir: t.TempDir(), ports: freePorts(t, 2)}
	first := h.start(0)
	eventually(t, func() bool { return strings.Contains(first.errors.String(), "starting") }, "it has started")
	h.ports = []int{h.ports[1], h.ports[0]}
	second := h.start(1)
	assert.Equal(t, "75", second.wait(), "it may come free")
	assert.Equal(t, 1, strings.Count(second.errors.String(), "\n"))
	assert.Contains(t, second.errors.String(), strconv.Itoa(h.ports[1])+" on 127.0.0.1 is taken")
	first.signal(os.Interrupt)
	first.wait()
}

// Two with one id are told apart.
func TestByHandOneIDTwice(t *testing.T) {
	t.Parallel()
	dir, ports := t.TempDir(), freePorts(t, 2)
	h := &byHand{t: t, dir: dir, ports: ports}
	twin := &byHand{t: t, dir: t.TempDir(), ports: slices.Clone(ports)}
	slices.Reverse(twin.ports)
	machines := []*program{h.start(0), twin.start(0)}
	for _, p := range machines {
		eventually(t, func() bool {
			return strings.Contains(p.errors.String(), "give each its own --id") || strings.Contains(p.errors.String(), "compare --run, --id, ")
		}, "it says so")
		_ = p.cmd.Process.Signal(os.Interrupt) // if it has not given up already
		assert.Contains(t, []string{"2", "130", "signal: interrupt"}, p.wait())
	}
	assert.Contains(t, machines[0].errors.String()+machines[1].errors.String(), "two machines with id 0: give each its own --id", "one of them knows")
	assert.Empty(t, files(t, dir))
}

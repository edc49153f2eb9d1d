//go:build unix

package main

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/certs"
	"github.com/scalemodel/lamport/pkg/gather"
	"github.com/scalemodel/lamport/pkg/rundir"
	"github.com/scalemodel/lamport/pkg/summary"
)

// gatherAddr returns an address where nobody listens yet.
func gatherAddr(t *testing.T) string { return fmt.Sprintf("127.0.0.1:%d", freePorts(t, 1)[0]) }

// apart starts the machines of a run that each have a directory of their own, as on hosts of
// their own, and returns these.
func apart(t *testing.T, h *byHand, flags ...string) (machines []*program, dirs []string) {
	t.Helper()
	for id := range h.ports {
		dir := filepath.Join(h.dir, "host"+strconv.Itoa(id))
		require.NoError(t, os.Mkdir(dir, 0o777))
		dirs = append(dirs, dir)
		machines = append(machines, h.start(id, append([]string{"--log-dir", dir}, flags...)...))
	}
	return machines, dirs
}

// requireGathered says that the logs of a run are the same bytes as where they come from.
func requireGathered(t *testing.T, dir string, from []string) {
	t.Helper()
	got := logs(t, dir)
	require.Len(t, got, len(from))
	for id, dir := range from {
		require.Equal(t, readFile(t, logs(t, dir)[id]), readFile(t, got[id]), "machine %d", id)
	}
}

// Three machines deliver to one gathering; one of them is killed in the middle of the run and
// comes back. What is gathered is as a run on one host.
func TestGather(t *testing.T) {
	t.Parallel()
	addr := gatherAddr(t)
	h := &byHand{t: t, dir: t.TempDir(), ports: freePorts(t, 3), flags: []string{"--run", "exam", "--rate", "50", "--duration", "3s", "--seed", "3", "--linger", "10s", "--deliver", addr}}
	g := launcher(t, h.dir, "gather", "--listen", addr, "--machines", "3", "--run", "exam", "--out", "all").start()
	machines, dirs := apart(t, h)
	eventually(t, func() bool { return len(logs(t, dirs[1])) == 1 && size(t, logs(t, dirs[1])[1]) > 2000 }, "the run goes on")
	require.NoError(t, machines[1].cmd.Process.Kill())
	machines[1].wait()
	machines[1] = h.start(1, "--log-dir", dirs[1], "--resume")
	for _, p := range machines {
		assert.Equal(t, "0", p.wait())
		assert.Contains(t, p.errors.String(), "the log is delivered")
	}
	require.Equal(t, "0", g.wait())
	all := filepath.Join(h.dir, "all")
	requireGathered(t, all, dirs)
	requireCorrect(t, all)
	assert.Equal(t, []string{"gather", "report.html", "run.json", "summary.json", "summary.txt", "vm_0_50.log", "vm_1_50.log", "vm_2_50.log"}, files(t, all))
	assert.Equal(t, g.out.String(), readFile(t, filepath.Join(all, "summary.txt")))
	assert.Contains(t, g.out.String(), "check        correct: all laws hold")
	for _, said := range []string{"gathering the logs of run exam, of 3 machines, on " + addr + " into all\n", "delivered    vm-0 on ", ", to its end\n", "report       all/report.html\n"} {
		assert.Contains(t, g.errors.String(), said)
	}

	// The figures are those of the logs, and what only the machines know is there too.
	machine, err := rundir.ReadSummary(all)
	require.NoError(t, err)
	require.Len(t, machine, 3)
	assert.NotZero(t, machine[0].Wire.Bytes)
	p := launcher(t, h.dir, "stats", "--format", "json", "all").start()
	require.Equal(t, "0", p.wait())
	var stats struct{ Lateness summary.Lateness }
	require.NoError(t, json.Unmarshal([]byte(p.out.String()), &stats))
	var ticks uint64
	for _, m := range machine {
		ticks += m.Lateness.Ticks
	}
	assert.Equal(t, ticks, stats.Lateness.Ticks)
	assert.Contains(t, strings.Join(strings.Fields(g.out.String()), " "), fmt.Sprintf("lateness of %d ticks of all machines: p50", ticks))

	record, err := rundir.ReadRecord(all)
	require.NoError(t, err)
	assert.EqualValues(t, 3, record.Seed)
	assert.Len(t, record.Rates, 3)
	assert.True(t, record.OneHost())

	again := launcher(t, h.dir, "gather", "--listen", addr, "--machines", "3", "--run", "exam", "--out", "all").start()
	assert.Equal(t, "0", again.wait())
	assert.Contains(t, again.errors.String(), "there already  vm-2 on ")
	assert.Equal(t, g.out.String(), again.out.String())
}

// A machine that is paused delivers what it has, and the rest when it comes back.
func TestGatherPausedMachine(t *testing.T) {
	t.Parallel()
	addr := gatherAddr(t)
	h := &byHand{t: t, dir: t.TempDir(), ports: freePorts(t, 2), flags: []string{"--rate", "50", "--duration", "3s", "--seed", "3", "--linger", "10s", "--resume", "--deliver", addr}}
	g := launcher(t, h.dir, "gather", "--listen", addr, "--machines", "2", "--out", "all").start()
	machines, dirs := apart(t, h)
	eventually(t, func() bool { return len(logs(t, dirs[1])) == 1 && size(t, logs(t, dirs[1])[1]) > 2000 }, "the run goes on")
	machines[1].signal(syscall.SIGTERM)
	assert.Equal(t, "143", machines[1].wait())
	assert.Contains(t, machines[1].errors.String(), "the log is delivered")
	eventually(t, func() bool { return strings.Contains(g.errors.String(), ", and it may go on\n") }, "it is told")
	machines[1] = h.start(1, "--log-dir", dirs[1])
	for _, p := range machines {
		assert.Equal(t, "0", p.wait())
	}
	assert.Equal(t, "0", g.wait())
	requireGathered(t, filepath.Join(h.dir, "all"), dirs)
	requireCorrect(t, filepath.Join(h.dir, "all"))
}

// simulatedRun makes the logs of a run, and returns its directory and name.
func simulatedRun(t *testing.T, dir, out string, machines int) (run string) {
	t.Helper()
	p := launcher(t, dir, "sim", "--machines", strconv.Itoa(machines), "--rates", "20", "--duration", "30s", "--seed", "1", "--report=false", "--quiet", "--out", out).start()
	require.Equal(t, "0", p.wait(), p.errors)
	record, err := rundir.ReadRecord(filepath.Join(dir, out))
	require.NoError(t, err)
	return record.Run
}

// A gathering that is killed goes on where it was, and one that ends without all logs says
// what is missing. Logs are delivered by hand.
func TestGatherGoesOn(t *testing.T) {
	t.Parallel()
	dir, addr := t.TempDir(), gatherAddr(t)
	run := simulatedRun(t, dir, "s", 3)
	begin := func(flags ...string) *program {
		return launcher(t, dir, append([]string{"gather", "--listen", addr, "--machines", "3", "--run", run, "--out", "all"}, flags...)...).start()
	}
	deliver := func(logs ...string) *program {
		return launcher(t, dir, append([]string{"deliver", "--to", addr}, logs...)...).start()
	}
	early := deliver("s/vm_0_20.log") // before anybody is there
	eventually(t, func() bool { return strings.Contains(early.errors.String(), "waits for "+addr) }, "it waits")
	g := begin()
	require.Equal(t, "0", early.wait())
	eventually(t, func() bool { return strings.Contains(g.errors.String(), "delivered    vm-0") }, "it is told")
	require.NoError(t, g.cmd.Process.Kill())
	g.wait()

	g = begin("--timeout", "1ms")
	assert.Equal(t, "1", g.wait())
	assert.Contains(t, g.errors.String(), "not all logs are there: nothing has come from vm-1 and vm-2\n")
	assert.Contains(t, g.errors.String(), "launcher: the run is incomplete: the logs of machines 1, 2 are missing")

	g = begin()
	eventually(t, func() bool { return strings.Contains(g.errors.String(), "there already  vm-0") }, "it goes on")
	g.signal(os.Interrupt)
	assert.Equal(t, "130", g.wait())

	g = begin()
	p := deliver("s")
	assert.Equal(t, "0", p.wait())
	for id := range 3 {
		assert.Contains(t, p.errors.String(), fmt.Sprintf("delivered    s/vm_%d_20.log\n", id))
	}
	assert.Equal(t, "0", g.wait())
	requireGathered(t, filepath.Join(dir, "all"), []string{filepath.Join(dir, "s"), filepath.Join(dir, "s"), filepath.Join(dir, "s")})
	requireCorrect(t, filepath.Join(dir, "all"))
	rerun := launcher(t, dir, "rerun", "--out", "again", "--quiet", "all").start() // its record is that of the run
	assert.Equal(t, "0", rerun.wait())
	assert.Contains(t, rerun.out.String(), "the same bytes as in all")

	requireRefused(t, launcher(t, dir, "gather", "--listen", addr, "--machines", "2", "--run", run, "--out", "all"),
		"all/gather/gather.json (run \""+run+"\" of 3 machines) is of an earlier run, which is not overwritten: choose another --out, or move it away")
	requireRefused(t, launcher(t, dir, "gather", "--listen", addr, "--machines", "3", "--run", run, "--out", "s"),
		"s/run.json is of an earlier run, which is not overwritten: choose another --out, or move it away")
}

// Logs of another run are refused at both ends, and a second log of one machine is kept
// aside and spoils the verdict.
func TestGatherStrangeLogs(t *testing.T) {
	t.Parallel()
	dir, addr := t.TempDir(), gatherAddr(t)
	run := simulatedRun(t, dir, "a", 2)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "other.log"), []byte(strings.Replace(readFile(t, filepath.Join(dir, "a", "vm_0_20.log")), "run="+run+" ", "run=b ", 1)), 0o600))
	g := launcher(t, dir, "gather", "--listen", addr, "--machines", "2", "--run", run, "--out", "all").start()
	p := launcher(t, dir, "deliver", "--to", addr, "other.log").start()
	assert.Equal(t, "2", p.wait())
	assert.Contains(t, p.errors.String(), "launcher: "+addr+" does not take the log: the logs of run \"b\" are not gathered here; compare --run and --machines of \"launcher gather\" with those of the run\n")

	p = launcher(t, dir, "deliver", "--to", addr, "other.log", "a/vm_0_20.log", "other.log").start()
	assert.Equal(t, "2", p.wait())
	assert.Equal(t, 2, strings.Count(p.errors.String(), "launcher: other.log: "+addr+" does not take the log: "), "which log, of many")
	assert.Contains(t, p.errors.String(), "delivered    a/vm_0_20.log\n")

	p = launcher(t, dir, "deliver", "--to", addr, "a/vm_0_20.log").start()
	require.Equal(t, "0", p.wait())
	forged := strings.Replace(readFile(t, filepath.Join(dir, "a", "vm_0_20.log")), "step=1 ", "step=2 ", 1)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "forged.log"), []byte(forged), 0o600))
	p = launcher(t, dir, "deliver", "--to", addr, "forged.log").start()
	assert.Equal(t, "2", p.wait())
	assert.Contains(t, p.errors.String(), "another log of the machine has been delivered before, which this one does not go on from; it is kept aside there\n")

	p = launcher(t, dir, "deliver", "--to", addr, "a/vm_1_20.log").start()
	require.Equal(t, "0", p.wait())
	assert.Equal(t, "1", g.wait())
	assert.Contains(t, g.errors.String(), "a second log of vm-0 on ")
	assert.Contains(t, g.errors.String(), "two logs were delivered that do not go on from each other, of machine 0")
	assert.Equal(t, forged, readFile(t, filepath.Join(dir, "all", gather.OtherLog(0))))
	assert.Contains(t, g.errors.String(), "refused ")
}

// A machine whose log nobody takes says so, keeps it, and ends so that it is tried again. A
// second signal ends the waiting.
func TestNobodyGathers(t *testing.T) {
	t.Parallel()
	addr := gatherAddr(t)
	h := &byHand{t: t, dir: t.TempDir(), ports: freePorts(t, 2), flags: []string{"--rate", "20", "--deliver", addr}}
	machines, dirs := apart(t, h, "--duration", "500ms", "--deliver-timeout", "100ms")
	for id, p := range machines {
		assert.Equal(t, "75", p.wait())
		log := logs(t, dirs[id])[id]
		assert.True(t, isComplete(t, log))
		assert.Contains(t, p.errors.String(), "vm: the run is over, and the log is not delivered: "+addr+": not reached in time: ")
		assert.Contains(t, p.errors.String(), "; it stays here, and is delivered later with \"launcher deliver --to "+addr+" "+log+"\"\n")
		assert.Contains(t, p.out.String(), "machine:     vm-"+strconv.Itoa(id), "the result comes first")
	}

	// Started again, they find their run over, and deliver.
	g := launcher(t, h.dir, "gather", "--listen", addr, "--machines", "2", "--out", "all").start()
	for id := range machines {
		machines[id] = h.start(id, "--log-dir", dirs[id], "--duration", "500ms", "--resume")
	}
	for _, p := range machines {
		assert.Equal(t, "0", p.wait())
		assert.Contains(t, p.errors.String(), "the log is delivered")
	}
	assert.Equal(t, "0", g.wait())
	requireGathered(t, filepath.Join(h.dir, "all"), dirs)

	// And once more: the gatherer has ended, and nobody looks for it.
	for id := range machines {
		machines[id] = h.start(id, "--log-dir", dirs[id], "--duration", "500ms", "--resume", "--deliver-timeout", "0")
	}
	for _, p := range machines {
		assert.Equal(t, "0", p.wait())
		assert.Contains(t, p.errors.String(), "the log was delivered before, and has not changed since: to="+addr+"\n")
	}

	h = &byHand{t: t, dir: t.TempDir(), ports: freePorts(t, 2), flags: []string{"--rate", "20", "--deliver", addr}}
	machines, dirs = apart(t, h, "--duration", "0")
	eventually(t, func() bool { return len(logs(t, dirs[0])) == 1 && size(t, logs(t, dirs[0])[0]) > 500 }, "the run goes on")
	for _, p := range machines {
		p.signal(os.Interrupt)
	}
	for _, p := range machines {
		eventually(t, func() bool { return strings.Contains(p.errors.String(), "waiting to deliver the log") || hasEnded(p) }, "it waits for a while")
		_ = p.cmd.Process.Signal(os.Interrupt)
		assert.Equal(t, "130", p.wait())
	}
}

// With certificates a machine delivers its own log and no other, and nobody else does.
func TestGatherTLS(t *testing.T) {
	t.Parallel()
	addr := gatherAddr(t)
	h := &byHand{t: t, dir: t.TempDir(), ports: freePorts(t, 2), flags: []string{"--rate", "50", "--duration", "500ms", "--seed", "3", "--deliver", addr, "--linger", "10s",
		"--tls-cert", "certs/vm-{id}/tls.crt", "--tls-key", "certs/vm-{id}/tls.key", "--tls-ca", "certs/vm-{id}/ca.crt"}}
	require.Equal(t, "0", launcher(t, h.dir, "certs", "--machines", "2", "--run", "exam", "certs").start().wait())
	as := func(who string) []string {
		return []string{"--tls-cert", "certs/" + who + "/tls.crt", "--tls-key", "certs/" + who + "/tls.key", "--tls-ca", "certs/" + who + "/ca.crt"}
	}
	begin := []string{"gather", "--listen", addr, "--machines", "2"}
	g := launcher(t, h.dir, slices.Concat(begin, as("gather"), []string{"--out", "all"})...).start()
	machines, dirs := apart(t, h)
	for _, p := range machines {
		assert.Equal(t, "0", p.wait())
	}
	require.Equal(t, "0", g.wait())
	requireGathered(t, filepath.Join(h.dir, "all"), dirs)
	requireCorrect(t, filepath.Join(h.dir, "all"))

	g = launcher(t, h.dir, slices.Concat(begin, as("gather"), []string{"--out", "again"})...).start()
	for _, c := range []struct {
		as         []string
		code, want string
	}{
		{nil, "2", " does not take the log: it asks for a certificate of the run\n"},
		{as("vm-1"), "2", " does not take the log: the certificate is that of machine 1, which delivers only its own log\n"},
		{as("vm-0"), "0", "delivered    host0/vm_0_50.log\n"},
		{as("gather"), "0", "delivered    host0/vm_0_50.log\n"},
	} {
		p := launcher(t, h.dir, slices.Concat([]string{"deliver", "--to", addr}, c.as, []string{"host0"})...).start()
		assert.Equal(t, c.code, p.wait())
		assert.Contains(t, p.errors.String(), c.want)
	}
	g.signal(os.Interrupt)
	assert.Equal(t, "130", g.wait())

	requireRefused(t, launcher(t, h.dir, append(begin, as("vm-0")...)...),
		"the certificate is that of machine 0 of run \"exam\", and what gathers logs has its own: \"launcher certs\" puts it into the directory gather")
	requireRefused(t, launcher(t, h.dir, slices.Concat(begin, as("gather"), []string{"--run", "other"})...), "--run \"other\": the certificate is that of the gatherer of run \"exam\"")
	requireRefused(t, launcher(t, h.dir, append(begin, "--tls-cert", "certs/gather/tls.crt", "--tls-key", "nope", "--tls-ca", "certs/ca.crt")...), "--tls-key: stat nope: no such file or directory")
	requireRefused(t, launcher(t, h.dir, append(begin, "--require-tls")...), "--require-tls, and there is no certificate: give --tls-cert, --tls-key and --tls-ca; \"launcher certs\" makes all three")

	// A machine of the run that pretends to gather gets nothing.
	pretender, err := certs.Open(certs.FilesOf(filepath.Join(h.dir, "certs"), 1))
	require.NoError(t, err)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	tricked := tls.NewListener(ln, pretender.Server())
	defer func() { _ = tricked.Close() }()
	got := make(chan int, 1)
	go func() {
		c, err := tricked.Accept()
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		n, _ := c.Read(make([]byte, 1))
		got <- n
	}()
	p := launcher(t, h.dir, slices.Concat([]string{"deliver", "--to", ln.Addr().String()}, as("vm-0"), []string{"host0"})...).start()
	assert.Equal(t, "2", p.wait())
	assert.Contains(t, p.errors.String(), "machine 1 of run \"exam\" answers, and not what gathers its logs\n")
	assert.Zero(t, <-got)
}

// What is wrong with a command line is said at once.
func TestGatherUsage(t *testing.T) {
	dir := t.TempDir()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = ln.Close() }()
	for _, c := range []struct {
		args string
		want string
	}{
		{"gather --machines 3", "--listen is missing: where do the machines deliver their logs, for example 127.0.0.1:7070?"},
		{"gather --listen 127.0.0.1:0", "--machines is missing: of how many machines is the run?"},
		{"gather --listen 127.0.0.1:0 --machines 0", "--machines 0: want 1 to 10000"},
		{"gather --listen 127.0.0.1 --machines 3", `--listen "127.0.0.1": want host:port, such as 127.0.0.1:7070, or :7070 for all addresses`},
		{"gather --listen :0 --machines 3", ":0 can be reached from a network, without certificates: anybody who reaches it could deliver logs: " +
			"give --tls-cert, --tls-key and --tls-ca, or say with --allow where the machines are (0.0.0.0/0,::/0 for anywhere)"},
		{"gather --listen :0 --machines 3 --allow 10.0.0.0", ""},
		{"gather --listen 127.0.0.1:0 --machines 3 --allow here", `--allow: "here": want an address or a network, such as 192.0.2.7 or 10.0.0.0/8`},
		{"gather --listen 127.0.0.1:0 --machines 3 --run a/b", `--run "a/b": want a name of 1 to 64 letters, digits, dots, dashes or underscores`},
		{"gather --listen 127.0.0.1:0 --machines 3 --max-size 7", `--max-size "7": want a size such as 500MB or 2GiB`},
		{"gather --listen 127.0.0.1:0 --machines 3 --timeout -1s", "--timeout -1s: a duration cannot be negative"},
		{"deliver x", "--to is missing: where are the logs gathered, for example hosta:7070?"},
		{"deliver --to hosta:7070", "deliver: which logs? Name them, or the directory that they are in"},
		{"deliver --to hosta x", `--to "hosta": want host:port, such as hosta:7070`},
		{"deliver --to 127.0.0.1:1 nowhere", "nowhere: no such file or directory"},
		{"deliver --to 127.0.0.1:1 .", ". holds no event log (vm_<id>_<rate>.log): want the directory of a run"},
	} {
		if c.want != "" {
			requireRefused(t, launcher(t, dir, strings.Fields(c.args)...), c.want)
		}
	}

	// What another process has may be free at the next try.
	p := launcher(t, dir, "gather", "--listen", ln.Addr().String(), "--machines", "3").start()
	assert.Equal(t, "75", p.wait())
	assert.Equal(t, "launcher: nothing can be delivered to "+ln.Addr().String()+": bind: address already in use; choose another --listen, or end the program that holds it\n", p.errors.String())
	first := launcher(t, dir, "gather", "--listen", "127.0.0.1:0", "--machines", "3", "--out", "all").start()
	eventually(t, func() bool { return strings.Contains(first.errors.String(), "gathering the logs") }, "it begins")
	p = launcher(t, dir, "gather", "--listen", "127.0.0.1:0", "--machines", "3", "--out", "all").start()
	assert.Equal(t, "75", p.wait())
	assert.Equal(t, "launcher: all: another process gathers there: end it, or choose another --out\n", p.errors.String())
}

//go:build unix

package main

import (
	"crypto/rand"
	"fmt"
	"io"
	"maps"
	"math"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/internal/procs"
)

// One signal stops a run in order: all logs are whole, and nothing is lost.
func TestStopInOrder(t *testing.T) {
	for _, c := range []struct {
		name   string
		signal syscall.Signal
		flags  []string
	}{
		{"SIGINT", syscall.SIGINT, []string{"--duration", "0"}},
		{"SIGTERM", syscall.SIGTERM, []string{"--duration", "1h"}},
		{"SIGINT of machines that do not pause", syscall.SIGINT, []string{"--duration", "0", "--rates", "max,50,max", "--window", "5000"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, dir := startRun(t, append([]string{"--rates", "50,80,30"}, c.flags...)...)
			waitForEvents(t, dir, 3, 20)
			p.signal(c.signal)
			require.Equal(t, "130", p.wait())
			requireCorrect(t, dir)
			assert.Len(t, summaryOf(t, dir), 3)
			assert.Contains(t, p.out.String(), "all accounted for\n")
			assert.Regexp(t, `^run .*\n(the run ended after .* of 1h0m0s, with .* ticks\n)?report .*\nnext .*\n$`, p.errors.String(), "an interrupted run is no error")
			assert.Equal(t, slices.Contains(c.flags, "1h"), strings.Contains(p.errors.String(), "the run ended after "), "it is short if it was to last for some time")
		})
	}
}

// A run that is interrupted before it has begun is none.
func TestInterruptedBeforeTheRun(t *testing.T) {
	t.Parallel()
	// One machine never comes, and ends when it is told to.
	script := filepath.Join(t.TempDir(), "vm")
	text := "#!/bin/sh\ncase \" $* \" in *' --id 1 '*) cat >/dev/null; exit 130 ;; esac\nexec " + bin + "/vm \"$@\"\n"
	require.NoError(t, os.WriteFile(script, []byte(text), 0o755))
	p, dir := startRun(t, "--rates", "5,5,5", "--vm", script)
	eventually(t, func() bool { m, _ := filepath.Glob(filepath.Join(dir, "*.stderr")); return len(m) == 3 }, "all machines are started")
	p.signal(syscall.SIGINT)
	assert.Equal(t, "130", p.wait())
	assert.Contains(t, p.errors.String(), "interrupted before the run began\n")
	assert.NoDirExists(t, dir)
	assert.Empty(t, p.out.String())
}

// A second signal does not wait for anybody.
func TestSecondSignalKills(t *testing.T) {
	t.Parallel()
	p, dir := startRun(t, "--rates", "50,50,50", "--duration", "0")
	waitForEvents(t, dir, 3, 5)
	machines := processes(t, p, 3)
	// One that cannot hear keeps the others waiting for it at the end.
	require.NoError(t, procs.Hold(machines[1]))
	p.signal(syscall.SIGINT)
	waitForStillness(t, slices.Collect(maps.Values(logs(t, dir)))...)
	p.signal(syscall.SIGINT)
	require.Equal(t, "130", p.wait())
	assert.NotContains(t, p.errors.String(), "it had not stopped", "as it would be, had it been waited for")
	requireGone(t, machines)
	code, verdict := checked(t, dir, "--allow-incomplete")
	assert.Equal(t, "0", code, verdict)
}

// waitForStillness waits until nothing is written any more.
func waitForStillness(t *testing.T, names ...string) {
	t.Helper()
	size := func() (n int) {
		for _, name := range names {
			n += len(readFile(t, name))
		}
		return n
	}
	last, since := size(), time.Now()
	eventually(t, func() bool {
		if n := size(); n != last {
			last, since = n, time.Now()
		}
		return time.Since(since) > 300*time.Millisecond
	}, "nothing is written any more")
}

func requireGone(t *testing.T, machines map[int]int) {
	t.Helper()
	for id, pid := range machines {
		eventually(t, func() bool { return !isAlive(pid) }, "the process of machine %d ends", id)
	}
}

// Nothing outlives a launcher that is killed, and what it leaves is whole.
func TestLauncherIsKilled(t *testing.T) {
	t.Parallel()
	p, dir := startRun(t, "--rates", "50,80,30", "--duration", "0")
	waitForEvents(t, dir, 3, 20)
	machines := processes(t, p, 3)
	p.signal(syscall.SIGKILL)
	require.Equal(t, "signal: killed", p.wait())
	requireGone(t, machines)
	requireCorrect(t, dir)
	for id, name := range logs(t, dir) {
		assert.True(t, isComplete(t, name), "machine %d", id)
	}
}

// The kernel tells a machine of its launcher's death once for each thread of it
// that dies, one after the other.
func TestMachineIsToldTwice(t *testing.T) {
	t.Parallel()
	p, dir := startRun(t, "--rates", "50,80,30", "--duration", "0")
	waitForEvents(t, dir, 3, 20)
	machines := processes(t, p, 3)
	// The first is kept from ending by one that does not hear.
	require.NoError(t, procs.Hold(machines[1]))
	for range 3 {
		require.NoError(t, syscall.Kill(machines[0], syscall.SIGTERM))
		waitForStillness(t, logs(t, dir)[0])
	}
	require.NoError(t, syscall.Kill(machines[1], syscall.SIGCONT))
	p.signal(syscall.SIGKILL)
	requireGone(t, machines)
	for id, name := range logs(t, dir) {
		assert.True(t, isComplete(t, name), "machine %d", id)
	}
}

// A machine that is killed ends the run: the launcher says which and how, and
// all that can be saved is.
func TestMachineIsKilled(t *testing.T) {
	for _, c := range []struct {
		name   string
		signal syscall.Signal
		want   string
	}{
		{"killed", syscall.SIGKILL, `machine 1 died: signal: killed\. Its last words, from run/vm_1\.stderr: .*all links are up`},
		{"crashed", syscall.SIGQUIT, `machine 1 died: exit status 2\. Its last words, from run/vm_1\.stderr: .*SIGQUIT: quit`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, dir := startRun(t, "--rates", "50,80,30", "--duration", "0")
			waitForEvents(t, dir, 3, 20)
			machines := processes(t, p, 3)
			require.NoError(t, syscall.Kill(machines[1], c.signal))
			require.Equal(t, "3", p.wait())
			lines := strings.Split(p.errors.String(), "\n")
			require.Len(t, lines, 3, "talk, the error, nothing")
			assert.Regexp(t, `^launcher: `+c.want, lines[1])
			assert.Regexp(t, `(?m)^no summary +vm-1$`, p.out.String())
			assert.Len(t, summaryOf(t, dir), 2)

			byID := logs(t, dir)
			assert.True(t, isComplete(t, byID[0]))
			assert.False(t, isComplete(t, byID[1]))
			assert.True(t, isComplete(t, byID[2]))
			code, verdict := checked(t, dir)
			assert.Equal(t, "1", code)
			assert.Contains(t, verdict, "incomplete")
			code, verdict = checked(t, dir, "--allow-incomplete")
			assert.Equal(t, "0", code, verdict)
			requireGone(t, machines)
		})
	}
}

// A machine that dies at the very end, when the others have nothing left to do but
// wait for it.
func TestMachineIsKilledAtTheEnd(t *testing.T) {
	t.Parallel()
	p, dir := startRun(t, "--rates", "50,50,50", "--duration", "3s")
	waitForEvents(t, dir, 3, 1)
	pid := processes(t, p, 3)[1]
	require.NoError(t, procs.Hold(pid))
	waitForStillness(t, slices.Collect(maps.Values(logs(t, dir)))...)
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	require.Equal(t, "3", p.wait())
	assert.Contains(t, p.errors.String(), "launcher: machine 1 died: signal: killed.")
	for _, id := range []int{0, 2} {
		assert.True(t, isComplete(t, logs(t, dir)[id]), "machine %d", id)
	}
	code, verdict := checked(t, dir, "--allow-incomplete")
	assert.Equal(t, "0", code, verdict)
}

// A machine that stands still for a while misses ticks, says how many, and the
// run is correct.
func TestMachineStandsStill(t *testing.T) {
	t.Parallel()
	const duration = 4 * time.Second
	p, dir := startRun(t, "--rates", "20,40,20", "--duration", duration.String(), "--die", "4")
	waitForEvents(t, dir, 3, 1)
	pid := processes(t, p, 3)[1]
	require.NoError(t, procs.Hold(pid))
	// Another one's 21 steps are a second at least: so long it has stood still.
	other := logs(t, dir)[0]
	before := strings.Count(readFile(t, other), "\n")
	eventually(t, func() bool { return strings.Count(readFile(t, other), "\n") > before+20 }, "machine 0 goes on")
	require.NoError(t, syscall.Kill(pid, syscall.SIGCONT))
	require.Equal(t, "0", p.wait())
	requireCorrect(t, dir)
	requireAllTicks(t, dir, duration)
	missed := summaryOf(t, dir)[1].Missed
	assert.Greater(t, missed, uint64(20))
	assert.Regexp(t, `(?m)^missed +\d+ ticks on .*vm-1`, p.out.String())
	assert.Contains(t, readFile(t, filepath.Join(dir, "vm_1.stderr")), "ticks missed")
}

// The launcher itself stands still, and the machines go on without it.
func TestLauncherStandsStill(t *testing.T) {
	t.Parallel()
	p, dir := startRun(t, "--rates", "50,80,30", "--duration", "1s")
	waitForEvents(t, dir, 3, 5)
	require.NoError(t, procs.Hold(p.cmd.Process.Pid))
	eventually(t, func() bool {
		for _, name := range logs(t, dir) {
			if !isComplete(t, name) {
				return false
			}
		}
		return true
	}, "the machines end")
	p.signal(syscall.SIGCONT)
	require.Equal(t, "0", p.wait())
	requireCorrect(t, dir)
	assert.Len(t, summaryOf(t, dir), 3)
}

// Whatever strangers do at the machines' ports, the run does not notice, but
// counts them.
func TestStrangers(t *testing.T) {
	t.Parallel()
	p, dir := startRun(t, "--rates", "20,30,40", "--duration", "0", "--die", "4")
	waitForEvents(t, dir, 3, 1)
	var addrs []string
	for _, port := range recordOf(t, dir).Ports {
		addrs = append(addrs, fmt.Sprintf("127.0.0.1:%d", port))
	}
	var open []net.Conn
	defer func() {
		for _, c := range open {
			_ = c.Close()
		}
	}()
	dial := func(addr string, say []byte) net.Conn {
		c, err := net.Dial("tcp", addr)
		require.NoError(t, err)
		_, err = c.Write(say)
		require.NoError(t, err)
		open = append(open, c)
		return c
	}
	// answer reads what a stranger is told until it is shown out.
	answer := func(c net.Conn) string {
		require.NoError(t, c.SetReadDeadline(time.Now().Add(deadline)))
		b, _ := io.ReadAll(c) // it may end with a reset
		return string(b)
	}
	refused := uint64(0)
	for _, addr := range addrs {
		dial(addr, nil) // says nothing for as long as it is let

		answer(dial(addr, []byte("POST / HTTP/1.1\r\nHost: "+addr+"\r\n\r\n")))
		// Whoever asks how the machine is hears a word, and no more whatever else is asked.
		assert.Regexp(t, `^HTTP/1.1 200 OK\r\n(.*\r\n)+\r\n(running|late|reconnecting)\n$`, answer(dial(addr, []byte("GET /healthz HTTP/1.1\r\n\r\n"))))
		assert.Regexp(t, `^HTTP/1.1 404 Not Found\r\n(.*\r\n)+\r\nnot found\n$`, answer(dial(addr, []byte("GET /metrics HTTP/1.1\r\n\r\n"))))
		noise := make([]byte, 1000)
		_, _ = rand.Read(noise)
		noise[0] = 1 // no length of a HELLO
		for _, say := range [][]byte{
			noise,
			{0xff, 0xff, 0xff, 0xff, 1}, // 4 GiB follow
			{0, 0, 0, 0},                // a frame without a type
			append([]byte{0, 0, 0, 50, 1}, strings.Repeat("x", 49)...), // a HELLO that is none
			{0, 0, 0, 50, 1}, // half of one
		} {
			c := dial(addr, say)
			if len(say) > 4 && say[3] == 50 && len(say) < 50 {
				_ = c.Close() // in the middle of it
			} else {
				answer(c)
			}
			refused++
		}
		refused++ // with the browser
	}
	// A crowd at the door of one, most of them in silence.
	const crowd = 3000
	var wg sync.WaitGroup
	var mu sync.Mutex
	next := make(chan int)
	for range 50 {
		wg.Go(func() {
			for i := range next {
				c, err := net.Dial("tcp", addrs[1])
				if err != nil {
					continue // this side is out of something
				}
				if i%3 == 0 {
					_, _ = c.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
				}
				mu.Lock()
				open = append(open, c)
				mu.Unlock()
			}
		})
	}
	for i := range crowd {
		next <- i
	}
	close(next)
	wg.Wait()
	mu.Lock()
	came := len(open)
	mu.Unlock()
	require.Greater(t, came, crowd/2)

	answer(dial(addrs[1], []byte{0, 0, 0, 0})) // by its turn all others were let in
	refused++

	p.signal(syscall.SIGINT)
	require.Equal(t, "130", p.wait())
	requireCorrect(t, dir)
	counted := uint64(0)
	for _, m := range summaryOf(t, dir) {
		assert.GreaterOrEqual(t, m.Wire.Refused, uint64(6), "machine %d", m.ID)
		assert.Zero(t, m.Wire.Reconnects, "machine %d", m.ID)
		counted += m.Wire.Refused
	}
	assert.Greater(t, counted, refused+crowd/6, "those who spoke, and those who had to make room")
	assert.LessOrEqual(t, counted, uint64(came))
	said := regexp.MustCompile(`([\d,]+) strangers refused`).FindStringSubmatch(p.out.String())
	require.NotNil(t, said)
	assert.Equal(t, strconv.FormatUint(counted, 10), strings.ReplaceAll(said[1], ",", ""))
	for id := range addrs {
		talk := readFile(t, filepath.Join(dir, fmt.Sprintf("vm_%d.stderr", id)))
		lines := strings.Count(talk, "connection refused")
		assert.Positive(t, lines)
		assert.Less(t, lines, 10+int(math.Log2(crowd))+2, "a flood does not fill the log")
	}
}

// A stranger at the door before the run does not keep the machines from each
// other.
func TestStrangersBeforeTheRun(t *testing.T) {
	t.Parallel()
	h := &byHand{t: t, dir: t.TempDir(), ports: freePorts(t, 2), flags: []string{"--duration", "300ms", "--rate", "20"}}
	first := h.start(0)
	addr := fmt.Sprintf("127.0.0.1:%d", h.ports[0])
	for range 400 { // more than may wait at once
		var c net.Conn
		eventually(t, func() (ok bool) {
			var err error
			c, err = net.Dial("tcp", addr)
			return err == nil
		}, "somebody listens")
		defer c.Close()
	}
	second := h.start(1)
	assert.Equal(t, "0", first.wait())
	assert.Equal(t, "0", second.wait())
	requireCorrect(t, h.dir)
}

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/roster"
	"github.com/scalemodel/lamport/pkg/transport"
)

// together runs processes of one run, each with these variables and one that tells it
// apart, and returns what each has said. All have to end well.
func together(t *testing.T, dir string, env []string, each ...[]string) (stderr []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	stderr = make([]string, len(each))
	var wg sync.WaitGroup
	for i, own := range each {
		wg.Go(func() {
			cmd := exec.CommandContext(ctx, os.Args[0])
			cmd.Env = append(append(append(os.Environ(), asVM+"=1", "VM_LOG_DIR="+dir, "VM_DURATION=200ms"), env...), own...)
			var out, errs strings.Builder
			cmd.Stdout, cmd.Stderr = &out, &errs
			err := cmd.Run()
			assert.NoError(t, err, errs.String())
			stderr[i] = errs.String()
		})
	}
	wg.Wait()
	return stderr
}

// All machines of a run can have one command line and one environment, but for the rank
// that an engine counts.
func TestOneEnvironmentForAll(t *testing.T) {
	dir := t.TempDir()
	ports := freePorts(t, 3)
	env := []string{"VM_PEERS=127.0.0.1:" + strings.Join(ports, ",127.0.0.1:"), "VM_RATE=100,500,400"}
	said := together(t, dir, env, []string{"PMI_RANK=0"}, []string{"PMI_RANK=1"}, []string{"PMI_RANK=2"})
	for id, rate := range []string{"100", "500", "400"} {
		assert.FileExists(t, filepath.Join(dir, "vm_"+strconv.Itoa(id)+"_"+rate+".log"))
		assert.Contains(t, said[id], fmt.Sprintf("vm-%d: who is who: id=%d by=PMI_RANK machines=3 own=127.0.0.1:%s peers=", id, id, ports[id]))
		assert.Contains(t, said[id], "starting: listening=127.0.0.1:"+ports[id]+" ")
	}
}

// A file of hosts can come after the machines.
func TestHostsComeLater(t *testing.T) {
	onHost(t, "n2", nil)
	file := filepath.Join(t.TempDir(), "hosts")
	talk, waits := hears("waiting for the hosts: the file of hosts " + file + " is not there, or empty\n")
	done, port := make(chan int, 1), freePorts(t, 1)[0]
	go func() {
		done <- run(t.Context(), []string{
			"vm", "--peers", "{hosts}:" + port, "--hosts", "@" + file,
			"--bind", "127.0.0.1", "--duration", "20ms", "--rate", "100", "--log-dir", t.TempDir(),
		}, strings.NewReader(""), talk, talk)
	}()
	soon(t, "it to wait", waits)
	require.NoError(t, os.WriteFile(file+".new", []byte("n2\n"), 0o600))
	require.NoError(t, os.Rename(file+".new", file))
	assert.Equal(t, exit.OK, <-done, talk.all.String())
	assert.Contains(t, talk.all.String(), "who is who: id=0 by=\"n2:")
}

func TestBindFollowsThePeers(t *testing.T) {
	for peers, want := range map[string]string{
		"": "127.0.0.1", "127.0.0.1:1": "127.0.0.1", "localhost:1,127.0.0.2:1": "127.0.0.1", "[::1]:1": "::1", "[::1]:1,[::1]:2": "::1",
		"[::1]:1,127.0.0.1:1": "127.0.0.1", "127.0.0.1:1,[::1]:1": "127.0.0.1",
		"hostb:1": "", "127.0.0.1:1,hostb:1": "", "hostb:1,127.0.0.1:1": "", "10.0.0.1:1": "", "[fe80::1%eth0]:1": "",
	} {
		list, err := roster.ParsePeers(peers, nil)
		require.NoError(t, err)
		assert.Equal(t, want, bindFor(&roster.Roster{Peers: list}), peers)
	}
	for _, own := range []string{"127.0.0.1:1", "127.0.0.2:1"} {
		host, _, _ := strings.Cut(own, ":")
		assert.Equal(t, host, bindFor(&roster.Roster{Own: own, Peers: []transport.Peer{{Addr: "127.0.0.3:1"}, {Addr: "localhost:1"}}}))
	}
	assert.Empty(t, bindFor(&roster.Roster{Own: "127.0.0.2:1", Peers: []transport.Peer{{Addr: "hostb:1"}}}))
	assert.Empty(t, bindFor(&roster.Roster{Own: "hosta:1", Peers: []transport.Peer{{Addr: "127.0.0.1:1"}}}))
}

func TestRates(t *testing.T) {
	for id, want := range []clock.Rate{clock.Hertz, clock.Unpaced, clock.Hertz / 2} {
		got, err := parseRate("1, max,0.5", id, 3)
		require.NoError(t, err)
		assert.Equal(t, want, got)
		got, err = parseRate("7", id, 3)
		require.NoError(t, err)
		assert.Equal(t, 7*clock.Hertz, got)
	}
}

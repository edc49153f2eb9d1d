package enginetest

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Hosts are a cluster that deploy/hosts.sh has made of this host.
type Hosts struct {
	init int // the id of process 1 in it
}

// MakeHosts makes a cluster, with the flags of hosts.sh, until the end of the test.
func MakeHosts(t testing.TB, flags ...string) *Hosts {
	t.Helper()
	NeedRoot(t)
	script := filepath.Join(Root(), "deploy", "hosts.sh")
	p := Start(t, t.TempDir(), Environ(t), script, append(flags, "sh", "-c", "echo ready; cat")...)
	Eventually(t, "the hosts are made", func() bool { return p.Ended() || strings.Contains(p.Out(), "ready") })
	if p.Ended() {
		t.Fatalf("the hosts cannot be made: %s", p.Errors())
	}
	pids, err := children(p.PID())
	if err != nil {
		t.Fatal(err)
	}
	return &Hosts{pids[0]}
}

// Start starts a command on the head.
func (h *Hosts) Start(t testing.TB, dir string, env []string, command ...string) *Program {
	t.Helper()
	p := Start(t, dir, env, "nsenter", h.enter(dir, command)...)
	p.within = true
	return p
}

// Run runs a command on the head, and returns its exit code and what it says.
func (h *Hosts) Run(t testing.TB, dir string, env []string, command ...string) (code int, out string) {
	t.Helper()
	return Run(t, dir, env, "nsenter", h.enter(dir, command)...)
}

func (h *Hosts) enter(dir string, command []string) []string {
	return append([]string{"--target", strconv.Itoa(h.init), "--pid", "--mount", "--net", "--uts", "--wd=" + dir, "--"}, command...)
}

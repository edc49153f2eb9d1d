//go:build unix

package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/internal/fakessh"
	"github.com/scalemodel/lamport/internal/needs"
	"github.com/scalemodel/lamport/internal/procs"
	"github.com/scalemodel/lamport/pkg/remote"
	"github.com/scalemodel/lamport/pkg/rundir"
)

// far is a run on hosts that are reached by ssh.
type far struct {
	ssh  string // for --ssh
	home string // for --remote-dir
}

// onHosts prepares a run on these hosts, in the directory "run".
func (f far) onHosts(t *testing.T, hosts string, args ...string) *program {
	t.Helper()
	return launcher(t, t.TempDir(), append([]string{"run", "--hosts", hosts, "--ssh", f.ssh, "--remote-dir", f.home, "--ports", "auto", "--out", "run"}, args...)...)
}

func (f far) left(t *testing.T) []string {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(f.home, "runs", "*"))
	require.NoError(t, err)
	return left
}

// waitForRemoteEvents waits until each of so many machines has logged so many events on
// its host, and returns their logs.
func (f far) waitForRemoteEvents(t *testing.T, machines, events int) (logs []string) {
	t.Helper()
	eventuallyWithin(t, patience, func() bool {
		logs, _ = filepath.Glob(filepath.Join(f.home, "runs", "*", "*", "vm_*.log"))
		for _, name := range logs {
			if b, _ := os.ReadFile(name); strings.Count(string(b), "\n") <= events {
				return false
			}
		}
		return len(logs) == machines
	}, "%d events on each of %d machines", events, machines)
	return logs
}

// vms returns the processes on the hosts of a test whose command line has these words,
// in any order.
func (f far) vms(t *testing.T, words ...string) (pids []int) {
	t.Helper()
	all, err := procs.All()
	require.NoError(t, err)
next:
	for _, p := range all {
		if !p.Runs() || !strings.Contains(p.Args, filepath.Dir(f.home)) {
			continue
		}
		for _, w := range words {
			if !strings.Contains(p.Args, w) {
				continue next
			}
		}
		pids = append(pids, p.ID)
	}
	return pids
}

// requireNobody waits until nothing runs on the hosts of a test.
func (f far) requireNobody(t *testing.T) {
	t.Helper()
	eventuallyWithin(t, patience, func() bool { return len(f.vms(t)) == 0 }, "all processes there end")
}

// withoutSSHD is a host behind a program that stands in for ssh.
func withoutSSHD(t *testing.T) far {
	t.Helper()
	program, err := fakessh.Install(t.TempDir())
	require.NoError(t, err)
	return far{program, filepath.Join(t.TempDir(), "home")}
}

// sshd is a server of the tests' own, on the loopback, as this user.
var sshd = sync.OnceValues(func() (config string, err error) {
	program, err := exec.LookPath("sshd")
	if err != nil {
		if program, err = exec.LookPath("/usr/sbin/sshd"); err != nil {
			return "", err
		}
	}
	dir := filepath.Join(bin, "sshd")
	in := func(name string) string { return filepath.Join(dir, name) }
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	for _, key := range []string{"host", "user"} {
		if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", in(key)).CombinedOutput(); err != nil {
			return "", fmt.Errorf("%w: %s", err, out)
		}
	}
	// Debian's needs this directory if it is root's.
	if os.Geteuid() == 0 {
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			return "", err
		}
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	port := ln.Addr().(*net.TCPAddr).Port
	_ = ln.Close()
	for name, text := range map[string]string{
		"sshd_config": fmt.Sprintf("Port %d\nListenAddress 127.0.0.1\nHostKey %s\nAuthorizedKeysFile %s\nStrictModes no\nUsePAM no\nPidFile none\nPasswordAuthentication no\nMaxStartups 100\nSetEnv GORACE=atexit_sleep_ms=0\n",
			port, in("host"), in("user.pub")),
		// What users have in their own that could get in the way is in it.
		"config": fmt.Sprintf("Host a b c d\n  HostName 127.0.0.1\n  Port %d\n  IdentityFile %s\n  IdentitiesOnly yes\n  UserKnownHostsFile %s\n  StrictHostKeyChecking accept-new\n"+
			"  RequestTTY force\n  RemoteCommand true\n  LocalForward 127.0.0.1:1 127.0.0.1:1\n  ExitOnForwardFailure yes\n  ControlMaster no\n  KexAlgorithms curve25519-sha256\nHost *\n  LogLevel ERROR\n",
			port, in("user"), in("known")),
	} {
		if err := os.WriteFile(in(name), []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	log, err := os.Create(in("log"))
	if err != nil {
		return "", err
	}
	server := exec.Command(program, "-D", "-e", "-f", in("sshd_config"))
	server.Stderr = log
	if err := server.Start(); err != nil {
		return "", err
	}
	atTheEnd = append(atTheEnd, func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	for end := time.Now().Add(deadline); ; time.Sleep(10 * time.Millisecond) {
		if c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			_ = c.Close()
			return in("config"), nil
		}
		if time.Now().After(end) {
			b, _ := os.ReadFile(in("log"))
			return "", fmt.Errorf("sshd does not listen: %s", b)
		}
	}
})

// withSSHD returns the hosts a, b, c and d, which are this one by sshd.
func withSSHD(t *testing.T) far {
	t.Helper()
	needs.Programs(t, "ssh", "ssh-keygen", "sshd")
	config, err := sshd()
	require.NoError(t, err)
	f := far{"ssh -F " + config, filepath.Join(t.TempDir(), "it's home")}
	f.settle(t)
	return f
}

// settle puts the vm program where a launcher looks for it on a host: to copy it takes
// long for one that looks for races.
func (f far) settle(t *testing.T) {
	t.Helper()
	vm, err := os.ReadFile(filepath.Join(bin, "vm"))
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(f.home, 0o700))
	require.NoError(t, os.Link(filepath.Join(bin, "vm"), filepath.Join(f.home, "vm-"+remote.Sum(vm).SHA256[:24])))
}

// patience is how long a run on hosts may take in all: each connection costs them some
// tenths of a second of a processor.
const patience = 4 * time.Minute

// waitLong returns how a program ended.
func waitLong(t *testing.T, p *program) string {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
	}
	return p.wait()
}

// A run on three hosts is one like any other: with faults, a death, restarts.
func TestHosts(t *testing.T) {
	t.Parallel()
	for name, on := range map[string]func(*testing.T) far{"by sshd": withSSHD, "by what stands in for ssh": withoutSSHD} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := on(t)
			p := f.onHosts(t, "a,b,c", "--duration", "2s", "--rates", "20,40,30", "--seed", "7", "--tls", "--faults", "at 0.5s kill 1 for 200ms; at 700ms pause 2 for 300ms").start()
			require.Equal(t, "0", waitLong(t, p))
			dir := filepath.Join(p.cmd.Dir, "run")
			requireCorrect(t, dir)
			assert.Contains(t, p.out.String(), "\nrestarted    1 time after a death on vm-1")
			assert.Contains(t, p.out.String(), "\nstart        by each host's own clock")
			assert.Regexp(t, `^hosts .*\nrun .*: 3 machines, rates 20,40,30, .*\n(.*\n)*gathered     3 logs of 3 machines, .* from a, b, c\nreport .*\nnext .*\n$`, p.errors.String())
			assert.Len(t, summaryOf(t, dir), 3)
			assert.Contains(t, readFile(t, filepath.Join(dir, "faults.log")), "pause 2")
			r, err := rundir.ReadRecord(dir)
			require.NoError(t, err)
			assert.Equal(t, []string{"a", "b", "c"}, r.Hosts)
			assert.True(t, r.TLS)
			assert.Empty(t, f.left(t))
			links, err := filepath.Glob(filepath.Join(dir, "*.links"))
			require.NoError(t, err)
			assert.Empty(t, links, "secrets stay on their hosts")

			if name == "by sshd" {
				return // the rest is the same for both
			}
			// The program is there now, and the record leads to no host by itself.
			programs, err := filepath.Glob(filepath.Join(f.home, "vm-*"))
			require.NoError(t, err)
			require.Len(t, programs, 1)
			before, err := os.Stat(programs[0])
			require.NoError(t, err)
			again := launcher(t, p.cmd.Dir, "rerun", "--hosts", "c,a", "--ssh", f.ssh, "--remote-dir", f.home, "--ports", "auto", "--out", "again", "--keep-remote", "run")
			here := launcher(t, p.cmd.Dir, "rerun", "--out", "here", "run")
			again.start()
			require.Equal(t, "0", waitLong(t, here.start()))
			require.Equal(t, "0", waitLong(t, again))
			after, err := os.Stat(programs[0])
			require.NoError(t, err)
			assert.Equal(t, before.ModTime(), after.ModTime(), "it was not copied again")
			assert.Contains(t, here.errors.String(), "run ran on a,b,c; now on this host, for want of --hosts\n")
			kept := regexp.MustCompile(`\nkept         (.*)\n`).FindStringSubmatch(again.errors.String())
			require.NotNil(t, kept)
			for i, place := range strings.Split(strings.TrimSuffix(kept[1], "\n"), " "+"a:") {
				if i == 0 {
					place = strings.TrimPrefix(place, "c:")
				}
				assert.FileExists(t, filepath.Join(place, []string{"vm_0_20.log", "vm_1_40.log"}[i]))
				keys, err := filepath.Glob(filepath.Join(place, "*.tls.*"))
				require.NoError(t, err)
				assert.Empty(t, keys, "no keys are kept")
			}
		})
	}
}

// When the launcher is killed, nothing goes on on the hosts; the logs there are whole.
func TestLauncherOfHostsIsKilled(t *testing.T) {
	t.Parallel()
	for _, on := range []func(*testing.T) far{withSSHD, withoutSSHD} {
		f := on(t)
		// One of them is held at that time.
		p := f.onHosts(t, "a,b", "--duration", "0", "--rates", "50,80,30", "--faults", "at 0.2s pause 2 for 1h").start()
		f.waitForRemoteEvents(t, 3, 3)
		eventuallyWithin(t, patience, func() bool {
			b, _ := os.ReadFile(filepath.Join(p.cmd.Dir, "run", "faults.log"))
			return strings.Contains(string(b), "pause 2")
		}, "one is held")
		p.signal(syscall.SIGKILL)
		require.Equal(t, "signal: killed", p.wait())
		f.requireNobody(t)
		for _, name := range f.waitForRemoteEvents(t, 3, 3) {
			assert.True(t, isComplete(t, name), name)
		}
	}
}

// clientOf returns the ssh client that holds a machine.
func (f far) clientOf(t *testing.T, id int) (pid int) {
	t.Helper()
	eventually(t, func() bool {
		for _, pid = range f.vms(t, "ssh -F", fmt.Sprintf(" --id %d ", id), "BatchMode") {
			return true
		}
		return false
	}, "machine %d has a connection", id)
	return pid
}

// A connection that breaks is the death of its machine.
func TestConnectionIsLost(t *testing.T) {
	t.Parallel()
	f := withSSHD(t)
	p := f.onHosts(t, "a,b,c", "--duration", "1h", "--rates", "50,80,30").start()
	f.waitForRemoteEvents(t, 3, 10)
	require.NoError(t, syscall.Kill(f.clientOf(t, 1), syscall.SIGKILL))
	require.Equal(t, "3", waitLong(t, p))
	assert.Regexp(t, `launcher: machine 1 on b died: the connection was lost \(ssh: signal: killed\)\. Its last words, from run/vm_1\.stderr: `, p.errors.String())
	f.requireNobody(t)
	dir := filepath.Join(p.cmd.Dir, "run")
	assert.Len(t, logs(t, dir), 3, "all are gathered")
	code, verdict := checked(t, dir)
	assert.Equal(t, "0", code, verdict)
}

// With restarts it goes on, from its log.
func TestConnectionIsMadeAnew(t *testing.T) {
	t.Parallel()
	f := withSSHD(t)
	p := f.onHosts(t, "a,b,c", "--duration", "8s", "--rates", "20,40,30", "--restart", "on-failure").start()
	f.waitForRemoteEvents(t, 3, 10)
	require.NoError(t, syscall.Kill(f.clientOf(t, 1), syscall.SIGKILL))
	require.Equal(t, "0", waitLong(t, p))
	dir := filepath.Join(p.cmd.Dir, "run")
	requireCorrect(t, dir)
	assert.Contains(t, p.out.String(), "\nrestarted    1 time after a death on vm-1")
	for id, name := range logs(t, dir) {
		assert.True(t, isComplete(t, name), "machine %d", id)
	}
	f.requireNobody(t)
}

// What keeps a run from beginning on its hosts is one line, and leaves nothing.
func TestHostsRefuse(t *testing.T) {
	t.Parallel()
	f := withSSHD(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = ln.Close() })
	taken := ln.Addr().(*net.TCPAddr).Port
	free := freePorts(t, 2)
	arm := filepath.Join(t.TempDir(), "vm")
	require.NoError(t, os.WriteFile(arm, []byte("\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00\x01\x00\x00\x00"+strings.Repeat("\x00", 28)+"\x40"+strings.Repeat("\x00", 11)), 0o755))
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--hosts", "a,-oProxyCommand=x"}, `--hosts: "-oProxyCommand" is not the name of a host: want such as hosta, user@10.0.0.2 or ssh://hosta:2222`},
		{[]string{"--hosts", ""}, `--hosts is empty: want a list such as hosta,user@hostb`},
		{[]string{"--hosts", "a", "--ssh", "ssh 'x"}, `--ssh "ssh 'x": want a program and its options, such as 'ssh -p 2222'`},
		{[]string{"--hosts", "a", "--ssh", "/nowhere/ssh"}, `the ssh program "/nowhere/ssh" cannot be run: no such file or directory (name another one with --ssh)`},
		{[]string{"--hosts", "a", "--connect-timeout", "1ms"}, `--connect-timeout 1ms: want at least 1s`},
		{[]string{"--hosts", "a", "--remote-dir", ""}, `--remote-dir is empty`},
		{[]string{"--hosts", "a,b=10.0.0.1"}, `--hosts: a is at 127.0.0.1, where the other hosts cannot reach it: give the address by which they do, as a=ADDRESS`},
		{[]string{"--hosts", "a,b", "--ports", fmt.Sprintf("%d,%d,%d", free[0], free[1], free[0])},
			fmt.Sprintf("--ports: machines 0 and 2 have one port, %d: give each its own, or --ports auto", free[0])},
		{[]string{"--hosts", "a,b,c", "--ports", fmt.Sprintf("%d,%d,%d", free[0], taken, free[1])},
			fmt.Sprintf("b: port %d on 127.0.0.1 is taken: end the program that holds it, or give machine 1 another one with --ports (--ports auto takes free ones)", taken)},
		{[]string{"--hosts", "a", "--remote-vm", arm}, `no vm program for a, which is PLATFORM: ` + arm + ` is for linux/arm64: make one with "make cross", or name one with --remote-vm`},
		{[]string{"--hosts", "a", "--remote-dir", "/dev/null/x"}, `a: cannot prepare it: mkdir: .*`},
		{[]string{"--hosts", "127.0.0.1,localhost", "--ssh", "ssh -p 1 -F none"}, `127.0.0.1 cannot be reached to prepare it: ssh: connect to host 127.0.0.1 port 1: Connection refused`},
		{[]string{"--ssh", "ssh"}, `--ssh is for machines on other hosts: say which with --hosts`},
	} {
		t.Run(fmt.Sprint(c.args), func(t *testing.T) {
			t.Parallel()
			args := []string{"run"}
			all := strings.Join(c.args, " ")
			for _, flag := range [][]string{{"--ssh", f.ssh}, {"--ports", "auto"}, {"--remote-dir", f.home}} {
				if strings.Contains(all, "--hosts") && !strings.Contains(all, flag[0]) {
					args = append(args, flag...)
				}
			}
			p := launcher(t, t.TempDir(), append(args, append(c.args, "--duration", "1ms", "--quiet")...)...).start()
			require.Equal(t, "2", waitLong(t, p))
			want := "launcher: " + c.want + "\n"
			got := regexp.MustCompile(`which is \w+/\w+`).ReplaceAllString(p.errors.String(), "which is PLATFORM")
			if strings.HasSuffix(c.want, ".*") {
				assert.Regexp(t, "^"+want+"$", got)
			} else {
				assert.Equal(t, want, got)
			}
			assert.Empty(t, p.out.String())
			assert.Empty(t, files(t, p.cmd.Dir), "nothing is left behind")
		})
	}
	t.Cleanup(func() { assert.Empty(t, f.left(t)) })
}

// The example of deploy/ssh does what it says, with a list of hosts in a file.
func TestDeploySSH(t *testing.T) {
	t.Parallel()
	f := withSSHD(t)
	script, err := filepath.Abs("../../deploy/ssh/run.sh")
	require.NoError(t, err)
	run := func(dir string, args ...string) *program {
		p := prepare(t, dir, script, args...)
		p.cmd.Env = append(p.cmd.Env, "BIN="+bin, "SSH="+f.ssh)
		return p.start()
	}
	dir := t.TempDir()
	list := filepath.Join(dir, "my hosts")
	require.NoError(t, os.WriteFile(list, []byte("# mine\n\na   # the first\n  b=127.0.0.1\nc"), 0o666))
	p := run(dir, list, "--remote-dir", f.home, "--ports", "auto", "--out", "run", "--duration", "1s", "--rates", "20", "--quiet")
	require.Equal(t, "0", waitLong(t, p))
	requireCorrect(t, filepath.Join(dir, "run"))
	r, err := rundir.ReadRecord(filepath.Join(dir, "run"))
	require.NoError(t, err)
	assert.Equal(t, []string{"a", "b=127.0.0.1", "c"}, r.Hosts)

	empty := filepath.Join(dir, "empty")
	require.NoError(t, os.WriteFile(empty, []byte("# nothing\n"), 0o666))
	bad := filepath.Join(dir, "bad")
	require.NoError(t, os.WriteFile(bad, []byte("-oProxyCommand=touch x\n"), 0o666))
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "which hosts? Name a file with one per line; --help says more"},
		{[]string{"nothing"}, "nothing cannot be read: want a file with a host per line"},
		{[]string{empty}, empty + " names no host"},
		{[]string{bad}, "-oProxyCommand is not the name of a host"},
	} {
		p := run(dir, c.args...)
		assert.Equal(t, "2", p.wait())
		assert.Equal(t, "run.sh: "+c.want+"\n", p.errors.String())
	}
	help := run(dir, "--help")
	assert.Equal(t, "0", help.wait())
	assert.Contains(t, help.out.String(), "deploy/ssh/run.sh my-hosts")

	// The list that comes along can be read.
	example := readFile(t, "../../deploy/ssh/hosts.example")
	assert.Contains(t, example, "hostc=10.0.0.3")
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/urfave/cli/v2"
	"go.uber.org/goleak"

	"github.com/scalemodel/lamport/internal/parked"
	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/roster"
	"github.com/scalemodel/lamport/pkg/summary"
	"github.com/scalemodel/lamport/pkg/transport"
)

// asVM makes this test program the command itself.
const asVM = "LAMPORT_TEST_VM"

func TestMain(m *testing.M) {
	if os.Getenv(asVM) != "" {
		main()
	}
	// A process under the race detector otherwise sleeps a second at its end.
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// process runs the command in a process of its own.
func process(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), asVM+"=1")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); cmd.ProcessState == nil {
		return -1, "", err.Error()
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// deadline is how long a test waits for what must happen.
const deadline = 3 * time.Minute

// execute runs the command in this process, where for the sake of its library
// there can be only one at a time.
func execute(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(ctx, append([]string{"vm"}, args...), strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

// freePorts returns ports that nobody listens on. They are below those that systems give out on
// demand, else somebody could have one before the test does, and no two tests get the same.
func freePorts(t *testing.T, n int) []string {
	t.Helper()
	var ports []string
	for len(ports) < n {
		port := fmt.Sprint(25000 + nextPort.Add(1)%7000)
		ln, err := net.Listen("tcp", ":"+port)
		if err != nil {
			continue
		}
		_ = ln.Close()
		ports = append(ports, port)
	}
	return ports
}

var nextPort = func() *atomic.Uint32 {
	var n atomic.Uint32
	n.Store(uint32(os.Getpid()) * 50) // beside another run of the tests
	return &n
}()

func empty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, entries, "nothing is left behind")
}

func TestWrongUsage(t *testing.T) {
	ports := freePorts(t, 1)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = taken.Close() }()
	takenPort := strconv.Itoa(taken.Addr().(*net.TCPAddr).Port)
	missing := filepath.Join(t.TempDir(), "missing")
	inTheWay := t.TempDir()
	earlier := filepath.Join(inTheWay, "vm_0_1.log")
	require.NoError(t, os.WriteFile(earlier, []byte("precious\n"), 0o600))

	const (
		more   = `; "vm --help" lists the flags`
		number = `want a number of ticks per second such as 5 or 0.25, or "max"`
		id     = "want auto, a number from 0, or a name that ends in one, such as vm-1"
		form   = "want host:port or id=host:port, such as hostb:3050 or 1=hostb:3050"
	)
	tests := []struct {
		name string
		args string // beside --id, --port and --log-dir, unless they are there
		want string
	}{
		{"no id", "--id=", "--id is empty: want auto or a number"},
		{"id is no number", "--id x", `--id "x": ` + id},
		{"id below 0", "--id -1", `--id "-1": ` + id},
		{"id without so many peers", "--id 1", "--id: machine 1 by the id given, and there are no others: --peers lists them"},
		{"id below its base", "--id 0 --id-base 1", "--id: 0 is below the number of machine 0, which is 1"},
		{"base below 0", "--id-base -1", "--id-base -1: want 0 to 1000000"},
		{"id that the host contradicts", "--id 1 --peers 127.0.0.1:" + ports[0] + ",hostb:1", "--id: machine 1 by the id given, but of the peers 127.0.0.1:" + ports[0] + " is this host's, in the place of machine 0: list all machines in the order of their ids, or as id=host:port"},
		{"rates for others", "--rate 1,5,4", "--rate has 3 for a run of 1: give one each, or one for all"},
		{"one rate is wrong", "--peers b:1 --rate 1,0", `--rate: rate "0": must be above 0`},
		{"pattern", "--peers b{0..2:1", `--peers: peer "b{0..2:1": a { without its }: want {0..2}, {a,b}, {hosts} or {slots}`},
		{"no network", "--allow 10.0.0.0/33", `--allow: "10.0.0.0/33": want an address or a network, such as 192.0.2.7 or 10.0.0.0/8`},
		{"no address to allow", "--allow=", "--allow is empty: want an address or a network such as 10.0.0.0/8"},
		{"no hosts", "--peers {hosts}:1", "--hosts: nothing says what {hosts} stands for: neither SLURM_JOB_NODELIST nor PBS_NODEFILE is set"},
		{"hosts of a file that never comes", "--peers {hosts}:1 --hosts @" + missing, "--hosts: the file of hosts " + missing + " is not there, or empty"},
		{"port is taken", "--port " + takenPort, "port " + takenPort + " on 127.0.0.1 is taken: choose another --port, or end the program that holds it (address already in use)"},
		{"port too large", "--port 70000", "--port 70000: want 1 to 65535"},
		{"port below 0", "--port -1", "--port -1: want 1 to 65535"},
		{"address of another host", "--bind 192.0.2.1", "address 192.0.2.1 is not one of this host: choose one that is, or 0.0.0.0 for all (cannot assign requested address)"},
		{"no address", "--bind=", "--bind is empty: want an address of this host, or 0.0.0.0 for all"},
		{"empty brackets", "--bind []", "--bind is empty: want an address of this host, or 0.0.0.0 for all"},
		{"an IPv6 address of another host", "--bind [2001:db8::1]", "address 2001:db8::1 is not one of this host: choose one that is, or 0.0.0.0 for all (cannot assign requested address)"},
		{"rate 0", "--rate 0", `--rate: rate "0": must be above 0`},
		{"rate below 0", "--rate -1", `--rate: rate "-1": must be above 0`},
		{"rate is no number", "--rate NaN", `--rate: rate "NaN": ` + number},
		{"rate infinite", "--rate inf", `--rate: rate "inf": ` + number},
		{"rate too fast", "--rate 2000000", `--rate: rate "2000000": faster than a clock can tick; the limit is 1000000 ticks per second ("max" does without pauses)`},
		{"die 0", "--die 0", "--die 0: a die has at least 1 face"},
		{"die below 0", "--die -6", "--die -6: a die has at least 1 face"},
		{"peer without port", "--peers hostb", `--peers: peer "hostb": ` + form},
		{"peer with port 0", "--peers hostb:0", `--peers: peer "hostb:0": port "0" is not a number from 1 to 65535`},
		{"peer doubled", "--peers b:1,c:1,b:1", `--peers: peer "b:1" is listed twice`},
		{"peer's id out of range", "--peers 2=b:1", "--peers: peer b:1 has id 2: with 1 peer, ids are 0 to 1"},
		{"two peers with one id", "--peers 1=b:1,1=c:1", "--peers: peers b:1 and c:1 have one id, 1"},
		{"seed", "--seed -1", `--seed "-1": want a whole number from 0 to 18446744073709551615`},
		{"run", "--run a/b", `--run "a/b": want a name of 1 to 64 letters, digits, dots, dashes or underscores`},
		{"unknown flag", "--bogus", "unknown flag -bogus" + more},
		{"flag without a value", "--rate", "flag needs an argument: -rate" + more},
		{"extra argument", "extra", `unexpected argument "extra": everything is said by flags; "vm --help" lists them`},
		{"log level", "--log-level loud", `--log-level "loud": want trace, debug, info, warn, error or off`},
		{"duration without a unit", "--duration 60", `--duration "60": a time needs its unit, for example 60s`},
		{"duration below 0", "--duration -1s", "--duration -1s: a duration cannot be negative"},
		{"connect timeout below 0", "--connect-timeout -1s", "--connect-timeout -1s: a duration cannot be negative"},
		{"linger below 0", "--linger -1s", "--linger -1s: a duration cannot be negative"},
		{"window 0", "--window 0", "--window 0: want 1 to 2147483647 messages"},
		{"faults among peers without ids", "--peers b:1 --faults at", "--faults needs the ids of all peers: write b:1 as ID=b:1"},
		{"no plan of faults", "--peers 1=b:1 --faults at", "--faults: line 1, column 3: expected a duration such as 2s, found the end of the line"},
		{"window too large", "--window 4294967296", "--window 4294967296: want 1 to 2147483647 messages"},
		{"log in the way", "--log-dir " + inTheWay, fmt.Sprintf("cannot create event log %q: file exists (a log is never overwritten: move it away or choose another directory)", earlier)},
		{"no directory", "--log-dir " + missing, fmt.Sprintf("cannot create an event log in %q: no such file or directory (create the directory first or choose another)", missing)},
		{"a file for a directory", "--log-dir " + earlier, fmt.Sprintf("cannot create an event log in %q: not a directory (choose a directory)", earlier)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			args := strings.Fields(tt.args)
			for flag, value := range map[string]string{"--id": "0", "--port": ports[0], "--log-dir": dir} {
				if !strings.Contains(tt.args, flag) {
					args = append([]string{flag, value}, args...)
				}
			}
			// Should it start after all, then not for long.
			args = append([]string{"--duration", "1ms", "--connect-timeout", "100ms"}, args...)
			code, stdout, stderr := execute(t.Context(), args...)
			want := exit.Misused
			if tt.name == "port is taken" || tt.name == "hosts of a file that never comes" { // it may come
				want = exit.Retry
			}
			assert.Equal(t, want, code)
			assert.Empty(t, stdout)
			assert.Equal(t, "vm: "+tt.want, last(stderr))
			if !strings.Contains(stderr, "waiting") {
				assert.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
			}
			empty(t, dir)
		})
	}
	b, err := os.ReadFile(earlier)
	require.NoError(t, err)
	assert.Equal(t, "precious\n", string(b), "an earlier log is untouched")
}

// onHost makes this process one on another host.
func onHost(t *testing.T, name string, env map[string]string) {
	t.Helper()
	was := here
	t.Cleanup(func() { here = was })
	here = func() roster.World {
		w := was()
		w.Hostname = name
		w.Getenv = func(name string) string { return env[name] }
		return w
	}
}

func TestRequiredFlags(t *testing.T) {
	dir := t.TempDir()
	onHost(t, "hosta", nil)
	code, stdout, stderr := execute(t.Context(), "--log-dir", dir)
	assert.Equal(t, exit.Misused, code)
	assert.Empty(t, stdout)
	assert.Equal(t, "vm: --id: nothing says which machine this is, 0, 1, …: not the environment, no number at the end of the host name hosta, and no entry of the peers is this host's\n", stderr)

	code, stdout, stderr = execute(t.Context(), "--log-dir", dir, "--id", "0")
	assert.Equal(t, exit.Misused, code)
	assert.Empty(t, stdout)
	assert.Equal(t, "vm: --port is missing: where does this machine listen, for example 2050?\n", stderr)
	empty(t, dir)
}

func TestDirectoryIsNotWritable(t *testing.T) {
	dir := "/sys" // where not even root can make a file
	if runtime.GOOS != "linux" {
		if os.Getuid() <= 0 {
			t.Skip("this user may write everywhere")
		}
		dir = t.TempDir()
		require.NoError(t, os.Chmod(dir, 0o500))
	}
	code, stdout, stderr := execute(t.Context(), "--id", "0", "--port", freePorts(t, 1)[0], "--log-dir", dir)
	assert.Equal(t, exit.Misused, code)
	assert.Empty(t, stdout)
	assert.Regexp(t, fmt.Sprintf(`^vm: cannot create an event log in %q: (permission denied|read-only file system) \(make the directory writable or choose another\)\n$`, dir), stderr)
}

// last returns the last line of the talk.
func last(talk string) string {
	lines := strings.Split(strings.TrimSuffix(talk, "\n"), "\n")
	return lines[len(lines)-1]
}

func TestPeerIsAbsent(t *testing.T) {
	dir := t.TempDir()
	ports := freePorts(t, 3)
	code, stdout, stderr := execute(t.Context(), "--id", "0", "--port", ports[0], "--log-dir", dir,
		"--peers", "1=127.0.0.1:"+ports[1]+",127.0.0.1:"+ports[2], "--connect-timeout", "100ms")
	assert.Equal(t, exit.Retry, code)
	assert.Empty(t, stdout)
	assert.Equal(t, fmt.Sprintf("vm: machine 1 (127.0.0.1:%s) cannot be reached: connect: connection refused; peer 127.0.0.1:%s cannot be reached: connect: connection refused", ports[1], ports[2]), last(stderr))
	empty(t, dir)
}

func TestHelpAndVersion(t *testing.T) {
	for _, flag := range []string{"--help", "-h"} {
		code, stdout, stderr := execute(t.Context(), flag)
		assert.Equal(t, exit.OK, code)
		assert.Empty(t, stderr)
		for _, f := range app().Flags {
			name := "--" + f.Names()[0] + " "
			if v, ok := f.(cli.VisibleFlag); ok && !v.IsVisible() {
				assert.NotContains(t, stdout, name)
				continue
			}
			assert.Contains(t, stdout, name)
			if n := f.Names()[0]; n == "health" || n == "ready" { // what to do, and not how: a machine and its probe share an environment
				continue
			}
			env := "VM_" + strings.ToUpper(strings.ReplaceAll(f.Names()[0], "-", "_"))
			assert.Contains(t, stdout, "[$"+env+"]", "every flag has an environment variable")
		}
	}
	code, stdout, stderr := execute(t.Context(), "--version")
	assert.Equal(t, exit.OK, code)
	assert.Empty(t, stderr)
	assert.Equal(t, "vm version "+command.Version()+"\n", stdout)
}

func TestEnvironment(t *testing.T) {
	dir := t.TempDir()
	for name, value := range map[string]string{
		"ID": "0", "PORT": freePorts(t, 1)[0], "PEERS": "", "RATE": "200", "DURATION": "50ms", "SEED": "4711",
		"DIE": "6", "RUN": "by-env", "BIND": "127.0.0.1", "LOG_DIR": dir, "CONNECT_TIMEOUT": "1m", "LINGER": "1s",
		"WINDOW": "10", "LOG_LEVEL": "error",
	} {
		t.Setenv("VM_"+name, value)
	}
	code, stdout, stderr := execute(t.Context())
	require.Equal(t, exit.OK, code, stderr)
	assert.Contains(t, stdout, "vm-0, 200 ticks per second")
	assert.Empty(t, stderr, "no talk below the level of errors")
	b, err := os.ReadFile(filepath.Join(dir, "vm_0_200.log"))
	require.NoError(t, err)
	assert.Contains(t, string(b), "run=by-env machines=1 rate=200 seed=4711 die=6 ")

	// A flag comes before its variable, and a wrong variable is wrong usage.
	code, _, stderr = execute(t.Context(), "--rate", "100", "--log-dir", t.TempDir())
	require.Equal(t, exit.OK, code, stderr)
	t.Setenv("VM_DIE", "six")
	code, stdout, stderr = execute(t.Context(), "--rate", "50")
	assert.Equal(t, exit.Misused, code)
	assert.Empty(t, stdout)
	assert.Equal(t, "vm: --die \"six\", from the environment variable VM_DIE: want a whole number\n", stderr)
	assert.NoFileExists(t, filepath.Join(dir, "vm_0_50.log"))
}

// Three machines as the help shows them, started by hand.
func TestByHand(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	dir := t.TempDir()
	ports := freePorts(t, 3)
	var wg sync.WaitGroup
	rates := []string{"100", "500", "400"}
	for id, rate := range rates {
		wg.Go(func() {
			var peers []string
			for other, port := range ports {
				if other != id {
					peers = append(peers, "localhost:"+port)
				}
			}
			code, stdout, stderr := process(ctx, "--id", strconv.Itoa(id), "--port", ports[id],
				"--peers", strings.Join(peers, ","), "--rate", rate, "--duration", "300ms", "--log-dir", dir, "--seed", "1")
			assert.Equal(t, exit.OK, code, stderr)
			assert.Contains(t, stdout, fmt.Sprintf("vm-%d, %s ticks per second", id, rate))
			assert.Contains(t, stderr, "starting: listening=127.0.0.1:"+ports[id]+" rate="+rate+" seed=1 run=by-hand\n")
			assert.Contains(t, stderr, "all links are up; waiting for the others\n")
		})
	}
	wg.Wait()
	for id, rate := range rates {
		b, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("vm_%d_%s.log", id, rate)))
		require.NoError(t, err)
		assert.Contains(t, string(b), ": stop: step=")
	}
}

func TestInterruptedBeforeTheRun(t *testing.T) {
	dir := t.TempDir()
	ports := freePorts(t, 2)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	code, stdout, stderr := execute(ctx, "--id", "0", "--port", ports[0], "--peers", "localhost:"+ports[1], "--log-dir", dir)
	assert.Equal(t, exit.Interrupted, code)
	assert.Empty(t, stdout)
	assert.Equal(t, "vm: interrupted before the run began", last(stderr))
	empty(t, dir)
}

// A writer that tells when a text came by.
type heard struct {
	mu    sync.Mutex
	all   bytes.Buffer
	text  string
	there func()
}

func hears(text string) (*heard, <-chan struct{}) {
	there := make(chan struct{})
	return &heard{text: text, there: sync.OnceFunc(func() { close(there) })}, there
}

func (h *heard) Write(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all.Write(b)
	if strings.Contains(h.all.String(), h.text) {
		h.there()
	}
	return len(b), nil
}

func soon(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(deadline):
		require.FailNow(t, "in vain", "waiting for %s", what)
	}
}

// Interrupted in its run, a machine ends in order and says what it did.
func TestInterruptedInTheRun(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	talk, ready := hears("all links are up")
	var stdout bytes.Buffer
	done := make(chan struct{})
	code := -1
	port := freePorts(t, 1)[0]
	go func() {
		defer close(done)
		code = run(ctx, []string{"vm", "--id", "0", "--port", port, "--log-dir", dir, "--rate", "1000", "--duration", "0"}, strings.NewReader(""), &stdout, talk)
	}()
	soon(t, "the start", ready)
	require.Eventually(t, func() bool {
		b, _ := os.ReadFile(filepath.Join(dir, "vm_0_1000.log"))
		return bytes.Contains(b, []byte("step=10 "))
	}, deadline, time.Millisecond)
	cancel()
	soon(t, "the end", done)
	assert.Equal(t, exit.Interrupted, code)
	assert.Contains(t, stdout.String(), "vm-0, 1000 ticks per second")
	b, err := os.ReadFile(filepath.Join(dir, "vm_0_1000.log"))
	require.NoError(t, err)
	assert.Contains(t, string(b), ": stop: step=")
}

// deaf is the handler of a peer that does not listen.
type deaf struct{}

func (deaf) Deliver(int, uint64, [][]byte) error { return nil }
func (deaf) Room(int)                            {}

// newPeer starts machine 1 of two, which never ticks and never ends, and returns
// its address. It has a past with the other, and the secret of their link, or none.
func newPeer(t *testing.T, port string, secrets []transport.Secret, past []transport.Past) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	peer, err := transport.New(transport.Config{
		ID: 1, Run: "by-hand", Life: 1, Handler: deaf{},
		Peers: []transport.Peer{{ID: 0, Addr: "127.0.0.1:" + port}}, Secrets: secrets, Past: past,
	}, ln)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if peer.Connect(ctx) != nil {
			return
		}
		_, _ = peer.Barrier(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		peer.Close(ctx)
	})
	return ln.Addr().String()
}

// A machine that comes back with a clock that is almost at its end.
func TestDeathInTheRun(t *testing.T) {
	port, dir := freePorts(t, 1)[0], t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "vm_0_max.log"), []byte(
		"2026-11-22T17:13:40.066633Z [INFO]  vm-0: start: version=1 run=by-hand machines=2 rate=max seed=42 die=10 peers=1\n"+
			"2026-11-22T17:13:41.066640Z [INFO]  vm-0: receive: step=1 clock=18446744073709551614 queue=0 from=1 seq=1 sent=18446744073709551613\n"), 0o666))
	peer := newPeer(t, port, []transport.Secret{{15: 2}}, []transport.Past{{Peer: 0, Sent: 1}})
	require.NoError(t, os.WriteFile(filepath.Join(dir, "vm_0_max.links"), fmt.Appendf(nil,
		`{"format": 1, "run": "by-hand", "id": 0, "machines": 2, "life": 1, "links": [{"peer": 1, "addr": %q, "to": "%032x", "from": "%032x"}]}`, peer, 1, 2), 0o600))
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	code, stdout, stderr := execute(ctx, "--id", "0", "--port", port, "--peers", peer, "--rate", "max", "--resume", "--run", "by-hand", "--duration", "0", "--log-dir", dir)
	assert.Equal(t, exit.Died, code)
	assert.Empty(t, stdout)
	assert.Equal(t, "vm: step 3: logical clock is saturated: no later timestamp exists", last(stderr))
}

// statuses reads what a supervised machine says.
func statuses(t *testing.T, out string) []summary.Status {
	t.Helper()
	var all []summary.Status
	dec := json.NewDecoder(strings.NewReader(out))
	for {
		var s summary.Status
		if err := dec.Decode(&s); err == io.EOF {
			return all
		} else if err != nil {
			require.NoError(t, err)
		}
		all = append(all, s)
	}
}

func supervise(args ...string) (stdin *io.PipeWriter, out *heard, running <-chan struct{}, end func() (int, string)) {
	r, w := io.Pipe()
	out, running = hears(`"phase":"running"`)
	var talk bytes.Buffer
	done := make(chan struct{})
	code := -1
	go func() {
		defer close(done)
		code = run(context.Background(), append([]string{"vm", "--supervised"}, args...), r, out, &talk)
	}()
	return w, out, running, func() (int, string) {
		<-done
		_ = w.Close()
		return code, talk.String()
	}
}

func TestSupervisedToTheEnd(t *testing.T) {
	_, out, _, end := supervise("--id", "0", "--port", freePorts(t, 1)[0], "--log-dir", t.TempDir(), "--rate", "1000", "--duration", "100ms", "--status-every", "10ms")
	code, talk := end()
	assert.Equal(t, exit.OK, code, talk)
	all := statuses(t, out.all.String())
	require.Greater(t, len(all), 6, "phases, and now and then between")
	assert.Equal(t, summary.Connecting, all[0].Phase)
	result := all[len(all)-1]
	assert.Equal(t, summary.Done, result.Phase)
	require.NotNil(t, result.Machine)
	assert.EqualValues(t, 100, result.Machine.Steps+result.Machine.Missed)
}

// atTheGate waits until a machine waits to be told that all are there.
func atTheGate(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool { return parked.In("vm.(*runner).passGate") }, deadline, time.Millisecond, "it does not wait")
}

// Where many are started, each looks for its peers when it is told that all are there.
func TestSupervisorOpensTheGate(t *testing.T) {
	args := []string{"--gated", "--id", "0", "--port", freePorts(t, 1)[0], "--log-dir", t.TempDir(), "--rate", "1000", "--duration", "10ms"}
	stdin, out, running, end := supervise(args...)
	atTheGate(t)
	_, err := io.WriteString(stdin, "go\n")
	require.NoError(t, err)
	soon(t, "the run", running)
	code, talk := end()
	assert.Equal(t, exit.OK, code, talk)
	all := statuses(t, out.all.String())
	assert.Equal(t, summary.Connecting, all[0].Phase, "it says that it is there")
	assert.Equal(t, summary.Done, all[len(all)-1].Phase)
}

// A launcher that is gone opens no gate.
func TestSupervisorGoesBeforeTheRun(t *testing.T) {
	dir := t.TempDir()
	stdin, _, _, end := supervise("--gated", "--id", "0", "--port", freePorts(t, 1)[0], "--log-dir", dir)
	atTheGate(t)
	require.NoError(t, stdin.Close())
	code, talk := end()
	assert.Equal(t, exit.Interrupted, code, talk)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, entries)
}

// The end of standard input is the launcher's, or its word that all shall end.
func TestSupervisorGoes(t *testing.T) {
	for _, words := range []string{"", "10ms\n", "nonsense\n"} {
		t.Run(fmt.Sprintf("%q", words), func(t *testing.T) {
			dir := t.TempDir()
			stdin, out, running, end := supervise("--id", "0", "--port", freePorts(t, 1)[0], "--log-dir", dir, "--rate", "1000", "--duration", "0", "--linger", "1ms")
			soon(t, "the run", running)
			_, err := io.WriteString(stdin, words)
			require.NoError(t, err)
			require.NoError(t, stdin.Close())
			code, talk := end()
			assert.Equal(t, exit.Interrupted, code, talk)
			all := statuses(t, out.all.String())
			assert.Equal(t, summary.Done, all[len(all)-1].Phase)
			b, err := os.ReadFile(filepath.Join(dir, "vm_0_1000.log"))
			require.NoError(t, err)
			assert.Contains(t, string(b), ": stop: step=")
		})
	}
}

// Before it goes, it can say how long to wait for machines that may not answer.
func TestSupervisorShortensTheLinger(t *testing.T) {
	port := freePorts(t, 1)[0]
	peer := newPeer(t, port, nil, nil)
	stdin, _, running, end := supervise("--id", "0", "--port", port, "--peers", peer, "--log-dir", t.TempDir(), "--duration", "0", "--linger", "1h")
	soon(t, "the run", running)
	_, err := io.WriteString(stdin, "10ms\n")
	require.NoError(t, err)
	require.NoError(t, stdin.Close())
	ended := make(chan struct{})
	code, talk := -1, ""
	go func() {
		defer close(ended)
		code, talk = end()
	}()
	soon(t, "the end", ended)
	assert.Equal(t, exit.Interrupted, code, talk)
}

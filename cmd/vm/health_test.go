package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/certs"
	"github.com/scalemodel/lamport/pkg/exit"
)

// await waits for what must happen.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(deadline); !ok(); time.Sleep(5 * time.Millisecond) {
		require.True(t, time.Now().Before(end), what)
	}
}

// started is the command in a process of its own that is to go on for a while.
type started struct {
	cmd         *exec.Cmd
	out, errors bytes.Buffer
	ended       chan struct{}
}

func startVM(t *testing.T, env []string, args ...string) *started {
	t.Helper()
	p := &started{cmd: exec.Command(os.Args[0], args...), ended: make(chan struct{})}
	p.cmd.Env = append(append(os.Environ(), asVM+"=1"), env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.errors
	require.NoError(t, p.cmd.Start())
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.ended
	})
	return p
}

// wait waits for the end and returns the exit code.
func (p *started) wait(t *testing.T) int {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(deadline):
		t.Fatal("it does not end")
	}
	return p.cmd.ProcessState.ExitCode()
}

// A machine that waits for its peers lives, and is ready when the run has begun: on its port,
// on that of its figures, by its file, and to its service manager. At the end it takes all back.
func TestHealth(t *testing.T) {
	dir := t.TempDir()
	ports := freePorts(t, 3)
	ready := filepath.Join(dir, "ready")
	require.NoError(t, os.WriteFile(ready, []byte("of a process that was killed"), 0o666))
	ask := func(at string, flags ...string) (code int, stdout, stderr string) {
		return process(t.Context(), append([]string{"--health", at}, flags...)...)
	}
	args := func(id int) []string {
		return []string{
			"--id", fmt.Sprint(id), "--port", ports[id], "--peers", fmt.Sprintf("%d=127.0.0.1:%s", 1-id, ports[1-id]),
			"--rate", "50", "--duration", "0", "--linger", "0s", "--log-dir", dir,
		}
	}
	code, stdout, stderr := ask(ports[0])
	assert.Equal(t, exit.Broken, code)
	assert.Empty(t, stdout)
	assert.Regexp(t, `^vm: 127\.0\.0\.1:`+ports[0]+` does not answer: .*\n$`, stderr)

	socket, notified := notifySocket(t)
	first := startVM(t, []string{"VM_METRICS=" + ports[2], "VM_READY_FILE=" + ready, "NOTIFY_SOCKET=" + socket, "VM_HEALTH=" + ports[1]}, args(0)...)
	await(t, "it answers", func() bool { code, _, _ = ask(ports[0]); return code == exit.OK })
	for _, port := range []string{ports[0], ports[2]} {
		code, stdout, stderr = ask(port)
		assert.Equal(t, []any{exit.OK, "connecting\n", ""}, []any{code, stdout, stderr})
		code, stdout, stderr = ask(port, "--ready")
		assert.Equal(t, []any{exit.Broken, "connecting\n", ""}, []any{code, stdout, stderr})
	}
	assert.False(t, isThere(ready))
	second := startVM(t, nil, args(1)...)
	await(t, "it is ready", func() bool { code, _, _ = ask(ports[2], "--ready"); return code == exit.OK })
	await(t, "its file is there", func() bool { return isThere(ready) })
	b, err := os.ReadFile(ready)
	require.NoError(t, err)
	assert.Equal(t, fmt.Sprintln(first.cmd.Process.Pid), string(b))
	assert.Contains(t, notified(t, "READY=1"), "STATUS=running")
	response, err := http.Get("http://127.0.0.1:" + ports[2] + "/metrics")
	require.NoError(t, err)
	var figures bytes.Buffer
	_, err = figures.ReadFrom(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Contains(t, figures.String(), "\nlamport_ready 1\n")

	if runtime.GOOS == "windows" {
		return // where a process cannot be asked to end
	}
	require.NoError(t, second.cmd.Process.Kill())
	await(t, "the link is missed", func() bool { code, stdout, _ = ask(ports[0], "--ready"); return stdout == "reconnecting\n" })
	assert.Equal(t, exit.Broken, code)
	code, stdout, _ = ask(ports[0])
	assert.Equal(t, []any{exit.OK, "reconnecting\n"}, []any{code, stdout}, "another start would not help it")
	require.NoError(t, first.cmd.Process.Signal(os.Interrupt))
	assert.Equal(t, exit.Interrupted, first.wait(t), "%s", &first.errors)
	assert.False(t, isThere(ready))
	assert.Contains(t, notified(t, "STOPPING=1"), "STATUS=ending")
}

// notifySocket is where a service manager listens. notified waits until it hears a word, and returns
// what was said with it.
func notifySocket(t *testing.T) (name string, notified func(t *testing.T, word string) string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "n") //nolint:usetesting // such names must be short
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	name = filepath.Join(dir, "n")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return "", func(_ *testing.T, word string) string { return "STATUS=running STATUS=ending" } // as on Windows
	}
	t.Cleanup(func() { _ = conn.Close() })
	return name, func(t *testing.T, word string) string {
		t.Helper()
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(deadline)))
		for buf := make([]byte, 1000); ; {
			n, err := conn.Read(buf)
			require.NoError(t, err)
			if strings.Contains(string(buf[:n]), word) {
				return string(buf[:n])
			}
		}
	}
}

// A machine that cannot begin leaves no file behind, nor does it say that it is ready.
func TestReadyFileOfAMachineThatCannotBegin(t *testing.T) {
	dir := t.TempDir()
	ports := freePorts(t, 2)
	code, _, _ := execute(t.Context(), "--id", "0", "--port", ports[0], "--peers", "127.0.0.1:"+ports[1], "--connect-timeout", "10ms",
		"--log-dir", dir, "--ready-file", filepath.Join(dir, "ready"))
	assert.NotEqual(t, exit.OK, code)
	empty(t, dir)
}

func TestHealthUsage(t *testing.T) {
	dir := t.TempDir()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = taken.Close() }()
	port := freePorts(t, 1)[0]
	names, err := os.MkdirTemp("", "vm") //nolint:usetesting // a socket's name must be short
	require.NoError(t, err)
	defer func() { require.NoError(t, os.RemoveAll(names)) }()
	held, plain := filepath.Join(names, "held"), filepath.Join(names, "plain")
	socket, err := net.Listen("unix", held)
	require.NoError(t, err)
	defer func() { _ = socket.Close() }()
	require.NoError(t, os.WriteFile(plain, []byte("precious\n"), 0o600))
	for args, want := range map[string]string{
		"--health=":                          `--health: "": want HOST:PORT, a PORT of this host, or unix:PATH`,
		"--health http://a":                  `--health: "http://a": want HOST:PORT, a PORT of this host, or unix:PATH`,
		"--health 1 now":                     `unexpected argument "now": --health takes an address, and no more`,
		"--ready":                            "--ready is for --health: say with --health which machine is to be asked",
		"--metrics nowhere":                  `--metrics: "nowhere": want HOST:PORT, a PORT of this host, or unix:PATH`,
		"--metrics " + port + "x":            `--metrics: "` + port + `x": want HOST:PORT, a PORT of this host, or unix:PATH`,
		"--metrics unix:":                    `--metrics: "unix:" names no socket: want unix:PATH`,
		"--ready-file=":                      "--ready-file is empty: want the name of a file",
		"--ready-file " + dir:                "--ready-file: " + dir + " is no file that could be replaced",
		"--log-to pipe":                      `--log-to "pipe": want file or stdout`,
		"--metrics " + taken.Addr().String(): "--metrics: " + taken.Addr().String() + " is taken: ",
		"--metrics unix:" + held:             "--metrics: unix:" + held + " is taken: ",
		"--metrics unix:" + plain:            "--metrics: " + plain + " is there already, and is no socket\n",
	} {
		t.Run(args, func(t *testing.T) {
			all := append([]string{"--id", "0", "--port", port, "--log-dir", dir}, strings.Fields(args)...)
			code, stdout, stderr := execute(context.Background(), all...)
			assert.Equal(t, map[bool]int{true: exit.Retry, false: exit.Misused}[strings.HasSuffix(want, " is taken: ")], code)
			assert.Empty(t, stdout)
			assert.Contains(t, stderr, "vm: "+want)
			if code == exit.Retry {
				assert.True(t, strings.HasSuffix(stderr, ": choose another address, or end what has it\n"), stderr)
			}
			assert.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
			empty(t, dir)
		})
	}
}

// The event log on standard output is what is in the file, and the result is elsewhere. A
// machine that comes back shows only what is new.
func TestLogToStandardOutput(t *testing.T) {
	dir := t.TempDir()
	args := []string{"--id", "0", "--port", freePorts(t, 1)[0], "--rate", "100", "--duration", "200ms", "--log-dir", dir, "--log-to", "stdout", "--resume"}
	code, stdout, stderr := process(t.Context(), args...)
	require.Equal(t, exit.OK, code, stderr)
	log := filepath.Join(dir, "vm_0_100.log")
	b, err := os.ReadFile(log)
	require.NoError(t, err)
	assert.Equal(t, string(b), stdout)
	assert.Contains(t, stdout, " stop: ")
	assert.Contains(t, stderr, "machine:     vm-0, 100 ticks per second\n")

	half := strings.SplitAfter(string(b), "\n")[:8]
	require.NoError(t, os.WriteFile(log, []byte(strings.Join(half, "")+"2026-"), 0o666))
	_, stdout, stderr = process(t.Context(), args...)
	b, err = os.ReadFile(log)
	require.NoError(t, err)
	assert.Equal(t, string(b), strings.Join(half, "")+stdout, stderr)
	assert.Regexp(t, `^\S+ \[INFO\]  vm-0: resume: step=7 `, stdout)
}

// Nobody who has gone, or takes nothing, holds the machine up.
func TestStandardOutputThatIsNotRead(t *testing.T) {
	for _, gone := range []bool{true, false} {
		dir := t.TempDir()
		r, w, err := os.Pipe()
		require.NoError(t, err)
		if gone {
			require.NoError(t, r.Close())
		} else {
			defer r.Close()
		}
		cmd := exec.Command(os.Args[0], "--id", "0", "--port", freePorts(t, 1)[0], "--rate", "max", "--duration", "300ms", "--log-dir", dir, "--log-to", "stdout")
		cmd.Env = append(os.Environ(), asVM+"=1")
		var stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = w, &stderr
		require.NoError(t, cmd.Run(), "%s", &stderr)
		require.NoError(t, w.Close())
		assert.Contains(t, stderr.String(), "standard output has not taken all of the event log", "%s", &stderr)
		assert.Contains(t, stderr.String(), "machine:     vm-0, as fast as it can\n")
		b, err := os.ReadFile(filepath.Join(dir, "vm_0_max.log"))
		require.NoError(t, err)
		assert.Contains(t, string(b), " stop: ")
	}
}

// Under TLS a machine answers whoever has a certificate of the run: a probe in its container takes
// the machine's own, from the same environment. Its figures are served without.
func TestHealthUnderTLS(t *testing.T) {
	dir := t.TempDir()
	_, err := certs.Make(dir, certs.Plan{Run: "by-hand", Machines: 2})
	require.NoError(t, err)
	ports := freePorts(t, 3)
	env := []string{
		"VM_ID=0", "VM_PEERS=127.0.0.1:" + ports[0] + ",127.0.0.1:" + ports[1], "VM_METRICS=" + ports[2], "VM_LOG_DIR=" + t.TempDir(), "VM_DURATION=0",
		"VM_TLS_CERT=" + filepath.Join(dir, "vm-{id}", "tls.crt"), "VM_TLS_KEY=" + filepath.Join(dir, "vm-{id}", "tls.key"), "VM_TLS_CA=" + filepath.Join(dir, "ca.crt"),
	}
	ask := func(env []string, at string) (int, string, string) {
		p := startVM(t, env, "--health", at)
		code := p.wait(t)
		return code, p.out.String(), p.errors.String()
	}
	startVM(t, env)
	await(t, "it answers", func() bool { code, _, _ := ask(env, ports[0]); return code == exit.OK })
	for _, port := range []string{ports[0], ports[2]} {
		code, stdout, stderr := ask(env, port)
		assert.Equal(t, []any{exit.OK, "connecting\n", ""}, []any{code, stdout, stderr})
	}
	code, stdout, stderr := ask(nil, ports[0])
	assert.Equal(t, []any{exit.Broken, ""}, []any{code, stdout})
	assert.Contains(t, stderr, "does not answer")
	code, stdout, _ = ask(nil, ports[2])
	assert.Equal(t, []any{exit.OK, "connecting\n"}, []any{code, stdout})
}

// Who asks how a machine is hears it as long as the process lives: also while the log is
// delivered. A peer that comes by then gets no link, and may come again.
func TestHealthWhileTheLogIsDelivered(t *testing.T) {
	deaf, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = deaf.Close() }()
	ports := freePorts(t, 2)
	for name, env := range map[string][]string{"open": nil, "under TLS": ofMachine(t, 0)} {
		t.Run(name, func(t *testing.T) {
			vm := startVM(t, env, "--id", "0", "--port", ports[0], "--rate", "100", "--duration", "50ms", "--log-dir", t.TempDir(),
				"--metrics", ports[1], "--deliver", deaf.Addr().String())
			conn, err := deaf.Accept() // it delivers, and hears nothing
			require.NoError(t, err)
			defer conn.Close()
			for _, port := range ports {
				for range 3 {
					asking := startVM(t, env, "--health", port)
					assert.Equal(t, exit.OK, asking.wait(t), "%s%s%s", &asking.out, &asking.errors, &vm.errors)
					assert.Equal(t, "done\n", asking.out.String())
				}
				asking := startVM(t, env, "--health", port, "--ready")
				assert.Equal(t, exit.Broken, asking.wait(t))
				assert.Equal(t, "done\n", asking.out.String())
			}
			conn, err = net.Dial("tcp", "127.0.0.1:"+ports[0])
			require.NoError(t, err)
			defer conn.Close()
			_, err = conn.Write([]byte{0, 0, 0, 2, 1, 0}) // begins like a HELLO
			require.NoError(t, err)
			require.NoError(t, conn.SetReadDeadline(time.Now().Add(deadline)))
			_, err = io.ReadAll(conn)
			assert.NotErrorIs(t, err, os.ErrDeadlineExceeded, "it is not left waiting")
		})
	}
}

// ofMachine returns the environment of a machine with a certificate.
func ofMachine(t *testing.T, id int) []string {
	dir := t.TempDir()
	_, err := certs.Make(dir, certs.Plan{Run: "by-hand", Machines: 1})
	require.NoError(t, err)
	of := filepath.Join(dir, fmt.Sprintf("vm-%d", id))
	return []string{"VM_TLS_CERT=" + filepath.Join(of, "tls.crt"), "VM_TLS_KEY=" + filepath.Join(of, "tls.key"), "VM_TLS_CA=" + filepath.Join(dir, "ca.crt")}
}

// Package remote is a host that is reached by the system's ssh program: it runs
// commands there, puts files there and gets them from there.
//
// Agent, keys, configuration and known hosts are those of the user, as when they call
// ssh themselves. What runs on the host needs no more than a POSIX shell with its
// usual tools; gzip and a program for SHA-256 are used where they are. Whatever is
// passed to a shell there is quoted, and the scripts are on one line, without ! and
// without a backslash before a quote or another one, so that any login shell reads them
// alike.
package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scalemodel/lamport/pkg/internal/shell"
)

// SSH is how hosts are reached.
type SSH struct {
	// Program is the ssh program and its first arguments, which go before all of
	// ours: of two that contradict each other, ssh takes the first.
	Program []string
	// Timeout is how long a host may take to answer; 0: as ssh has it.
	Timeout time.Duration
}

// ParseProgram reads an ssh program and its first arguments, in the words of a shell:
// "ssh -p 2222 -o 'ProxyCommand nc %h %p'".
func ParseProgram(s string) ([]string, error) {
	words, err := shell.Split(s)
	if err == nil && (len(words) == 0 || words[0] == "") {
		err = errors.New("there is none")
	}
	return words, err
}

// Host is a host. Its methods may be called by several goroutines.
type Host struct {
	ssh     SSH
	name    string
	options []string
	address string
}

// ErrName says that something cannot be the name of a host.
var ErrName = errors.New("not the name of a host")

// name has no room for an option of ssh, nor for anything that a shell would take for
// more than a word.
var name = regexp.MustCompile(`^(ssh://)?([A-Za-z0-9_.+%][A-Za-z0-9_.+%-]*@)?[A-Za-z0-9_:.\[][A-Za-z0-9_:.%\[\]-]*$`)

// CheckName returns nil if a name can be given to ssh as that of a host: an address or
// a name, or one of the user's own configuration, with the user before it or not, or
// ssh://user@host:port.
func CheckName(s string) error {
	if len(s) > 255 || !name.MatchString(s) {
		return fmt.Errorf("%q is %w: want such as hosta, user@10.0.0.2 or ssh://hosta:2222", s, ErrName)
	}
	return nil
}

// Host returns a host as ssh knows it by its name, and by the user's configuration.
// Nothing is asked of the host itself.
func (s SSH) Host(ctx context.Context, name string) (*Host, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	if len(s.Program) == 0 {
		return nil, errors.New("no ssh program")
	}
	if _, err := exec.LookPath(s.Program[0]); err != nil {
		return nil, &ProgramError{s.Program[0], err}
	}
	h := &Host{ssh: s, name: name, address: bare(name)}
	settings := make(map[string]string)
	out, err := exec.CommandContext(ctx, s.Program[0], append(slices.Clone(s.Program[1:]), "-G", name)...).Output()
	if err == nil { // else it is one that has no such option
		settings = parseSettings(out)
	}
	if hostname := settings["hostname"]; hostname != "" && CheckName(hostname) == nil {
		h.address = hostname
	}
	// Of the user's own configuration only that is overruled which would get in
	// the way of many connections at a time without a terminal.
	h.options = []string{"-T", "-x", "-o", "ClearAllForwardings=yes", "-o", "RemoteCommand=none"}
	if s.Timeout > 0 {
		h.options = append(h.options, "-o", "ConnectTimeout="+strconv.Itoa(max(1, int(s.Timeout.Round(time.Second)/time.Second))))
	}
	if interval := settings["serveraliveinterval"]; interval == "" || interval == "0" {
		// A host that is gone would else be waited for for hours.
		h.options = append(h.options, "-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=4")
	}
	return h, nil
}

// ProgramError says that there is no ssh program.
type ProgramError struct {
	Program string
	Err     error
}

func (e *ProgramError) Error() string {
	err := e.Err
	if inner, ok := errors.AsType[*exec.Error](err); ok {
		err = inner.Err
	}
	if inner, ok := errors.AsType[*fs.PathError](err); ok {
		err = inner.Err
	}
	return fmt.Sprintf("the ssh program %q cannot be run: %v", e.Program, err)
}

// Unwrap returns e.Err.
func (e *ProgramError) Unwrap() error { return e.Err }

// parseSettings reads what ssh -G prints: a setting per line, the first of each counts.
func parseSettings(out []byte) map[string]string {
	settings := make(map[string]string)
	for line := range strings.Lines(string(out)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		key = strings.ToLower(key)
		if _, known := settings[key]; !known {
			settings[key] = value
		}
	}
	return settings
}

// bare returns the name of a host without what is only ssh's.
func bare(name string) string {
	rest, isURI := strings.CutPrefix(name, "ssh://")
	if _, host, ok := strings.Cut(rest, "@"); ok {
		rest = host
	}
	if isURI {
		if host, _, err := net.SplitHostPort(rest); err == nil {
			rest = host
		}
	}
	return strings.Trim(rest, "[]")
}

// String returns the host's name, as it was given.
func (h *Host) String() string { return h.name }

// Address returns where the host is, as ssh's configuration has it: a host name or an
// IP address, without a port.
func (h *Host) Address() string { return h.address }

// Asking says whether ssh may ask the user something: for a password, or whether a
// host is the right one. It can only where it has the terminal.
type Asking bool

// The answers.
const (
	Silently Asking = false
	MayAsk   Asking = true
)

// Command returns a command that executes a script of a POSIX shell on the host, with
// arguments as its $1, $2, …. Its standard files are the script's. Its exit code is the
// script's too, and 255 where there was no connection, or there is none any more; see
// [Lost].
func (h *Host) Command(ctx context.Context, asking Asking, script string, args ...string) *exec.Cmd {
	words := slices.Concat(h.ssh.Program[1:], h.options)
	if asking == Silently {
		words = append(words, "-o", "BatchMode=yes")
	}
	cmd := exec.CommandContext(ctx, h.ssh.Program[0], append(words, h.name, commandLine(script, args))...)
	cmd.WaitDelay = time.Second // one that is a master of others may leave them its files
	return cmd
}

// commandLine returns what a login shell is to be told, whichever it is.
func commandLine(script string, args []string) string {
	words := []string{"exec", "sh", "-c", shell.Quote(script), "sh"}
	for _, arg := range args {
		words = append(words, shell.Quote(arg))
	}
	return strings.Join(words, " ")
}

// Lost reports whether an exit code of a command for a host says that the connection
// could not be made, or was lost.
func Lost(code int) bool { return code == 255 }

// Error says what did not work on a host.
type Error struct {
	Host  string
	Doing string // "copy vm"
	Last  string // the last line that ssh, or the host, had to say
	Lost  bool   // there was no connection, or there is none any more
	Err   error
}

func (e *Error) Error() string {
	s := e.Host + ": cannot " + e.Doing + ": "
	if e.Lost {
		s = e.Host + " cannot be reached to " + e.Doing + ": "
	}
	if e.Last != "" {
		return s + e.Last
	}
	return s + e.Err.Error()
}

// Unwrap returns e.Err.
func (e *Error) Unwrap() error { return e.Err }

// fail explains how a command has failed, and returns nil where it has not.
func (h *Host) fail(ctx context.Context, doing string, cmd *exec.Cmd, stderr []byte, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %s: %w", h.name, doing, context.Cause(ctx))
	}
	e := &Error{Host: h.name, Doing: doing, Last: lastLine(stderr), Err: err}
	if cmd.ProcessState != nil {
		e.Lost = Lost(cmd.ProcessState.ExitCode())
	}
	return e
}

// lastLine returns the last line that is not empty.
func lastLine(b []byte) string {
	lines := strings.FieldsFunc(string(b), func(r rune) bool { return r == '\n' || r == '\r' })
	for _, line := range slices.Backward(lines) {
		if line = strings.TrimSpace(line); line != "" {
			return line
		}
	}
	return ""
}

// Do executes a script on the host, with this input, and returns its output. doing is
// what an [Error] says of it.
func (h *Host) Do(ctx context.Context, asking Asking, doing string, stdin io.Reader, script string, args ...string) ([]byte, error) {
	cmd := h.Command(ctx, asking, script, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &stdout, &stderr
	err := cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil
	}
	return stdout.Bytes(), h.fail(ctx, doing, cmd, stderr.Bytes(), err)
}

// mark is before the lines of a script that are for us: a login shell may greet.
const mark = "lamport "

// Marked returns the lines of an output that begin with the word lamport, without it.
func Marked(out []byte) []string {
	var lines []string
	for line := range strings.Lines(string(out)) {
		if rest, ok := strings.CutPrefix(line, mark); ok {
			lines = append(lines, strings.TrimSpace(rest))
		}
	}
	return lines
}

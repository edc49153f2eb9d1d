package main

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"syscall"

	"github.com/hashicorp/go-hclog"

	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/transport"
	"github.com/scalemodel/lamport/pkg/vm"
)

// The packages below say what is in the way. How to mend it is a matter of
// flags, and stands here.

// withHint says beside an error how to mend it, where that is known.
func withHint(err error) error {
	if mend := hint(err); mend != "" {
		return command.Hinted("", err, mend)
	}
	return err
}

// hint returns what is to be said behind an error, "" for nothing.
func hint(err error) string {
	if e, ok := errors.AsType[*transport.ListenError](err); ok {
		for _, h := range listenHints {
			if errors.Is(e, h.errno) {
				return fmt.Sprintf(": %s (%v)", h.mend, h.errno)
			}
		}
	}
	if _, ok := errors.AsType[*transport.DescriptorsError](err); ok {
		return ": allow more with ulimit -n"
	}
	if e, ok := errors.AsType[*vm.TermsError](err); ok {
		return ": give all machines of a run the same --" + e.Part
	}
	if mend := tlsHint(err); mend != "" {
		return mend
	}
	if e, ok := errors.AsType[*transport.RefusedError](err); ok {
		if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" && e.Code == transport.CodeTLS {
			return "" // who sends an alert of TLS speaks TLS, and alone knows what is wrong
		}
		if mend := refusalHints[e.Code]; mend != "" {
			return ": " + mend
		}
	}
	if e, ok := errors.AsType[*logging.ExistsError](err); ok {
		return openRun(e.Name)
	}
	if errors.Is(err, vm.ErrCrash) {
		return "; start it again with --resume"
	}
	return ""
}

// openRun says how to go on with the run of a log that is not over; "" where it is, or is not
// known to be.
func openRun(log string) string {
	switch last, ok := logging.Last(log); {
	case !ok || last.Kind == logging.StopRecord:
		return ""
	case last.Kind == logging.PauseRecord:
		return fmt.Sprintf("; its machine is paused at step %d: add --resume, and it goes on there", last.Pause.Step)
	}
	return "; its machine has not come to its end: add --resume, and it goes on where the log ends"
}

var listenHints = []struct {
	errno syscall.Errno
	mend  string
}{
	{syscall.EADDRINUSE, "choose another --port, or end the program that holds it"},
	{syscall.EACCES, "choose one above 1023"},
	{syscall.EADDRNOTAVAIL, "choose one that is, or 0.0.0.0 for all"},
}

var refusalHints = map[transport.Code]string{
	transport.CodeVersion:     "use the same release on both hosts",
	transport.CodeRun:         "give all machines of a run the same --run",
	transport.CodeMachines:    "give each all the others as --peers",
	transport.CodeDestination: "check the addresses in --peers",
	transport.CodeSelf:        "check the addresses in --peers",
	transport.CodeDuplicate:   "give each its own --id",
	transport.CodeStranger:    "compare --run, --id, and the number and addresses of --peers with its own; its diagnostics say which differs",
	transport.CodeAddress:     "if it is a peer's, allow it with --allow",
	transport.CodeTerms:       "give all machines of a run the same --die, and --replay to all or none",
	transport.CodeTLS:         "give all machines of a run --tls-cert, --tls-key and --tls-ca, or none of them",
	transport.CodeCertificate: "give each machine its own certificate, of its --run and --id",
}

// hinting is a logger that gives hints with the errors in its lines: not every
// machine that has refused another, or was refused, ends with an error of its own.
type hinting struct{ hclog.Logger }

func (l hinting) Log(level hclog.Level, msg string, args ...any) {
	args = slices.Clone(args)
	for i, arg := range args {
		if err, ok := arg.(error); ok {
			args[i] = withHint(err)
		}
	}
	l.Logger.Log(level, msg, args...)
}

func (l hinting) Info(msg string, args ...any)  { l.Log(hclog.Info, msg, args...) }
func (l hinting) Warn(msg string, args ...any)  { l.Log(hclog.Warn, msg, args...) }
func (l hinting) Error(msg string, args ...any) { l.Log(hclog.Error, msg, args...) }

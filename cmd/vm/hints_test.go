package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/assert"

	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/transport"
	"github.com/scalemodel/lamport/pkg/vm"
)

func TestHints(t *testing.T) {
	refused := func(code transport.Code) error {
		return &vm.StartError{Err: &transport.RefusedError{Code: code, Text: "b:1 refuses this machine: no"}}
	}
	plain := errors.New("no")
	for _, c := range []struct {
		err  error
		want string
	}{
		{plain, "no"},
		{refused(transport.CodeProtocol), "b:1 refuses this machine: no"},
		{refused(transport.CodeVersion), "b:1 refuses this machine: no: use the same release on both hosts"},
		{refused(transport.CodeRun), "b:1 refuses this machine: no: give all machines of a run the same --run"},
		{refused(transport.CodeMachines), "b:1 refuses this machine: no: give each all the others as --peers"},
		{refused(transport.CodeDestination), "b:1 refuses this machine: no: check the addresses in --peers"},
		{refused(transport.CodeDuplicate), "b:1 refuses this machine: no: give each its own --id"},
		{refused(transport.CodeSelf), "b:1 refuses this machine: no: check the addresses in --peers"},
		{refused(transport.CodeStale), "b:1 refuses this machine: no"},
		{refused(transport.CodeStranger), "b:1 refuses this machine: no: compare --run, --id, and the number and addresses of --peers with its own; its diagnostics say which differs"},
		{refused(transport.CodeAddress), "b:1 refuses this machine: no: if it is a peer's, allow it with --allow"},
		{refused(transport.CodeTerms), "b:1 refuses this machine: no: give all machines of a run the same --die, and --replay to all or none"},
		{&vm.TermsError{Part: vm.PartDuration, Text: "no"}, "no: give all machines of a run the same --duration"},
		{refused(transport.CodeTLS), "b:1 refuses this machine: no: give all machines of a run --tls-cert, --tls-key and --tls-ca, or none of them"},
		{
			errors.Join(&transport.RefusedError{Code: transport.CodeTLS, Text: "an alert"}, &net.OpError{Op: "remote error", Err: plain}),
			"an alert\nremote error: no",
		},
		{refused(99), "b:1 refuses this machine: no"},
		{
			&transport.ListenError{Addr: "::1", Port: 7, Err: syscall.EADDRINUSE},
			"port 7 on ::1 is taken: choose another --port, or end the program that holds it (" + syscall.EADDRINUSE.Error() + ")",
		},
		{
			&transport.ListenError{Addr: "::1", Port: 7, Err: syscall.EACCES},
			"port 7 on ::1 is not allowed to this user: choose one above 1023 (" + syscall.EACCES.Error() + ")",
		},
		{
			&transport.ListenError{Addr: "::2", Port: 7, Err: syscall.EADDRNOTAVAIL},
			"address ::2 is not one of this host: choose one that is, or 0.0.0.0 for all (" + syscall.EADDRNOTAVAIL.Error() + ")",
		},
		{&transport.ListenError{Addr: "::2", Port: 7, Err: plain}, "cannot listen on ::2 port 7: no"},
	} {
		got := withHint(c.err)
		assert.EqualError(t, got, c.want)
		assert.ErrorIs(t, got, c.err)
	}
}

// However a line gets into the log, it has the hint.
func TestHintsAtEachLevel(t *testing.T) {
	var buf bytes.Buffer
	l := hinting{hclog.New(&hclog.LoggerOptions{Output: &buf, DisableTime: true})}
	for _, say := range []func(string, ...any){l.Info, l.Warn, l.Error} {
		say("x", "reason", &vm.TermsError{Part: vm.PartSeed, Text: "no"})
	}
	const said = "  x: reason=\"no: give all machines of a run the same --seed\"\n"
	assert.Equal(t, "[INFO]"+said+"[WARN]"+said+"[ERROR]"+said[1:], buf.String())
}

// A line of the log has the hint too, on its way through the library's logger.
func TestHintsInTheLog(t *testing.T) {
	var buf bytes.Buffer
	l := logging.Slog(hinting{hclog.New(&hclog.LoggerOptions{Output: &buf, DisableTime: true})})
	l.Warn("connection refused", "from", "b:1", "reason", fmt.Errorf("b: %w", &transport.RefusedError{Code: transport.CodeDuplicate, Text: "no"}), "so-far", 1)
	assert.Equal(t, "[WARN]  connection refused: from=b:1 reason=\"b: no: give each its own --id\" so-far=1\n", buf.String())
}

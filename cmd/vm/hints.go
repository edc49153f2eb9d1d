package main

import (
	"errors"
	"fmt"
	"slices"
	"syscall"

	"github.com/hashicorp/go-hclog"

	"github.com/scalemodel/lamport/pkg/transport"
	"github.com/scalemodel/lamport/pkg/vm"
)

// The packages below say what is in the way. How to mend it is a matter of
// flags, and stands here.

// withHint says beside an error how to mend it, where that is known.
func withHint(err error) error {
	if e, ok := errors.AsType[*transport.ListenError](err); ok {
		for _, h := range listenHints {
			if errors.Is(e, h.errno) {
				return fmt.Errorf("%w: %s (%w)", err, h.hint, h.errno)
			}
		}
	}
	if _, ok := errors.AsType[*transport.DescriptorsError](err); ok {
		return fmt.Errorf("%w: allow more with ulimit -n", err)
	}
	if e, ok := errors.AsType[*transport.RefusedError](err); ok {
		if hint := refusalHint(e.Code); hint != "" {
			return fmt.Errorf("%w: %s", err, hint)
		}
	}
	if errors.Is(err, vm.ErrCrash) {
		return fmt.Errorf("%w; start it again with --resume", err)
	}
	return err
}

var listenHints = []struct {
	errno syscall.Errno
	hint  string
}{
	{syscall.EADDRINUSE, "choose another --port, or end the program that holds it"},
	{syscall.EACCES, "choose one above 1023"},
	{syscall.EADDRNOTAVAIL, "choose one that is, or 0.0.0.0 for all"},
}

func refusalHint(code transport.Code) string {
	switch code {
	case transport.CodeVersion:
		return "use the same release on both hosts"
	case transport.CodeRun:
		return "give both machines the same --run"
	case transport.CodeMachines:
		return "give each all the others as --peers"
	case transport.CodeDestination, transport.CodeSelf:
		return "check the addresses in --peers"
	case transport.CodeDuplicate:
		return "give each its own --id"
	case transport.CodeStranger:
		return "is it the same --run, the same number of machines, the right --id and address? Its own diagnostics say which"
	}
	return ""
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

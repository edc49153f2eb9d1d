package main

import (
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/scalemodel/lamport/pkg/cluster"
	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/gather"
	"github.com/scalemodel/lamport/pkg/rundir"
	"github.com/scalemodel/lamport/pkg/sweep"
	"github.com/scalemodel/lamport/pkg/transport"
)

func TestHints(t *testing.T) {
	plain := errors.New("no")
	for _, tt := range []struct {
		err  error
		want string
	}{
		{plain, "no"},
		{&cluster.PortError{ID: 1, Err: plain}, "no"},
		{
			fmt.Errorf("run 3: %w", &cluster.PortError{ID: 1, Err: &transport.ListenError{Addr: "127.0.0.1", Port: 7, Err: syscall.EADDRINUSE}}),
			"run 3: port 7 on 127.0.0.1 is taken: end the program that holds it, or give machine 1 another one with --ports (--ports auto takes free ones) (" + syscall.EADDRINUSE.Error() + ")",
		},
		{
			&cluster.PortError{ID: 1, Err: &transport.ListenError{Addr: "127.0.0.1", Port: 7, Err: syscall.EACCES}},
			"port 7 on 127.0.0.1 is not allowed to this user: choose one above 1023 (" + syscall.EACCES.Error() + ")",
		},
		{&experiment.Error{Field: "die", Value: "0", Err: plain}, "--die 0: no"},
		{fmt.Errorf("run.json: %w", &experiment.Error{Field: "die", Value: "0", Err: plain}), "run.json: die 0: no"},
		{fmt.Errorf("x is %w", rundir.ErrUsed), "x is of an earlier run, which is not overwritten: choose another --out, or move it away"},
		{
			exit.With(exit.Retry, &gather.UnreachedError{Addr: "hosta:7070", Err: plain}),
			`hosta:7070: not reached in time: no; compare --to with the --listen of "launcher gather", which must be running, or try for longer with --timeout`,
		},
		{exit.With(exit.Died, fmt.Errorf("d %w", sweep.ErrNotASweep)), "d holds something other than a sweep: choose another --out"},
	} {
		got := hint(tt.err)
		assert.Equal(t, exit.Code(tt.err), exit.Code(got))
		assert.EqualError(t, got, tt.want)
		assert.ErrorIs(t, got, tt.err)
	}
}

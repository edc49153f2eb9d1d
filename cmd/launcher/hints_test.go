package main

import (
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/scalemodel/lamport/pkg/cluster"
)

func TestHints(t *testing.T) {
	plain := errors.New("no")
	for _, tt := range []struct {
		err  error
		want string
	}{
		{plain, "no"},
		{&cluster.PortError{ID: 1, Port: 7, Err: plain}, "no"},
		{
			fmt.Errorf("run 3: %w", &cluster.PortError{ID: 1, Port: 7, Err: syscall.EADDRINUSE}),
			"run 3: port 7 on 127.0.0.1 is taken: end the program that holds it, or give machine 1 another one with --ports (--ports auto takes free ones) (" + syscall.EADDRINUSE.Error() + ")",
		},
	} {
		got := hint(tt.err)
		assert.EqualError(t, got, tt.want)
		assert.ErrorIs(t, got, tt.err)
	}
}

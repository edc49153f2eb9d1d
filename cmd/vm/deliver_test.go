package main

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/gather"
	"github.com/scalemodel/lamport/pkg/vm"
)

// A log that nobody takes is delivered at the next start, if there is to be one.
func TestTheCodeOfALogThatIsNotDelivered(t *testing.T) {
	d := delivery{addr: "g:1", cfg: &vm.Config{}}
	ended := func(cause error) context.Context {
		ctx, cancel := context.WithCancelCause(t.Context())
		if cause != nil {
			cancel(cause)
		}
		t.Cleanup(func() { cancel(nil) })
		return ctx
	}
	late := &gather.UnreachedError{}
	for name, c := range map[string]struct {
		cause, err, failed error
		want               int
	}{
		"delivered":        {nil, nil, nil, exit.OK},
		"in time":          {nil, nil, late, exit.Retry},
		"refused":          {nil, nil, errors.New("no"), exit.Misused},
		"after Ctrl-C":     {context.Canceled, nil, late, exit.Interrupted},
		"after SIGTERM":    {vm.ErrPause, nil, late, exit.Paused},
		"the machine died": {vm.ErrPause, exit.With(exit.Died, errors.New("dead")), late, exit.Died},
	} {
		assert.Equal(t, c.want, exit.Code(d.ending(ended(c.cause), c.err, c.failed)), name)
	}
}

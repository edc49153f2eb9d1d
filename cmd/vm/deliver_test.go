package main

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/certs"
	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/command"
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
		"it is paused":     {vm.ErrPause, exit.With(exit.Paused, errors.New("paused at step 3")), late, exit.Paused},
		"the machine died": {vm.ErrPause, exit.With(exit.Died, errors.New("dead")), late, exit.Died},
	} {
		err := d.ending(ended(c.cause), c.err, c.failed)
		assert.Equal(t, c.want, exit.Code(err), name)
		if c.failed != nil {
			how := "the run is over"
			if c.err != nil {
				how = c.err.Error()
			}
			assert.ErrorContains(t, err, how+", and the log is not delivered: ", name)
			assert.Equal(t, c.err == nil, strings.Contains(err.Error(), "the run is over"), name)
		}
	}
}

// The command line that is to deliver the log later does so as it is: with the machine's
// certificate, and whatever its directory is called.
func TestTheCommandThatDeliversLater(t *testing.T) {
	rate, err := clock.ParseRate("5")
	require.NoError(t, err)
	d := delivery{addr: "g:1", cfg: &vm.Config{ID: 1, Rate: rate, LogDir: "my logs"}}
	assert.Equal(t, "launcher deliver --to g:1 '"+filepath.Join("my logs", "vm_1_5.log")+"'", d.byHand())

	dir := t.TempDir()
	_, err = certs.Make(dir, certs.Plan{Machines: 2})
	require.NoError(t, err)
	f := certs.FilesOf(dir, 1)
	d.cfg.TLS, err = certs.Open(f)
	require.NoError(t, err)
	d.cfg.LogDir = "logs"
	assert.Equal(t, command.Line("launcher", "deliver", "--to", "g:1", "--tls-cert", f.Cert, "--tls-key", f.Key, "--tls-ca", f.CA, filepath.Join("logs", "vm_1_5.log")), d.byHand())
}

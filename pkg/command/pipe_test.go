package command_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/exit"
)

// writeLines is an action that writes many lines, ends with the first error of writing, and
// else with its own.
func writeLines(ends error, lines *int) cli.ActionFunc {
	return func(c *cli.Context) error {
		for *lines = 0; *lines < 100_000; *lines++ {
			if _, err := fmt.Fprintln(c.App.Writer, "line", *lines); err != nil {
				return fmt.Errorf("line %d: %w", *lines, err)
			}
		}
		return ends
	}
}

func TestPiped(t *testing.T) {
	broken := exit.With(exit.Broken, errors.New("a law is broken"))
	for _, tt := range []struct {
		name  string
		piped func(cli.ActionFunc) cli.ActionFunc
		ends  error
		read  bool // to the end
		code  int
		says  string
		whole bool // the action goes to its end
	}{
		{"read", command.Piped, nil, true, 0, "", true},
		{"read, broken", command.Piped, broken, true, 1, "test: a law is broken\n", true},
		{"not read", command.Piped, broken, false, 0, "", false},
		{"to the end, read", command.PipedToTheEnd, nil, true, 0, "", true},
		{"to the end, not read", command.PipedToTheEnd, nil, false, 0, "", true},
		{"to the end, not read, broken", command.PipedToTheEnd, broken, false, 1, "test: a law is broken\n", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, w, err := os.Pipe()
			require.NoError(t, err)
			done := make(chan int64)
			go func() {
				var n int64
				if tt.read {
					n, _ = io.Copy(io.Discard, r)
				} else {
					_, _ = io.ReadFull(r, make([]byte, 1000))
				}
				_ = r.Close()
				done <- n
			}()
			var says bytes.Buffer
			var lines int
			app := &cli.App{Name: "test", Action: tt.piped(writeLines(tt.ends, &lines))}
			assert.Equal(t, tt.code, command.Run(context.Background(), app, []string{"test"}, w, &says))
			require.NoError(t, w.Close())
			n := <-done
			assert.Equal(t, tt.says, says.String())
			assert.Equal(t, tt.whole, lines == 100_000)
			if tt.read {
				assert.EqualValues(t, 1_088_890, n)
			}
		})
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// Other errors of writing are errors.
func TestPipedOnlyForgivesPipes(t *testing.T) {
	for _, piped := range []func(cli.ActionFunc) cli.ActionFunc{command.Piped, command.PipedToTheEnd} {
		var says bytes.Buffer
		var lines int
		app := &cli.App{Name: "test", Action: piped(writeLines(nil, &lines))}
		assert.Equal(t, 2, command.Run(context.Background(), app, []string{"test"}, failing{errors.New("no space left")}, &says))
		assert.Equal(t, "test: line 0: no space left\n", says.String())
	}
}

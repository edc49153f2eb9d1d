package exit_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/scalemodel/lamport/pkg/exit"
)

func TestCode(t *testing.T) {
	cause := errors.New("machine 1 died")
	tests := []struct {
		name   string
		err    error
		code   int
		silent bool
	}{
		{"nothing", nil, exit.OK, true},
		{"no code", cause, exit.Misused, false},
		{"a code", exit.With(exit.Died, cause), exit.Died, false},
		{"wrapped", fmt.Errorf("run: %w", exit.With(exit.Died, cause)), exit.Died, false},
		{"without a word", exit.With(exit.Interrupted, nil), exit.Interrupted, true},
		{"the outer one counts", exit.With(exit.Broken, exit.With(exit.Died, cause)), exit.Broken, false},
		{"joined with nothing", errors.Join(nil, exit.With(exit.Interrupted, nil)), exit.Interrupted, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			assert.Equal(t, tt.code, exit.Code(tt.err))
			assert.Equal(t, tt.silent, exit.Silent(tt.err))
		})
	}
	assert.ErrorIs(t, exit.With(exit.Died, cause), cause)
	assert.Equal(t, "machine 1 died", exit.With(exit.Died, cause).Error())
}

package lab

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/scalemodel/lamport/pkg/gather"
)

// What the next try will not mend decides, wherever it stands.
func TestTheErrorOfManyDeliveries(t *testing.T) {
	late := fmt.Errorf("a.log: %w", &gather.UnreachedError{Addr: "g:1", Err: errors.New("no")})
	later, refused := fmt.Errorf("b.log: %w", late), errors.New("c.log: refused")
	for name, c := range map[string]struct {
		failed, others []error
		last           error
	}{
		"none":               {},
		"one":                {[]error{late}, []error{}, late},
		"all late":           {[]error{late, later}, []error{later}, late},
		"refused at first":   {[]error{refused, late}, []error{late}, refused},
		"refused at the end": {[]error{late, later, refused}, []error{late, later}, refused},
	} {
		others, last := lastSaid(c.failed)
		assert.Equal(t, c.others, others, name)
		assert.Equal(t, c.last, last, name)
	}
}

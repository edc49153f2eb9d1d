package needs_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/scalemodel/lamport/internal/needs"
)

// outcome is a test that only takes down how it ended.
type outcome struct {
	testing.TB
	how string
}

func (*outcome) Helper()                 {}
func (o *outcome) Skipf(string, ...any)  { o.end("skipped") }
func (o *outcome) Fatalf(string, ...any) { o.end("failed") }

// end takes down the first end: a test has one, but this one goes on behind it.
func (o *outcome) end(how string) {
	if o.how == "" {
		o.how = how
	}
}

func TestWhatIsMissingIsSkippedOrFails(t *testing.T) {
	for _, c := range []struct{ ci, program, how string }{
		{"", "go", ""}, {"", "no-such-program", "skipped"}, {"true", "go", ""}, {"true", "no-such-program", "failed"},
	} {
		t.Setenv("CI", c.ci)
		var got outcome
		needs.Programs(&got, "go", c.program)
		assert.Equal(t, c.how, got.how, c)
	}
}

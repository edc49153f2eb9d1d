package hunt

import (
	"context"
	"flag"
	"testing"

	"github.com/stretchr/testify/require"
)

var cases = flag.Uint64("cases", 1000, "of TestNothingIsFound")

// Thousands of small runs with random faults break no law. If one does, the one
// command that does it again is in the failure.
func TestNothingIsFound(t *testing.T) {
	n := *cases
	if testing.Short() {
		n = 200
	}
	f, tried, err := Hunt(context.Background(), t.TempDir(), 1, n, "", nil)
	require.NoError(t, err)
	if f != nil {
		require.FailNow(t, f.What, f.Run.Command())
	}
	require.Equal(t, n, tried)
}

// Each mistake is found, and soon.
func TestMistakesAreFound(t *testing.T) {
	for _, bug := range Mistakes() {
		t.Run(bug, func(t *testing.T) {
			f, tried, err := Hunt(context.Background(), t.TempDir(), 1, 500, bug, nil)
			require.NoError(t, err)
			require.NotNil(t, f)
			t.Logf("run %d: %s\n%s", tried, f.Run.Command(), f.What)
		})
	}
}

func TestNoSuchMistake(t *testing.T) {
	_, _, err := Hunt(context.Background(), t.TempDir(), 1, 1, "typo", nil)
	require.ErrorContains(t, err, `there is no mistake "typo": want stamp-early, `)
}

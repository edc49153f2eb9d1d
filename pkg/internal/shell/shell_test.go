package shell_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/internal/shell"
)

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{
		"":             "''",
		"1,5,4":        "1,5,4",
		"1,5;random":   "'1,5;random'",
		"it's":         `'it'\''s'`,
		"0->1 | $HOME": "'0->1 | $HOME'",
	} {
		assert.Equal(t, want, shell.Quote(in))
	}
}

// Whatever it is, a shell reads it back.
func TestAShellReadsItBack(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("there is no sh here")
	}
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.StringMatching(`[ -~\n]{0,9}`), 1, 50).Draw(t, "words")
		out, err := exec.Command("sh", "-c", "printf '%s\\0' "+shell.Join(words...)).Output()
		require.NoError(t, err)
		require.Equal(t, strings.Join(words, "\x00")+"\x00", string(out))
	})
}

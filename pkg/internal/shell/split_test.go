package shell_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/internal/shell"
)

func TestSplit(t *testing.T) {
	for in, want := range map[string][]string{
		"":                                 nil,
		"  \t\n":                           nil,
		"ssh":                              {"ssh"},
		" ssh  -p 2222 ":                   {"ssh", "-p", "2222"},
		`ssh -o 'ProxyCommand nc %h %p'`:   {"ssh", "-o", "ProxyCommand nc %h %p"},
		`"C:\Program Files\ssh.exe" -F ""`: {`C:\Program Files\ssh.exe`, "-F", ""},
		`a\ b '' "\"\$\\" x'y'"z"`:         {"a b", "", `"$\`, "xyz"},
	} {
		got, err := shell.Split(in)
		require.NoError(t, err)
		assert.Equal(t, want, got, in)
	}
	for _, in := range []string{"'", `"`, `\`, `ssh -F 'a`, `"\"`} {
		_, err := shell.Split(in)
		assert.ErrorIs(t, err, shell.ErrSplit, in)
	}
}

// What is quoted comes apart into the same words.
func TestSplitUndoesQuote(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.String(), 1, 9).Draw(t, "words")
		var quoted []string
		for _, w := range words {
			quoted = append(quoted, shell.Quote(w))
		}
		got, err := shell.Split(strings.Join(quoted, " "))
		require.NoError(t, err)
		require.Equal(t, words, got)
	})
}

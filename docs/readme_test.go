package docs_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The Go code of the README is that of the examples, line by line, so it compiles and
// does what it says.
func TestReadmeExample(t *testing.T) {
	page, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	example, err := os.ReadFile("example_test.go")
	require.NoError(t, err)
	rest, blocks := string(example), 0
	for _, block := range strings.Split(string(page), "```go\n")[1:] {
		code, _, ok := strings.Cut(block, "```\n")
		require.True(t, ok)
		blocks++
		for line := range strings.Lines(code) {
			line = strings.TrimSpace(line)
			var found bool
			_, rest, found = strings.Cut(rest, line)
			require.True(t, found, "%q, in this order, is not in example_test.go", line)
		}
	}
	require.Equal(t, 3, blocks)
}

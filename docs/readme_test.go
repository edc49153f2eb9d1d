package docs_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The Go code of the README is that of Example_readme, line by line, so it compiles
// and does what it says.
func TestReadmeExample(t *testing.T) {
	page, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	example, err := os.ReadFile("example_test.go")
	require.NoError(t, err)
	_, code, ok := strings.Cut(string(page), "```go\n")
	require.True(t, ok)
	code, _, ok = strings.Cut(code, "```\n")
	require.True(t, ok)

	rest := string(example)
	for line := range strings.Lines(code) {
		var found bool
		_, rest, found = strings.Cut(rest, line)
		require.True(t, found, "%q, in this order, is not in Example_readme", line)
	}
}

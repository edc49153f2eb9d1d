package deploy_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What "make image" makes is what everything here runs.
func TestOneImage(t *testing.T) {
	const image = "localhost/lamport"
	b, err := os.ReadFile(filepath.Join("..", "Makefile"))
	require.NoError(t, err)
	assert.Contains(t, string(b), "\nIMAGE    ?= "+image+"\n")
	named := regexp.MustCompile(`(?m)^\s*image: (\S*lamport\S*)$`)
	found := 0
	require.NoError(t, filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".yaml") {
			return err
		}
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, m := range named.FindAllStringSubmatch(string(b), -1) {
			found++
			assert.Contains(t, []string{image + ":latest", "${IMAGE:-" + image + "}"}, m[1], path)
		}
		return nil
	}))
	assert.Greater(t, found, 5)
}

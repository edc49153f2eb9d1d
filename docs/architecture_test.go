// Package docs_test holds pages of the documentation against the code.
package docs_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "github.com/scalemodel/lamport/"

// The table of packages in the architecture page names every package, and each
// imports only those that stand above it: data flows one way.
func TestArchitecture(t *testing.T) {
	page, err := os.ReadFile("architecture.md")
	require.NoError(t, err)
	place := make(map[string]int)
	rows := regexp.MustCompile("(?m)^\\| (`[^|]*`) \\|").FindAllStringSubmatch(string(page), -1)
	require.NotEmpty(t, rows)
	for i, row := range rows {
		for name := range strings.SplitSeq(row[1], ",") {
			name = strings.Trim(strings.TrimSpace(name), "`")
			if !strings.HasPrefix(name, "cmd/") {
				name = "pkg/" + name
			}
			require.NotContains(t, place, name, "named twice")
			place[name] = i
		}
	}

	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,GoFiles", "./...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	require.NoError(t, err)
	seen := make(map[string]bool)
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var p struct {
			ImportPath string
			Imports    []string
			GoFiles    []string
		}
		require.NoError(t, dec.Decode(&p))
		name := strings.TrimPrefix(p.ImportPath, module)
		if _, named := place[name]; len(p.GoFiles) == 0 || strings.HasSuffix(name, "test") || !named && slices.Contains(strings.Split(name, "/"), "internal") {
			continue
		}
		seen[name] = true
		require.Contains(t, place, name, "a package that the page does not name")
		for _, imported := range p.Imports {
			other, ours := strings.CutPrefix(imported, module)
			if _, named := place[other]; !ours || !named { // the small internal ones stand below all
				continue
			}
			assert.Less(t, place[other], place[name], "%s imports %s, which stands below it", name, other)
		}
	}
	for name := range place {
		assert.True(t, seen[name], "%s is named, but is not there", name)
	}
}

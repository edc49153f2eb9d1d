package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/mattn/go-runewidth"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every page of help can be read on a terminal of 80 columns.
func TestHelpFits(t *testing.T) {
	pages := [][]string{{"launcher", "--help"}}
	for _, c := range app("launcher").Commands {
		pages = append(pages, []string{"launcher", c.Name, "--help"})
	}
	require.Greater(t, len(pages), 10)
	for _, args := range pages {
		var stdout, stderr bytes.Buffer
		assert.Zero(t, execute(t.Context(), args, &stdout, &stderr))
		assert.Empty(t, stderr.String())
		assert.Contains(t, stdout.String(), "\nOPTIONS:\n   --", args)
		assert.Equal(t, len(args) == 2, strings.Contains(stdout.String(), "\nCOMMANDS:\n   run "), args)
		for line := range strings.Lines(stdout.String()) {
			line = strings.TrimSuffix(line, "\n")
			assert.LessOrEqual(t, runewidth.StringWidth(line), 80, "%v: %q", args, line)
			assert.Equal(t, strings.TrimRight(line, " "), line)
		}
	}
}

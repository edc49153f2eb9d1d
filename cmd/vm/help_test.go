package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/mattn/go-runewidth"
	"github.com/stretchr/testify/assert"
)

// The page of help can be read on a terminal of 80 columns.
func TestHelpFits(t *testing.T) {
	var stdout, stderr bytes.Buffer
	assert.Zero(t, run(t.Context(), []string{"vm", "--help"}, nil, &stdout, &stderr))
	assert.Empty(t, stderr.String())
	assert.Contains(t, stdout.String(), "\nOPTIONS:\n   --id ID ")
	for line := range strings.Lines(stdout.String()) {
		assert.LessOrEqual(t, runewidth.StringWidth(strings.TrimSuffix(line, "\n")), 80, "%q", line)
	}
}

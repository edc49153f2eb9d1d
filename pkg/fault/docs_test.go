package fault_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/fault"
)

// Every plan in the documentation is one, and every error in it is what the
// plan above it gives.
func TestDocumentedPlans(t *testing.T) {
	page, err := os.ReadFile("../../docs/faults.md")
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$").FindAllStringSubmatch(string(page), -1)
	plans, failures := 0, 0
	for i, b := range blocks {
		switch b[1] {
		case "faults":
			plans++
			_, err := fault.Parse(b[2], 3)
			if i+1 < len(blocks) && blocks[i+1][1] == "error" {
				failures++
				require.EqualError(t, err, strings.TrimSpace(blocks[i+1][2]), "%s", b[2])
				continue
			}
			require.NoError(t, err, "%s", b[2])
		case "sh":
			for _, arg := range regexp.MustCompile(`--faults '(.*?)'`).FindAllStringSubmatch(b[2], -1) {
				plans++
				_, err := fault.Parse(arg[1], 3)
				require.NoError(t, err, "%s", arg[1])
			}
		}
	}
	for _, code := range regexp.MustCompile("`((at|from|random) [^`]*)`").FindAllStringSubmatch(string(page), -1) {
		plans++
		_, err := fault.Parse(code[1], 3)
		require.NoError(t, err, "%s", code[1])
	}
	assert.Greater(t, plans, 20)
	assert.Equal(t, 2, failures)
}

package transport

import (
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLimitsFitEachOther(t *testing.T) {
	assert.Equal(t, MaxPayload, MaxFrame-(dataHeaderLen-4))
	assert.Equal(t, math.MaxInt32, MaxWindow)
	longest := hello{run: strings.Repeat("x", MaxRun), terms: make([]byte, MaxTerms)}.frame()[4:]
	assert.Len(t, longest, 1+4+2+3*4+8+16+4+2+1+MaxRun+MaxTerms)
	assert.LessOrEqual(t, len(longest), MaxHello)
}

// docs/protocol.md says what the code does.
func TestLimitsAreDocumented(t *testing.T) {
	doc := section(t, "## Limits")
	for what, limit := range map[string]string{
		"a frame":                                     grouped(MaxFrame) + " bytes of type and body",
		"the first frame":                             grouped(MaxHello) + " bytes of type and body",
		"a payload":                                   grouped(MaxPayload) + " bytes",
		"a run's name":                                grouped(MaxRun) + " bytes",
		"unconsumed messages of a link":               grouped(DefaultWindow) + ", unless told otherwise; up to " + grouped(MaxWindow),
		"HELLO has to come within":                    seconds(HelloTimeout),
		"WELCOME has to come within":                  seconds(WelcomeTimeout),
		"a connection waits for the one before it":    seconds(AttachTimeout),
		"a last frame has to arrive within":           seconds(LastWordTimeout),
		"the text of an ERROR":                        grouped(MaxErrorText) + " bytes",
		"connections that have not said who they are": grouped(MaxUnknown) + ", and one per machine; " + grouped(MaxUnknown/2) + ", and one per machine, from one address",
		"memory for a connection that has not said":   "1 KiB",
	} {
		assert.Regexp(t, `\| `+what+`[^|]* \| `+limit, doc)
	}
	assert.Contains(t, section(t, "## Liveness"), "an interval ("+seconds(DefaultPingInterval)+")")
	assert.Equal(t, 3, SilentIntervals)
	assert.Contains(t, section(t, "## Liveness"), "heard nothing for three intervals")
}

// section returns the part of docs/protocol.md that begins with this heading.
func section(t *testing.T, heading string) string {
	t.Helper()
	doc, err := os.ReadFile("../../docs/protocol.md")
	require.NoError(t, err)
	_, part, found := strings.Cut(strings.ReplaceAll(string(doc), "\r\n", "\n"), "\n"+heading+"\n")
	require.True(t, found, heading)
	part, _, _ = strings.Cut(part, "\n## ")
	return part
}

// grouped writes a number with its digits in threes.
func grouped(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d/time.Second)) + " s" }

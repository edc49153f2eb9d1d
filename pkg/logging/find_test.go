package logging_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/logging"
)

func TestFind(t *testing.T) {
	const line = "2026-11-26T20:40:00.123456Z [INFO]  vm-12: internal: step=1 clock=1 queue=0"
	for _, c := range []struct {
		text  string
		at    int
		found logging.Finding
	}{
		{line, 0, logging.Line},
		{"vm-12-1  | " + line, 11, logging.Line},
		{"[pod/vm-12/vm] " + line, 15, logging.Line},
		{"2026-11-26T20:40:00.123456Z " + line, 28, logging.Line},
		{"2026-11-26T20:40:00.123456789Z stdout F " + line, 40, logging.Line},
		{" 2: " + line, 4, logging.Line},
		{"[1,0]<stdout>:" + line, 14, logging.Line},
		{"Nov 26 12:00:00 host vm[123]: " + line, 30, logging.Line},
		{"2026-11-26T20:40:00.123456Z [INFO]  vm-0: all links are up; " + line, 60, logging.Line}, // talk without its newline
		// What is wrong behind the head is the reader's to say.
		{strings.Replace(line, "clock", "clo", 1), 0, logging.Line},
		{line + line, 0, logging.Line},

		{"", 0, logging.NoLine},
		{"2026-11-26T20:40:00.123456Z [INFO]  vm-0: starting: listening=127.0.0.1:2050 rate=1", 0, logging.NoLine},
		{"2026-11-26T20:40:00.123456Z [WARN]  vm-0: ticks missed: step=3", 0, logging.NoLine},
		{"2026-11-26T20:40:00.123456Z [INFO]  vm-0: resuming: step=3 clock=4", 0, logging.NoLine},
		{"machine 3: start: step by step", 0, logging.NoLine},
		{"vm-0: 3 steps, clock 7", 0, logging.NoLine},

		{line[:40], 0, logging.Piece},
		{line[:45] + line, 0, logging.Piece},
		{line[1:], 0, logging.Piece},
		{line[36:], 0, logging.Piece},
		{strings.Replace(line, "vm-12", "vm-3000000000", 1), 0, logging.Piece},
	} {
		at, id, found := logging.Find([]byte(c.text))
		assert.Equal(t, c.found, found, c.text)
		assert.Equal(t, c.at, at, c.text)
		if found == logging.Line {
			assert.Equal(t, 12, id, c.text)
		}
	}
}

// Every line that is written is found, behind anything; and where one is cut in two, by
// a newline or by another line, it shows.
func TestFindEveryLineAndEveryCut(t *testing.T) {
	golden, err := os.ReadFile("testdata/sample.log")
	require.NoError(t, err)
	for _, more := range []string{
		"resume: step=40 clock=80",
		"pause: step=40 clock=80 elapsed=12.000001",
		"offset: peer=2 ahead=-1500278 within=301 rtt=600",
		`stop: step=9 clock=99 queue=3 pending="0:1,5:2" undelivered="1:12,7:1"`,
	} {
		golden = append(golden, "2026-11-26T20:40:00.123456Z [INFO]  vm-7: "+more+"\n"...)
	}
	const other = "2026-11-26T20:40:00.123456Z [INFO]  vm-1: internal: step=7 clock=9 queue=0"
	seen := make(map[logging.RecordKind]bool)
	for line := range bytes.Lines(golden) {
		line = bytes.TrimSuffix(line, []byte("\n"))
		var rec logging.Record
		require.NoError(t, logging.NewReader(bytes.NewReader(append(bytes.Clone(line), '\n')), "").Next(&rec))
		seen[rec.Kind] = true
		for _, before := range []string{"", "x", "vm-0-1  | ", other[:27] + " "} {
			at, id, found := logging.Find([]byte(before + string(line)))
			require.Equal(t, logging.Line, found, "%s", line)
			require.Equal(t, len(before), at)
			require.Equal(t, rec.ID, id)
		}
		for cut := 1; cut < len(line); cut++ {
			front, back := string(line[:cut]), string(line[cut:])
			// Alone, the two halves are a piece, or a line that no reader takes. The last case is
			// a front that the next line follows on, as its machine has died.
			// But for a cut between the last digits, or before what may be left out: nothing can be
			// seen of it.
			if !whole(front) {
				require.True(t, shows(front) || shows(back), "%s|%s", front, back)
			}
			require.True(t, shows(front+other) || shows(back), "%s|%s", front, back)
		}
	}
	for k := logging.RecordKind(1); !strings.HasPrefix(k.String(), "record("); k++ {
		require.True(t, seen[k], "the sample has no %v line", k)
	}
}

// shows reports whether a text is found to be no whole line.
func shows(text string) bool {
	at, _, found := logging.Find([]byte(text))
	if found != logging.Line {
		return found == logging.Piece
	}
	return !whole(text[at:])
}

// whole reports whether a text is a line of an event log.
func whole(text string) bool {
	var rec logging.Record
	return logging.NewReader(strings.NewReader(text+"\n"), "").Next(&rec) == nil
}

func ExampleFind() {
	text := []byte("vm-0-1  | 2026-11-26T20:40:00.123456Z [INFO]  vm-0: internal: step=1 clock=1 queue=0")
	at, id, found := logging.Find(text)
	fmt.Println(found == logging.Line, id, string(text[:at]))
	// Output: true 0 vm-0-1  |
}

package rundir

import (
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/internal/guarded"
	"github.com/scalemodel/lamport/pkg/summary"
)

// What is read of a record is bounded, also where only people read it.
func TestReadRecordBoundsItsTexts(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, RecordName)
	const run = `"machines": 1, "rates": ["1"], "die": 3, "duration": "5s", "run": "a"`
	long := strings.Repeat("x", maxText+1)
	for field, want := range map[string]string{
		`"version": "` + long + `"`:   ": not the record of a run: version of 4097 bytes: want at most 4096",
		`"host": "` + long + `"`:      ": not the record of a run: host of 4097 bytes",
		`"system": "` + long + `"`:    ": not the record of a run: system of 4097 bytes",
		`"replay_of": "` + long + `"`: ": not the record of a run: replay_of of 4097 bytes",
		`"ports": [65536]`:            ": not the record of a run: port 65536",
		`"ports": [-1]`:               ": not the record of a run: port -1",
	} {
		require.NoError(t, os.WriteFile(name, []byte(`{"format": 1, `+field+`, `+run+`}`), 0o666))
		_, err := ReadRecord(dir)
		assert.ErrorContains(t, err, name+want)
	}
	require.NoError(t, os.WriteFile(name, []byte(`{"format": 2, "version": "`+long+`"}`), 0o666))
	_, err := ReadRecord(dir)
	var other *FormatError
	require.ErrorAs(t, err, &other)
	assert.Len(t, other.Version, maxText)

	deep := strings.Repeat("[", 1<<20)
	require.NoError(t, os.WriteFile(name, []byte(`{"format": 1, "rates": `+deep+`}`), 0o666))
	_, err = ReadRecord(dir)
	require.ErrorContains(t, err, "not the record of a run")
}

func TestReadSummaryRefuses(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, SummaryName)
	machine := func(id string) string {
		return `{"id":` + id + `,"elapsed_ns":0,"steps":0,"internal":0,"sends":0,"receives":0,"sent":0,"clock":0,` +
			`"mean_jump":0,"max_jump":0,"gaps":0,"mean_queue":0,"max_queue":0,"queue":0}`
	}
	for text, want := range map[string]string{
		"":                               "unexpected EOF",
		"7":                              "want [, found something else",
		"[" + machine("0"):               "EOF",
		"[{},{},{}]":                     "machine 0 lacks figures",
		"[" + machine("-1") + "]":        "machine -1 after -1",
		"[" + machine(`"0"`) + "]":       "cannot unmarshal",
		"[" + machine("1.5") + "]":       "cannot unmarshal",
		"[" + machine("0") + "]]":        "something follows the last machine",
		"[" + machine("0") + "] 7":       "something follows the last machine",
		"[" + machine("134217728") + "]": "machine 134217728 after -1",
		"[" + machine("1") + "," + machine("1") + "]": "machine 1 after 1: want them in ascending order",
	} {
		require.NoError(t, os.WriteFile(name, []byte(text), 0o666))
		_, err := ReadSummary(dir)
		assert.ErrorContains(t, err, name+": not the summary of a run: ", text)
		assert.ErrorContains(t, err, want, text)
	}
	// The shortest that can be written is long enough.
	require.NoError(t, os.WriteFile(name, []byte("["+machine("0")+","+machine("5")+"]"), 0o666))
	machines, err := ReadSummary(dir)
	require.NoError(t, err)
	assert.Len(t, machines, 2)

	require.NoError(t, os.Truncate(name, MaxSummary+1)) // most of it is a hole
	_, err = ReadSummary(dir)
	require.ErrorContains(t, err, "want at most "+strconv.Itoa(MaxSummary))
	require.NoError(t, os.Remove(name))
	require.NoError(t, os.Mkdir(name, 0o777))
	_, err = ReadSummary(dir)
	require.ErrorIs(t, err, guarded.ErrNotRegular)
}

// A summary is there as a whole or not at all, and never in another file than it is
// called.
func TestSummaryIsWhole(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	name, precious := filepath.Join(dir, SummaryName), filepath.Join(outside, "precious")
	require.NoError(t, os.WriteFile(precious, []byte("precious"), 0o666))
	if os.Symlink(precious, name) == nil {
		require.NoError(t, WriteSummary(dir, machines(3, -1)))
		b, err := os.ReadFile(precious)
		require.NoError(t, err)
		assert.Equal(t, "precious", string(b))
	}
	require.NoError(t, WriteSummary(dir, machines(2, -1)))
	before, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Panics(t, func() { _ = WriteSummary(dir, machines(5, 3)) })
	after, err := os.ReadFile(name)
	require.NoError(t, err)
	assert.Equal(t, string(before), string(after))
}

// machines yields so many, and panics before one of them.
func machines(n, bad int) iter.Seq[summary.Machine] {
	return func(yield func(summary.Machine) bool) {
		for id := range n {
			if id == bad {
				panic("in the middle")
			}
			if !yield(summary.Machine{ID: id}) {
				return
			}
		}
	}
}

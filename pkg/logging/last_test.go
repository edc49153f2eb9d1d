package logging_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/logging"
)

func TestLast(t *testing.T) {
	dir := t.TempDir()
	_, ok := logging.Last(filepath.Join(dir, "missing"))
	assert.False(t, ok)
	_, ok = logging.Last(dir)
	assert.False(t, ok)

	var b bytes.Buffer
	w := logging.NewWriter(&b, 0)
	w.Resume(time.Unix(1, 0), logging.Resume{Step: 7, Clock: 9})
	w.Pause(time.Unix(2, 0), logging.Pause{Step: 8, Clock: 12, Elapsed: time.Second})
	require.NoError(t, w.Flush())
	one, _, _ := strings.Cut(b.String(), "\n")
	long := strings.Repeat(one+"\n", 3*logging.MaxLine/len(one))
	for name, tt := range map[string]struct {
		log  string
		want logging.RecordKind // 0: none
	}{
		"empty":                  {"", 0},
		"torn in its first line": {one, 0},
		"one line":               {one + "\n", logging.ResumeRecord},
		"two lines":              {b.String(), logging.PauseRecord},
		"torn":                   {b.String() + "1970-01-01T00:00", logging.PauseRecord},
		"with zeros behind":      {b.String() + strings.Repeat("\x00", 4096), logging.PauseRecord},
		"long":                   {long + b.String(), logging.PauseRecord},
		"no log":                 {"precious\n", 0},
	} {
		file := filepath.Join(dir, "log")
		require.NoError(t, os.WriteFile(file, []byte(tt.log), 0o600))
		rec, ok := logging.Last(file)
		assert.Equal(t, tt.want != 0, ok, name)
		if ok {
			assert.Equal(t, tt.want, rec.Kind, name)
		}
	}
}

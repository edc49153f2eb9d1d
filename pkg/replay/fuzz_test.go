package replay_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/replay"
)

// Whatever stands in two files, it is replayed, or it is said where it cannot be.
func FuzzRun(f *testing.F) {
	const at = "2026-11-22T17:13:40.000000Z [INFO]  vm-"
	zero := at + "0: start: version=1 run=r machines=2 rate=1 seed=1 die=1 peers=1\n" +
		at + "0: send: step=1 clock=1 queue=0 to=1:1\n" +
		at + "0: send: step=2 clock=2 queue=0 to=1:2\n" +
		at + "0: receive: step=3 clock=5 queue=0 from=1 seq=1 sent=4\n" +
		at + "0: resume: step=3 clock=5\n" +
		at + "0: stop: step=3 clock=5 queue=0 pending=\"\"\n"
	one := at + "1: start: version=1 run=r machines=2 rate=1 seed=1 die=1 peers=0\n" +
		at + "1: receive: step=1 clock=2 queue=1 from=0 seq=1 sent=1\n" +
		at + "1: receive: step=2 clock=3 queue=0 from=0 seq=2 sent=2\n" +
		at + "1: send: step=3 clock=4 queue=0 to=0:1\n" +
		at + "1: stop: step=3 clock=4 queue=0 pending=\"\"\n"
	f.Add(zero, one)
	f.Add(zero, one[:200])
	f.Add(strings.Replace(zero, "machines=2 ", "machines=2147483647 ", 1), one)
	f.Add(zero, strings.Replace(one, "queue=1 ", "queue=9223372036854775807 ", 1))
	f.Add(zero, strings.Replace(one, "from=0 ", "from=2147483647 ", 1))
	f.Add("", one)
	sends, _, _ := strings.Cut(zero, at+"0: receive")
	f.Add(sends, strings.ReplaceAll(one, "T17", "T10"))
	f.Add(strings.Replace(zero, "0: receive", "0: recve", 1), one)
	f.Fuzz(func(t *testing.T, zero, one string) {
		dir := t.TempDir()
		paths := []string{filepath.Join(dir, "vm_0_1.log"), filepath.Join(dir, "vm_1_1.log")}
		require.NoError(t, os.WriteFile(paths[0], []byte(zero), 0o666))
		require.NoError(t, os.WriteFile(paths[1], []byte(one), 0o666))
		result, err := replay.Run(t.Context(), paths)
		var differs *replay.Difference
		var unreadable *logging.Error
		switch {
		case err == nil:
			require.LessOrEqual(t, result.Events, uint64(strings.Count(zero, "\n")+strings.Count(one, "\n")))
		case errors.As(err, &differs):
			require.Positive(t, differs.Line)
			require.NotEqual(t, differs.Recorded, differs.Replayed)
			require.NotEmpty(t, differs.Text())
		case errors.As(err, &unreadable):
			require.Positive(t, unreadable.Line)
		default: // not of one run
			require.NotEmpty(t, err.Error())
		}
	})
}

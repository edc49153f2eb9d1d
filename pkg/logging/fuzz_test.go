package logging_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/logging"
)

// FuzzReader gives the reader any bytes. It must not panic, and whatever it
// takes must be what the writer writes for it, to the byte.
func FuzzReader(f *testing.F) {
	golden, err := os.ReadFile("testdata/sample.log")
	require.NoError(f, err)
	f.Add(golden)
	f.Add(golden[:len(golden)-1])
	f.Add(startLine(f, 40))
	for _, line := range []string{
		"send: step=1 clock=1 queue=0 to=1:1",
		`send: step=1 clock=1 queue=0 to="1:1,2:1"`,
		`send: step=1 clock=1 queue=0 to="2:1,1:18446744073709551615,2:1,2147483647:0,0:3"`,
		"internal: step=18446744073709551615 clock=18446744073709551615 queue=9223372036854775807",
		`start: version=1 run="" machines=1 rate=0.000000001 seed=18446744073709551615 die=1 peers=""`,
		`start: version=1 run="a \"b\" = é" machines=1 rate=max seed=0 die=6 peers=2147483647`,
		"resume: step=0 clock=0",
		"resume: step=7 clock=12 elapsed=19.204512",
		"pause: step=7 clock=12 elapsed=0.000001",
		"pause: step=7 clock=12 elapsed=9223372036.854775",
		`stop: step=0 clock=0 queue=0 pending="" undelivered=1:12`,
		`stop: step=9 clock=99 queue=3 pending="0:1,5:2" undelivered="1:12,7:1"`,
		"stop: step=9 clock=99 queue=3 pending=0:3",
		"offset: peer=1 ahead=-3600000123 within=153 rtt=306",
		"offset: peer=2147483647 ahead=-9223372036854775808 within=9223372036854775807 rtt=0",
	} {
		f.Add([]byte("2024-02-29T23:59:59.999999Z [INFO]  vm-2147483647: " + line + "\n" + head + line + "\n"))
	}
	f.Fuzz(func(t *testing.T, log []byte) {
		r := logging.NewReader(bytes.NewReader(log), "fuzz")
		records, err := readAll(r)
		require.Equal(t, string(log[:r.Offset()]), string(writeAll(t, records)))
		rest := log[r.Offset():]
		var e *logging.Error
		switch {
		case err == io.EOF:
			require.Empty(t, rest)
		case errors.As(err, &e):
			require.Equal(t, "fuzz", e.File)
			require.Equal(t, len(records)+1, e.Line)
			require.NotEmpty(t, e.Msg)
			require.Equal(t, len(bytes.TrimRight(rest, "\x00")) < logging.MaxLine && !bytes.Contains(rest, []byte("\n")), errors.Is(err, logging.ErrTorn))
		default:
			t.Fatalf("neither io.EOF nor *Error: %v", err)
		}
		if len(log) > 4096 {
			return
		}
		again, againErr := readAll(logging.NewReader(iotest.OneByteReader(bytes.NewReader(log)), "fuzz"))
		require.Equal(t, records, again)
		require.Equal(t, err, againErr)
	})
}

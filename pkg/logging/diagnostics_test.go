package logging_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/logging"
)

func TestDiagnostics(t *testing.T) {
	var out bytes.Buffer
	before := time.Now()
	l := logging.Diagnostics(&out, "vm-1", hclog.Info)
	l.Debug("not shown")
	l.Warn("peer is late", "peer", 2, "by", 3*time.Millisecond)
	l.Named("link").Info("connected")
	after := time.Now()
	require.Regexp(t, `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z \[WARN\]  vm-1: peer is late: peer=2 by=3ms
\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z \[INFO\]  vm-1\.link: connected
$`, out.String())

	stamp, _, _ := bytes.Cut(out.Bytes(), []byte(" "))
	said, err := time.Parse(logging.TimeFormat, string(stamp))
	require.NoError(t, err)
	require.False(t, said.Before(before.Truncate(time.Microsecond)) || said.After(after), "UTC, in microseconds")
}

func TestDiagnosticsOff(t *testing.T) {
	var out bytes.Buffer
	logging.Diagnostics(&out, "vm-1", hclog.Off).Error("not shown")
	require.Empty(t, out.String())
}

// What a stranger has said does nothing to a terminal.
func TestDiagnosticsHideNothing(t *testing.T) {
	var out bytes.Buffer
	logging.Diagnostics(&out, "vm-1", hclog.Info).Info("refused", "reason", errors.New("\x1b[2J \u202e \u3164"))
	require.NotContains(t, out.String(), "\u3164")
	require.Regexp(t, `^[ -~]+\n$`, out.String())
}

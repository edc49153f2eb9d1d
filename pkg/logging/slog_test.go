package logging_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/slogtest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/logging"
)

// hclogTo returns a logger whose lines do not depend on when they are written.
func hclogTo(buf *bytes.Buffer, level hclog.Level) hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{Name: "vm-0", Level: level, Output: buf, DisableTime: true})
}

// A line that goes through slog is the line that hclog would have written.
func TestSlogWritesWhatHclogWrites(t *testing.T) {
	addr := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 3050}
	for name, c := range map[string]struct {
		slog  func(l *slog.Logger)
		hclog func(l hclog.Logger)
	}{
		"no pairs": {
			func(l *slog.Logger) { l.Info("all links are up") },
			func(l hclog.Logger) { l.Info("all links are up") },
		},
		"every level": {
			func(l *slog.Logger) {
				l.Log(context.Background(), slog.LevelDebug-4, "t")
				l.Debug("d")
				l.Info("i")
				l.Warn("w")
				l.Error("e")
				l.Log(context.Background(), slog.LevelError+4, "worse")
			},
			func(l hclog.Logger) {
				l.Trace("t")
				l.Debug("d")
				l.Info("i")
				l.Warn("w")
				l.Error("e")
				l.Error("worse")
			},
		},
		"every kind of value": {
			func(l *slog.Logger) {
				l.Warn("connection refused", "from", addr, "reason", errors.New(`run "a" meets "b"`), "so-far", uint64(7), "n", -3, "f", 0.25,
					"again-in", 20*time.Millisecond, "empty", "", "yes", true, "at", time.Unix(0, 0).UTC(), "many", []string{"x", "y z"}, "none", nil, "two", "a\nb")
			},
			func(l hclog.Logger) {
				l.Warn("connection refused", "from", addr, "reason", errors.New(`run "a" meets "b"`), "so-far", uint64(7), "n", -3, "f", 0.25,
					"again-in", 20*time.Millisecond, "empty", "", "yes", true, "at", time.Unix(0, 0).UTC(), "many", []string{"x", "y z"}, "none", nil, "two", "a\nb")
			},
		},
		"with": {
			func(l *slog.Logger) { l.With("machine", 1, "by", "peer").Error("closed", "reason", "no") },
			func(l hclog.Logger) { l.With("machine", 1, "by", "peer").Error("closed", "reason", "no") },
		},
		"groups": {
			func(l *slog.Logger) {
				l.With("a", 1).WithGroup("g").With("b", 2).WithGroup("h").Info("x", "c", 3, slog.Group("i", "d", 4), slog.Group("", "e", 5), slog.Group("none"), slog.Attr{})
			},
			func(l hclog.Logger) { l.With("a", 1).With("g.b", 2).Info("x", "g.h.c", 3, "g.h.i.d", 4, "g.h.e", 5) },
		},
		"a value that is found out late": {
			func(l *slog.Logger) { l.Info("x", "late", late{}) },
			func(l hclog.Logger) { l.Info("x", "late.k", "v") },
		},
	} {
		for level := hclog.Trace; level <= hclog.Off; level++ {
			var got, want bytes.Buffer
			c.slog(logging.Slog(hclogTo(&got, level)))
			c.hclog(hclogTo(&want, level))
			assert.Equal(t, want.String(), got.String(), "%s at level %v", name, level)
			assert.True(t, got.Len() > 0 || level > hclog.Trace, "%s: something is written", name)
		}
	}
}

type late struct{}

func (late) LogValue() slog.Value { return slog.GroupValue(slog.String("k", "v")) }

func TestSlogIsEnabledAsHclogIs(t *testing.T) {
	for level, want := range map[hclog.Level][]bool{
		hclog.Trace: {true, true, true, true, true},
		hclog.Info:  {false, false, true, true, true},
		hclog.Error: {false, false, false, false, true},
		hclog.Off:   {false, false, false, false, false},
	} {
		l := logging.Slog(hclogTo(new(bytes.Buffer), level))
		for i, at := range []slog.Level{slog.LevelDebug - 1, slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
			assert.Equal(t, want[i], l.Enabled(t.Context(), at), "%v at %v", at, level)
		}
	}
}

// The rules of the standard library, but for the time, which is hclog's own.
func TestSlogKeepsTheRulesOfHandlers(t *testing.T) {
	var buf bytes.Buffer
	slogtest.Run(t, func(t *testing.T) slog.Handler {
		if strings.HasSuffix(t.Name(), "zero-time") {
			t.Skip("hclog has a time of its own")
		}
		buf.Reset()
		return logging.Slog(hclog.New(&hclog.LoggerOptions{Output: &buf, JSONFormat: true})).Handler()
	}, func(t *testing.T) map[string]any {
		var flat map[string]any
		require.NoError(t, json.Unmarshal(buf.Bytes(), &flat))
		return nested(flat)
	})
}

// nested turns keys g.k into a map k within a map g, and hclog's own keys into
// slog's.
func nested(flat map[string]any) map[string]any {
	own := map[string]string{"@timestamp": slog.TimeKey, "@level": slog.LevelKey, "@message": slog.MessageKey}
	all := map[string]any{}
	for key, v := range flat {
		if name, ok := own[key]; ok {
			key = name
		}
		m, path := all, strings.Split(key, ".")
		for _, group := range path[:len(path)-1] {
			if m[group] == nil {
				m[group] = map[string]any{}
			}
			m = m[group].(map[string]any)
		}
		m[path[len(path)-1]] = v
	}
	return all
}

package logging

import (
	"context"
	"log/slog"

	"github.com/hashicorp/go-hclog"
)

// Slog returns a logger of the standard library that writes to l, for packages
// that ask for no more than that. A line is the same as if l had been called
// with the attributes as its pairs: an attribute k in a group g is the pair
// g.k, and what [slog.Logger.With] adds is added by l.With. Levels below
// [slog.LevelDebug] are l's Trace; a level between two of l's counts as the lower.
// The time is l's own.
func Slog(l hclog.Logger) *slog.Logger { return slog.New(&slogHandler{to: l}) }

// slogHandler passes records on to an hclog.Logger.
type slogHandler struct {
	to     hclog.Logger
	prefix string // of keys: the open groups, each with a dot behind it
}

func hclogLevel(level slog.Level) hclog.Level {
	switch {
	case level < slog.LevelDebug:
		return hclog.Trace
	case level < slog.LevelInfo:
		return hclog.Debug
	case level < slog.LevelWarn:
		return hclog.Info
	case level < slog.LevelError:
		return hclog.Warn
	}
	return hclog.Error
}

// Enabled implements [slog.Handler].
func (h *slogHandler) Enabled(_ context.Context, level slog.Level) bool {
	switch hclogLevel(level) {
	case hclog.Trace:
		return h.to.IsTrace()
	case hclog.Debug:
		return h.to.IsDebug()
	case hclog.Info:
		return h.to.IsInfo()
	case hclog.Warn:
		return h.to.IsWarn()
	default:
		return h.to.IsError()
	}
}

// Handle implements [slog.Handler].
func (h *slogHandler) Handle(_ context.Context, r slog.Record) error {
	pairs := make([]any, 0, 2*r.NumAttrs())
	r.Attrs(func(a slog.Attr) bool {
		pairs = appendPairs(pairs, h.prefix, a)
		return true
	})
	h.to.Log(hclogLevel(r.Level), r.Message, pairs...)
	return nil
}

// WithAttrs implements [slog.Handler].
func (h *slogHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	var pairs []any
	for _, a := range attrs {
		pairs = appendPairs(pairs, h.prefix, a)
	}
	if len(pairs) == 0 {
		return h
	}
	return &slogHandler{to: h.to.With(pairs...), prefix: h.prefix}
}

// WithGroup implements [slog.Handler].
func (h *slogHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return &slogHandler{to: h.to, prefix: h.prefix + name + "."}
}

// appendPairs appends an attribute, or those of a group, as [slog.Handler]
// has it: an empty one is left out, and a group without a name is no group.
func appendPairs(pairs []any, prefix string, a slog.Attr) []any {
	v := a.Value.Resolve()
	switch {
	case v.Kind() == slog.KindGroup:
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, member := range v.Group() {
			pairs = appendPairs(pairs, prefix, member)
		}
		return pairs
	case a.Equal(slog.Attr{}):
		return pairs
	}
	return append(pairs, prefix+a.Key, v.Any())
}

package logging

import (
	"io"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scalemodel/lamport/pkg/internal/quote"
)

// Diagnostics returns the logger of a process's diagnostics, meant for its standard
// error: one hclog text line per message, with the same times as the event log,
// so that the two can be read side by side. name is the process, such as vm-0
// or launcher; messages below level are left out.
func Diagnostics(w io.Writer, name string, level hclog.Level) hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{
		Name:       name,
		Level:      level,
		Output:     quote.Writer(w), // values may hold what a stranger has said
		TimeFormat: TimeFormat,
		TimeFn:     func() time.Time { return time.Now().UTC() },
	})
}

package main

import (
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/vm"
)

// logTos are what --log-to takes.
var logTos = []string{"file", "stdout"}

func logToFlag(env func(string) []string) cli.Flag {
	return &cli.StringFlag{Name: "log-to", Usage: "`WHERE` the event log goes: file, or stdout for the file and standard output; the result goes to standard error then", Value: "file", EnvVars: env("LOG_TO")}
}

// parseLogTo reports whether the event log goes to standard output, too.
func parseLogTo(c *cli.Context) (stdout bool, err error) {
	switch c.String("log-to") {
	case "file":
		return false, nil
	case "stdout":
		return true, nil
	}
	return false, command.Usage("--log-to %q: want file or stdout", c.String("log-to"))
}

// How long the end of the process waits for whoever takes the event log from standard output:
// as long as something is taken now and then, and not for ever.
const (
	takesNothing = 2 * time.Second
	takesSlowly  = 5 * time.Second
)

// copyLog copies the event log to standard output while it is written, and returns where the
// result goes, and what is to be called behind the machine's end.
func (o *options) copyLog(cfg *vm.Config, stdout, stderr io.Writer) (result io.Writer, done func(), err error) {
	if !o.logToStdout {
		return stdout, func() {}, nil
	}
	path := filepath.Join(cfg.LogDir, logging.FileName(cfg.ID, cfg.Rate))
	f, err := logging.Follow(path, stdout)
	if err != nil {
		return nil, nil, exit.With(exit.Misused, fmt.Errorf("--log-to stdout: %w", err))
	}
	return stderr, func() {
		switch left, err := f.Close(takesNothing, takesSlowly); {
		case left > 0 && err != nil:
			cfg.Logger.Warn("standard output has not taken all of the event log; it is whole in its file", "missing-bytes", left, "file", path, "error", err)
		case left > 0:
			cfg.Logger.Warn("standard output has not taken all of the event log in time; it is whole in its file", "missing-bytes", left, "file", path)
		}
	}, nil
}

// attended does for a machine that no launcher looks after what its environment wants: it
// passes the event log on and says how the machine is. result is where the result goes; copied
// is to be called at the machine's end, and leave at that of the process.
func (o *options) attended(cfg *vm.Config, stdout, stderr io.Writer) (result io.Writer, copied, leave func(), err error) {
	leave, err = o.health.attend(cfg)
	if err != nil {
		return nil, nil, nil, err
	}
	result, copied, err = o.copyLog(cfg, stdout, stderr)
	if err != nil {
		leave()
		return nil, nil, nil, err
	}
	return result, copied, leave, nil
}

// Command launcher runs a cluster of virtual machines on this host.
package main

import (
	"context"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/lab"
)

func main() {
	os.Exit(execute(context.Background(), os.Args, os.Stdout, os.Stderr))
}

func execute(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	app := &cli.App{
		Name:                 "launcher",
		Usage:                "a scale model of a distributed system with logical clocks",
		UsageText:            "launcher [run] [flags]",
		Description:          "Without a command, launcher runs a cluster: see \"launcher run --help\".",
		EnableBashCompletion: true,
		Flags:                runFlags(),
		Before:               flagsBehindCommand,
		Action:               command.PipedToTheEnd(action(runOptions)),
		Commands: []*cli.Command{
			runCommand(), simCommand(), checkCommand(), statsCommand(), orderCommand(), exportCommand(), diagramCommand(),
			replayCommand(), rerunCommand(), sweepCommand(),
		},
	}
	return command.Run(ctx, app, args, stdout, stderr)
}

// flagsBehindCommand refuses the flags of a run before the name of a command,
// which would be read and then forgotten.
func flagsBehindCommand(c *cli.Context) error {
	if name := c.Args().First(); c.NumFlags() > 0 && c.App.Command(name) != nil {
		return command.Usage("flags go after the command: launcher %s --%s …", name, c.LocalFlagNames()[0])
	}
	return nil
}

// job is what a command line asks for, with all its options.
type job interface {
	Run(ctx context.Context, env *lab.Env) error
}

// action makes the action of a command out of what reads its flags.
func action[J job](options func(*cli.Context) (J, error)) cli.ActionFunc {
	return func(c *cli.Context) error {
		j, err := options(c)
		if err == nil {
			err = j.Run(c.Context, &lab.Env{
				Version: command.Version(), Out: c.App.Writer, Err: c.App.ErrWriter, Quiet: c.Bool("quiet"),
			})
		}
		return hint(err)
	}
}

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
	return command.Run(ctx, app(args[0]), args, stdout, stderr)
}

// programKey is where the app keeps how it was called.
const programKey = "program"

func app(program string) *cli.App {
	return &cli.App{
		Name:        "launcher",
		Usage:       "a scale model of a distributed system with logical clocks",
		UsageText:   "launcher [run] [flags]",
		Description: "Without a command, launcher runs a cluster: see \"launcher run --help\".",
		Metadata:    map[string]any{programKey: program, command.ChoicesKey: choices()},
		Flags:       runFlags(),
		Before:      flagsBehindCommand,
		Action:      command.PipedToTheEnd(action(runOptions)),
		Commands: []*cli.Command{
			runCommand(), simCommand(), checkCommand(), statsCommand(), explainCommand(), orderCommand(), exportCommand(), diagramCommand(),
			reportCommand(), replayCommand(), rerunCommand(), sweepCommand(), certsCommand(), gatherCommand(), deliverCommand(), completionCommand(),
		},
	}
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
		colours, err := colours(c)
		if err != nil {
			return err
		}
		j, err := options(c)
		if err == nil {
			program, _ := c.App.Metadata[programKey].(string)
			err = j.Run(c.Context, &lab.Env{
				Program: program, Version: command.Version(), In: c.App.Reader, Out: c.App.Writer, Err: c.App.ErrWriter,
				Quiet: c.Bool("quiet"), Wide: c.Bool("wide"), Colours: colours,
			})
		}
		return hint(err)
	}
}

package main

import (
	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/lab"
	"github.com/scalemodel/lamport/pkg/report"
	"github.com/scalemodel/lamport/pkg/sim/hunt"
)

func completionCommand() *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Usage:     "print the script with which a shell completes the command lines of launcher and vm",
		UsageText: "launcher completion bash|zsh|fish",
		Description: `In this shell, or in its start file for every new one:

  source <(launcher completion bash)
  source <(launcher completion zsh)       # behind compinit
  launcher completion fish | source

docs/terminal.md names the directories where shells look for such scripts by themselves.`,
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return command.Usage("completion: for which shell? Want %s", oneOf(command.Shells))
			}
			script, ok := command.CompletionScript(c.Args().First())
			if !ok {
				return command.Usage("completion %q: want %s", c.Args().First(), oneOf(command.Shells))
			}
			_, err := c.App.Writer.Write(script)
			return err
		},
	}
}

// choices are the values of flags that take one of few, for completion.
func choices() command.Choices {
	return command.Choices{
		"color":          {"auto", "always", "never"},
		"log-level":      command.LogLevels,
		"restart":        {"never", "on-failure"},
		"phase":          {"together", "random"},
		"pace":           {"max", "recorded"},
		"rates":          {"1,5,4", "max", "random"},
		"ports":          {"auto"},
		"kind":           {"internal", "send", "receive"},
		"bug":            hunt.Mistakes(),
		"check format":   lab.CheckFormats,
		"stats format":   report.StatsFormats,
		"explain format": lab.ExplainFormats,
		"export format":  exportFormats(),
		"diagram format": report.DiagramFormats,
		"completion":     command.Shells,
	}
}

// Command launcher runs a cluster of virtual machines on this host.
package main

import (
	"context"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/command"
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
		Action:               runCluster,
		Commands:             []*cli.Command{runCommand(), checkCommand()},
	}
	return command.Run(ctx, app, args, stdout, stderr)
}

package command_test

import (
	"context"
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/command"
)

// Wrong usage is one line, on standard error; here the two are one.
func ExampleRun() {
	app := func() *cli.App {
		return &cli.App{
			Name:  "dice",
			Flags: []cli.Flag{&cli.IntFlag{Name: "faces", Value: 10}},
			Action: func(c *cli.Context) error {
				if c.Int("faces") < 1 {
					return command.Usage("--faces %d: want at least 1", c.Int("faces"))
				}
				_, err := fmt.Fprintln(c.App.Writer, "a die with", c.Int("faces"), "faces")
				return err
			},
		}
	}
	for _, args := range [][]string{{"dice"}, {"dice", "--faces", "0"}, {"dice", "--colour", "red"}} {
		code := command.Run(context.Background(), app(), args, os.Stdout, os.Stdout)
		fmt.Println(code)
	}
	// Output:
	// a die with 10 faces
	// 0
	// dice: --faces 0: want at least 1
	// 2
	// dice: unknown flag -colour; "dice --help" lists the flags
	// 2
}

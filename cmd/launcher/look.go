package main

import (
	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/lab"
)

// looks are the flags that say how a result looks.
var looks = []string{"wide", "color"}

func lookFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "wide", Usage: "show all columns of every table side by side, even where they do not fit", EnvVars: []string{"LAUNCHER_WIDE"}},
		colorFlag(),
	}
}

func colorFlag() cli.Flag {
	return &cli.StringFlag{Name: "color", Usage: "`WHEN` to use colours: auto (on a terminal), always or never", Value: "auto", EnvVars: []string{"LAUNCHER_COLOR"}}
}

// colours reads --color.
func colours(c *cli.Context) (lab.Colours, error) {
	colours, err := lab.ParseColours(c.String("color"))
	if err != nil {
		return "", command.Usage("--color %w", err)
	}
	return colours, nil
}

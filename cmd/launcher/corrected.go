package main

import "github.com/urfave/cli/v2"

// correctedFlag takes times by the clock of one host.
func correctedFlag() cli.Flag {
	return &cli.BoolFlag{Name: "corrected", Usage: "take all times by the clock of machine 0, where machines ran on several hosts (docs/clocks-apart.md)"}
}

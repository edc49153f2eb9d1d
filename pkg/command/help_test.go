package command

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/internal/terminal"
)

func help(width int) string {
	var b strings.Builder
	printHelp(&b, width, &page{
		name: "app run", usage: "runs what there is to run", synopsis: "app run [flags] DIR...",
		description: "A sentence that was broken\nwhere it is not to be. For example\n\n  app run --id 7 here\n\nThe end.",
		flags: []cli.Flag{
			&cli.IntFlag{Name: "id", Usage: "the `ID` of the one that is meant, as it was told to all others", EnvVars: []string{"APP_ID"}},
			&cli.DurationFlag{Name: "a-flag-with-a-name-of-its-own", Usage: "`TIME` to wait"},
		},
		commands: []*cli.Command{{Name: "now", Usage: "at once"}, {Name: "tomorrow", Usage: "later"}},
	})
	return b.String()
}

func TestHelp(t *testing.T) {
	assert.Equal(t, `NAME:
   app run - runs what there is to run

USAGE:
   app run [flags] DIR...

DESCRIPTION:
   A sentence that was broken where it is not to be. For
   example

     app run --id 7 here

   The end.

COMMANDS:
   now       at once
   tomorrow  later

OPTIONS:
   --id ID  the ID of the one that is meant, as it was told
            to all others (default: 0) [$APP_ID]
   --a-flag-with-a-name-of-its-own TIME
            TIME to wait (default: 0s)
`, help(60))
}

// It fits, as far as words do, and on the narrowest terminal it comes to an end.
func TestHelpOfAnyWidth(t *testing.T) {
	for width := 1; width <= 100; width++ {
		text := help(width)
		assert.Equal(t, strings.Fields(help(100)), strings.Fields(text))
		for line := range strings.SplitSeq(text, "\n") {
			if width >= 40 {
				assert.LessOrEqual(t, terminal.Width(line), width, "%q", line)
			}
		}
	}
}

// Every command has it.
func TestHelpIsOurs(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"run", "--help"}} {
		_, stdout, _ := execute(nothing, args...)
		assert.Contains(t, stdout, "\nOPTIONS:\n   --id ID ")
	}
}

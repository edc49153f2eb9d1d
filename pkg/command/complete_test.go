package command

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/urfave/cli/v2"
)

// typing is an app with all that there is to complete.
func typing() *cli.App {
	return &cli.App{
		Name:     "app",
		Metadata: map[string]any{ChoicesKey: Choices{"format": {"svg", "text"}, "show format": {"csv"}, "kind": {"send", "stop", "internal"}, "shell": {"bash", "zsh"}}},
		Flags:    []cli.Flag{&cli.IntFlag{Name: "id", Usage: "the `ID`"}, &cli.StringFlag{Name: "format"}},
		Commands: []*cli.Command{
			{Name: "run", Usage: "runs it", UsageText: "app run [flags]", Flags: []cli.Flag{
				&cli.StringFlag{Name: "format"},
				&cli.BoolFlag{Name: "sync", Usage: "waits"},
				&cli.StringFlag{Name: "out", Usage: "`DIR` for it"},
				&cli.StringFlag{Name: "o", Usage: "write to `FILE`"},
				&cli.StringFlag{Name: "secret", Hidden: true},
				&cli.StringSliceFlag{Name: "kind"},
			}},
			{Name: "show", Usage: "shows it", UsageText: "app show [flags] DIR...", Flags: []cli.Flag{&cli.StringFlag{Name: "format"}}},
			{Name: "shell", Usage: "helps it", UsageText: "app shell bash|zsh"},
			{Name: "ghost", Hidden: true},
		},
	}
}

func TestCompletions(t *testing.T) {
	for line, want := range map[string]string{ // words, and what can stand in the place of the last
		"":                      "run show shell help :none",
		"s":                     "show shell :none",
		"r":                     "run :none",
		"x":                     ":none",
		"--":                    "--format --help --id --version :none",
		"--i":                   "--id :none",
		"--id |":                ":none",
		"--id 3 |":              ":none", // flags of a run are not for before a command
		"--format |":            "svg text :none",
		"help |":                "run show shell :none",
		"help s":                "show shell :none",
		"help run |":            ":none",
		"run |":                 ":none",
		"run --s":               "--sync :none",
		"run -":                 "--format --help --kind --out --sync -h -o :none",
		"run --sync |":          ":none",
		"run --sync --o":        "--out :none",
		"run --format |":        "svg text :none",
		"run --format t":        "text :none",
		"run --format=t":        "--format=text :none",
		"run --format = t":      "--format=text :none", // as bash takes it apart
		"run --format = |":      "--format=svg --format=text :none",
		"run --format =":        "--format=svg --format=text :none",
		"run --bogus=t":         ":none",
		"run --format=svg --sy": "--sync :none",
		"run --kind s":          "send stop :none",
		"run --kind send,s":     "send,send send,stop :none",
		"run --kind=send,i":     "--kind=send,internal :none",
		"run --out |":           ":dirs",
		"run --out=|":           ":dirs",
		"run -o |":              ":files",
		"run --out --sync --f":  "--format :none", // --sync is what --out is set to
		"show |":                ":files",
		"show runs/latest |":    ":files",
		"show --format |":       "csv :none",
		"show x --format |":     "csv :none",
		"show -- --f":           ":files",
		"shell |":               "bash zsh :none",
		"shell z":               "zsh :none",
		"shell bash |":          ":none",
		"ghost --h":             "--help :none",
		"- |":                   ":none",
		"nonsense --i":          "--id :none",
		"nonsense run --f":      "--format :none",
	} {
		t.Run(line, func(t *testing.T) {
			words := strings.Fields(line)
			if last := len(words) - 1; last >= 0 {
				words[last] = strings.TrimSuffix(words[last], "|")
			}
			c := completions(typing(), words)
			var got []string
			for _, w := range c.words {
				got = append(got, w[0])
			}
			assert.Equal(t, want, strings.Join(append(got, string(c.files)), " "))
		})
	}
}

// A program answers in lines that each script reads, and does nothing else.
func TestCompleteAnswers(t *testing.T) {
	var out, errs strings.Builder
	a := typing()
	a.Action = func(*cli.Context) error { t.Error("the action ran"); return nil }
	require.Zero(t, Run(t.Context(), a, []string{"app", completeArg, "run", "--o"}, &out, &errs))
	assert.Equal(t, "--out\tDIR for it\n:none\n", out.String())
	assert.Empty(t, errs.String())
}

func TestCompletionScripts(t *testing.T) {
	for _, shell := range Shells {
		script, ok := CompletionScript(shell)
		require.True(t, ok)
		assert.Contains(t, string(script), completeArg)
	}
	_, ok := CompletionScript("../complete.go")
	assert.False(t, ok)
}

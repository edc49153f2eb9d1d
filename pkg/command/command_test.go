package command

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/exit"
)

// app is a command like ours, with a subcommand.
func app(action cli.ActionFunc) *cli.App {
	flags := func() []cli.Flag {
		return []cli.Flag{
			&cli.IntFlag{Name: "id", Usage: "`ID` of it", EnvVars: []string{"APP_ID"}},
			&cli.DurationFlag{Name: "duration"},
		}
	}
	return &cli.App{
		Name:     "app",
		Usage:    "a command",
		Flags:    flags(),
		Action:   action,
		Commands: []*cli.Command{{Name: "run", Usage: "runs", Flags: flags(), Action: action}},
	}
}

func execute(action cli.ActionFunc, args ...string) (code int, stdout, stderr string) {
	var out, errs strings.Builder
	code = Run(context.Background(), app(action), append([]string{"app"}, args...), &out, &errs)
	return code, out.String(), errs.String()
}

func nothing(*cli.Context) error { return nil }

func TestExitCodes(t *testing.T) {
	tests := []struct {
		name   string
		err    error
		code   int
		stderr string
	}{
		{"fine", nil, exit.OK, ""},
		{"broken", exit.With(exit.Broken, errors.New("law fifo is broken")), exit.Broken, "app: law fifo is broken\n"},
		{"usage", Usage("--id %d: %w", 7, errors.New("too large")), exit.Misused, "app: --id 7: too large\n"},
		{"died", exit.With(exit.Died, errors.New("machine 1 died")), exit.Died, "app: machine 1 died\n"},
		{"interrupted without a word", exit.With(exit.Interrupted, nil), exit.Interrupted, ""},
		{"an error without a code", errors.New("whatever"), exit.Misused, "app: whatever\n"},
		{"wrapped", fmt.Errorf("run: %w", exit.With(exit.Died, errors.New("machine 1 died"))), exit.Died, "app: run: machine 1 died\n"},
		{"joined with nothing", errors.Join(nil, exit.With(exit.Interrupted, nil)), exit.Interrupted, ""},
		{"many lines become one", exit.With(exit.Died, errors.New("its last words:\n  panic\n\n\tgoroutine 1\n")), exit.Died, "app: its last words: panic goroutine 1\n"},
		{"cli's own exits do not end the process", cli.Exit("gone", 7), exit.Misused, "app: gone\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, args := range [][]string{nil, {"run"}} {
				code, stdout, stderr := execute(func(*cli.Context) error { return tt.err }, args...)
				assert.Equal(t, tt.code, code)
				assert.Empty(t, stdout)
				assert.Equal(t, tt.stderr, stderr)
			}
		})
	}
}

func TestErrorsKeepTheirCause(t *testing.T) {
	cause := errors.New("cause")
	require.ErrorIs(t, Usage("--id: %w", cause), cause)
	require.ErrorIs(t, exit.With(exit.Died, cause), cause)
	require.EqualError(t, exit.With(exit.Died, cause), "cause")
}

func TestWrongFlagsGiveOneLine(t *testing.T) {
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"--bogus"}, `app: unknown flag -bogus; "app --help" lists the flags`},
		{[]string{"--bogus=3"}, `app: unknown flag -bogus; "app --help" lists the flags`},
		{[]string{"run", "--bogus"}, `app: unknown flag -bogus; "app run --help" lists the flags`},
		{[]string{"--id"}, `app: flag needs an argument: -id; "app --help" lists the flags`},
		{[]string{"--id", "x"}, `app: --id "x": want a whole number`},
		{[]string{"run", "--duration", "5"}, `app: --duration "5": a time needs its unit, for example 5s`},
		{[]string{"run", "--duration", "1.5"}, `app: --duration "1.5": a time needs its unit, for example 1.5s`},
		{[]string{"run", "--duration", "soon"}, `app: --duration "soon": want a time with its unit, for example 90s or 1m30s`},
		{[]string{"run", "--durations", "5s"}, `app: unknown flag -durations: did you mean --duration? "app run --help" lists the flags`},
		{[]string{"run", "x", "--id"}, `app: flag needs an argument: -id; "app run --help" lists the flags`},
		{[]string{"help", "rum"}, `app: No help topic for 'rum'`},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			code, stdout, stderr := execute(nothing, tt.args...)
			assert.Equal(t, exit.Misused, code)
			assert.Empty(t, stdout)
			assert.Equal(t, tt.want+"\n", stderr)
		})
	}
}

func TestWrongEnvironmentGivesOneLine(t *testing.T) {
	t.Setenv("APP_ID", "x")
	for _, args := range [][]string{nil, {"run"}} {
		code, stdout, stderr := execute(nothing, args...)
		assert.Equal(t, exit.Misused, code)
		assert.Empty(t, stdout)
		assert.Equal(t, "app: --id \"x\", from the environment variable APP_ID: want a whole number\n", stderr)
	}
}

// What is wrong with a value is for the command to say, and where it is from is not.
func TestErrorNamesTheEnvironment(t *testing.T) {
	t.Setenv("APP_ID", "7")
	const from = " (from the environment variable APP_ID)\n"
	for _, tt := range []struct{ args, says, want string }{
		{"", "--id 7: it is taken", "app: --id 7: it is taken" + from},
		{"run", "--id: it is taken", "app: --id: it is taken" + from},
		{"--id 7", "--id 7: it is taken", "app: --id 7: it is taken\n"},
		{"run --id=7", "--id 7: it is taken", "app: --id 7: it is taken\n"},
		{"", "--id 7, as APP_ID says: it is taken", "app: --id 7, as APP_ID says: it is taken\n"},
		{"", "--duration 1s: too short", "app: --duration 1s: too short\n"},
		{"", "--ids 7: there is no such flag", "app: --ids 7: there is no such flag\n"},
		{"", "the port is taken: see --id", "app: the port is taken: see --id\n"},
	} {
		_, _, stderr := execute(func(*cli.Context) error { return Usage("%s", tt.says) }, strings.Fields(tt.args)...)
		assert.Equal(t, tt.want, stderr)
	}
}

// A script that passes on a variable that is not set means no value.
func TestEmptyEnvironmentIsNone(t *testing.T) {
	for _, args := range [][]string{nil, {"run"}} {
		t.Setenv("APP_ID", "")
		code, _, stderr := execute(func(c *cli.Context) error {
			assert.False(t, c.IsSet("id"))
			return nil
		}, args...)
		assert.Equal(t, exit.OK, code, stderr)
	}
}

func TestFlagsStandAnywhere(t *testing.T) {
	for line, want := range map[string]struct {
		id   int
		args []string
	}{
		"run a b":                  {0, []string{"a", "b"}},
		"run --id 3 a":             {3, []string{"a"}},
		"run a --id 3 b":           {3, []string{"a", "b"}},
		"run a b --id=3":           {3, []string{"a", "b"}},
		"run a -id 3":              {3, []string{"a"}},
		"run a -- --id 3":          {0, []string{"a", "--id", "3"}},
		"run - --id 3":             {3, []string{"-"}},
		"run --id 3":               {3, nil},
		"--duration 1s run --id 3": {3, nil}, // that is for the app to refuse
	} {
		code, _, stderr := execute(func(c *cli.Context) error {
			assert.Equal(t, want.id, c.Int("id"), line)
			assert.ElementsMatch(t, want.args, c.Args().Slice(), line)
			return nil
		}, strings.Fields(line)...)
		assert.Equal(t, exit.OK, code, "%s: %s", line, stderr)
	}
}

func TestUnknownCommand(t *testing.T) {
	a := app(nothing)
	a.Commands = append(a.Commands, &cli.Command{Name: "check"}, &cli.Command{Name: "export"})
	for name, want := range map[string]string{
		"chekc":  `unknown command "chekc": did you mean "check"? "app --help" lists them`,
		"exprot": `unknown command "exprot": did you mean "export"? "app --help" lists them`,
		"rum":    `unknown command "rum": did you mean "run"? "app --help" lists them`,
		"":       `unknown command ""; "app --help" lists them`,
		"dance":  `unknown command "dance"; "app --help" lists them`,
	} {
		assert.EqualError(t, UnknownCommand(a, name), want)
	}
}

func TestHelpAndVersionAreResults(t *testing.T) {
	never := func(*cli.Context) error {
		t.Error("the action ran")
		return nil
	}
	for _, args := range [][]string{{"--help"}, {"-h"}, {"run", "--help"}, {"run", "x", "--help"}, {"help"}, {"help", "run"}} {
		code, stdout, stderr := execute(never, args...)
		assert.Equal(t, exit.OK, code)
		assert.Contains(t, stdout, "--duration")
		assert.Empty(t, stderr)
	}
	code, stdout, stderr := execute(never, "--version")
	assert.Equal(t, exit.OK, code)
	assert.Equal(t, "app version "+Version()+"\n", stdout)
	assert.Empty(t, stderr)
}

func TestVersion(t *testing.T) {
	assert.NotEmpty(t, Version())
	defer func(before string) { version = before }(version)
	version = "v1.2.3"
	assert.Equal(t, "v1.2.3", Version())
}

package command

import (
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
	"github.com/xrash/smetrics"
)

// unsetEmpty unsets the environment variables of flags that are set to nothing: a
// script that passes on a variable that it does not have means no value.
func unsetEmpty(flags []cli.Flag) {
	for _, f := range flags {
		doc, ok := f.(cli.DocGenerationFlag)
		if !ok {
			continue
		}
		for _, name := range doc.GetEnvVars() {
			if value, set := os.LookupEnv(name); set && value == "" {
				_ = os.Unsetenv(name)
			}
		}
	}
}

var aboutFlag = regexp.MustCompile(`^--([a-z][a-z-]*[a-z])`)

// fromEnvironment returns words behind an error about a flag that nobody has written: they name the
// environment variable that it is from. It returns "" for all other errors.
func fromEnvironment(app *cli.App, args []string, err error) string {
	m := aboutFlag.FindStringSubmatch(err.Error())
	if m == nil || slices.ContainsFunc(args, func(arg string) bool {
		name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		return name == m[1] && strings.HasPrefix(arg, "-")
	}) {
		return ""
	}
	flags := app.Flags
	if _, of := commandOf(app, args); of != nil {
		flags = slices.Concat(flags, of.Flags)
	}
	f, ok := named(flags, m[1]).(cli.DocGenerationFlag)
	if !ok {
		return ""
	}
	for _, name := range f.GetEnvVars() {
		if os.Getenv(name) != "" && !strings.Contains(err.Error(), name) {
			return " (from the environment variable " + name + ")"
		}
	}
	return ""
}

// commandOf returns the command that arguments name, and where they do: nil where that is none.
func commandOf(app *cli.App, args []string) (at int, of *cli.Command) {
	at = slices.IndexFunc(args, func(arg string) bool { return !strings.HasPrefix(arg, "-") })
	if at < 0 {
		return at, nil
	}
	return at, app.Command(args[at])
}

// flagsFirst returns the arguments of a program with the flags of its command
// before everything else, since the library reads no flag behind an argument. What
// stands behind "--" stays there.
func flagsFirst(app *cli.App, args []string) []string {
	first, of := commandOf(app, args)
	if of == nil {
		return args
	}
	flags, others := slices.Clone(args[:first+1]), []string(nil)
	rest := args[first+1:]
	for i := 0; i < len(rest); i++ {
		arg := rest[i]
		switch {
		case arg == "--":
			others = append(others, rest[i+1:]...)
			i = len(rest)
		case len(arg) < 2 || arg[0] != '-':
			others = append(others, arg)
		default:
			flags = append(flags, arg)
			if !takesValue(of.Flags, arg) {
				continue
			}
			if i++; i == len(rest) { // it lacks its value, which nothing else may become
				return flags
			}
			flags = append(flags, rest[i])
		}
	}
	if len(others) == 0 || slices.Contains(flags, "--help") || slices.Contains(flags, "-h") { // of which others are no topics
		return flags
	}
	return slices.Concat(flags, []string{"--"}, others)
}

// takesValue reports whether the argument behind a flag belongs to it.
func takesValue(flags []cli.Flag, arg string) bool {
	f := named(flags, strings.TrimLeft(arg, "-"))
	if f == nil { // unknown, or with its value behind a "="
		return false
	}
	_, isSwitch := f.(*cli.BoolFlag)
	return !isSwitch
}

func named(flags []cli.Flag, name string) cli.Flag {
	i := slices.IndexFunc(flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) })
	if i < 0 {
		return nil
	}
	return flags[i]
}

var (
	invalidValue = regexp.MustCompile(`^invalid (?:boolean )?value "(.*)" for (?:flag )?-(\S+): `)
	invalidEnv   = regexp.MustCompile(`^could not parse "(.*)" as .* value from environment variable "(.*)" for flag (\S+): `)
)

// wrongFlag says what the library has found wrong with the flags of a command, and
// how to mend it.
func wrongFlag(command string, flags []cli.Flag, err error) error {
	what := err.Error()
	if m := invalidValue.FindStringSubmatch(what); m != nil {
		return Usage("--%s %q: %s", m[2], m[1], wanted(named(flags, m[2]), m[1]))
	}
	if m := invalidEnv.FindStringSubmatch(what); m != nil {
		return Usage("--%s %q, from the environment variable %s: %s", m[3], m[1], m[2], wanted(named(flags, m[3]), m[1]))
	}
	if flag, unknown := strings.CutPrefix(what, "flag provided but not defined: "); unknown {
		var names []string
		for _, f := range flags {
			names = append(names, f.Names()...)
		}
		if like := similar(strings.TrimLeft(flag, "-"), names); like != "" {
			return Usage("unknown flag %s: did you mean --%s? %q lists the flags", flag, like, command+" --help")
		}
		what = "unknown flag " + flag
	}
	return Usage("%s; %q lists the flags", what, command+" --help")
}

var unitless = regexp.MustCompile(`^[0-9.]+$`)

// wanted says what a flag takes instead of this value.
func wanted(f cli.Flag, value string) string {
	switch f.(type) {
	case *cli.DurationFlag:
		if unitless.MatchString(value) {
			return "a time needs its unit, for example " + value + "s"
		}
		return "want a time with its unit, for example 90s or 1m30s"
	case *cli.BoolFlag:
		return "want true or false"
	case *cli.Uint64Flag:
		return "want a whole number that is not negative"
	}
	return "want a whole number"
}

// UnknownCommand says that an app has no command of this name, and which it has
// that is spelled much like it.
func UnknownCommand(app *cli.App, name string) error {
	var names []string
	for _, c := range app.Commands {
		names = append(names, c.Names()...)
	}
	if like := similar(name, names); like != "" {
		return Usage("unknown command %q: did you mean %q? %q lists them", name, like, app.Name+" --help")
	}
	return Usage("unknown command %q; %q lists them", name, app.Name+" --help")
}

// similar returns the name that a misspelled one is likely to stand for, "" if none
// is near.
func similar(wrong string, names []string) string {
	best, nearness := "", 0.8 // 1 is the same word
	for _, name := range names {
		if n := smetrics.JaroWinkler(wrong, name, 0.7, 4); n >= nearness && len(name) > 1 {
			best, nearness = name, n
		}
	}
	return best
}

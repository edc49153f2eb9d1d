package command

import (
	"cmp"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// Choices are the values that a flag takes, or an argument, where there are only few. Their keys
// are "flag", or "command flag" where a command has its own, or "command" for
// the arguments of a command. An app has them in its Metadata, under ChoicesKey.
type Choices map[string][]string

// ChoicesKey is where an app keeps its [Choices].
const ChoicesKey = "choices"

// completeArg is the first argument of a program that a shell asks for completions. The words
// of the command line follow, the last of which is the one that is being typed.
const completeArg = "__complete"

// completion is what can stand in the place of a word.
type completion struct {
	words [][2]string // the word, and what it means
	files kind        // of the files that can stand there too
}

// kind is a kind of files.
type kind string

const (
	noFiles  kind = ":none"
	anyFile  kind = ":files"
	dirsOnly kind = ":dirs"
)

// complete answers a shell: a line for each word, with what it means behind a tab, and a
// last line that says which files are as good.
func complete(w io.Writer, app *cli.App, words []string) {
	c := completions(app, words)
	for _, word := range c.words {
		about, _, _ := strings.Cut(word[1], "\n")
		_, _ = fmt.Fprintf(w, "%s\t%s\n", word[0], about)
	}
	_, _ = fmt.Fprintln(w, c.files)
}

// completions returns what can stand in the place of the last of the words.
func completions(app *cli.App, words []string) completion {
	if len(words) == 0 {
		words = []string{""}
	}
	words = joined(words)
	typed, before := words[len(words)-1], words[:len(words)-1]
	line := parsed(app, before)
	switch flag, value, assigned := strings.Cut(typed, "="); {
	case line.waiting != nil:
		return line.values(line.waiting, "", typed)
	case line.ended:
	case assigned && strings.HasPrefix(typed, "-"):
		if f := named(line.flags, strings.TrimLeft(flag, "-")); f != nil {
			return line.values(f, flag+"=", value)
		}
		return completion{files: noFiles}
	case strings.HasPrefix(typed, "-"):
		return flagNames(line.flags, typed)
	}
	return line.arguments(typed)
}

// joined puts together what bash takes apart at a "=": --format = svg.
func joined(words []string) []string {
	var out []string
	for i := 0; i < len(words); i++ {
		word := words[i]
		if word == "=" && len(out) > 0 && strings.HasPrefix(out[len(out)-1], "--") {
			word = out[len(out)-1] + "="
			out = out[:len(out)-1]
			if i++; i < len(words) {
				word += words[i]
			}
		}
		out = append(out, word)
	}
	return out
}

// typedLine is how far a command line goes before the word that is being typed.
type typedLine struct {
	app     *cli.App
	command *cli.Command // nil: none yet
	flags   []cli.Flag
	args    int      // arguments so far
	flagged bool     // there was a flag
	help    bool     // a command is named to know more of it
	waiting cli.Flag // whose value is being typed; nil: none's
	ended   bool     // behind a "--": there are no more flags
}

func parsed(app *cli.App, words []string) *typedLine {
	l := &typedLine{app: app, flags: append(withHelp(app.Flags), cli.VersionFlag)}
	for _, word := range words {
		switch {
		case l.waiting != nil:
			l.waiting = nil
		case l.ended, !strings.HasPrefix(word, "-"), word == "-":
			l.argument(word)
		case word == "--":
			l.ended = true
		default:
			l.flagged = true
			if takesValue(l.flags, word) {
				l.waiting = named(l.flags, strings.TrimLeft(word, "-"))
			}
		}
	}
	return l
}

func (l *typedLine) argument(word string) {
	if l.command == nil && l.args == 0 && !l.help {
		if l.command = l.app.Command(word); l.command != nil {
			l.flags = withHelp(l.command.Flags)
			return
		}
		if l.help = word == "help" && len(l.app.Commands) > 0; l.help {
			return
		}
	}
	l.args++
}

// withHelp adds the flag that the library adds to those of every command.
func withHelp(flags []cli.Flag) []cli.Flag {
	return append(slices.Clone(flags), cli.HelpFlag)
}

// choices are the values of a flag, or with "" the arguments of the command.
func (l *typedLine) choices(flag string) []string {
	all, _ := l.app.Metadata[ChoicesKey].(Choices)
	if l.command == nil {
		return all[flag]
	}
	if own, ok := all[strings.TrimSpace(l.command.Name+" "+flag)]; ok || flag == "" {
		return own
	}
	return all[flag]
}

// values completes a value of a flag, of which something is typed. before is put before
// each. A flag that takes a list is completed behind each of its commas.
func (l *typedLine) values(f cli.Flag, before, typed string) completion {
	_, list := f.(*cli.StringSliceFlag)
	if cut := strings.LastIndex(typed, ","); list && cut >= 0 {
		before, typed = before+typed[:cut+1], typed[cut+1:]
	}
	c := completion{files: noFiles}
	for _, choice := range l.choices(f.Names()[0]) {
		if strings.HasPrefix(choice, typed) {
			c.words = append(c.words, [2]string{before + choice, ""})
		}
	}
	if doc, ok := f.(cli.DocGenerationFlag); ok && len(c.words) == 0 {
		c.files = filesOf(doc.GetUsage())
	}
	return c
}

// filesOf returns which files the flag with this usage takes.
func filesOf(usage string) kind {
	_, placeholder, _ := strings.Cut(usage, "`")
	placeholder, _, _ = strings.Cut(placeholder, "`")
	switch placeholder {
	case "FILE", "PATH", "PLAN":
		return anyFile
	case "DIR":
		return dirsOnly
	}
	return noFiles
}

// flagNames completes the name of a flag.
func flagNames(flags []cli.Flag, typed string) completion {
	c := completion{files: noFiles}
	for _, f := range flags {
		doc, documented := f.(cli.DocGenerationFlag)
		visible, known := f.(cli.VisibleFlag)
		if !documented || known && !visible.IsVisible() {
			continue
		}
		for _, name := range f.Names() {
			dashes := "--"
			if len(name) == 1 {
				dashes = "-"
			}
			if strings.HasPrefix(dashes+name, typed) {
				c.words = append(c.words, [2]string{dashes + name, strings.ReplaceAll(doc.GetUsage(), "`", "")})
			}
		}
	}
	slices.SortFunc(c.words, func(a, b [2]string) int { return cmp.Compare(a[0], b[0]) })
	return c
}

// arguments completes the name of a command, or an argument of one.
func (l *typedLine) arguments(typed string) completion {
	switch {
	case l.command == nil && l.args == 0 && !l.flagged:
		return commandNames(l.app, typed, !l.help)
	case l.command == nil:
		return completion{files: noFiles}
	}
	c := completion{files: noFiles}
	for _, choice := range l.choices("") {
		if l.args == 0 && strings.HasPrefix(choice, typed) {
			c.words = append(c.words, [2]string{choice, ""})
		}
	}
	if takesFiles.MatchString(l.command.UsageText) {
		c.files = anyFile
	}
	return c
}

// takesFiles matches the synopsis of a command whose arguments are runs or logs.
var takesFiles = regexp.MustCompile(`\[flags\] (?:DIR|FILE|LOG)`)

// commandNames completes the name of a command; with help, also of the one that tells of others.
func commandNames(app *cli.App, typed string, help bool) completion {
	c := completion{files: noFiles}
	commands := app.VisibleCommands()
	if help && len(commands) > 0 {
		commands = append(commands, &cli.Command{Name: "help", Usage: "show what a command is for"})
	}
	for _, cmd := range commands {
		if strings.HasPrefix(cmd.Name, typed) {
			c.words = append(c.words, [2]string{cmd.Name, cmd.Usage})
		}
	}
	return c
}

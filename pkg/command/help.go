package command

import (
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/internal/terminal"
)

// The library's own pages have lines as long as the sentences of the flags. It calls
// this for every page of help, whatever the command.
func init() {
	cli.HelpPrinter = func(w io.Writer, _ string, about any) {
		width := min(terminal.Of(w, terminal.Never).Width, maxHelp)
		switch about := about.(type) {
		case *cli.App:
			printHelp(w, width, &page{
				about.Name, about.Usage, about.UsageText, about.Version, about.Description, about.VisibleCommands(), about.VisibleFlags(),
			})
		case *cli.Command:
			printHelp(w, width, &page{
				about.HelpName, about.Usage, about.UsageText, "", about.Description, nil, about.VisibleFlags(),
			})
		}
	}
}

// maxHelp is how wide a page of help is at most, in columns: longer lines are harder to
// read.
const maxHelp = 80

// page is what a page of help says.
type page struct {
	name, usage, synopsis, version, description string

	commands []*cli.Command
	flags    []cli.Flag
}

func printHelp(w io.Writer, width int, p *page) {
	h := &helpWriter{width: width}
	h.section("NAME", h.wrapped(p.name+" - "+p.usage, len(p.name)+3))
	h.section("USAGE", h.wrapped(p.synopsis, 4))
	if p.version != "" {
		h.section("VERSION", p.version)
	}
	if p.description != "" {
		h.section("DESCRIPTION", h.prose(p.description))
	}
	var commands, flags [][2]string
	for _, c := range p.commands {
		commands = append(commands, [2]string{strings.Join(c.Names(), ", "), c.Usage})
	}
	for _, f := range p.flags {
		name, text, _ := strings.Cut(f.String(), "\t")
		flags = append(flags, [2]string{strings.TrimSpace(name), strings.TrimSpace(text)})
	}
	h.section("COMMANDS", h.list(commands))
	h.section("OPTIONS", h.list(flags))
	_, _ = io.WriteString(w, h.String()) // nobody is told that nobody reads it
}

// helpWriter lays out a page.
type helpWriter struct {
	strings.Builder
	width int
}

// margin is the indent of what stands below a heading.
const margin = "   "

// section writes a heading and what stands below it, if there is anything.
func (h *helpWriter) section(heading, text string) {
	if text == "" {
		return
	}
	if h.Len() > 0 {
		h.WriteString("\n")
	}
	h.WriteString(heading + ":\n")
	for line := range strings.SplitSeq(text, "\n") {
		h.WriteString(strings.TrimRight(margin+line, " ") + "\n")
	}
}

// wrapped breaks a line so that it fits below a heading.
func (h *helpWriter) wrapped(line string, hang int) string {
	return terminal.Wrap(line, max(h.width-len(margin), 1), hang)
}

// prose fills the lines of paragraphs. Those that begin with a space, such as
// examples, stay lines of their own.
func (h *helpWriter) prose(text string) string {
	var lines []string
	filling := false
	for line := range strings.SplitSeq(text, "\n") {
		plain := line != "" && line[0] != ' '
		if plain && filling {
			lines[len(lines)-1] += " " + line
		} else {
			lines = append(lines, line)
		}
		filling = plain
	}
	for i, line := range lines {
		hang := 0
		if strings.HasPrefix(line, " ") {
			hang = 6
		}
		lines[i] = h.wrapped(line, hang)
	}
	return strings.Join(lines, "\n")
}

// maxTerm is how wide the first column of a list is at most. What is wider has a line
// of its own.
const maxTerm = 22

// list puts terms and what they mean into two columns.
func (h *helpWriter) list(entries [][2]string) string {
	column := 0
	for _, e := range entries {
		if width := terminal.Width(e[0]); width <= maxTerm {
			column = max(column, width)
		}
	}
	const between = 2
	var lines []string
	for _, e := range entries {
		term := e[0] + strings.Repeat(" ", max(column-terminal.Width(e[0]), 0)+between)
		if terminal.Width(e[0]) > column {
			lines = append(lines, e[0])
			term = strings.Repeat(" ", column+between)
		}
		lines = append(lines, h.wrapped(term+e[1], column+between))
	}
	return strings.Join(lines, "\n")
}

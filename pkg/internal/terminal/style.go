package terminal

import (
	"regexp"
	"strconv"

	"github.com/scalemodel/lamport/pkg/internal/palette"
)

// Style is how a text looks: the parameters of the control sequence SGR (ECMA-48,
// 8.3.117).
type Style string

// What colours say. Whoever does not see them reads the same words.
const (
	Good    Style = "32"   // green: a run is correct
	Warning Style = "33"   // yellow: something is missing or was late
	Bad     Style = "1;31" // red: a law is broken
)

// Machine is the colour of a machine, as the diagram has it.
func Machine(id int) Style { return Style("38;5;" + strconv.Itoa(palette.Indexed(id))) }

// Paint returns a text in a style, where there are colours; "" is no style. A console
// of Windows takes control sequences since the library of the tables asks it to, when
// the program starts.
func (s Screen) Paint(style Style, text string) string {
	if !s.Colour || style == "" || text == "" {
		return text
	}
	return "\x1b[" + string(style) + "m" + text + "\x1b[0m"
}

var painted = regexp.MustCompile("\x1b\\[[0-9;]*m")

// Plain returns a text without its styles.
func Plain(text string) string { return painted.ReplaceAllString(text, "") }

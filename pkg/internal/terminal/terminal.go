// Package terminal is what there is to know of where text for people goes: how wide
// its lines may be, and whether colours are seen there. What decides that is a pure
// function; [Of] asks the system.
package terminal

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// DefaultWidth is how wide text is for what is no terminal, and for a terminal that
// does not say how wide it is: 80 columns.
const DefaultWidth = 80

// Screen is where text goes. On the zero Screen, lines may have any length and
// there are no colours.
type Screen struct {
	Width  int  // in columns; 0: lines may have any length
	Wide   bool // tables may be wider, because all of their columns are wanted
	Colour bool
	Person bool // it is a terminal, with somebody before it
}

// Of describes where a writer writes to. A writer that passes on what it is given
// says to whom with a method Unwrap.
func Of(w io.Writer, colours Mode) Screen {
	for {
		wrapped, ok := w.(interface{ Unwrap() io.Writer })
		if !ok {
			break
		}
		w = wrapped.Unwrap()
	}
	s := Screen{Width: DefaultWidth}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		s.Person = true
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			s.Width = width
		}
	}
	s.Colour = colours.wanted(os.Getenv, s.Person)
	return s
}

// TableWidth is how wide a table may be, in columns; 0: as wide as it is.
func (s Screen) TableWidth() int {
	if s.Wide {
		return 0
	}
	return s.Width
}

// Mode says when text is to be coloured.
type Mode string

// The modes.
const (
	Auto   Mode = "auto" // where a person sees it, unless the environment says otherwise
	Always Mode = "always"
	Never  Mode = "never"
)

// ParseMode reads a mode; "" is [Auto].
func ParseMode(s string) (Mode, error) {
	switch m := Mode(s); m {
	case "":
		return Auto, nil
	case Auto, Always, Never:
		return m, nil
	}
	return "", fmt.Errorf("%q: want auto, always or never", s)
}

// wanted decides whether text is coloured. The environment speaks as other programs
// have agreed on: NO_COLOR (no-color.org) rules out all colours, and CLICOLOR_FORCE
// (bixense.com/clicolors) asks for them where they could not be seen; a terminal
// that is "dumb" shows none.
func (m Mode) wanted(getenv func(string) string, terminal bool) bool {
	force := getenv("CLICOLOR_FORCE")
	switch {
	case m == Always:
		return true
	case m == Never, getenv("NO_COLOR") != "":
		return false
	case force != "" && force != "0":
		return true
	}
	return terminal && getenv("TERM") != "dumb" && getenv("CLICOLOR") != "0"
}

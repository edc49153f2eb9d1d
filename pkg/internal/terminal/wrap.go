package terminal

import (
	"strings"

	"github.com/mattn/go-runewidth"
)

// cells counts as terminals draw: the language of the environment, for which the
// library would take ± and … for two columns wide, has no say.
var cells = &runewidth.Condition{StrictEmojiNeutral: true}

// Width returns how many columns a text takes, styles apart.
func Width(text string) int { return cells.StringWidth(Plain(text)) }

// minHung is the least width of text that is worth an indent.
const minHung = 20

// Wrap breaks a line between words so that no part is wider than width, with hang
// columns before each part but the first; 0: it is not broken. Spaces before the
// first word and between words stay. A number and its unit stay together, and so
// does a word that is wider than a line.
func Wrap(line string, width, hang int) string {
	if width <= 0 || Width(line) <= width {
		return line
	}
	if width-hang < minHung {
		hang = min(2, width/2)
	}
	var b strings.Builder
	at := 0 // the column that b has come to
	for _, word := range words(line) {
		space := len(word) - len(strings.TrimLeft(word, " "))
		if at > 0 && at+Width(word) > width {
			b.WriteString("\n" + strings.Repeat(" ", hang))
			at, word = hang, word[space:]
		}
		b.WriteString(word)
		at += Width(word)
	}
	return b.String()
}

// words splits a line into what stays together, each with the spaces before it.
func words(line string) (all []string) {
	for line != "" {
		end := len(line) - len(strings.TrimLeft(line, " "))
		if i := strings.IndexByte(line[end:], ' '); i >= 0 {
			end += i
		} else {
			end = len(line)
		}
		word := line[:end]
		if n := len(all); n > 0 && isUnit(word) && isNumber(all[n-1]) {
			all[n-1] += word
		} else {
			all = append(all, word)
		}
		line = line[end:]
	}
	return all
}

// isNumber reports whether a word ends in a digit.
func isNumber(word string) bool { return strings.ContainsAny(word[len(word)-1:], "0123456789") }

// isUnit reports whether a word belongs to the number before it.
func isUnit(word string) bool {
	switch strings.Trim(word, " .,;:)") {
	case "ns", "µs", "ms", "s", "%", "ppm", "M", "G", "T", "P", "E", "±":
		return true
	}
	return false
}

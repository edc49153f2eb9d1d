// Package quote lets people see text that somebody else may have written, and lets
// their terminals and browsers see nothing in it but text.
//
// A name or a version out of a file can hold the escape sequences of a terminal,
// characters without a width, and those that turn the direction of writing, so that
// what is shown is not what is there. Here is what becomes of them, for each kind of
// output.
package quote

import (
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// hidden are characters that count as printable and show nothing, or change what is
// before them.
var hidden = []*unicode.RangeTable{unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector}

// visible reports whether a character shows what it is.
func visible(r rune) bool {
	if r < utf8.RuneSelf {
		return ' ' <= r && r <= '~'
	}
	return unicode.IsPrint(r) && !unicode.In(r, hidden...)
}

// Visible returns s with every character that does not show what it is in the form
// that it has in a Go string: \n, \x1b, \u202e. A byte that is not of UTF-8 becomes
// \x and two digits.
func Visible(s string) string {
	return string(appendVisible(make([]byte, 0, len(s)+16), s, -1))
}

// appendVisible appends s as [Visible] returns it, but for a character that stays as it
// is, -1 for none.
func appendVisible(b []byte, s string, stays rune) []byte {
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			b = appendHex(append(b, `\x`...), rune(s[i]), 2)
		case visible(r) || r == stays:
			b = append(b, s[i:i+n]...)
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\t':
			b = append(b, `\t`...)
		case r == '\r':
			b = append(b, `\r`...)
		case r < utf8.RuneSelf:
			b = appendHex(append(b, `\x`...), r, 2)
		case r < 1<<16:
			b = appendHex(append(b, `\u`...), r, 4)
		default:
			b = appendHex(append(b, `\U`...), r, 8)
		}
		i += n
	}
	return b
}

// Short is [Visible] of a text that should be short: one of more than limit bytes is
// cut, and ends in "…".
func Short(s string, limit int) string {
	if len(s) <= limit {
		return Visible(s)
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return Visible(s[:limit]) + "…"
}

// Markdown returns s as text of one line of a Markdown page, also in a table: it holds
// no element of a page, no link or picture, and no end of a line, a cell or a code span.
func Markdown(s string) string { return markdown.Replace(Visible(s)) }

// Entities, unlike backslashes, are text for every reader of tables.
var markdown = strings.NewReplacer(
	"&", "&amp;", "<", "&lt;", ">", "&gt;", "|", "&#124;", "`", "&#96;", "[", "&#91;", "]", "&#93;", `\`, "&#92;",
)

// Writer returns a writer that passes text on in the form of [Visible], but for the ends
// of lines. What is written at once ends with a whole character.
func Writer(w io.Writer) io.Writer {
	return writer{w, func(b []byte, s string) []byte { return appendVisible(b, s, '\n') }}
}

// JSONWriter returns a writer that passes JSON on in which strings hold no character
// that does not show what it is: only escapes of such. What is written at once ends
// with a whole character.
func JSONWriter(w io.Writer) io.Writer {
	return writer{w, AppendJSON[string]}
}

// AppendJSON appends JSON as [JSONWriter] writes it.
func AppendJSON[T string | []byte](b []byte, json T) []byte {
	for i := 0; i < len(json); {
		if c := json[i]; c < utf8.RuneSelf && c != 0x7f {
			b = append(b, c) // encoding/json has escaped what could harm
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(string(json[i:min(len(json), i+utf8.UTFMax)]))
		switch high, low := utf16.EncodeRune(r); {
		case visible(r): // also the sign for what is not of UTF-8
			b = utf8.AppendRune(b, r)
		case low == utf8.RuneError:
			b = appendHex(append(b, `\u`...), r, 4)
		default:
			b = appendHex(append(appendHex(append(b, `\u`...), high, 4), `\u`...), low, 4)
		}
		i += n
	}
	return b
}

func appendHex(b []byte, r rune, places int) []byte {
	for shift := 4 * (places - 1); shift >= 0; shift -= 4 {
		b = append(b, "0123456789abcdef"[r>>shift&0xf])
	}
	return b
}

type writer struct {
	w      io.Writer
	append func(b []byte, s string) []byte
}

func (q writer) Write(p []byte) (int, error) {
	if _, err := q.w.Write(q.append(make([]byte, 0, len(p)+16), string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}

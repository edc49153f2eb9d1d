package shell

import (
	"errors"
	"strings"
)

// ErrSplit says that a text does not end as it has begun.
var ErrSplit = errors.New("a quote is not closed")

// Split takes a text apart into words as a POSIX shell does that expands nothing: at
// white space that is neither quoted nor behind a backslash.
func Split(s string) ([]string, error) {
	var words []string
	var word strings.Builder
	begun := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case ' ', '\t', '\n':
			if begun {
				words = append(words, word.String())
			}
			word.Reset()
			begun = false
		case '\'':
			begun = true
			end := strings.IndexByte(s[i+1:], '\'')
			if end < 0 {
				return nil, ErrSplit
			}
			word.WriteString(s[i+1 : i+1+end])
			i += 1 + end
		case '"':
			begun = true
			for i++; ; i++ {
				if i >= len(s) {
					return nil, ErrSplit
				}
				if s[i] == '"' {
					break
				}
				if s[i] == '\\' && i+1 < len(s) && strings.IndexByte("\"\\$`", s[i+1]) >= 0 {
					i++
				}
				word.WriteByte(s[i])
			}
		case '\\':
			if i++; i >= len(s) {
				return nil, ErrSplit
			}
			begun = true
			word.WriteByte(s[i])
		default:
			begun = true
			word.WriteByte(c)
		}
	}
	if begun {
		words = append(words, word.String())
	}
	return words, nil
}

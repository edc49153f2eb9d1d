package guarded

import (
	"bytes"
	"encoding/json"
	"errors"
)

// errMarked says that a file begins with a byte order mark.
var errMarked = errors.New("it begins with a byte order mark: want UTF-8 without one")

// Marked reports whether a text begins with a byte order mark, of UTF-8 or UTF-16: some
// programs put one before what they save, and no file of ours has one.
func Marked(text []byte) bool {
	for _, mark := range []string{"\ufeff", "\xff\xfe", "\xfe\xff"} {
		if bytes.HasPrefix(text, []byte(mark)) {
			return true
		}
	}
	return false
}

// Unmarshal is [json.Unmarshal], and says what a byte order mark is.
func Unmarshal(text []byte, v any) error {
	if Marked(text) {
		return errMarked
	}
	return json.Unmarshal(text, v)
}

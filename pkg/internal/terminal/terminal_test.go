package terminal

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestColoursAreWanted(t *testing.T) {
	for _, tt := range []struct {
		mode     Mode
		env      string
		terminal bool
		want     bool
	}{
		{Auto, "", true, true},
		{Auto, "", false, false},
		{Auto, "TERM=dumb", true, false},
		{Auto, "TERM=xterm", true, true},
		{Auto, "TERM=xterm", false, false},
		{Auto, "NO_COLOR=1", true, false},
		{Auto, "NO_COLOR=", true, true}, // set but empty is not set
		{Auto, "CLICOLOR=0", true, false},
		{Auto, "CLICOLOR=1", false, false},
		{Auto, "CLICOLOR_FORCE=1", false, true},
		{Auto, "CLICOLOR_FORCE=0", false, false},
		{Auto, "CLICOLOR_FORCE=1 TERM=dumb", false, true},
		{Auto, "CLICOLOR_FORCE=1 NO_COLOR=1", true, false},
		{Always, "NO_COLOR=1 TERM=dumb", false, true},
		{Never, "CLICOLOR_FORCE=1", true, false},
	} {
		env := make(map[string]string)
		for _, setting := range strings.Fields(tt.env) {
			name, value, _ := strings.Cut(setting, "=")
			env[name] = value
		}
		got := tt.mode.wanted(func(name string) string { return env[name] }, tt.terminal)
		assert.Equal(t, tt.want, got, "%+v", tt)
	}
}

func TestParseMode(t *testing.T) {
	for text, want := range map[string]Mode{"": Auto, "auto": Auto, "always": Always, "never": Never} {
		got, err := ParseMode(text)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	_, err := ParseMode("sometimes")
	require.EqualError(t, err, `"sometimes": want auto, always or never`)
}

type passing struct{ io.Writer }

func (p passing) Unwrap() io.Writer { return p.Writer }

// What is no terminal is 80 columns wide, whoever passes text on to it.
func TestOfWhatIsNoTerminal(t *testing.T) {
	for _, w := range []io.Writer{io.Discard, new(bytes.Buffer), passing{passing{io.Discard}}} {
		assert.Equal(t, Screen{Width: 80}, Of(w, Never))
		assert.Equal(t, Screen{Width: 80, Colour: true}, Of(w, Always))
	}
}

func TestTableWidth(t *testing.T) {
	assert.Equal(t, 60, Screen{Width: 60}.TableWidth())
	assert.Equal(t, 0, Screen{Width: 60, Wide: true}.TableWidth())
}

func TestPaint(t *testing.T) {
	colour := Screen{Colour: true}
	assert.Equal(t, "fine", Screen{}.Paint(Good, "fine"))
	assert.Equal(t, "\x1b[32mfine\x1b[0m", colour.Paint(Good, "fine"))
	assert.Equal(t, "\x1b[38;5;25mvm-0\x1b[0m", colour.Paint(Machine(0), "vm-0"))
	assert.Empty(t, colour.Paint(Good, ""))
	assert.Equal(t, "plain", colour.Paint("", "plain"))
	assert.Equal(t, "vm-0 is fine", Plain(colour.Paint(Machine(0), "vm-0")+" is "+colour.Paint(Good, "fine")))
}

func TestWidth(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "abc": 3, "3 ± 1": 5, "…": 1, "漢字": 4, "e\u0301": 1, "\x1b[1;31mBROKEN\x1b[0m": 6,
	} {
		assert.Equal(t, want, Width(text), "%q", text)
	}
}

func TestWrap(t *testing.T) {
	for _, tt := range []struct {
		line        string
		width, hang int
		want        string
	}{
		{"as long as it is", 0, 4, "as long as it is"},
		{"as long as it is", 16, 4, "as long as it is"},
		{"key   one two three four five", 26, 6, "key   one two three four\n      five"},
		{"  - an indent stays, and two  spaces too", 24, 4, "  - an indent stays, and\n    two  spaces too"},
		{"nothing takes 1.25 ms, and no more", 25, 2, "nothing takes 1.25 ms,\n  and no more"},
		{"nothing takes 11.25 ms, and no more", 20, 0, "nothing takes\n11.25 ms, and no\nmore"},
		{"a wordthatislongerthanaline stays", 10, 2, "a\n  wordthatislongerthanaline\n  stays"},
		{"\x1b[32mgreen\x1b[0m is no wider than green", 20, 0, "\x1b[32mgreen\x1b[0m is no wider\nthan green"},
	} {
		assert.Equal(t, tt.want, Wrap(tt.line, tt.width, tt.hang))
	}
}

// Whatever the line and the width: no word is lost, and no line is too wide that
// could have been broken.
func TestWrapKeepsEveryWord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		line := rapid.StringMatching(`( {0,3}([a-z漢]{4,12}|[0-9]{1,3} ms)){0,20}`).Draw(t, "line")
		width, hang := rapid.IntRange(-1, 50).Draw(t, "width"), rapid.IntRange(0, 30).Draw(t, "hang")
		wrapped := Wrap(line, width, hang)
		require.Equal(t, strings.Fields(line), strings.Fields(wrapped))
		for part := range strings.SplitSeq(wrapped, "\n") {
			words := strings.Fields(part)
			if width > 0 && len(words) > 2 { // more than a number with its unit
				require.LessOrEqual(t, Width(part), width)
			}
		}
	})
}

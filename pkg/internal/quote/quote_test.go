package quote

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"":                        "",
		"plain, with ± and 漢":     "plain, with ± and 漢",
		`a\b "c" <d>`:             `a\b "c" <d>`,
		"\x1b[2J\x1b]52;c;AAAA\a": `\x1b[2J\x1b]52;c;AAAA\x07`,
		"a\r\nb\tc\b\x00\x7f":     `a\r\nb\tc\x08\x00\x7f`,
		"\u009b31m":               `\u009b31m`, // CSI in one character
		"\u202eabc\u2066":         `\u202eabc\u2066`,
		"a\u200bb\ufeff\u00ad":    `a\u200bb\ufeff\u00ad`,
		"\u3164\u115f\u2028":      `\u3164\u115f\u2028`,
		"x\ufe0f\U000e0041":       `x\ufe0f\U000e0041`,
		"a\u00a0b":                `a\u00a0b`,
		"\xff\xc3(":               `\xff\xc3(`,
		"\ufffd":                  "\ufffd",
	} {
		assert.Equal(t, want, Visible(in))
	}
}

func TestShort(t *testing.T) {
	assert.Equal(t, "abc", Short("abc", 3))
	assert.Equal(t, "abc…", Short("abcd", 3))
	assert.Equal(t, "ab…", Short("ab漢", 4), "no character is cut in two")
	assert.Equal(t, `\x1b…`, Short("\x1b"+strings.Repeat("x", 1<<20), 1))
}

func TestMarkdown(t *testing.T) {
	assert.Equal(t, "1,5,4", Markdown("1,5,4"))
	assert.Equal(t, "&#124; &#96;x&#96; &lt;script&gt; &amp; !&#91;&#93;(u) &#92;n &#92;", Markdown("| `x` <script> & ![](u) \n \\"))
}

func TestWriter(t *testing.T) {
	var b strings.Builder
	n, err := Writer(&b).Write([]byte("one \x1b[m\ntwo\r\n"))
	require.NoError(t, err)
	assert.Equal(t, 13, n, "as a writer of all that it was given")
	assert.Equal(t, "one \\x1b[m\ntwo\\r\n", b.String())
	for _, w := range []func() error{
		func() error { _, err := Writer(failing{}).Write([]byte("x")); return err },
		func() error { _, err := JSONWriter(failing{}).Write([]byte("x")); return err },
	} {
		require.ErrorIs(t, w(), errGone, "the cause is kept: a reader of a pipe may have gone")
	}
}

var errGone = errors.New("gone")

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errGone }

// Whatever it is, nothing is left of it that acts on a terminal, and it stays one line.
func TestNothingHiddenIsLeft(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")) + rapid.String().Draw(t, "text")
		for _, out := range []string{Visible(s), Markdown(s), Short(s, 10)} {
			require.True(t, utf8.ValidString(out))
			require.NotContains(t, out, "\n")
			for _, r := range out {
				require.True(t, unicode.IsPrint(r), "%q in %q", r, out)
			}
		}
		require.Equal(t, -1, strings.IndexAny(Markdown(s), "|`<>[]"))
	})
}

// JSON says the same before and after.
func TestJSONSaysTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "text") + "\x7f\u009b\u202e\U000e0041"
		b, err := json.Marshal(map[string]string{"a": s})
		require.NoError(t, err)
		var out strings.Builder
		_, err = JSONWriter(&out).Write(b)
		require.NoError(t, err)
		var back map[string]string
		require.NoError(t, json.Unmarshal([]byte(out.String()), &back))
		require.Equal(t, strings.ToValidUTF8(s, "\ufffd"), back["a"])
		for _, r := range out.String() {
			require.True(t, visible(r), "%q in %q", r, out.String())
		}
	})
}

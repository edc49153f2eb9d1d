package page

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"html"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/trace/tracetest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// small is a run of three machines in which one falls behind.
func small(t *testing.T) (*Run, []byte) {
	dir := filepath.Join(t.TempDir(), "small")
	require.NoError(t, os.Mkdir(dir, 0o777))
	require.NoError(t, tracetest.Record(dir, tracetest.Config{
		Rates: tracetest.Hertz(1, 5, 4), Duration: 8 * time.Second, Seed: 11, Delay: 30 * time.Millisecond,
	}))
	run, b, _ := show(t, dir, Options{})
	run.Dir = "small" // and not where tests happen to run
	return run, b
}

// The head of a small page, as a file that can be read.
func TestHead(t *testing.T) {
	run, _ := small(t)
	head := NewHead(KindRun, "launcher v1", "Run small")
	head.Runs = append(head.Runs, *run)
	got, err := json.MarshalIndent(head, "", " ")
	require.NoError(t, err)
	name := filepath.Join("testdata", "small.json")
	if *update {
		require.NoError(t, os.WriteFile(name, append(got, '\n'), 0o666))
	}
	want, err := os.ReadFile(name)
	require.NoError(t, err)
	assert.Equal(t, string(want), string(got)+"\n")
}

// parts are what a browser finds in a page.
type parts struct {
	text    string
	policy  string
	title   string
	style   string
	scripts []script
}

type script struct{ attributes, text string }

var (
	scriptForm = regexp.MustCompile(`(?s)<script([^>]*)>(.*?)</script>`)
	styleForm  = regexp.MustCompile(`(?s)<style>(.*?)</style>`)
	titleForm  = regexp.MustCompile(`(?s)<title>(.*?)</title>`)
	policyForm = regexp.MustCompile(`<meta http-equiv="Content-Security-Policy" content="([^"]*)">`)
)

func taken(t *testing.T, p *Page) parts {
	var b bytes.Buffer
	require.NoError(t, p.Write(&b))
	text := b.String()
	got := parts{text: text, policy: policyForm.FindStringSubmatch(text)[1], title: titleForm.FindStringSubmatch(text)[1], style: styleForm.FindStringSubmatch(text)[1]}
	for _, m := range scriptForm.FindAllStringSubmatch(text, -1) {
		got.scripts = append(got.scripts, script{m[1], m[2]})
	}
	return got
}

// The policy names the scripts and the style of the page by their hashes, and allows nothing
// else; nothing is loaded from anywhere.
func TestPolicy(t *testing.T) {
	run, b := small(t)
	p := &Page{Head: NewHead(KindRun, "launcher", "x"), Data: [][]byte{b}}
	p.Head.Runs = append(p.Head.Runs, *run)
	got := taken(t, p)
	hashed := func(text string) string {
		sum := sha256.Sum256([]byte(text))
		return " 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	scripts := ""
	for _, s := range got.scripts {
		if !strings.Contains(s.attributes, "id=") { // data are not executed
			scripts += hashed(s.text)
		}
	}
	assert.Equal(t, "default-src 'none'; script-src"+scripts+"; style-src"+hashed(got.style)+"; img-src data: blob:; base-uri 'none'; form-action 'none'", got.policy)
	require.Len(t, got.scripts, 4)
	assert.Equal(t, ` type="module"`, got.scripts[3].attributes)
	frame := scriptForm.ReplaceAllString(styleForm.ReplaceAllString(got.text, ""), "")
	assert.NotRegexp(t, `(?i)\s(on\w+|style|src|href)=`, frame)
	assert.NotRegexp(t, `(?i)@import|url\(\s*['"]?(https?:)?//`, got.style)
}

// What the scripts are given is what was written.
func TestWrite(t *testing.T) {
	run, b := small(t)
	p := &Page{Head: NewHead(KindCompare, "launcher", "two"), Data: [][]byte{b, nil}}
	p.Head.Runs = append(p.Head.Runs, *run, *run)
	got := taken(t, p)
	assert.Equal(t, ` type="application/json" id="page"`, got.scripts[0].attributes)
	want, err := json.Marshal(p.Head)
	require.NoError(t, err)
	assert.JSONEq(t, string(want), got.scripts[0].text)
	for i, data := range p.Data {
		s := got.scripts[1+i]
		assert.Equal(t, ` type="text/plain" id="data-`+string(rune('0'+i))+`"`, s.attributes)
		z, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, strings.NewReader(s.text)))
		require.NoError(t, err)
		all, err := io.ReadAll(z)
		require.NoError(t, err)
		assert.True(t, bytes.Equal(data, all))
	}
	decode(t, run, b)
}

type full struct{ room int }

var errFull = errors.New("no space left")

func (f *full) Write(p []byte) (int, error) {
	if f.room -= len(p); f.room < 0 {
		return 0, errFull
	}
	return len(p), nil
}

// Wherever the disk is full, it is said.
func TestWriteFails(t *testing.T) {
	run, b := small(t)
	p := &Page{Head: NewHead(KindRun, "launcher", "x"), Data: [][]byte{b}}
	p.Head.Runs = append(p.Head.Runs, *run)
	size := len(taken(t, p).text)
	for room := 0; room < size; room += max(1, size/50) {
		require.ErrorIs(t, p.Write(&full{room}), errFull)
	}
	require.NoError(t, p.Write(&full{size}))
}

// evil is what a stranger would write wherever there is room for text.
const evil = `</script><script>alert(1)</script><img src=x onerror=alert(2)>"'` + "`" + `${alert(3)}<!--<script>]]>&lt;`

// Nothing in names, logs and records becomes part of the page.
func TestHostile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.NewReplacer("/", "_").Replace(evil))
	if err := os.Mkdir(dir, 0o777); err != nil { // some systems take no such name
		dir = t.TempDir()
	}
	require.NoError(t, tracetest.Record(dir, tracetest.Config{Rates: tracetest.Hertz(2, 3), Duration: 3 * time.Second, Seed: 1}))
	for _, name := range []string{"vm_0_2.log", "vm_1_3.log"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		hostile := strings.Replace(string(text), "run=test", `run="`+strings.ReplaceAll(evil, `"`, "")+`"`, 1)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(hostile), 0o666))
	}
	record := map[string]any{
		"format": 1, "version": evil + "\u2028\u202e\x1b[31m", "machines": 2, "rates": []string{"2", "3"}, "run": "x", "die": 10, "seed": 1, "duration": "3s",
		"faults": "at 1s kill 1 for 1s", "host": evil, "system": evil, "cpus": 1, "started": "2026-11-22T17:13:40Z", "replay_of": "",
	}
	b, err := json.Marshal(record)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "run.json"), b, 0o666))

	run, data, _ := show(t, dir, Options{})
	assert.Contains(t, run.Facts, [2]string{"recorded by", "launcher " + evil + `\u2028\u202e\x1b[31m`}, "text stays what it is")
	assert.Contains(t, run.Machines[0].Records[0].Text, "<script>alert(1)")
	p := &Page{Head: NewHead(KindRun, evil, evil), Data: [][]byte{data}}
	p.Head.Runs = append(p.Head.Runs, *run)
	got := taken(t, p)
	require.Len(t, got.scripts, 4, "and no more")
	assert.Equal(t, evil, html.UnescapeString(got.title))
	assert.NotContains(t, got.title, "<")
	head := got.scripts[0].text
	assert.NotContains(t, head, "<")
	assert.NotContains(t, head, ">")
	var back Head
	require.NoError(t, json.Unmarshal([]byte(head), &back))
	assert.Equal(t, evil, back.Program)
	frame := scriptForm.ReplaceAllString(got.text, "")
	assert.NotContains(t, strings.Replace(frame, got.title, "", 1), "alert")
}

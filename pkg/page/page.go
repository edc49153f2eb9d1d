// Package page writes what there is to see of a run, of several, or of a sweep, as one
// HTML file that needs nothing else: its data, its styles and its scripts stand in it,
// and it asks no network for anything.
//
// All that is computed is computed here, in Go: the [Head], which says what is to be shown,
// and for each run one block of bytes with its events in columns. The scripts, in the
// directory web, decode and draw. docs/report.md says how a page is read.
package page

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
)

// Page is what a page shows.
type Page struct {
	Head Head
	Data [][]byte // the columns of each run in Head.Runs
}

// Write writes the page as HTML.
//
// Nothing in the data can become markup or a script: JSON is written without <, > and &,
// the columns as base64, and the title is escaped. A policy in the page lets the browser
// run the scripts and styles that this package has put there, by their hashes, and load
// nothing.
func (p *Page) Write(w io.Writer) error {
	a, err := assets()
	if err != nil {
		return err
	}
	head, err := json.Marshal(&p.Head)
	if err != nil {
		return err
	}
	out := &writer{w: w}
	out.text("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n")
	out.text(`<meta http-equiv="Content-Security-Policy" content="` + a.policy() + "\">\n")
	out.text("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n")
	out.text("<meta name=\"color-scheme\" content=\"light dark\">\n")
	out.text("<title>" + html.EscapeString(p.Head.Title) + "</title>\n")
	out.text("<style>" + a.style + "</style>\n</head>\n<body>\n")
	out.text("<noscript>This page draws what it shows with a script, and the browser runs none.</noscript>\n<div id=\"app\"></div>\n")
	out.text(`<script type="application/json" id="page">`)
	out.bytes(head)
	out.text("</script>\n")
	for i, data := range p.Data {
		out.text(fmt.Sprintf(`<script type="text/plain" id="data-%d">`, i))
		out.packed(data)
		out.text("</script>\n")
	}
	for _, s := range a.classic {
		out.text("<script>" + s + "</script>\n")
	}
	out.text(`<script type="module">` + a.module + "</script>\n</body>\n</html>\n")
	return out.err
}

// policy is the Content-Security-Policy of a page: nothing but what stands in it.
func (a *assembled) policy() string {
	scripts := ""
	for _, s := range append(a.classic[:len(a.classic):len(a.classic)], a.module) {
		scripts += " " + hash(s)
	}
	return "default-src 'none'; script-src" + scripts + "; style-src " + hash(a.style) +
		"; img-src data: blob:; base-uri 'none'; form-action 'none'"
}

// hash is how a policy names a script or a style.
func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// writer keeps the first error.
type writer struct {
	w   io.Writer
	err error
}

func (w *writer) text(s string) { w.bytes([]byte(s)) }

func (w *writer) bytes(b []byte) {
	if w.err == nil {
		_, w.err = w.w.Write(b)
	}
}

// packed writes bytes compressed and as base64.
func (w *writer) packed(b []byte) {
	if w.err != nil {
		return
	}
	encoder := base64.NewEncoder(base64.StdEncoding, w.w)
	z := gzip.NewWriter(encoder)
	if _, w.err = io.Copy(z, bytes.NewReader(b)); w.err != nil {
		return
	}
	if w.err = z.Close(); w.err == nil {
		w.err = encoder.Close()
	}
}

package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
)

//go:embed page.md
var pageText string

// Page writes docs/benchmarks.md from what was measured, and names what was not.
func Page(data map[Set]*Data, sections []Section) ([]byte, error) {
	used := make(map[string]bool)
	find := func(name string) (*Section, error) {
		at := slices.IndexFunc(sections, func(s Section) bool { return s.Name == name })
		if at < 0 {
			return nil, fmt.Errorf("the page has a table %q, but there is none", name)
		}
		used[name] = true
		return &sections[at], nil
	}
	page, err := template.New("page").Funcs(template.FuncMap{
		"table": func(name string) (string, error) {
			s, err := find(name)
			if err != nil {
				return "", err
			}
			return data[s.Set].layout(s).Markdown() + "\n\n" + commands(s), nil
		},
		"measured": func(set Set) string {
			text := measuredOn(data[set])
			if missing := data[set].missing(ofSet(sections, set)); len(missing) > 0 {
				text += " Not measured yet: " + strings.Join(missing, "; ") + "."
			}
			return text
		},
	}).Parse(pageText)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := page.Execute(&b, nil); err != nil {
		return nil, err
	}
	for _, s := range sections {
		if !used[s.Name] {
			return nil, fmt.Errorf("the page has no table %q", s.Name)
		}
	}
	return b.Bytes(), nil
}

// commands shows how each row of a table is measured. Rows that one command measures
// share it where the table is of columns.
func commands(s *Section) string {
	var b strings.Builder
	b.WriteString("```sh\n")
	if s.Columns != nil {
		for _, g := range groups([]Section{*s}) {
			_, _ = fmt.Fprintln(&b, shellWords(g.command(0)))
		}
	} else {
		for i := range s.Rows {
			g := s.group(&s.Rows[i])
			_, _ = fmt.Fprintf(&b, "# %s\n%s\n", strings.ReplaceAll(s.Rows[i].What, "`", ""), shellWords(g.command(0)))
		}
	}
	b.WriteString("```")
	return b.String()
}

// measuredOn says when and on what a set was measured.
func measuredOn(d *Data) string {
	if len(d.about) == 0 {
		return "Nothing of this is measured yet."
	}
	and := func(key string) string { return strings.Join(d.values(key), " and ") }
	var days []string
	for _, date := range d.values("date") {
		day, _, _ := strings.Cut(date, "T")
		if !slices.Contains(days, day) {
			days = append(days, day)
		}
	}
	return fmt.Sprintf("Measured on %s at commit %s, with %s, %s cores, %s of memory, %s, %s.", strings.Join(days, " and "),
		and("commit"), and("cpu"), and("cores"), and("memory"), and("kernel"), strings.Replace(and("go"), "go", "Go ", 1))
}

// ofSet returns the sections of a set.
func ofSet(all []Section, set Set) (some []Section) {
	for _, s := range all {
		if s.Set == set {
			some = append(some, s)
		}
	}
	return some
}

// storeName returns the file of a set.
func storeName(dir string, set Set) string { return filepath.Join(dir, string(set)+".txt") }

package page

import (
	"embed"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
)

// The sources of the page, as they are read and tested.
//
//go:embed web
var web embed.FS

// assembled are the scripts and styles of a page.
type assembled struct {
	style   string
	classic []string // libraries, which come first
	module  string
}

// assets returns the scripts and styles, put together once.
var assets = sync.OnceValues(func() (*assembled, error) {
	root, err := fs.Sub(web, "web")
	if err != nil {
		return nil, err
	}
	return assemble(root)
})

// assemble puts the files of a page together: the modules that main.js needs, the scripts
// in vendor, and all styles: those of vendor first, which style.css can then change, and
// then the others.
func assemble(root fs.FS) (*assembled, error) {
	a := new(assembled)
	var err error
	if a.module, err = join(root); err != nil {
		return nil, err
	}
	var styles []string
	err = fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		switch vendored := path.Dir(name) == "vendor"; {
		case path.Ext(name) == ".css":
			styles = append(styles, name)
		case path.Ext(name) == ".js" && vendored:
			text, err := source(root, name)
			if err != nil {
				return err
			}
			a.classic = append(a.classic, text)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(styles, func(x, y string) int { return rank(x) - rank(y) })
	for _, name := range styles {
		text, err := source(root, name)
		if err != nil {
			return nil, err
		}
		a.style += text
	}
	return a, nil
}

// source reads a file of the page. Its lines end as a browser takes them to end before it holds
// them against the policy, however they were checked out.
func source(root fs.FS, name string) (string, error) {
	text, err := fs.ReadFile(root, name)
	return strings.ReplaceAll(string(text), "\r\n", "\n"), err
}

// rank is where a style sheet stands.
func rank(name string) int {
	switch {
	case strings.HasPrefix(name, "vendor/"):
		return 0
	case name == "style.css":
		return 1
	}
	return 2
}

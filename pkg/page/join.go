package page

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// entry is the module that needs all others.
const entry = "main.js"

// join makes one module out of entry and those that it needs: a page that is opened from
// a disk cannot import another file. The modules follow each other in the order in which
// they need each other, without their imports and without the word export, so all names
// at their top level have to differ.
//
// What a module may do is therefore less than what the language allows. Imports stand at
// its head, name what they take, as it is called there, and take it from a file beside it;
// export is a word before a declaration.
func join(root fs.FS) (string, error) {
	j := joiner{root: root, state: make(map[string]int), owner: make(map[string]string), exports: make(map[string][]string)}
	if err := j.add(entry); err != nil {
		return "", err
	}
	return j.out.String(), nil
}

type joiner struct {
	root    fs.FS
	state   map[string]int      // by module: 1 while those that it needs are added, 2 after
	owner   map[string]string   // of each name at the top level, the module
	exports map[string][]string // by module
	out     strings.Builder
}

var (
	importForm = regexp.MustCompile(`^import\s*\{([^{}]*)\}\s*from\s*"(\.\.?/[^"]+\.js)";$`)
	exportForm = regexp.MustCompile(`^export (?:async function\*?|function\*?|class|const|let) [A-Za-z_$]`)
	topForm    = regexp.MustCompile(`^(?:export )?(?:async function\*?|function\*?|class|const|let|var) ([A-Za-z_$][\w$]*)`)
	listForm   = regexp.MustCompile(`^(?:export )?(?:const|let|var) [\[{]`)
	nameForm   = regexp.MustCompile(`^[A-Za-z_$][\w$]*$`)
)

// imported is one import of a module.
type imported struct {
	from  string
	names []string
}

// add adds a module, and before it those that it needs.
func (j *joiner) add(name string) error {
	switch j.state[name] {
	case 1:
		return fmt.Errorf("%s: it needs itself, by way of others", name)
	case 2:
		return nil
	}
	j.state[name] = 1
	text, err := source(j.root, name)
	if err != nil {
		return err
	}
	needs, body, err := split(name, text)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	for _, need := range needs {
		if err := j.add(need.from); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		for _, n := range need.names {
			if !slices.Contains(j.exports[need.from], n) {
				return fmt.Errorf("%s: %s exports no %s", name, need.from, n)
			}
		}
	}
	if err := j.body(name, body); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	j.state[name] = 2
	return nil
}

// split parts a module into its imports and the rest.
func split(name, text string) (needs []imported, body []string, err error) {
	if found := markup(text); found != "" {
		return nil, nil, fmt.Errorf("%q would be read as markup of the page", found)
	}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i := 0; i < len(lines); i++ {
		if !strings.HasPrefix(lines[i], "import ") {
			body = append(body, lines[i])
			continue
		}
		statement := lines[i]
		for !strings.HasSuffix(statement, ";") && i+1 < len(lines) {
			i++
			statement += " " + strings.TrimSpace(lines[i])
		}
		m := importForm.FindStringSubmatch(statement)
		if m == nil {
			return nil, nil, fmt.Errorf("%q: want import { names } from \"./file.js\";", statement)
		}
		need := imported{from: path.Join(path.Dir(name), m[2])}
		for n := range strings.SplitSeq(m[1], ",") {
			switch n = strings.TrimSpace(n); {
			case n == "": // after a last comma
			case !nameForm.MatchString(n):
				return nil, nil, fmt.Errorf("%q: a name stays what it is where it is imported", n)
			default:
				need.names = append(need.names, n)
			}
		}
		needs = append(needs, need)
	}
	return needs, body, nil
}

// markup returns what would end the script that a text is in, or keep its end from being
// one, and "" where nothing would. Every process that writes a page has all its scripts
// searched, for which a regular expression takes longer than a short run for all else.
func markup(text string) string {
	if strings.Contains(text, "\r") {
		return "\r"
	}
	for {
		i := strings.IndexByte(text, '<')
		if i < 0 {
			return ""
		}
		text = text[i:]
		for _, mark := range []string{"</script", "<!--", "<script"} {
			if n := len(mark); n <= len(text) && strings.EqualFold(text[:n], mark) {
				return text[:n]
			}
		}
		text = text[1:]
	}
}

// body adds the lines of a module.
func (j *joiner) body(name string, lines []string) error {
	fmt.Fprintf(&j.out, "\n// ---- %s\n", name)
	for _, line := range lines {
		if line != "" && 'a' <= line[0] && line[0] <= 'z' { // a word at the top level, as few lines have one
			if err := j.declared(name, line); err != nil {
				return err
			}
		}
		j.out.WriteString(strings.TrimPrefix(line, "export ") + "\n")
	}
	return nil
}

// declared takes note of what a line declares at the top level of a module.
func (j *joiner) declared(name, line string) error {
	if strings.HasPrefix(line, "export") && !exportForm.MatchString(line) {
		return fmt.Errorf("%q: want export before a declaration", line)
	}
	if listForm.MatchString(line) {
		return errors.New("a declaration at the top level is of one name")
	}
	m := topForm.FindStringSubmatch(line)
	if m == nil {
		return nil
	}
	if other, ok := j.owner[m[1]]; ok {
		return fmt.Errorf("%s is declared at the top level, as it is in %s", m[1], other)
	}
	j.owner[m[1]] = name
	if strings.HasPrefix(line, "export ") {
		j.exports[name] = append(j.exports[name], m[1])
	}
	return nil
}

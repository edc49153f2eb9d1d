package page

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func sources(pairs ...string) fs.FS {
	files := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		files[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return files
}

// Modules follow each other in the order in which they need each other, each once.
func TestJoin(t *testing.T) {
	got, err := join(sources(
		"main.js", "import { draw } from \"./diagram/draw.js\";\nimport {\n\tnumber,\n\tother,\n} from \"./number.js\";\n\ndraw(number, other);\n",
		"diagram/draw.js", "import { number } from \"../number.js\";\n/** Draws. */\nexport function draw() { return number; }\n",
		"number.js", "export const number = 1;\nexport const other = 2;\n",
		"unused.js", "this is not even a module",
	))
	require.NoError(t, err)
	assert.Equal(t, "\n// ---- number.js\nconst number = 1;\nconst other = 2;\n"+
		"\n// ---- diagram/draw.js\n/** Draws. */\nfunction draw() { return number; }\n"+
		"\n// ---- main.js\n\ndraw(number, other);\n", got)
}

// What only looks like markup is none, wherever a module ends.
func TestJoinOfWhatIsNoMarkup(t *testing.T) {
	for _, text := range []string{"a <", "a < b", "a </scrip", "a <!-", "<", "<< script"} {
		got, err := join(sources("main.js", text))
		require.NoError(t, err, text)
		assert.Equal(t, "\n// ---- main.js\n"+text+"\n", got)
	}
}

// Sources that were checked out with the ends of lines of Windows are the same.
func TestJoinOnWindows(t *testing.T) {
	got, err := join(sources("main.js", "import {\r\n\ta,\r\n} from \"./other.js\";\r\na();\r\n", "other.js", "export function a() {}\r\n"))
	require.NoError(t, err)
	assert.Equal(t, "\n// ---- other.js\nfunction a() {}\n\n// ---- main.js\na();\n", got)
}

func TestJoinRefuses(t *testing.T) {
	for _, tt := range []struct{ name, main, other, says string }{
		{"a missing file", `import { a } from "./nowhere.js";`, "", "nowhere.js"},
		{"a default import", `import a from "./other.js";`, "", "want import { names }"},
		{"all of a module", `import * as a from "./other.js";`, "", "want import { names }"},
		{"a package", `import { a } from "uplot";`, "", "want import { names }"},
		{"another name", `import { a as b } from "./other.js";`, "export const a = 1;", "a name stays what it is"},
		{"what is not exported", `import { a } from "./other.js";`, "const a = 1;", "other.js exports no a"},
		{"a default export", "export default 1;", "", "want export before a declaration"},
		{"a list of exports", "const a = 1;\nexport { a };", "", "want export before a declaration"},
		{"a re-export", `export { a } from "./other.js";`, "", "want export before a declaration"},
		{"a name twice", "import { a } from \"./other.js\";\nfunction b() {}", "export const a = 1;\nlet b = 2;", "b is declared at the top level, as it is in other.js"},
		{"a class and a function", "import { a } from \"./other.js\";\nclass b {}", "export const a = 1;\nasync function b() {}", "b is declared"},
		{"names at once", "const { a, b } = c;", "", "of one name"},
		{"a cycle", `import { a } from "./other.js";`, "import { b } from \"./main.js\";\nexport const a = 1;", "needs itself"},
		{"the end of a script", "const a = \"</SCRIPT>\";", "", "would be read as markup"},
		{"the start of a script", "const a = 1 < 2, b = \"<Script>\";", "", "\"<Script\" would be read as markup"},
		{"a comment of a page", "const a = \"<!--\";", "", "would be read as markup"},
		{"a line that ends otherwise", "const a = 1;\rconst b = 2;", "", "would be read as markup"},
	} {
		_, err := join(sources("main.js", tt.main, "other.js", tt.other))
		require.ErrorContains(t, err, tt.says, tt.name)
	}
}

// The page's own sources can be put together, and all of them are needed: what no other
// module imports, and is no test, is dead.
func TestAssets(t *testing.T) {
	a, err := assets()
	require.NoError(t, err)
	assert.NotContains(t, a.module, "\nimport ")
	assert.NotContains(t, a.module, "\nexport ")
	assert.NotRegexp(t, `(?i)</style|</script|<!--`, a.module+a.style+strings.Join(a.classic, ""))
	assert.Len(t, a.classic, 1)
	err = fs.WalkDir(web, "web", func(name string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		assert.NotContains(t, name, "node_modules")
		tested := strings.HasSuffix(name, ".test.js") || strings.Contains(name, "/testing/") || strings.Contains(name, "/vendor/") || strings.HasSuffix(name, "/types.js")
		if strings.HasSuffix(name, ".js") && !tested {
			assert.Contains(t, a.module, "\n// ---- "+strings.TrimPrefix(name, "web/")+"\n", "is needed by no other")
		}
		return nil
	})
	require.NoError(t, err)
}

package page_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/internal/palette"
)

// The machines have the same colours in the page as everywhere else.
func TestColours(t *testing.T) {
	style, err := os.ReadFile("web/style.css")
	require.NoError(t, err)
	for machine := range palette.Size {
		assert.Contains(t, string(style), "--machine-"+strconv.Itoa(machine)+": "+palette.Hex(machine)+";")
	}
}

// The library that draws the charts is the one that was published.
func TestVendored(t *testing.T) {
	for name, vendored := range map[string]string{
		"dist/uPlot.iife.min.js": "uPlot.iife.min.js", "dist/uPlot.min.css": "uPlot.min.css", "LICENSE": "uPlot.LICENSE",
	} {
		want, err := os.ReadFile(filepath.Join("_npm", "node_modules", "uplot", name))
		if err != nil {
			missing(t, "uPlot (npm ci in pkg/page/_npm)", err)
		}
		got, err := os.ReadFile(filepath.Join("web", "vendor", vendored))
		require.NoError(t, err)
		assert.True(t, bytes.Equal(want, got), "%s differs from %s", vendored, name)
	}
}

// The scripts have tests of their own, which need no browser.
func TestScripts(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		missing(t, "Node.js", err)
	}
	var files []string
	for _, pattern := range []string{"web/*.test.js", "web/*/*.test.js"} {
		found, err := filepath.Glob(pattern)
		require.NoError(t, err)
		files = append(files, found...)
	}
	require.NotEmpty(t, files)
	out, err := exec.Command(node, append([]string{"--test"}, files...)...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Regexp(t, `pass [1-9]`, string(out), "no test was run")
}

// Every page opens without a word of complaint, holds what it should, is not wider than the
// window, and shows no barrier to axe-core: light, dark, and on a phone.
func TestPages(t *testing.T) {
	for _, tt := range []struct {
		name  string
		runs  []string
		holds []string
	}{
		{"run", []string{"three"}, []string{"correct", "42", "launcher sim", "Space-time diagram", "Logical clocks", "Drift", "Queues", "Figures"}},
		{"faults", []string{"faults"}, []string{"kill", "partition", "pause"}},
		{"hundred machines", []string{"hundred"}, []string{"100 machines"}},
		{"two runs", []string{"three", "other"}, []string{"First differences", "three", "other"}},
	} {
		for name, how := range map[string]look{"light": {}, "dark": {dark: true}, "phone": {width: 390, height: 844, touch: true, still: true}} {
			t.Run(tt.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				tab := open(t, written(t, tt.runs...), how)
				text := ask[string](tab, `document.body.innerText + [...document.querySelectorAll("[aria-label]")].map((e) => e.ariaLabel).join()`)
				for _, part := range tt.holds {
					assert.True(t, strings.Contains(text, part), "no %q", part)
				}
				assert.Zero(t, ask[int](tab, `document.documentElement.scrollWidth - innerWidth`), "pixels wider than the window")
				if len(tt.runs[0]) < len("hundred") || name == "light" {
					tab.accessible()
				}
			})
		}
	}
}

const (
	clockChart = `#charts figure:nth-of-type(1)`
	driftChart = `#charts figure:nth-of-type(2)`
)

// chart brings a chart into sight, which draws it, and returns where it is.
func (t *tab) chart(selector string) box {
	t.Helper()
	t.see(selector + " .plot")
	return t.see(selector + " .u-over")
}

// A finding leads to what it is about, and what can be done by a click can be done by a key.
func TestFindings(t *testing.T) {
	t.Parallel()
	tab := open(t, written(t, "three"), look{})
	tab.focus(`button.finding`)
	tab.press("\r")
	assert.Contains(t, tab.fragment("mark="), "mark=0")
	tab.wait(`document.querySelector("#diagram").contains(document.activeElement)`)
	tab.wait(`(() => { const r = document.activeElement.getBoundingClientRect(); return r.top > -r.height / 2 && r.bottom < innerHeight + r.height / 2 })()`)
	assert.Equal(t, "true", ask[string](tab, `document.querySelector(".legend button").ariaPressed`))

	tab.click(`.legend button`)
	tab.wait(`!location.hash.includes("mark=")`)
}

// The command that does a run again can be copied, and so can the link to a view.
func TestCopy(t *testing.T) {
	t.Parallel()
	tab := open(t, written(t, "three"), look{fragment: "t=1000000,2000000"})
	tab.do(`navigator.clipboard.writeText = async (text) => { window.copied = text }`)
	tab.click(`.again button`)
	tab.wait(`window.copied`)
	assert.Equal(t, tab.text(`.again code`), ask[string](tab, `window.copied`))
	assert.Contains(t, ask[string](tab, `document.querySelector("[role=status]").textContent`), "copied")
	tab.click(`.tools button`)
	tab.wait(`window.copied.includes("#t=1000000,2000000")`)
}

// Where the browser refuses, the page says so and does not break.
func TestCopyRefused(t *testing.T) {
	t.Parallel()
	tab := open(t, written(t, "three"), look{})
	tab.do(`navigator.clipboard.writeText = async () => { throw new Error("no") }; document.execCommand = () => false`)
	tab.click(`.again button`)
	tab.wait(`document.querySelector(".again button").textContent === "Select and copy"`)
}

// Light and dark follow the system until the reader decides; what is drawn follows too.
func TestTheme(t *testing.T) {
	t.Parallel()
	tab := open(t, written(t, "three"), look{dark: true})
	tab.see(clockChart)
	tab.wait(`document.querySelector("#charts canvas")`)
	const drawn = `document.querySelector("#charts canvas").toDataURL()`
	assert.Equal(t, "dark", ask[string](tab, `document.documentElement.dataset.theme`))
	dark := ask[string](tab, drawn)
	tab.click(`[aria-label="Use light colours"]`)
	tab.wait(`document.documentElement.dataset.theme === "light" && getComputedStyle(document.documentElement).backgroundColor === "rgb(250, 249, 246)"`)
	tab.see(clockChart)
	tab.wait(drawn+` !== $`, dark)
	tab.click(`[aria-label="Use dark colours"]`)
	tab.wait(`document.documentElement.dataset.theme === "dark"`)
}

// "?" lists the keys, Escape closes, and the focus is back where it was.
func TestHelp(t *testing.T) {
	t.Parallel()
	tab := open(t, written(t, "three"), look{})
	tab.focus(`.again button`)
	tab.press("?")
	tab.wait(`document.querySelector("dialog").open`)
	text := tab.text("dialog")
	for _, part := range []string{"Keys", "On the diagram", "On a chart", "the whole run"} {
		assert.Contains(t, text, part)
	}
	tab.accessible()
	tab.press("\u001b")
	tab.wait(`!document.querySelector("dialog").open`)
	assert.True(t, ask[bool](tab, `document.activeElement === document.querySelector(".again button")`))
	tab.click(`[aria-label="Keys and help"]`)
	tab.wait(`document.querySelector("dialog").open`)
	tab.click(`dialog .close`)
	tab.wait(`!document.querySelector("dialog").open`)
}

// Skipping to the content, and the links to the parts, leave the view alone.
func TestWays(t *testing.T) {
	t.Parallel()
	tab := open(t, written(t, "three"), look{fragment: "t=1000000,2000000"})
	tab.press("\t")
	tab.wait(`document.activeElement.className === "skip"`)
	tab.press("\r")
	tab.wait(`document.activeElement.id === "main"`)
	tab.do(`document.querySelector("nav a[href='#tables']").click()`)
	tab.wait(`document.activeElement.id === "tables-title"`)
	assert.Equal(t, "#t=1000000,2000000", ask[string](tab, `location.hash`))
}

// To drag over a chart zooms all of them and the diagram; a double click shows the whole run.
func TestChartZoom(t *testing.T) {
	t.Parallel()
	tab := open(t, written(t, "three"), look{})
	over := tab.chart(clockChart)
	x, y := over.at(0.25, 0.5)
	toX, _ := over.at(0.5, 0.5)
	tab.drag(x, y, toX, y)
	from, to := span(t, tab.fragment("t="))
	assert.InDelta(t, 15e6, from, 1e6)
	assert.InDelta(t, 30e6, to, 1e6)

	x, y = over.at(0.5, 0.5)
	require.NoError(t, chromedp.Do(tab.ctx, chromedp.MouseClickXY(x, y, chromedp.ClickCount(1)), chromedp.MouseClickXY(x, y, chromedp.ClickCount(2))))
	tab.wait(`!location.hash.includes("t=")`)

	tab.wheel(x, y, 0, -100, chromedp.ModifierCtrl)
	from, to = span(t, tab.fragment("t="))
	assert.InDelta(t, 30e6, (from+to)/2, 1e6)
	assert.Less(t, to-from, 50e6)
}

// span reads the span of time from a fragment.
func span(t *testing.T, fragment string) (from, to float64) {
	t.Helper()
	for part := range strings.SplitSeq(fragment, "&") {
		if text, ok := strings.CutPrefix(part, "t="); ok {
			a, b, _ := strings.Cut(text, ",")
			from, err := strconv.ParseFloat(a, 64)
			require.NoError(t, err)
			to, err := strconv.ParseFloat(b, 64)
			require.NoError(t, err)
			return from, to
		}
	}
	t.Fatalf("no span in %q", fragment)
	return 0, 0
}

// One cursor for all charts, which the keys move too, and which is read out.
func TestChartCursor(t *testing.T) {
	t.Parallel()
	tab := open(t, written(t, "three"), look{})
	tab.chart(driftChart)
	over := tab.chart(clockChart)
	tab.hover(over.at(0.5, 0.5))
	tab.wait(`document.querySelector($).textContent.startsWith("30")`, driftChart+` .readout`)
	assert.Contains(t, tab.text(clockChart+` .readout`), "vm-0")

	tab.focus(clockChart + ` [role=slider]`)
	before := ask[float64](tab, `+document.querySelector($).ariaValueNow`, clockChart+` [role=slider]`)
	tab.press("\u0303") // →
	tab.wait(`+document.querySelector($).ariaValueNow > $`, driftChart+` [role=slider]`, before)
	assert.Regexp(t, `^\d[^:]*: machine 0 \d+, machine 1 \d+, machine 2 \d+$`, ask[string](tab, `document.querySelector($).ariaValueText`, clockChart+` [role=slider]`))
	tab.press("+")
	from, to := span(t, tab.fragment("t="))
	assert.InDelta(t, 30e6, to-from, 1e5)
	tab.press("0")
	tab.wait(`!location.hash.includes("t=")`)
}

// What a chart shows can be had as a table.
func TestChartTable(t *testing.T) {
	t.Parallel()
	tab := open(t, written(t, "three"), look{})
	tab.click(clockChart + ` summary`)
	tab.wait(`document.querySelectorAll($).length === 13`, clockChart+` tbody tr`)
	last := ask[[]string](tab, `[...document.querySelectorAll($)].at(-1).innerText.split("\t")`, clockChart+` tbody tr`)
	require.Len(t, last, 4)
	final := ask[[]string](tab, `[...[...document.querySelectorAll("#tables table")].find((t) => t.caption.textContent === "Clocks").tBodies[0].rows].map((r) => r.cells[1].innerText)`)
	assert.Equal(t, final[:3], last[1:], "the clocks at the end")

	tab.click(`#jumps summary`)
	tab.wait(`document.querySelectorAll("#jumps tbody tr").length === 3`)
	tab.accessible()
}

// Of many machines one can be picked.
func TestPickMachine(t *testing.T) {
	t.Parallel()
	tab := open(t, written(t, "hundred"), look{})
	tab.see(`.legend select`)
	tab.do(`const s = document.querySelector(".legend select"); s.value = "57"; s.dispatchEvent(new Event("change"))`)
	assert.Contains(t, tab.fragment("mark="), "mark=57")
	tab.do(`const s = document.querySelector(".legend select"); s.value = ""; s.dispatchEvent(new Event("change"))`)
	tab.wait(`!location.hash.includes("mark=")`)
}

// The page prints in light colours, whatever it is on the screen, and is as before then.
func TestPrint(t *testing.T) {
	t.Parallel()
	tab := open(t, written(t, "faults"), look{dark: true})
	tab.do(`addEventListener("beforeprint", () => { window.printing = [document.documentElement.dataset.theme, document.documentElement.hasAttribute("data-print"),
		document.querySelectorAll("#charts canvas").length, document.querySelector("#charts figure").getBoundingClientRect().width] })`)
	pdf := tab.printed()
	assert.Equal(t, []any{"light", true, 3.0}, ask[[]any](tab, `window.printing`)[:3])
	assert.Less(t, ask[float64](tab, `window.printing[3]`), 700.0, "wider than the paper")
	pages := bytes.Count(pdf, []byte("/Type /Page\n"))
	assert.True(t, pages >= 2 && pages <= 8, "%d pages", pages)
	tab.wait(`document.documentElement.dataset.theme === "dark" && !document.documentElement.hasAttribute("data-print")`)
}

// The first difference of two runs is shown in both of them.
func TestDifference(t *testing.T) {
	t.Parallel()
	tab := open(t, written(t, "three", "other"), look{})
	tab.click(`button.difference`)
	fragment := tab.fragment("b=1.")
	assert.Contains(t, fragment, "a=0.")
	assert.Contains(t, fragment, "t=")
	assert.Equal(t, 2, ask[int](tab, `document.querySelectorAll(".diagram-of").length`))
}

// Data that were cut off are told of in plain words, below what can still be told.
func TestCutOff(t *testing.T) {
	t.Parallel()
	whole, err := os.ReadFile(written(t, "three"))
	require.NoError(t, err)
	start := bytes.Index(whole, []byte(`id="data-0">`)) + len(`id="data-0">`)
	cut := append(bytes.Clone(whole[:start+400]), whole[start+bytes.IndexByte(whole[start:], '<'):]...)
	file := filepath.Join(t.TempDir(), "cut.html")
	require.NoError(t, os.WriteFile(file, cut, 0o600))
	tab := open(t, file, look{broken: true})
	assert.Contains(t, tab.text(".trouble"), "cannot be read")
	assert.Contains(t, tab.text(".verdict"), "correct")
	assert.Zero(t, ask[int](tab, `document.querySelectorAll(".waiting").length`))
}

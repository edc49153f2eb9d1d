package page_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/internal/needs"
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
			needs.Without(t, "uPlot is missing (npm ci in pkg/page/_npm): %v", err)
		}
		got, err := os.ReadFile(filepath.Join("web", "vendor", vendored))
		require.NoError(t, err)
		assert.True(t, bytes.Equal(want, got), "%s differs from %s", vendored, name)
	}
}

// The scripts have tests of their own, which need no browser.
func TestScripts(t *testing.T) {
	needs.Programs(t, "node")
	var files []string
	for _, pattern := range []string{"web/*.test.js", "web/*/*.test.js"} {
		found, err := filepath.Glob(pattern)
		require.NoError(t, err)
		files = append(files, found...)
	}
	require.NotEmpty(t, files)
	out, err := exec.Command("node", append([]string{"--test"}, files...)...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Regexp(t, `pass [1-9]`, string(out), "no test was run")
}

// Every page opens without a word of complaint, holds what it should, is not wider than the
// window, and shows no barrier to axe-core: light, dark, and on a phone.
func TestPages(t *testing.T) {
	light, dark, phone := look{}, look{dark: true}, look{width: 390, height: 844, touch: true, still: true}
	for _, tt := range []struct {
		name  string
		runs  []string
		how   look
		holds []string
	}{
		{"run", []string{"three"}, light, []string{"correct", "42", "launcher sim", "Space-time diagram", "Logical clocks", "Drift", "Queues", "Figures"}},
		{"run, dark", []string{"three"}, dark, nil},
		{"run, phone", []string{"three"}, phone, nil},
		{"faults", []string{"faults"}, light, []string{"kill", "partition", "pause"}},
		{"faults, dark", []string{"faults"}, dark, nil},
		{"faults, phone", []string{"faults"}, phone, nil},
		{"hundred machines", []string{"hundred"}, light, []string{"100 machines"}},
		{"two runs", []string{"three", "again"}, light, []string{"First differences", "three", "again"}},
		{"two runs, dark", []string{"three", "again"}, dark, nil},
		{"two runs, phone", []string{"three", "again"}, phone, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tab := open(t, written(t, tt.runs...), tt.how)
			text := ask[string](tab, `document.body.innerText + [...document.querySelectorAll("[aria-label]")].map((e) => e.ariaLabel).join()`)
			for _, part := range tt.holds {
				assert.Contains(t, text, part)
			}
			assert.Zero(t, ask[int](tab, `document.documentElement.scrollWidth - document.documentElement.clientWidth`), "pixels wider than the window")
			tab.accessible()
		})
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
	tab.waitSpan(`Math.abs(to - from - 30e6) < 1e5`)
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
	tab := open(t, written(t, "three", "again"), look{})
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

// A sweep: its grid and curves for each measure, and the page of each run a click away.
func TestSweep(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]look{"light": {}, "dark": {dark: true}, "phone": {width: 390, height: 844, touch: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tab := open(t, filepath.Join(swept(t), "report.html"), how)
			for _, part := range []string{"all 12 are correct", "launcher sweep", "The grid", "95 %", "Are the runs correct?"} {
				assert.Contains(t, tab.text("body"), part)
			}
			tab.see("#grid .chart .plot")
			tab.wait(`document.querySelectorAll("#grid canvas").length === 2`)
			assert.Zero(t, ask[int](tab, `document.documentElement.scrollWidth - document.documentElement.clientWidth`), "pixels wider than the window")
			tab.accessible()
		})
	}
	tab := open(t, filepath.Join(swept(t), "report.html"), look{})
	before := tab.text("#grid tbody")
	tab.do(`const s = document.querySelector("#sweep-measure"); s.selectedIndex = [...s.options].findIndex((o) => o.text.includes("growth")); s.dispatchEvent(new Event("change"))`)
	tab.wait(`document.querySelector("#grid tbody").innerText !== $`, before)
	assert.Contains(t, tab.text("#grid thead"), "predicted")
	assert.Regexp(t, `\d ± \d`, tab.text("#grid tbody"))
	label := ask[string](tab, `document.querySelector("#grid .plot").ariaLabel`)
	tab.do(`const s = document.querySelector("#sweep-class"); s.value = "rate 1"; s.dispatchEvent(new Event("change"))`)
	tab.wait(`document.querySelector("#grid .plot").ariaLabel !== $`, label)

	page := ask[string](tab, `document.querySelector("#runs tbody a").href`)
	assert.True(t, strings.HasSuffix(page, "/runs/p0001-t0001/report.html"), page)
	run := open(t, filepath.Join(swept(t), "runs", "p0001-t0001", "report.html"), look{})
	assert.Contains(t, run.text("h1"), "p0001-t0001")
}

// Whatever stands in a log, a name, a plan or a path, it stays text: in every place where
// the page has a text, there is one here that would like to be a script.
func TestHostile(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]string{"run": written(t, "faults"), "compare": written(t, "three", "again"), "sweep": filepath.Join(swept(t), "report.html")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tab := open(t, hostile(t, file), look{})
			tab.wait(`document.querySelectorAll("h2").length > 2`)
			tab.do(`for (const d of document.querySelectorAll("details")) d.open = true;
				for (const b of document.querySelectorAll(".diagram-tools [aria-expanded], button.finding")) { b.click(); await new Promise((r) => setTimeout(r, 30)) }`)
			assert.Contains(t, tab.text("main"), "<img src=x", "it is shown as it is")
			if name != "sweep" {
				plot := tab.see(plotOf)
				for _, share := range []float64{0.3, 0.45, 0.6, 0.8} {
					tab.hover(plot.at(share, 0.5))
				}
			}
			assert.Equal(t, []int{0, 0, 0}, ask[[]int](tab, `[document.querySelectorAll("img, iframe, object, embed, link, base, #app script, meta[http-equiv=refresh]").length,
				[...document.querySelectorAll("*")].filter((e) => e.getAttributeNames().some((n) => n.startsWith("on"))).length,
				[...document.querySelectorAll("a[href]")].filter((a) => !["file:", "blob:"].includes(a.protocol)).length]`), "foreign elements, listeners, links")
			assert.False(t, ask[bool](tab, `"pwned" in window`))
			tab.accessible()
		})
	}
}

// hostile returns a copy of a page with something hostile in all texts of its head.
func hostile(t *testing.T, file string) string {
	t.Helper()
	const payload = `"'><img src=x onerror=window.pwned=1><svg onload=window.pwned=1><script>window.pwned=1</script>` + "`" + `${window.pwned=1}</script><!--` + "\u202e\u0000\u2028"
	whole, err := os.ReadFile(file)
	require.NoError(t, err)
	const opening = `id="page">`
	start := bytes.Index(whole, []byte(opening)) + len(opening)
	end := start + bytes.Index(whole[start:], []byte("</script>"))
	var head any
	require.NoError(t, json.Unmarshal(whole[start:end], &head))
	// What the page is told by, and not what it tells.
	keep := map[string]bool{"kind": true, "state": true, "sections": true, "unit": true}
	var spoil func(key string, v any) any
	spoil = func(key string, v any) any {
		switch v := v.(type) {
		case string:
			switch {
			case keep[key]:
				return v
			case key == "page":
				return "javascript:window.pwned=1//" + v
			}
			return v + payload
		case []any:
			for i := range v {
				v[i] = spoil(key, v[i])
			}
		case map[string]any:
			for k := range v {
				if _, isName := v["sections"]; k == "columns" && key == "runs" || k == "name" && (isName || key == "measures") || k == "predicted" && key == "measures" {
					continue
				}
				v[k] = spoil(k, v[k])
			}
		}
		return v
	}
	spoiled, err := json.Marshal(spoil("", head))
	require.NoError(t, err)
	out := filepath.Join(t.TempDir(), "hostile.html")
	require.NoError(t, os.WriteFile(out, slices.Concat(whole[:start], spoiled, whole[end:]), 0o600))
	return out
}

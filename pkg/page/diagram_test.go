package page_test

import (
	"context"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/causal"
	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/lab"
	"github.com/scalemodel/lamport/pkg/trace"
)

// What a reader does with the space-time diagram, and what it then says. What is right is
// asked of package causal, which has the same data and an algorithm of its own.

const plotOf = ".diagram-plot"

// indexOf returns the events of a run.
func indexOf(tb testing.TB, name string) *causal.Index {
	tb.Helper()
	return indexIn(tb, recorded(tb, name), causal.Options{})
}

func indexIn(tb testing.TB, dir string, o causal.Options) *causal.Index {
	tb.Helper()
	run, err := trace.Open(dir)
	require.NoError(tb, err)
	b := causal.NewBuilder(run, o)
	_, err = run.Walk(trace.Options{}, b)
	require.NoError(tb, err)
	x, err := b.Index()
	require.NoError(tb, err)
	return x
}

// since returns when an event was executed, in seconds since the start of the run.
func since(e causal.Event) float64 {
	return time.UnixMicro(e.Micro).Sub(experiment.Epoch).Seconds()
}

// diagram is the diagram of a run with three machines that all show, from one second to
// another.
type diagram struct {
	*tab
	box      box
	from, to float64
}

// diagramOf opens a page at a span of time.
func diagramOf(t *testing.T, name string, from, to float64, how look) *diagram {
	t.Helper()
	how.fragment = strings.Trim(fmt.Sprintf("t=%.0f,%.0f&%s", from*1e6, to*1e6, how.fragment), "&")
	d := &diagram{tab: open(t, written(t, name), how), from: from, to: to}
	d.box = d.see(plotOf)
	return d
}

// place returns where an instant is on the line of a machine.
func (d *diagram) place(seconds float64, row int) (x, y float64) {
	const label, inset, top, axis = 84, 12, 6, 26
	width := d.box.Width - label - 2*inset
	height := (d.box.Height - top - axis) / 3
	return d.box.X + label + inset + (seconds-d.from)/(d.to-d.from)*width, d.box.Y + top + (float64(row)+0.5)*height
}

func (d *diagram) panel() string {
	d.Helper()
	return d.text(".diagram-panel")
}

// A click on an event shows how many events are in its past, in its future and concurrent:
// as many as package causal counts.
func TestChooseEvent(t *testing.T) {
	t.Parallel()
	x := indexOf(t, "three")
	d := diagramOf(t, "three", 20, 30, look{})
	place := causal.Place{Machine: 0, Position: 24}
	d.clickAt(d.place(since(x.At(place)), 0))
	assert.Contains(t, d.fragment("a="), "a=0.0.24")
	d.wait(`document.querySelector(".diagram-panel .chips")`)
	d.expectCounts(x, place)
	d.accessible()

	d.press("\u001b")
	d.wait(`!location.hash.includes("a=")`)
	assert.Contains(t, d.panel(), "Click an event")
}

// expectCounts holds what is said of the chosen event against package causal.
func (d *diagram) expectCounts(x *causal.Index, place causal.Place) {
	d.Helper()
	want := x.Counts(place)
	got := ask[[]string](d.tab, `[...document.querySelectorAll(".diagram-panel .chips b")].map((e) => e.textContent.replace(/\D/g, ""))`)
	assert.Equal(d, []string{fmt.Sprint(want.Past), fmt.Sprint(want.Future), fmt.Sprint(want.Concurrent)}, got, "%v", place)
}

// So it is for any event, of machines that were killed, cut off and paused, too.
func TestCones(t *testing.T) {
	t.Parallel()
	(&diagram{tab: open(t, written(t, "faults"), look{still: true})}).expectCones(indexOf(t, "faults"), 24)
}

// expectCones chooses events all over the run.
func (d *diagram) expectCones(x *causal.Index, events int) {
	d.Helper()
	for k := range events {
		machine := k * 7 % x.Machines()
		place := causal.Place{Machine: machine, Position: x.First(machine) + (k*7919+k*k*31)%(x.End(machine)-x.First(machine))}
		d.do(`location.hash = "a=0." + $ + "." + $`, place.Machine, place.Position)
		e := x.At(place)
		d.wait(`document.querySelector(".diagram-panel .log-line")?.textContent.includes($)`, fmt.Sprintf("vm-%d: %v: step=%d ", x.ID(machine), e.Kind, e.Step))
		d.expectCounts(x, place)
	}
}

// So it is in a part of a run, which says that it is one and how to see the rest.
func TestPart(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "part.html")
	part := lab.Report{Dirs: []string{recorded(t, "faults")}, File: file, From: 20 * time.Second, To: 40 * time.Second}
	require.NoError(t, part.Run(context.Background(), quiet()))
	d := &diagram{tab: open(t, file, look{still: true})}
	assert.Contains(t, d.text(".left-out"), "launcher report")
	d.expectCones(indexIn(t, recorded(t, "faults"), causal.Options{From: part.From, To: part.To}), 8)
	d.accessible()
}

// A run of which a log is missing is shown as far as it goes, and called incomplete.
func TestIncomplete(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "lost")
	require.NoError(t, os.CopyFS(dir, os.DirFS(recorded(t, "three"))))
	require.NoError(t, os.Remove(filepath.Join(dir, "vm_1_5.log")))
	file := filepath.Join(t.TempDir(), "lost.html")
	require.NoError(t, lab.Report{Dirs: []string{dir}, File: file}.Run(context.Background(), quiet()))
	d := &diagram{tab: open(t, file, look{still: true})}
	assert.Contains(t, d.text(".verdict"), "incomplete")
	d.expectCones(indexIn(t, dir, causal.Options{}), 8)
	d.accessible()
}

// More machines than vector clocks are kept for can be asked all the same.
func TestCrowd(t *testing.T) {
	t.Parallel()
	(&diagram{tab: open(t, written(t, "crowd"), look{still: true})}).expectCones(indexOf(t, "crowd"), 6)
}

// Two events: whether one happened before the other, and what the clocks say.
func TestChooseTwo(t *testing.T) {
	t.Parallel()
	x := indexOf(t, "three")
	d := diagramOf(t, "three", 20, 30, look{})
	for _, other := range []causal.Place{{Machine: 0, Position: 28}, {Machine: 1, Position: 122}, {Machine: 2, Position: 84}} {
		first := causal.Place{Machine: 0, Position: 24}
		d.do(`location.hash = "t=20000000,30000000"`)
		d.wait(`!document.querySelector(".diagram-panel .event-line")`)
		d.clickAt(d.place(since(x.At(first)), 0))
		d.fragment("a=0.0.24")
		d.clickAt(d.place(since(x.At(other)), other.Machine))
		d.fragment(fmt.Sprintf("b=0.%d.%d", other.Machine, other.Position))
		d.wait(`document.querySelector(".diagram-panel .relation")`)
		relation := x.Relation(first, other)
		text := d.panel()
		switch relation {
		case causal.Before:
			assert.Contains(t, text, "A happened before B")
		case causal.After:
			assert.Contains(t, text, "B happened before A")
		default:
			assert.Contains(t, text, "A and B are concurrent")
		}
		for _, clock := range []string{"Lamport", "Vector", "Wall"} {
			assert.Contains(t, text, clock)
		}
	}
	d.accessible()
}

// Where an arrow is, its message can be chosen: when it was sent and received, how long it
// was under way, and how long it waited.
func TestChooseMessage(t *testing.T) {
	t.Parallel()
	x := indexOf(t, "three")
	d := diagramOf(t, "three", 20, 22, look{})
	// A message to machine 0, on its way there between the two lines.
	found := false
	for position := x.First(0); position < x.End(0) && !found; position++ {
		place := causal.Place{Machine: 0, Position: position}
		m, sent, ok := x.Received(place)
		if !ok || m.Peer != 1 {
			continue
		}
		send, receive := since(x.At(m.Other)), since(x.At(place))
		if receive > 60 || send < 1 || receive-send > 8 {
			continue
		}
		found = true
		d.from, d.to = send-1, receive+1
		d.do(`location.hash = $`, fmt.Sprintf("t=%.0f,%.0f", d.from*1e6, d.to*1e6))
		d.wait(`location.hash.includes("t=") && !document.querySelector(".diagram-panel .message-facts")`)
		fromX, fromY := d.place(send, 1)
		toX, toY := d.place(receive, 0)
		for _, share := range []float64{0.5, 0.4, 0.6, 0.3, 0.7} { // another one may cross it there
			px, py := fromX+(toX-fromX)*share, fromY+(toY-fromY)*share
			d.clickAt(px, py)
			d.do(`await new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r)))`)
			if strings.Contains(d.panel(), fmt.Sprintf("seq=%d sent=%d", m.Seq, sent)) {
				break
			}
		}
		text := d.panel()
		assert.Contains(t, text, fmt.Sprintf("from=1 seq=%d sent=%d", m.Seq, sent))
		for _, part := range []string{"Send", "Receive", "under way", "queue"} {
			assert.Contains(t, strings.ToLower(text), strings.ToLower(part))
		}
		d.fragment("m=0.1.")
	}
	require.True(t, found)
	d.accessible()
}

// The diagram is walked, chosen from, zoomed and searched by keys alone, and says what it
// comes to.
func TestDiagramKeys(t *testing.T) {
	t.Parallel()
	x := indexOf(t, "three")
	d := diagramOf(t, "three", 0, 60, look{still: true})
	d.focus(plotOf)
	said := func(contains string) {
		t.Helper()
		d.wait(`document.querySelector("main ~ * [role=status], [role=status].hidden-text").textContent.includes($)`, contains)
	}
	const right, left, down, end, home = "\u0303", "\u0302", "\u0301", "\u0305", "\u0306"
	d.press(right)
	d.wait(`document.querySelector(".diagram-plot .here").ariaLabel.includes("vm-0")`)
	before := ask[string](d.tab, `document.querySelector(".diagram-plot .here").ariaLabel`)
	d.press(right)
	d.wait(`document.querySelector(".diagram-plot .here").ariaLabel !== $`, before)
	d.press(left)
	d.wait(`document.querySelector(".diagram-plot .here").ariaLabel === $`, before)
	d.press(down)
	d.wait(`document.querySelector(".diagram-plot .here").ariaLabel.includes("vm-1")`)
	d.press(home)
	d.press("\r")
	assert.Contains(t, d.fragment("a="), "a=0.1.0")
	said("Chosen")
	d.press(end)
	d.press("\r")
	assert.Contains(t, d.fragment("b="), fmt.Sprintf("b=0.1.%d", x.End(1)-1))
	said("happened before")
	d.press("\u001b")
	said("Nothing is chosen")

	// Along a message and back.
	d.press(home)
	for position := 0; x.At(causal.Place{Machine: 1, Position: position}).Kind != event.Send; position++ {
		d.press(right)
	}
	send := ask[string](d.tab, `document.querySelector(".diagram-plot .here").ariaLabel`)
	assert.Contains(t, send, "sen")
	d.press("m")
	d.wait(`!document.querySelector(".diagram-plot .here").ariaLabel.includes("vm-1") || document.querySelector(".diagram-plot .here").ariaLabel !== $`, send)
	d.press("m")
	d.wait(`document.querySelector(".diagram-plot .here").ariaLabel === $`, send)

	d.press("+")
	d.wait(`(() => { const [, from, to] = /[#&]t=([\d.]+),([\d.]+)/.exec(location.hash); return Math.abs(to - from - 30e6) < 1e6 })()`)
	d.press("0")
	d.wait(`!/(^|[#&])t=/.test(location.hash)`)
	d.press("l")
	d.fragment("x=clock")
	d.press("l")
	d.wait(`!location.hash.includes("x=clock")`)
	d.press("q")
	d.fragment("quiet=1")
	d.press("q")
	d.press("g")
	d.fragment("mark=1")
	d.press("f")
	d.fragment("fold=1")
	d.press("h")
	d.fragment("hide=1")
}

// A search finds what it should, and its hits can be stepped through.
func TestSearch(t *testing.T) {
	t.Parallel()
	x := indexOf(t, "three")
	receives := 0
	for position := x.First(0); position < x.End(0); position++ {
		if e := x.At(causal.Place{Machine: 0, Position: position}); e.Kind == event.Receive && e.Clock > 100 {
			receives++
		}
	}
	d := diagramOf(t, "three", 0, 60, look{still: true})
	d.focus(plotOf)
	d.press("/")
	d.wait(`document.activeElement.matches("input.search")`)
	d.write("receive machine:0 clock>100\r")
	d.wait(`document.querySelector("output.found").textContent.includes($)`, fmt.Sprint(receives))
	assert.Contains(t, d.fragment("q="), "q=receive%20machine%3A0%20clock%3E100")
	d.click(`[aria-label="Next hit"]`)
	d.wait(`/^\d+ of \d+/.test(document.querySelector("output.found").textContent)`)
	first := d.text("output.found")
	d.focus(plotOf)
	d.press("n")
	d.wait(`document.querySelector("output.found").innerText !== $`, first)
	d.press("N", chromedp.ModifierShift)
	d.wait(`document.querySelector("output.found").innerText === $`, first)
	assert.Contains(t, ask[string](d.tab, `document.querySelector(".diagram-plot .here").ariaLabel`), "vm-0")
	d.accessible()
}

// Wheel, drag and fingers zoom and pan.
func TestZoomAndPan(t *testing.T) {
	t.Parallel()
	d := diagramOf(t, "three", 20, 40, look{})
	x, y := d.place(30, 1)
	d.hover(x, y+20)
	d.wheel(x, y+20, 0, -200, 0)
	d.wait(`!location.hash.includes("t=20000000")`)
	from, to := span(t, d.fragment("t="))
	assert.InDelta(t, 30e6, (from+to)/2, 0.3e6)
	assert.Less(t, to-from, 18e6)

	d.do(`location.hash = "t=20000000,40000000"`)
	d.wait(`!document.querySelector(".diagram-panel .event-line")`)
	d.drag(x+200, y+23, x, y+23)
	d.wait(`!location.hash.includes("t=20000000")`)
	from, to = span(t, d.fragment("t="))
	assert.InDelta(t, 20e6, to-from, 1e3, "a drag does not zoom")
	assert.Greater(t, from, 22e6)
}

func TestPinch(t *testing.T) {
	t.Parallel()
	tab := open(t, written(t, "three"), look{width: 412, height: 915, touch: true, fragment: "t=20000000,40000000"})
	b := tab.see(plotOf)
	x, y := b.at(0.6, 0.4)
	tab.pinch(x, y, 60, 180)
	tab.wait(`!location.hash.includes("t=20000000")`)
	from, to := span(t, tab.fragment("t="))
	assert.Less(t, to-from, 12e6)
}

// Machines are hidden, folded, highlighted and put in another order, from the menu and by
// dragging a label.
func TestMachines(t *testing.T) {
	t.Parallel()
	d := diagramOf(t, "three", 20, 30, look{still: true})
	open := func() {
		d.do(`for (const b of document.querySelectorAll(".diagram-tools button")) if (b.textContent.startsWith("Machines") && b.ariaExpanded !== "true") b.click()`)
	}
	open()
	d.accessible()
	d.click(`[aria-label="Highlight vm-1"]`)
	d.fragment("mark=1")
	d.click(`[aria-label="Fold vm-2"]`)
	d.fragment("fold=2")
	d.click(`[aria-label="Hide vm-0"]`)
	d.fragment("hide=0")
	d.click(`[aria-label="Move vm-2 up"]`)
	assert.NotContains(t, d.fragment("order="), "order=0,1,2")
	d.do(`for (const b of document.querySelectorAll(".diagram-tools button")) if (b.textContent === "Show all as they were") b.click()`)
	d.wait(`!/order=|hide=|fold=|mark=/.test(location.hash)`)

	d.press("\u001b")
	d.box = d.see(plotOf)
	_, above := d.place(25, 0)
	_, below := d.place(25, 2)
	d.drag(d.box.X+30, above, d.box.X+30, below+10)
	assert.Contains(t, d.fragment("order="), "order=1,2,0")
}

// A cut says whether it is consistent, and what is in flight; it is dragged, and mended.
func TestCut(t *testing.T) {
	t.Parallel()
	d := diagramOf(t, "three", 20, 30, look{still: true})
	d.focus(plotOf)
	d.press("c")
	d.fragment("cut=")
	d.wait(`/consistent/.test(document.querySelector(".diagram-panel").textContent)`)
	assert.Contains(t, d.panel(), "in flight")
	assert.Equal(t, 1, ask[int](d.tab, `document.querySelectorAll(".cut-good").length`), "by the clock on the wall a cut is consistent")
	before := d.fragment("cut=")
	x, y := d.place(25, 0)
	d.drag(x, (y+d.box.Y+6)/2, x+150, (y+d.box.Y+6)/2)
	d.wait(`location.hash.slice(1) !== $`, before)

	// Much of machine 0 and little of the others: it holds receives without their sends.
	d.do(`location.hash = "t=20000000,30000000&cut=40,20,20"`)
	d.wait(`document.querySelector(".cut-bad")`)
	assert.Contains(t, d.panel(), "not consistent")
	d.accessible()
	d.do(`for (const b of document.querySelectorAll(".diagram-panel button")) if (b.textContent === "Take in what is missing") b.click()`)
	d.wait(`document.querySelector(".cut-good")`)
	d.do(`for (const b of document.querySelectorAll(".diagram-panel button")) if (b.textContent === "Remove the cut") b.click()`)
	d.wait(`!location.hash.includes("cut=")`)
}

// An event that is concurrent with the chosen one can be moved, but not beyond its causes.
func TestMoveEvent(t *testing.T) {
	t.Parallel()
	x := indexOf(t, "three")
	d := diagramOf(t, "three", 20, 30, look{still: true})
	first := causal.Place{Machine: 0, Position: 24}
	d.clickAt(d.place(since(x.At(first)), 0))
	d.fragment("a=0.0.24")
	// Some event of machine 1 near the middle.
	other := causal.Place{Machine: -1}
	for position := x.First(1); position < x.End(1); position++ {
		place := causal.Place{Machine: 1, Position: position}
		if at := since(x.At(place)); at > 24 && at < 27 {
			if x.Relation(first, place) == causal.Concurrent {
				other = place
				break
			}
		}
	}
	require.Equal(t, 1, other.Machine, "no concurrent event there")
	fromX, y := d.place(since(x.At(other)), 1)
	d.drag(fromX, y, fromX+60, y)
	d.wait(`document.querySelector(".diagram-panel").textContent.includes("not where the log has")`)
	d.accessible()
	d.do(`for (const b of document.querySelectorAll(".diagram-panel button")) if (b.textContent === "Put back") b.click()`)
	d.wait(`!document.querySelector(".diagram-panel").textContent.includes("not where the log has")`)
}

// Hovering over an event, and over what was the matter, says what it is.
func TestHover(t *testing.T) {
	t.Parallel()
	x := indexOf(t, "faults")
	d := diagramOf(t, "faults", 10, 30, look{})
	e := x.At(causal.Place{Machine: 0, Position: 14})
	d.hover(d.place(since(e), 0))
	d.wait(`!document.querySelector(".diagram-card").hidden && document.querySelector(".diagram-card code").textContent.includes($)`, fmt.Sprintf("vm-0: %v: step=%d ", e.Kind, e.Step))
	px, py := d.place(18, 1)
	d.hover(px, py+28)
	d.wait(`/kill|crash/.test(document.querySelector(".diagram-card").textContent)`)
	d.wait(`document.querySelector("#charts .readout").textContent.includes("s")`)
}

// Logical time puts the events in the total order.
func TestLogicalTime(t *testing.T) {
	t.Parallel()
	d := diagramOf(t, "three", 20, 30, look{})
	before := ask[string](d.tab, `document.querySelector(".diagram-plot canvas").toDataURL()`)
	d.do(`for (const b of document.querySelectorAll(".diagram-tools button")) if (b.textContent === "Logical time") b.click()`)
	d.fragment("x=clock")
	d.wait(`document.querySelector(".diagram-plot canvas").toDataURL() !== $`, before)
	d.accessible()
}

// The view is taken along as a picture, a figure and text.
func TestExport(t *testing.T) {
	t.Parallel()
	d := diagramOf(t, "three", 20, 30, look{fragment: "a=0.0.24", still: true})
	// What would be saved is kept instead.
	d.do(`window.saved = []; const make = URL.createObjectURL; URL.createObjectURL = (blob) => { blob.arrayBuffer().then((b) => window.saved.push([blob.type, btoa(String.fromCharCode(...new Uint8Array(b).subarray(0, 90000)))])); return make(new Blob([])) };
		HTMLAnchorElement.prototype.click = () => {}`)
	choose := func(label string) {
		t.Helper()
		d.do(`window.saved.length = 0;
			for (const b of document.querySelectorAll(".diagram-tools button")) if (b.textContent.startsWith("Export") && b.ariaExpanded !== "true") b.click();
			const b = [...document.querySelectorAll(".menu button")].find((b) => b.textContent === $); if (!b) throw new Error("not in the menu"); b.click()`, label)
	}
	saved := func(label string) []byte {
		t.Helper()
		choose(label)
		d.wait(`window.saved.length > 0`)
		b, err := base64.StdEncoding.DecodeString(ask[string](d.tab, `window.saved[0][1]`))
		require.NoError(t, err)
		return b
	}
	svg := saved("Picture as SVG")
	for decoder := xml.NewDecoder(strings.NewReader(string(svg))); ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err, "%.400s", svg)
		if element, ok := token.(xml.StartElement); ok {
			assert.NotEqual(t, "script", element.Name.Local)
		}
	}
	assert.Contains(t, string(svg), "<svg")
	assert.Contains(t, string(svg), "vm-0")
	assert.Equal(t, "\x89PNG", string(saved("Picture as PNG")[:4]))

	textOf := func(label string) string {
		t.Helper()
		choose(label)
		d.wait(`document.querySelector("dialog[open] textarea, dialog[open] pre")`)
		text := ask[string](d.tab, `(() => { const e = document.querySelector("dialog[open] textarea, dialog[open] pre"); return e.value ?? e.textContent })()`)
		d.accessible()
		d.press("\u001b")
		d.wait(`!document.querySelector("dialog[open]")`)
		return text
	}
	tikz := textOf("Figure for LaTeX (TikZ)")
	assert.Contains(t, tikz, `\begin{tikzpicture}`)
	assert.Contains(t, tikz, `\end{tikzpicture}`)
	assert.Contains(t, textOf("Log lines of what is chosen"), "vm-0: receive: step=25 ")
	assert.Regexp(t, `(?s)vm-0:.*vm-1:|vm-1:.*vm-0:`, textOf("Log lines of what is in sight"))
}

// A link restores what its sender saw, and one that makes no sense is passed over.
func TestLinks(t *testing.T) {
	t.Parallel()
	d := diagramOf(t, "three", 20, 30, look{fragment: "a=0.0.24&b=0.1.110&mark=2&hide=0&q=send"})
	d.wait(`document.querySelector(".diagram-panel .relation")`)
	assert.Equal(t, "send", ask[string](d.tab, `document.querySelector("input.search").value`))
	for _, fragment := range []string{"a=0.99.1&t=5,1&cut=1&hide=0,1,2", "t=NaN,NaN", "a=%00&q=%E0%A4%A", "<img src=x onerror=alert(1)>", strings.Repeat("a=0.0.1&", 500)} {
		tab := open(t, written(t, "three"), look{fragment: fragment})
		assert.Contains(t, tab.text("h1"), "three")
		assert.Zero(t, ask[int](tab, `document.querySelectorAll("img, iframe, object").length`))
	}
}

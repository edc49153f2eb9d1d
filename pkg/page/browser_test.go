package page_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/internal/needs"
)

// The tests of the page in a real browser, Chromium without a window. What they have in
// common is in this file: one browser for all of them, a tab for each, and the rule that
// whatever the page does, nothing is reported on its console, nothing breaks its policy,
// and it asks nobody for anything.

// patience is how long a test waits for what must happen: long, since the machine may be
// busy with other tests.
const patience = 3 * time.Minute

// scratch is where the browser and the pages are while the tests run.
var scratch string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if scratch, err = os.MkdirTemp("", "lamport-page-"); err != nil {
			panic(err)
		}
		defer func() { _ = os.RemoveAll(scratch) }()
		defer func() { stopBrowser() }()
		return m.Run()
	}())
}

var stopBrowser = func() {}

// chromium is the browser, started when the first test needs it.
var chromium = sync.OnceValues(func() (context.Context, error) {
	path, err := findChromium()
	if err != nil {
		return nil, err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:len(chromedp.DefaultExecAllocatorOptions):len(chromedp.DefaultExecAllocatorOptions)],
		chromedp.ExecPath(path),
		chromedp.UserDataDir(filepath.Join(scratch, "profile")),
		chromedp.NoSandbox, // in a container, and as root, there is none to be had
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("hide-scrollbars", true),
		chromedp.WindowSize(1280, 900),
		chromedp.WSURLReadTimeout(patience),
	)
	allocator, release := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocator)
	stopBrowser = func() {
		_ = chromedp.Cancel(ctx) // waits until it has ended
		cancel()
		release()
	}
	return ctx, chromedp.Do(ctx)
})

// findChromium returns the path of a browser.
func findChromium() (string, error) {
	names := []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("none of %s is here", strings.Join(names, ", "))
}

// tab is a page, opened in a browser.
type tab struct {
	testing.TB
	ctx context.Context

	mu      sync.Mutex
	trouble []string // that must not be
}

// look is how a page is looked at.
type look struct {
	width, height int64  // CSS pixels; 0: 1280 by 900
	dark          bool   // what the system prefers
	still         bool   // less motion
	touch         bool   // fingers
	fragment      string // of the address
	broken        bool   // the page is expected to report an error
}

// open opens a page and waits until it is drawn.
func open(tb testing.TB, file string, how look) *tab {
	tb.Helper()
	browser, err := chromium()
	if err != nil {
		needs.Without(tb, "Chromium is missing, with which the page is tested: %v", err)
	}
	ctx, closeTab := chromedp.NewContext(browser)
	tb.Cleanup(closeTab)
	require.NoError(tb, chromedp.Do(ctx)) // the tab must not end with the first deadline
	ctx, cancel := context.WithTimeout(ctx, patience)
	tb.Cleanup(cancel)
	t := &tab{TB: tb, ctx: ctx}
	tb.Cleanup(func() { t.conclude(how) })

	if how.width == 0 {
		how.width, how.height = 1280, 900
	}
	prefer := func(name string, on bool, yes, no string) *emulation.MediaFeature {
		if on {
			return &emulation.MediaFeature{Name: "prefers-" + name, Value: yes}
		}
		return &emulation.MediaFeature{Name: "prefers-" + name, Value: no}
	}
	address := (&url.URL{Scheme: "file", Path: filepath.ToSlash(file), Fragment: how.fragment}).String()
	require.NoError(tb, chromedp.Listen(ctx, func(event any) { t.watch(event, address) }))
	t.call(func(ctx context.Context, target *chromedp.Target) error {
		if _, err := cdp.Call(ctx, target, network.Enable, network.EnableParams{}); err != nil {
			return err
		}
		if _, err := cdp.Call(ctx, target, log.Enable, cdp.Empty{}); err != nil {
			return err
		}
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			prefer("color-scheme", how.dark, "dark", "light"), prefer("reduced-motion", how.still, "reduce", "no-preference"),
		}})
		return err
	})
	var viewport []chromedp.EmulateViewportOption
	if how.touch {
		viewport = append(viewport, chromedp.EmulateTouch, chromedp.EmulateMobile)
	}
	require.NoError(tb, chromedp.Do(ctx, chromedp.EmulateViewport(how.width, how.height, viewport...), chromedp.Navigate(address)))
	t.wait(`document.documentElement.dataset.ready !== undefined`)
	return t
}

// watch notes what must not be.
func (t *tab) watch(event any, address string) {
	note := func(format string, args ...any) {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.trouble = append(t.trouble, fmt.Sprintf(format, args...))
	}
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		var words []string
		for _, arg := range e.Args {
			words = append(words, string(arg.Value)+arg.Description)
		}
		note("console %s: %s", e.Type, strings.Join(words, " "))
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			text += " " + e.ExceptionDetails.Exception.Description
		}
		note("not caught: %s", text)
	case *log.EventEntryAdded:
		note("log, %s, %s: %s (%s)", e.Entry.Source, e.Entry.Level, e.Entry.Text, e.Entry.URL)
	case *network.EventRequestWillBeSent:
		asked, _, _ := strings.Cut(e.Request.URL, "#")
		own, _, _ := strings.Cut(address, "#")
		if asked != own && !strings.HasPrefix(asked, "data:") && !strings.HasPrefix(asked, "blob:") {
			note("request for %s", e.Request.URL)
		}
	}
}

// conclude holds the page to the rule, and leaves a picture of it if the test has failed.
func (t *tab) conclude(how look) {
	t.mu.Lock()
	trouble := t.trouble
	t.mu.Unlock()
	if how.broken {
		if len(trouble) == 0 {
			t.Errorf("the page reports no error")
		}
	} else if len(trouble) > 0 {
		t.Errorf("the page is not as quiet as it should be:\n%s", strings.Join(trouble, "\n"))
	}
	if !t.Failed() || t.ctx.Err() != nil {
		return
	}
	if picture, err := chromedp.Run(t.ctx, chromedp.CaptureScreenshot()); err == nil {
		file := filepath.Join(os.TempDir(), strings.ReplaceAll(t.Name(), "/", "-")+".png")
		if os.WriteFile(file, picture, 0o600) == nil {
			t.Logf("what was to be seen: %s", file)
		}
	}
}

func (t *tab) call(f func(context.Context, *chromedp.Target) error) {
	t.Helper()
	require.NoError(t, chromedp.Do(t.ctx, chromedp.Func(f)))
}

// ask returns what an expression, or the promise that it is, is worth in the page.
func ask[T any](t *tab, expression string, args ...any) T {
	t.Helper()
	value, err := chromedp.Run(t.ctx, chromedp.Evaluate[T](script(expression, args...), chromedp.EvalAwaitPromise))
	require.NoError(t, err, expression)
	return value
}

// script puts values into an expression, in place of each $, as the language writes them.
func script(expression string, args ...any) string {
	done := ""
	for _, arg := range args {
		text, err := json.Marshal(arg)
		if err != nil {
			panic(err)
		}
		before, after, ok := strings.Cut(expression, "$")
		if !ok {
			panic("more values than places: " + expression)
		}
		done += before + string(text)
		expression = after
	}
	return done + expression
}

// do has the page carry out statements.
func (t *tab) do(statements string, args ...any) {
	t.Helper()
	ask[bool](t, "(async () => {"+script(statements, args...)+"; return true })()")
}

// wait waits until a condition holds in the page.
func (t *tab) wait(condition string, args ...any) {
	t.Helper()
	condition = script(condition, args...)
	// The page itself looks again and again, a background tab too.
	_, err := chromedp.Run(t.ctx, chromedp.Evaluate[bool](
		`new Promise((done) => { const look = () => { let ok = false; try { ok = !!(`+condition+`) } catch { /* not yet */ } if (ok) done(true); else setTimeout(look, 10) }; look() })`,
		chromedp.EvalAwaitPromise))
	require.NoError(t, err, "waiting for %s", condition)
}

// text returns the text of the first element that a selector finds.
func (t *tab) text(selector string) string {
	t.Helper()
	return ask[string](t, `document.querySelector($)?.innerText ?? "(not there)"`, selector)
}

// fragment returns what the address says of the view, once it says so.
func (t *tab) fragment(contains string) string {
	t.Helper()
	t.wait(`location.hash.includes($)`, contains)
	return ask[string](t, `location.hash.slice(1)`)
}

// box is where an element is in the window.
type box struct{ X, Y, Width, Height float64 }

// at returns a place within a box, by shares of its width and height.
func (b box) at(x, y float64) (float64, float64) { return b.X + x*b.Width, b.Y + y*b.Height }

// see brings an element into sight, and returns where it is.
func (t *tab) see(selector string) box {
	t.Helper()
	t.wait(`document.querySelector($)`, selector)
	t.do(`const e = document.querySelector($); e.scrollIntoView({ block: "center", behavior: "instant" });
		await new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r)))`, selector)
	return ask[box](t, `(() => { const r = document.querySelector($).getBoundingClientRect(); return { X: r.x, Y: r.y, Width: r.width, Height: r.height } })()`, selector)
}

// click clicks on the middle of an element.
func (t *tab) click(selector string) {
	t.Helper()
	t.clickAt(t.see(selector).at(0.5, 0.5))
}

func (t *tab) clickAt(x, y float64) {
	t.Helper()
	require.NoError(t, chromedp.Do(t.ctx, chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, x, y), chromedp.MouseClickXY(x, y)))
}

// hover moves the pointer.
func (t *tab) hover(x, y float64) {
	t.Helper()
	require.NoError(t, chromedp.Do(t.ctx, chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, x, y)))
}

// drag moves the pointer with the button held down, in some steps.
func (t *tab) drag(x, y, toX, toY float64) {
	t.Helper()
	mouse := func(kind input.DispatchMouseEventType, x, y float64, buttons int64) {
		t.call(func(ctx context.Context, target *chromedp.Target) error {
			_, err := cdp.Call(ctx, target, input.DispatchMouseEvent, input.DispatchMouseEventParams{
				Type: kind, X: x, Y: y, Button: input.MouseButtonLeft, Buttons: buttons, ClickCount: 1,
			})
			return err
		})
	}
	t.hover(x, y)
	mouse(input.DispatchMouseEventTypeMousePressed, x, y, 1)
	for k := 1.0; k <= 8; k++ {
		mouse(input.DispatchMouseEventTypeMouseMoved, x+(toX-x)*k/8, y+(toY-y)*k/8, 1)
	}
	mouse(input.DispatchMouseEventTypeMouseReleased, toX, toY, 0)
}

// wheel turns the wheel at a place.
func (t *tab) wheel(x, y, dx, dy float64, modifiers chromedp.Modifier) {
	t.Helper()
	const least = 1e-6 // both have to be given, and what is 0 is not
	dx, dy = dx+least, dy+least
	t.call(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, input.DispatchMouseEvent, input.DispatchMouseEventParams{
			Type: input.DispatchMouseEventTypeMouseWheel, X: x, Y: y, DeltaX: dx, DeltaY: dy, Modifiers: int64(modifiers),
		})
		return err
	})
}

// pinch moves two fingers apart, or together, about a place.
func (t *tab) pinch(x, y, from, to float64) {
	t.Helper()
	touch := func(kind input.DispatchTouchEventType, apart float64) {
		points := []*input.TouchPoint{}
		if kind != input.DispatchTouchEventTypeTouchEnd {
			points = append(points, &input.TouchPoint{X: x - apart/2, Y: y, ID: new(0.0)}, &input.TouchPoint{X: x + apart/2, Y: y, ID: new(1.0)})
		}
		t.call(func(ctx context.Context, target *chromedp.Target) error {
			_, err := cdp.Call(ctx, target, input.DispatchTouchEvent, input.DispatchTouchEventParams{Type: kind, TouchPoints: points})
			return err
		})
	}
	touch(input.DispatchTouchEventTypeTouchStart, from)
	for k := 1.0; k <= 8; k++ {
		touch(input.DispatchTouchEventTypeTouchMove, from+(to-from)*k/8)
	}
	touch(input.DispatchTouchEventTypeTouchEnd, to)
}

// press presses keys, one after the other, which are no text.
func (t *tab) press(keys string, modifiers ...chromedp.Modifier) {
	t.Helper()
	for _, r := range keys {
		for _, event := range kb.Encode(r) {
			// What a page takes as a command is not typed into what it then focuses.
			if event.Type == kb.KeyChar && unicode.IsPrint(r) {
				continue
			}
			for _, m := range modifiers {
				event.Modifiers |= int64(m)
			}
			t.call(func(ctx context.Context, target *chromedp.Target) error {
				_, err := cdp.Call(ctx, target, input.DispatchKeyEvent, *event)
				return err
			})
		}
	}
}

// write types text.
func (t *tab) write(text string) {
	t.Helper()
	require.NoError(t, chromedp.Do(t.ctx, chromedp.KeyEvent(text)))
}

// focus gives the keys to an element.
func (t *tab) focus(selector string) {
	t.Helper()
	t.see(selector)
	t.do(`document.querySelector($).focus()`, selector)
	t.wait(`document.activeElement === document.querySelector($)`, selector)
}

// printed returns the page as it is printed on A4.
func (t *tab) printed() []byte {
	t.Helper()
	pdf, err := chromedp.Run(t.ctx, chromedp.PrintToPDF(chromedp.PDFPrintBackground(), func(p *page.PrintToPDFParams) { p.PreferCSSPageSize = new(true) }))
	require.NoError(t, err)
	return pdf
}

// accessible has axe-core look for barriers, in what can be seen now.
func (t *tab) accessible() {
	t.Helper()
	axe, err := os.ReadFile(filepath.Join("_npm", "node_modules", "axe-core", "axe.min.js"))
	if err != nil && os.Getenv("CI") != "true" {
		t.Logf("axe-core is missing (npm ci in pkg/page/_npm), so barriers were not looked for: %v", err)
		return
	}
	require.NoError(t, err)
	_, err = chromedp.Run(t.ctx, chromedp.Evaluate[bool](string(axe)+"; true"))
	require.NoError(t, err)
	// Of long tables and lists a few lines do: the others are like them.
	found := ask[[]string](t, `axe.run({ include: [["html"]], exclude: [["tbody tr:nth-child(n+6)"], [".machine-list li:nth-child(n+6)"], ["option:nth-child(n+6)"]] }, { resultTypes: ["violations"] }).then((r) => r.violations.flatMap((v) =>
		v.nodes.slice(0, 5).map((n) => v.id + ": " + v.help + "\n    " + n.html.slice(0, 200) + "\n    " + n.failureSummary.replaceAll("\n", "\n    "))))`)
	if len(found) > 0 {
		t.Errorf("axe-core found:\n%s", strings.Join(found, "\n"))
	}
}

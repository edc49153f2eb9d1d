package page_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/causal"
)

// How long a reader waits: until a page is there, for a frame, for a cone. These are
// benchmarks, since they tell more of the machine than of the code; what holds on a quiet
// one stands in docs/benchmarks.md.

// large are the runs that are measured.
var large = []string{"hundred", "100k", "1M"}

// BenchmarkOpen opens a page, until all is drawn; file-MB is how large its file is.
func BenchmarkOpen(b *testing.B) {
	for _, name := range large {
		b.Run(name, func(b *testing.B) {
			file := written(b, name)
			info, err := os.Stat(file)
			require.NoError(b, err)
			for b.Loop() {
				open(b, file, look{})
			}
			b.ReportMetric(float64(info.Size())/1e6, "file-MB")
		})
	}
}

// BenchmarkFrames pans and zooms, from the whole run to single events and back, one step
// with each frame. script-ms is what our own code takes for a frame; frame-ms is how far
// frames are apart, which is never less than what the screen allows.
func BenchmarkFrames(b *testing.B) {
	for _, name := range large {
		b.Run(name, func(b *testing.B) {
			t := open(b, written(b, name), look{still: true})
			t.focus(plotOf)
			box := t.see(plotOf)
			x, y := box.at(0.55, 0.4)
			var apart, own []float64
			for b.Loop() {
				t.do(`performance.clearMeasures("diagram frame"); window.apart = [];
					const plot = document.querySelector(".diagram-plot"), frame = () => new Promise(requestAnimationFrame);
					let last = await frame();
					for (let k = 0; k < 180; k++) {
						plot.dispatchEvent(new WheelEvent("wheel", { clientX: $, clientY: $, deltaY: k % 4 === 3 ? 0 : k < 90 ? -100 : 100, deltaX: k % 4 === 3 ? 60 : 0, bubbles: true, cancelable: true }));
						const now = await frame();
						window.apart.push(now - last);
						last = now;
					}`, x, y)
				apart = append(apart, ask[[]float64](t, `window.apart`)...)
				own = append(own, ask[[]float64](t, `performance.getEntriesByName("diagram frame").map((e) => e.duration)`)...)
			}
			b.ReportMetric(percentile(own, 0.5), "script-p50-ms")
			b.ReportMetric(percentile(own, 0.99), "script-p99-ms")
			b.ReportMetric(percentile(apart, 0.5), "frame-p50-ms")
			b.ReportMetric(percentile(apart, 0.99), "frame-p99-ms")
		})
	}
}

// BenchmarkCones chooses events all over the run: each time its past, its future and their
// counts are computed.
func BenchmarkCones(b *testing.B) {
	for _, name := range large {
		b.Run(name, func(b *testing.B) {
			t := open(b, written(b, name), look{still: true})
			machines := plans[name].machines
			x := indexOf(b, name)
			var took []float64
			for b.Loop() {
				for k := range 200 {
					machine := k % machines
					t.do(`performance.clearMeasures("diagram cones"); location.hash = $`, fmt.Sprintf("a=0.%d.%d", machine, (k*7919+k*k*104729)%x.End(machine)))
					t.wait(`performance.getEntriesByName("diagram cones").length > 0`)
					took = append(took, ask[[]float64](t, `performance.getEntriesByName("diagram cones").map((e) => e.duration)`)...)
				}
			}
			b.ReportMetric(percentile(took, 0.5), "p50-ms")
			b.ReportMetric(percentile(took, 0.99), "p99-ms")
		})
	}
}

// percentile sorts a copy.
func percentile(values []float64, p float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(p*float64(len(sorted))))]
}

// A run of 100,000 events opens and can be asked like a small one.
func TestLarge(t *testing.T) {
	t.Parallel()
	x := indexOf(t, "100k")
	place := causal.Place{Machine: 1, Position: x.End(1) / 2}
	d := diagramOf(t, "100k", 0, 10_000, look{still: true, fragment: fmt.Sprintf("a=0.1.%d", place.Position)})
	d.wait(`document.querySelector(".diagram-panel .chips")`)
	d.expectCounts(x, place)
}

var picture = flag.String("picture", "", "write a picture of a page to this `file`")

// TestPicture makes the picture that the README shows (make picture).
func TestPicture(t *testing.T) {
	if *picture == "" {
		t.Skip("no picture is asked for (make picture)")
	}
	tab := open(t, written(t, "faults"), look{width: 1280, height: 1280, still: true, fragment: "t=12500000,31500000&a=0.0.24"})
	tab.chart(clockChart)
	tab.chart(driftChart)
	tab.do(`scrollTo({ top: document.querySelector("#diagram").getBoundingClientRect().top + scrollY - 20, behavior: "instant" }); await new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r)))`)
	png, err := chromedp.Run(tab.ctx, chromedp.CaptureScreenshot())
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Clean(*picture), png, 0o644))
}

package report

import (
	"fmt"
	"html"
	"strings"

	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/internal/palette"
)

// svg returns the picture as SVG.
func (p *picture) svg() string {
	c := &svgCanvas{}
	width := marginLeft + p.width + marginRight
	fmt.Fprintf(&c.b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f" font-family="system-ui, sans-serif" role="img">
<title>Space-time diagram of %s</title>
<style>
 .paper { fill: #ffffff } .gap { stroke: #ffffff } .ink { fill: #24292f } .faint { fill: #57606a } .rule { stroke: #d0d7de }
 .fault { fill: #b3402a } .mark { fill: #8b949e; stroke: #8b949e } .scale { stroke: #57606a }
 .hollow { fill: #ffffff }
 .halo { paint-order: stroke; stroke: #ffffff; stroke-width: 3px; stroke-linejoin: round }
 @media (prefers-color-scheme: dark) {
  .paper { fill: #0d1117 } .gap { stroke: #0d1117 } .ink { fill: #e6edf3 } .faint { fill: #9198a1 } .rule { stroke: #30363d }
  .fault { fill: #ff8d78 } .scale { stroke: #9198a1 }
  .hollow { fill: #0d1117 } .halo { stroke: #0d1117 }
 }
</style>
<rect class="paper" width="100%%" height="100%%"/>
<defs>
`, width, p.height, width, p.height, html.EscapeString(p.about()))
	for i := range min(p.run.Machines, palette.Size) {
		fmt.Fprintf(&c.b, `<marker id="head%d" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0.8 L8 4 L0 7.2 z" fill="%s"/></marker>`+"\n", i, palette.Hex(i))
	}
	c.height = p.height
	fmt.Fprintf(&c.b, `<clipPath id="window"><rect x="%d" y="0" width="%.0f" height="%.0f"/></clipPath>`+"\n</defs>\n", marginLeft-8, p.width+16, p.height)
	p.draw(c)
	c.b.WriteString("</svg>\n")
	return c.b.String()
}

// svgCanvas draws SVG.
type svgCanvas struct {
	b      strings.Builder
	height float64
}

// paint returns the attributes of something that is filled, or, with stroke, drawn.
func (i ink) paint(stroke bool) string {
	what, class := "fill", i.class
	if stroke {
		what = "stroke"
		if class == inkFaint {
			class = "scale"
		}
	}
	s := fmt.Sprintf(`class="%s"`, class)
	if i.machine >= 0 {
		s = fmt.Sprintf(`%s="%s"`, what, palette.Hex(i.machine))
	}
	if i.opacity > 0 {
		s += fmt.Sprintf(` %s-opacity="%.2f"`, what, i.opacity)
	}
	return s
}

func (c *svgCanvas) line(x1, y1, x2, y2, width float64, with ink, dashed bool) {
	dash := ""
	if dashed {
		dash = ` stroke-dasharray="2 5"`
		if with.class == inkGap {
			dash = ` stroke-dasharray="4 4"`
		}
	}
	fmt.Fprintf(&c.b, `<line %s x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke-width="%g"%s/>`+"\n", with.paint(true), x1, y1, x2, y2, width, dash)
}

func (c *svgCanvas) arrow(x1, y1, x2, y2 float64, machine int) {
	fmt.Fprintf(&c.b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-opacity="0.75" stroke-width="1.3" marker-end="url(#head%d)"/>`+"\n",
		x1, y1, x2, y2, palette.Hex(machine), machine%palette.Size)
}

func (c *svgCanvas) shape(k event.Kind, x, y, scale float64, with ink, about string) {
	if about != "" {
		fmt.Fprintf(&c.b, `<g><title>%s</title>`, html.EscapeString(about))
	}
	switch k {
	case event.Send:
		fmt.Fprintf(&c.b, `<circle cx="%.1f" cy="%.1f" r="%.1f" %s/>`, x, y, 4.6*scale, with.paint(false))
	case event.Receive:
		size := 8.4 * scale
		fmt.Fprintf(&c.b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" stroke-width="%.1f" %s/>`, x-size/2, y-size/2, size, size, max(2*scale, 0.8), hollow(with))
	default:
		fmt.Fprintf(&c.b, `<circle cx="%.1f" cy="%.1f" r="%.1f" stroke-width="%.1f" %s/>`, x, y, 3*scale, max(1.6*scale, 0.8), hollow(with))
	}
	if about != "" {
		c.b.WriteString("</g>")
	}
	c.b.WriteByte('\n')
}

// hollow is for shapes that show the paper inside.
func hollow(with ink) string {
	if with.machine < 0 {
		return fmt.Sprintf(`class="%s" style="fill: none"`, with.class)
	}
	return `class="hollow" ` + with.paint(true)
}

func (c *svgCanvas) area(points [][2]float64, with ink) {
	var path strings.Builder
	for i, p := range points {
		fmt.Fprintf(&path, "%c%.1f %.1f", "ML"[min(i, 1)], p[0], p[1])
	}
	fmt.Fprintf(&c.b, `<path d="%sZ" %s/>`+"\n", path.String(), with.paint(false))
}

func (c *svgCanvas) rect(x, y, width, height float64, with ink) {
	fmt.Fprintf(&c.b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" %s/>`+"\n", x, y, width, height, with.paint(false))
}

func (c *svgCanvas) text(x, y, size float64, at align, bold bool, with ink, what string) {
	anchor, weight := "", ""
	switch at {
	case middle:
		anchor = ` text-anchor="middle"`
	case right:
		anchor = ` text-anchor="end"`
	}
	if bold {
		weight = ` font-weight="600"`
	}
	paint := with.paint(false)
	if with.class == inkText && !bold {
		paint = `class="ink halo"`
	}
	fmt.Fprintf(&c.b, `<text %s x="%.1f" y="%.1f" font-size="%g"%s%s>%s</text>`+"\n", paint, x, y, size, anchor, weight, html.EscapeString(what))
}

func (c *svgCanvas) clipped(_, _ float64, draw func()) {
	c.b.WriteString(`<g clip-path="url(#window)" fill="none">` + "\n")
	draw()
	c.b.WriteString("</g>\n")
}

package report

import (
	"fmt"
	"strings"

	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/internal/palette"
)

// tikz returns the picture as a tikzpicture for LaTeX, which needs the package tikz alone:
// \input in a document, it is as wide as the text.
func (p *picture) tikz() string {
	c := &tikzCanvas{height: p.height}
	width := marginLeft + p.width + marginRight
	fmt.Fprintf(&c.b, `%% \usepackage{tikz}
\begingroup
`)
	for i := range min(max(p.run.Machines, 1), palette.Size) {
		fmt.Fprintf(&c.b, `\definecolor{machine%d}{HTML}{%s}`+"\n", i, strings.TrimPrefix(palette.Hex(i), "#"))
	}
	for _, class := range [][2]string{
		{inkText, "24292F"}, {inkFaint, "57606A"}, {inkRule, "D0D7DE"}, {inkFault, "B3402A"}, {inkGap, "FFFFFF"}, {inkPaper, "FFFFFF"}, {inkMark, "8B949E"},
	} {
		fmt.Fprintf(&c.b, `\definecolor{%s}{HTML}{%s}`+"\n", class[0], class[1])
	}
	// A pixel is as large as makes the whole as wide as the text.
	fmt.Fprintf(&c.b, `\pgfmathsetlengthmacro{\px}{\linewidth/%.0f}
\begin{tikzpicture}[x=\px,y=\px,line cap=butt,every node/.style={inner sep=0pt,outer sep=0pt}]
\useasboundingbox (0,0) rectangle (%.0f,%.0f);
`, width, width, p.height)
	p.draw(c)
	c.b.WriteString("\\end{tikzpicture}\n\\endgroup\n")
	return c.b.String()
}

// tikzCanvas draws TikZ, in which y goes up.
type tikzCanvas struct {
	b      strings.Builder
	height float64
}

func (c *tikzCanvas) at(x, y float64) string { return fmt.Sprintf("(%.1f,%.1f)", x, c.height-y) }

func (i ink) options(what string) string {
	colour := i.class
	if i.machine >= 0 {
		colour = fmt.Sprintf("machine%d", i.machine%palette.Size)
	}
	s := what + "=" + colour
	if i.opacity > 0 {
		s += fmt.Sprintf(",%s opacity=%.2f", what, i.opacity)
	}
	return s
}

func (c *tikzCanvas) line(x1, y1, x2, y2, width float64, with ink, dashed bool) {
	dash := ""
	if dashed {
		dash = `,dash pattern=on 2\px off 4\px`
	}
	fmt.Fprintf(&c.b, `\draw[%s,line width=%g\px%s] %s -- %s;`+"\n", with.options("draw"), width, dash, c.at(x1, y1), c.at(x2, y2))
}

func (c *tikzCanvas) arrow(x1, y1, x2, y2 float64, machine int) {
	fmt.Fprintf(&c.b, `\draw[->,%s,line width=1.3\px] %s -- %s;`+"\n", of(machine).faint(0.75).options("draw"), c.at(x1, y1), c.at(x2, y2))
}

func (c *tikzCanvas) shape(k event.Kind, x, y, scale float64, with ink, _ string) {
	switch k {
	case event.Send:
		fmt.Fprintf(&c.b, `\fill[%s] %s circle[radius=%.1f];`+"\n", with.options("fill"), c.at(x, y), 4.6*scale)
	case event.Receive:
		half := 4.2 * scale
		fmt.Fprintf(&c.b, `\draw[fill=paper,%s,line width=%.1f\px] %s rectangle %s;`+"\n", with.options("draw"), max(2*scale, 0.8), c.at(x-half, y-half), c.at(x+half, y+half))
	default:
		fmt.Fprintf(&c.b, `\draw[fill=paper,%s,line width=%.1f\px] %s circle[radius=%.1f];`+"\n", with.options("draw"), max(1.6*scale, 0.8), c.at(x, y), 3*scale)
	}
}

func (c *tikzCanvas) area(points [][2]float64, with ink) {
	fmt.Fprintf(&c.b, `\fill[%s]`, with.options("fill"))
	for i, p := range points {
		if i > 0 {
			c.b.WriteString(" --")
		}
		c.b.WriteString(" " + c.at(p[0], p[1]))
	}
	c.b.WriteString(" -- cycle;\n")
}

func (c *tikzCanvas) rect(x, y, width, height float64, with ink) {
	fmt.Fprintf(&c.b, `\fill[%s] %s rectangle %s;`+"\n", with.options("fill"), c.at(x, y), c.at(x+width, y+height))
}

func (c *tikzCanvas) text(x, y, size float64, at align, bold bool, with ink, what string) {
	anchor := map[align]string{left: "base west", middle: "base", right: "base east"}[at]
	weight := ""
	if bold {
		weight = `\bfseries`
	}
	// In units of the page's own type, so that it can be read where the picture is small.
	fmt.Fprintf(&c.b, `\node[anchor=%s,%s,font=\sffamily%s%s] at %s {%s};`+"\n", anchor, with.options("text"), weight, typeSize(size), c.at(x, y), escapeTeX(what))
}

// typeSize returns the size of type that stands for so many pixels.
func typeSize(pixels float64) string {
	switch {
	case pixels <= 11:
		return `\tiny`
	case pixels <= 12:
		return `\scriptsize`
	}
	return `\footnotesize`
}

func (c *tikzCanvas) clipped(x1, x2 float64, draw func()) {
	fmt.Fprintf(&c.b, "\\begin{scope}\n\\clip %s rectangle %s;\n", c.at(x1, 0), c.at(x2, c.height))
	draw()
	c.b.WriteString("\\end{scope}\n")
}

var tex = strings.NewReplacer(
	`\`, `\textbackslash{}`, `{`, `\{`, `}`, `\}`, `$`, `\$`, `&`, `\&`, `#`, `\#`, `%`, `\%`, `_`, `\_`, `^`, `\^{}`, `~`, `\~{}`,
	`·`, `$\cdot$`, `|`, `$|$`, `<`, `$<$`, `>`, `$>$`, "µ", `$\mu$`, `"`, `''`)

// escapeTeX writes a text that TeX prints as it is: what could be a command is none, and
// what no font of TeX's has is a question mark.
func escapeTeX(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' && !strings.ContainsRune("·µ", r) {
			return '?'
		}
		return r
	}, s)
	return tex.Replace(s)
}

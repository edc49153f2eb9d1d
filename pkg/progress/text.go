package progress

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/scalemodel/lamport/pkg/internal/figure"
)

const (
	maxBar = 40 // how wide the bar of the whole becomes, with its ends
	minBar = 8  // below that, there is none
)

// headline says how far the whole is: a text, a bar where there is an end, and a
// remark. What does not fit is left away, the remark first.
func headline(text string, share float64, endless bool, remark string, width int) string {
	text = fmt.Sprintf("%-11s", text)
	if endless {
		return fitting(width, strings.TrimSpace(text), remark)
	}
	room := width - utf8.RuneCountInString(text) - 1
	if remark != "" && room-utf8.RuneCountInString(remark)-2 >= minBar {
		bar := min(maxBar, room-utf8.RuneCountInString(remark)-2)
		return text + " " + bracketed(share, bar) + "  " + remark
	}
	if room < minBar {
		return cut(strings.TrimSpace(text), width)
	}
	return text + " " + bracketed(share, min(maxBar, room))
}

// bracketed draws a bar of this width, [====>   ]. It is full only with a share of 1.
func bracketed(share float64, width int) string {
	inner := width - 2
	if share >= 1 {
		return "[" + strings.Repeat("=", inner) + "]"
	}
	n := min(int(max(share, 0)*float64(inner)), inner-1)
	return "[" + strings.Repeat("=", n) + ">" + strings.Repeat(" ", inner-n-1) + "]"
}

// fitting joins as many of the parts as fit, with commas, and at least the beginning
// of the first. Empty ones are passed over.
func fitting(width int, parts ...string) string {
	const separator = ", "
	line := ""
	for _, p := range parts {
		switch {
		case p == "":
		case line == "":
			line = cut(p, width)
		case utf8.RuneCountInString(line+separator+p) > width:
			return line
		default:
			line += separator + p
		}
	}
	return line
}

// cut returns the beginning of a text that has so much room.
func cut(text string, width int) string {
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	return string([]rune(text)[:max(width, 0)])
}

// age writes how long something has lasted, in whole seconds.
func age(d time.Duration) string { return figure.Exact(max(d, 0).Truncate(time.Second)) }

// Disk is what a run's logs do to the disk.
type Disk struct {
	Logged    uint64  // bytes of logs so far
	PerSecond float64 // bytes that they grow by
}

// text says it in a few words, "" before anything is known.
func (d Disk) text() string {
	if d.Logged == 0 {
		return ""
	}
	return "logs " + Bytes(float64(d.Logged)) + ", " + Bytes(d.PerSecond) + "/s"
}

// Bytes writes a number of bytes in decimal units, with three significant digits.
func Bytes(n float64) string {
	units := []string{"B", "kB", "MB", "GB", "TB", "PB", "EB"}
	i := 0
	for ; n >= 999.5 && i < len(units)-1; i++ {
		n /= 1000
	}
	switch {
	case i == 0 || n >= 99.95:
		return fmt.Sprintf("%.0f %s", n, units[i])
	case n >= 9.995:
		return fmt.Sprintf("%.1f %s", n, units[i])
	}
	return fmt.Sprintf("%.2f %s", n, units[i])
}

package progress

import (
	"io"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

const (
	refresh  = 200 * time.Millisecond
	barWidth = 40
)

// picture is what is drawn of anything that goes on: a bar between two texts, and
// below it lines.
type picture struct {
	bars  *mpb.Progress
	bar   *mpb.Bar
	lines []*mpb.Bar
	total int64 // what the bar is full at; 0: there is none, for there is no end
}

// newPicture starts to draw. The texts are asked for from another goroutine, from
// now on.
func newPicture(terminal io.Writer, total int64, left, right func() string) *picture {
	p := &picture{
		bars:  mpb.New(mpb.WithOutput(terminal), mpb.WithRefreshRate(refresh), mpb.WithWidth(barWidth), mpb.WithAutoRefresh()),
		total: total,
	}
	style := mpb.BarStyle().Lbound("[").Rbound("]").Filler("=").Tip(">").Padding(" ").Build()
	if total == 0 {
		style = nil
	}
	p.bar = p.bars.MustAdd(max(total, 1), style, mpb.PrependDecorators(drawn(left)), mpb.AppendDecorators(drawn(right)))
	return p
}

// line adds a line of text.
func (p *picture) line(text func() string) {
	p.lines = append(p.lines, p.bars.MustAdd(1, nil, mpb.PrependDecorators(drawn(text))))
}

func drawn(text func() string) decor.Decorator {
	return decor.Any(func(decor.Statistics) string { return text() })
}

// fill moves the bar. It stays short of the end, which close gives: a full bar is
// final.
func (p *picture) fill(current int64) {
	if p.total > 0 {
		p.bar.SetCurrent(min(current, p.total-1))
	}
}

// close draws all for the last time, with a full bar if the whole is done, and
// leaves it on the terminal.
func (p *picture) close(whole bool) {
	if whole && p.total > 0 {
		p.bar.SetCurrent(p.total)
	}
	for _, b := range append(p.lines, p.bar) {
		b.Abort(false)
	}
	p.bars.Wait()
}

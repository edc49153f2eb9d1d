package progress

import (
	"cmp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/summary"
)

// maxRows is how many machines get a row of their own: of more, those most worth
// seeing.
const maxRows = 16

// board is what is known of a run of machines. It knows no time but what it is told.
type board struct {
	first    int // the id of the first machine
	machines []sighting
	duration time.Duration // 0: without end
	start    time.Time     // agreed; zero: not yet
	end      time.Time     // of the display; zero: not yet
	disk     Disk
}

// elapsed returns how long the run has gone on.
func (b *board) elapsed(now time.Time) time.Duration {
	if b.start.IsZero() {
		return 0
	}
	if !b.end.IsZero() {
		now = b.end
	}
	elapsed := max(0, now.Sub(b.start))
	if b.duration > 0 {
		elapsed = min(elapsed, b.duration)
	}
	return elapsed
}

func (b *board) clockText(now time.Time) string {
	elapsed := b.elapsed(now)
	rounded := elapsed.Round(time.Second).String()
	switch {
	case b.start.IsZero():
		return "connecting"
	case !b.end.IsZero():
		return rounded
	case b.duration == 0:
		return rounded + ", Ctrl-C stops"
	case elapsed == b.duration:
		return "ending"
	}
	return (b.duration - elapsed).Round(time.Second).String() + " left"
}

// picture draws the run: how far it is, its sums, and as many machines as there is
// room for.
func (b *board) picture(now time.Time, width, height int) []string {
	share := 0.0
	if b.duration > 0 {
		share = float64(b.elapsed(now)) / float64(b.duration)
		if b.end.IsZero() {
			share = min(share, 0.999) // full is final
		}
	}
	lines := []string{
		headline(b.clockText(now), share, b.duration == 0, b.disk.text(), width),
		fitting(width, b.sums()...),
	}
	shown, rest := b.choose(now, height-len(lines)-1)
	if len(shown) > 0 {
		lines = append(lines, b.table(now, shown, width)...)
	}
	if len(rest) > 0 {
		lines = append(lines, b.restText(now, rest, width))
	}
	return lines[:min(len(lines), height)]
}

// line says the same in one line.
func (b *board) line(now time.Time) string {
	all := make([]int, len(b.machines))
	for i := range all {
		all[i] = i
	}
	text := b.elapsed(now).Round(time.Second).String()
	if left := b.duration - b.elapsed(now); b.start.IsZero() {
		text = "connecting"
	} else if left > 0 {
		text += ", " + left.Round(time.Second).String() + " left"
	}
	text += ": " + strings.Join(b.sums(), ", ") + "; " + strings.Join(b.standings(now, all), ", ")
	if disk := b.disk.text(); disk != "" {
		text += "; " + disk
	}
	return text
}

func (b *board) long() bool { return b.duration > short }

// sums adds up all machines, in parts of which the first are worth most.
func (b *board) sums() []string {
	var events uint64
	queue := 0
	for i := range b.machines {
		events += b.machines[i].status.Steps
		queue += b.machines[i].status.Queue
	}
	return []string{
		figure.Plural(events, "event"),
		"clock " + figure.Count(b.largest()),
		figure.Count(queue) + " waiting",
	}
}

// largest returns the largest clock.
func (b *board) largest() (t clock.Time) {
	for i := range b.machines {
		t = max(t, b.machines[i].status.Clock)
	}
	return t
}

// drift returns how far a machine is behind the largest clock.
func (b *board) drift(i int) uint64 { return uint64(b.largest() - b.machines[i].status.Clock) }

// choose returns the machines that get one of so many rows, by number, and the rest,
// for which one row is kept.
func (b *board) choose(now time.Time, rows int) (shown, rest []int) {
	all := make([]int, len(b.machines))
	for i := range all {
		all[i] = i
	}
	if len(all) <= min(rows, maxRows) {
		return all, nil
	}
	slices.SortStableFunc(all, func(i, j int) int {
		x, y := &b.machines[i], &b.machines[j]
		return cmp.Or(
			cmp.Compare(x.stands(now), y.stands(now)),
			cmp.Compare(y.status.Queue, x.status.Queue),
			cmp.Compare(x.status.Clock, y.status.Clock),
		)
	})
	n := max(min(rows-1, maxRows), 0)
	shown, rest = all[:n:n], all[n:]
	slices.Sort(shown)
	return shown, rest
}

// standings counts machines by how it stands with them. One that is alone in trouble
// is named.
func (b *board) standings(now time.Time, ids []int) (parts []string) {
	var by [done + 1][]int
	for _, i := range ids {
		s := b.machines[i].stands(now)
		by[s] = append(by[s], i)
	}
	for s, which := range by {
		switch {
		case len(which) == 0:
		case len(which) == 1 && standing(s).troubled():
			parts = append(parts, figure.Machine(b.first+which[0])+" "+b.machines[which[0]].text(now))
		default:
			parts = append(parts, figure.Count(len(which))+" "+standing(s).String())
		}
	}
	return parts
}

// restText sums up the machines that have no row.
func (b *board) restText(now time.Time, rest []int, width int) string {
	queue, least := 0, b.largest()
	for _, i := range rest {
		queue = max(queue, b.machines[i].status.Queue)
		least = min(least, b.machines[i].status.Clock)
	}
	parts := b.standings(now, rest)
	who := figure.Count(len(rest)) + " more: "
	if len(rest) == len(b.machines) {
		who = figure.Plural(len(rest), "machine") + ": "
	}
	parts[0] = who + parts[0]
	parts = append(parts, "queue up to "+figure.Short(float64(queue)), "behind up to "+figure.Short(float64(b.largest()-least)))
	return fitting(width, parts...)
}

// column is one of the table's.
type column struct {
	title string
	left  bool // aligned
	least int  // its width at least, so that it rarely moves the others
	worth int  // those of less worth are left away first
	cell  func(i int) string
}

const queueBar = 5

// table draws machines, with a line of titles.
func (b *board) table(now time.Time, shown []int, width int) []string {
	longest := 0
	for i := range b.machines {
		longest = max(longest, b.machines[i].status.Queue)
	}
	number := func(n uint64) string { return figure.Short(float64(n)) }
	columns := []column{
		{"vm", true, 0, 9, func(i int) string { return figure.Machine(b.first + i) }},
		{"rate", false, 0, 2, func(i int) string { return b.machines[i].rate.String() }},
		{"state", true, 11, 8, func(i int) string { return b.machines[i].text(now) }},
		{"clock", false, 6, 7, func(i int) string { return number(uint64(b.machines[i].status.Clock)) }},
		{"behind", false, 6, 6, func(i int) string { return number(b.drift(i)) }},
		{"queue", false, 5, 5, func(i int) string { return number(uint64(b.machines[i].status.Queue)) }},
		{"", true, queueBar, 3, func(i int) string { return queueBarOf(b.machines[i].status.Queue, longest) }},
		{"sent", false, 6, 4, func(i int) string { return number(b.machines[i].status.Sent) }},
		{"received", false, 6, 4, func(i int) string { return number(b.machines[i].status.Received) }},
		{"events", false, 6, 1, func(i int) string { return number(b.machines[i].status.Steps) }},
	}
	if len(b.machines) == 1 { // it is behind nobody
		columns = slices.DeleteFunc(columns, func(c column) bool { return c.title == "behind" })
	}
	return rows(columns, shown, width)
}

// queueBarOf draws a queue against the longest of all.
func queueBarOf(n, longest int) string {
	longest = max(longest, queueBar) // few are not many
	if n <= 0 {
		return strings.Repeat(" ", queueBar)
	}
	full := max(1, n*queueBar/longest)
	return strings.Repeat("#", full) + strings.Repeat(" ", queueBar-full)
}

// rows lays out as many of the columns as fit.
func rows(columns []column, shown []int, width int) []string {
	lines := make([][]string, len(shown)+1)
	widths := make([]int, len(columns))
	for c := range columns {
		lines[0] = append(lines[0], columns[c].title)
		widths[c] = max(columns[c].least, len(columns[c].title))
		for r, i := range shown {
			cell := columns[c].cell(i)
			lines[r+1] = append(lines[r+1], cell)
			widths[c] = max(widths[c], utf8.RuneCountInString(cell))
		}
	}
	least, gap := layout(columns, widths, width)
	texts := make([]string, len(lines))
	for r, cells := range lines {
		var parts []string
		for c, cell := range cells {
			if columns[c].worth < least {
				continue
			}
			space := strings.Repeat(" ", widths[c]-utf8.RuneCountInString(cell))
			if columns[c].left {
				cell += space
			} else {
				cell = space + cell
			}
			parts = append(parts, cell)
		}
		texts[r] = cut(strings.TrimRight(strings.Join(parts, gap), " "), width)
	}
	return texts
}

// layout returns of which worth columns must be to fit, and what stands between
// them. To stand apart by two is worth more than the rate and the events.
func layout(columns []column, widths []int, width int) (least int, gap string) {
	for least = 1; least < 9; least++ {
		for _, gap := range []string{"  ", " "} {
			total := -len(gap)
			for c := range columns {
				if columns[c].worth >= least {
					total += widths[c] + len(gap)
				}
			}
			if total <= width && (least > 2 || len(gap) == 2) {
				return least, gap
			}
		}
	}
	return least, " "
}

// update takes in what is known of a machine.
func (b *board) update(id int, s summary.Status, now time.Time) {
	m := &b.machines[id-b.first]
	m.status, m.heard = s, now
	if s.Start.After(b.start) {
		b.start = s.Start
	}
}

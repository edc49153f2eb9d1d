package sim

import "slices"

// timetable are the next ticks of all rotas of a shard, window by window. When machines
// tick depends on nothing that they do. So the ticks of many windows can be found ahead,
// rota by rota, and sorted by counting, where the next one each time would have to be
// looked for: what then is to be executed is known long before.
type timetable struct {
	turns  []turn // in the order of their windows
	sorted []turn
	counts [spanWindows + 1]int32
}

// turn is a tick of the machine in a place.
type turn struct {
	at    int64
	place int32
}

// spanWindows is for how many windows a timetable is made at once.
const spanWindows = 256

// fill makes the timetable of a span that begins at an instant, but not behind the last,
// and returns its turns.
func (t *timetable) fill(s *shard, from, last int64, shift uint8) []turn {
	last = min(last, from+int64(spanWindows)<<shift-1)
	t.turns, t.counts = t.turns[:0], [spanWindows + 1]int32{}
	for i := range s.rotas {
		r := &s.rotas[i]
		for r.due <= last {
			t.turns = append(t.turns, turn{r.due, r.next})
			t.counts[uint64(r.due-from)>>shift%spanWindows+1]++
			r.advance(s.offsets)
		}
	}
	for i := range spanWindows {
		t.counts[i+1] += t.counts[i]
	}
	t.sorted = slices.Grow(t.sorted[:0], len(t.turns))[:len(t.turns)]
	for i := range t.turns {
		turn := &t.turns[i]
		at := &t.counts[uint64(turn.at-from)>>shift%spanWindows]
		t.sorted[*at] = *turn
		*at++
	}
	return t.sorted
}

// foreseeable reports whether a timetable serves: windows must be long enough for
// messages to fall into later ones, and a span of them must have more ticks than it
// has windows and rotas to look at.
func (e *engine) foreseeable(shift uint8) bool {
	span := spanWindows * float64(uint64(1)<<shift) / 1e9 // in seconds
	return e.phased() && e.cfg.Latency.Min() > 0 && span*e.perSecond() > max(spanWindows, float64(len(e.shards[0].rotas)))/4
}

// ahead executes the ticks by a timetable.
func (e *engine) ahead(shift uint8) (stopped bool) {
	s := e.shards[0]
	var t timetable
	for {
		from := s.next().due
		if from > e.end {
			e.now = e.end
			return false
		}
		for _, turn := range t.fill(s, from, e.end, shift) {
			s.step(turn.place, turn.at)
			e.now = turn.at
		}
		if e.pause() {
			return true
		}
	}
}

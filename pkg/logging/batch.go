package logging

import "github.com/scalemodel/lamport/pkg/event"

// Entry is one line of a log, as small as an event allows: lines of other kinds are
// few, and keep their record apart.
//
// It fills two lines of a processor's cache. All that an event has but for its messages stands in
// the first of them, since entries are mostly read by another processor than the one that has
// filled them.
type Entry struct {
	Line      int     // as in a [Record]
	UnixMicro int64   // likewise
	Other     *Record // what the line is if it is no event, else nil
	Event     event.Event
	ID        int // as in a [Record]
	_         [8]byte
}

// Set makes e the line that rec is. It keeps nothing of rec itself.
func (e *Entry) Set(rec *Record) {
	e.Line, e.UnixMicro, e.ID = rec.Line, rec.UnixMicro, rec.ID
	if rec.Kind == EventRecord {
		e.Event, e.Other = rec.Event, nil
		return
	}
	other := *rec
	e.Other = &other
}

// NextBatch reads the next lines into entries, as many as these are. It returns how many it
// has read, and what [Reader.Next] would return for the line after them if they are fewer.
// Each line costs a third of what it costs by itself. All that an entry holds may be
// kept.
func (r *Reader) NextBatch(entries []Entry) (n int, err error) {
	for ; n < len(entries) && r.err == nil; n++ {
		e := &entries[n]
		if r.event(&e.UnixMicro, &e.Event) {
			e.Line, e.ID, e.Other = r.line, int(r.plain.id), nil
			continue
		}
		if r.scan(&r.rec) != nil {
			break
		}
		e.Set(&r.rec)
	}
	if n < len(entries) {
		return n, r.err
	}
	return n, nil
}

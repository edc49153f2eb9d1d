// Package logging writes and reads the event log of a machine, and sets up the
// logger for its diagnostics.
//
// The event log is data: one file per machine, one line per event, and the only
// witness of a run. It is a go-hclog text log, byte for byte, so whatever reads
// hclog reads it; docs/log-format.md describes every line. A [Writer] formats
// the lines without hclog's cost, a [File] holds them on disk and cuts off a
// line that did not fit, and a [Reader] takes exactly what a Writer writes and
// nothing else. Between them, text and records stand for each other: what was written
// is read back equal, and what was read is written back to the same bytes.
//
// The reader looks at one line at a time. Whether the lines of a run fit
// together (steps without a hole, clocks by the rules) is for a checker.
//
// [Diagnostics] is the other log: what a process says to people, on standard
// error. No level or option there touches a line here.
package logging

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/scalemodel/lamport/pkg/clock"
)

// Version is the version of the log's format, which each start line names.
const Version = 1

// MaxLine is the longest line in bytes, newline included. It leaves room for
// the lists of 50,000 peers, and bounds what a reader holds in memory
// of a file that is no log.
const MaxLine = 1 << 20

// TimeFormat is how both logs write a time, which is always in UTC.
const TimeFormat = "2006-01-02T15:04:05.000000Z07:00"

const maxID = math.MaxInt32

// FileName returns the name of a machine's event log, such as vm_0_1.log,
// vm_2_2.5.log or vm_0_max.log.
func FileName(id int, rate clock.Rate) string {
	return fmt.Sprintf("vm_%d_%s.log", id, rate)
}

// Count is a number of messages from or to one peer. Lists of Counts are in
// ascending order of Peer, each peer at most once.
type Count struct {
	Peer     int    // 0 … 2³¹-1
	Messages uint64 // ≥ 1: a peer without messages is not listed
}

// Counts returns the list of messages by peer, ready for a [Stop].
func Counts(byPeer map[int]uint64) []Count {
	var counts []Count
	for peer, n := range byPeer {
		if n > 0 {
			counts = append(counts, Count{Peer: peer, Messages: n})
		}
	}
	slices.SortFunc(counts, func(a, b Count) int { return cmp.Compare(a.Peer, b.Peer) })
	return counts
}

// ByPeer is the inverse of [Counts]: how many messages each listed peer has, nil
// where none is listed.
func ByPeer(counts []Count) map[int]uint64 {
	if len(counts) == 0 {
		return nil
	}
	byPeer := make(map[int]uint64, len(counts))
	for _, c := range counts {
		byPeer[c.Peer] = c.Messages
	}
	return byPeer
}

// Start opens a machine's log: what it is, and what the run can be done again
// with.
type Start struct {
	Version int // of the format; 0 stands for [Version], and no other can be written
	// Run names the run: printable characters (unicode.IsPrint) without
	// backslash, since hclog leaves a backslash as it stands and such a name
	// could not be read back. It may be empty.
	Run      string
	Machines int // in the whole run, 1 … 2³¹-1
	Rate     clock.Rate
	Seed     uint64
	Die      int   // faces, ≥ 1
	Peers    []int // 0 … 2³¹-1, ascending, each once
}

// Pause says that a machine was stopped in order and is to come back: it has left its run
// open, and its peers wait for it as for one that crashed. Nothing but a [Resume] follows.
type Pause struct {
	Step  uint64     // executed
	Clock clock.Time // after the last event
	// Elapsed is for how long the run has been going on, by the machine's own clock,
	// which is never set: in whole microseconds, at least one. No tick that is due later
	// has been executed.
	Elapsed time.Duration
}

// Resume says that a machine came back after a crash or a pause, and where it goes on.
type Resume struct {
	Step  uint64     // of the last event in the log
	Clock clock.Time // after that event
	// Elapsed is for how long the run has been going on, where the run as a whole has stood
	// still, so that the time since the start line does not tell: in whole microseconds, at
	// least one. 0: not said.
	Elapsed time.Duration
}

// Elapsed returns a duration as a [Pause] and a [Resume] can hold it.
func Elapsed(d time.Duration) time.Duration {
	return max(d.Truncate(time.Microsecond), time.Microsecond)
}

// Stop closes a machine's log.
type Stop struct {
	Step  uint64     // executed
	Clock clock.Time // after the last event
	Queue int        // messages waiting, ≥ 0
	// Pending are the waiting messages by sender.
	Pending []Count
	// Undelivered are, at most, the messages that were sent and never held by a
	// peer, because it had left or was cut off for good, or that nobody would send
	// it again if it died, because this machine has left.
	Undelivered []Count
}

// Offset says how far the system clock of a peer's host was ahead of this one's when it
// was last asked for. All in microseconds: as exactly as lines are stamped.
type Offset struct {
	Peer   int   // 0 … 2³¹-1
	Ahead  int64 // by so much; below 0: it was behind
	Within int64 // the truth was no further from Ahead than this, ≥ 0
	RTT    int64 // the quickest round trip that was seen, ≥ 0
}

// What follows are the ranges of single fields that take more than a
// comparison. A writer refuses what its reader would not take.

func checkStart(s *Start) error {
	switch {
	case s.Version != 0 && s.Version != Version:
		return fmt.Errorf("version %d: this program writes only version %d", s.Version, Version)
	case !validRun(s.Run):
		return fmt.Errorf("run name %q: want printable characters without backslash", s.Run)
	case s.Machines < 1 || s.Machines > maxID:
		return fmt.Errorf("%d machines: want 1 to %d", s.Machines, maxID)
	case s.Rate.Check() != nil:
		return s.Rate.Check()
	case s.Die < 1:
		return fmt.Errorf("a die with %d faces: want at least 1", s.Die)
	}
	last := -1
	for _, p := range s.Peers {
		if p <= last || p > maxID {
			return fmt.Errorf("peer %d after %d: want ids from 0 to %d in ascending order", p, last, maxID)
		}
		last = p
	}
	return nil
}

func checkOffset(o *Offset) error {
	switch {
	case o.Peer < 0 || o.Peer > maxID:
		return fmt.Errorf("an offset to peer %d: want ids from 0 to %d", o.Peer, maxID)
	case o.Within < 0 || o.RTT < 0:
		return fmt.Errorf("an offset within %d µs, by a round trip of %d µs: want at least 0", o.Within, o.RTT)
	}
	return nil
}

func checkElapsed(d time.Duration) error {
	if d != Elapsed(d) {
		return fmt.Errorf("%v elapsed: want whole microseconds, at least one", d)
	}
	return nil
}

func checkCounts(name string, counts []Count) error {
	last := -1
	for _, c := range counts {
		if c.Peer <= last || c.Peer > maxID {
			return fmt.Errorf("%s: peer %d after %d: want ids from 0 to %d in ascending order", name, c.Peer, last, maxID)
		}
		if c.Messages == 0 {
			return fmt.Errorf("%s: no messages of peer %d: want only peers with messages", name, c.Peer)
		}
		last = c.Peer
	}
	return nil
}

func validRun(name string) bool {
	return utf8.ValidString(name) && !strings.ContainsFunc(name, func(r rune) bool {
		return r == '\\' || !unicode.IsPrint(r)
	})
}

// bare reports whether hclog writes a value without quotes.
func bare(value string) bool {
	for i := range len(value) {
		if value[i] < '-' || value[i] > '~' {
			return false
		}
	}
	return value != ""
}

package transport

import (
	"fmt"
	"strings"
)

// Stats is what a node has sent over its links, all of them together, without
// handshakes, and what it has done about the rest. What is sent is counted
// where it is sent, so that the sum over machines counts it once.
type Stats struct {
	Messages uint64 `json:"messages"` // given to Send: each once, however often it had to be sent
	Frames   uint64 `json:"frames"`   // sent, of all types
	Bytes    uint64 `json:"bytes"`    // sent, with all headers of this protocol
	Writes   uint64 `json:"writes"`   // in which these were given to the operating system
	Acks     uint64 `json:"acks"`     // acknowledgements among the frames

	Resent     uint64 `json:"resent,omitzero"`     // messages sent again after a connection broke
	Duplicates uint64 `json:"duplicates,omitzero"` // messages that came again and were dropped
	Reconnects uint64 `json:"reconnects,omitzero"` // connections made after the first, per link
	Refused    uint64 `json:"refused,omitzero"`    // incoming connections that were turned away, or closed for what they carried
}

// Add adds o to s.
func (s *Stats) Add(o Stats) {
	s.Messages += o.Messages
	s.Frames += o.Frames
	s.Bytes += o.Bytes
	s.Writes += o.Writes
	s.Acks += o.Acks
	s.Resent += o.Resent
	s.Duplicates += o.Duplicates
	s.Reconnects += o.Reconnects
	s.Refused += o.Refused
}

// String returns the figures on one line, such as "3 messages, 5 frames, 105 bytes,
// 2 writes, 1 ack". Those of what went wrong are left out where they are 0.
func (s Stats) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s, %s, %s, %s", plural(s.Messages, "message"), plural(s.Frames, "frame"), plural(s.Bytes, "byte"), plural(s.Writes, "write"), plural(s.Acks, "ack"))
	for _, f := range []struct {
		n    uint64
		what string
	}{{s.Resent, "resent"}, {s.Duplicates, "duplicates"}, {s.Reconnects, "reconnects"}, {s.Refused, "refused"}} {
		if f.n > 0 {
			fmt.Fprintf(&b, ", %d %s", f.n, f.what)
		}
	}
	return b.String()
}

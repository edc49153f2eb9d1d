// Package gather brings the event logs of a run, whose machines are on many hosts, into
// one directory: a machine delivers its log ([Deliver]), and a [Gathering] takes those of
// all machines in and says when it has them.
//
// A log only ever grows, so what has arrived is a prefix of it, and a delivery goes on
// behind that: after a connection that broke, after a restart of either end, and when the
// machine has written more. Each delivery first proves that it goes on from what is
// there, by the hash of that, and ends with the hash of the whole log; what was not proven
// is taken back. Without certificates this is also what protects a log: only who knows its
// bytes can add to them.
//
// The conversation is plain HTTP, with the fields of the IETF's draft on resumable
// uploads and of RFC 9530 (digests). docs/gather.md describes it.
package gather

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/rundir"
	"github.com/scalemodel/lamport/pkg/summary"
)

// The fields of requests and answers. Offsets and lengths are in bytes of the log as
// text, never of compressed data.
const (
	offsetField = "Upload-Offset" // where a body goes on, or up to where a log has arrived
	lengthField = "Upload-Length" // of the whole log, with the body
	digestField = "Repr-Digest"   // of the whole log
	prefixField = "Prefix-Digest" // of the log up to the offset
)

// The two places for the logs of a machine. A log that does not go on from the one that
// is there has the other.
const (
	logPlace   = "log"
	otherPlace = "other"
)

// aboutPlace is where a machine says about itself what its log does not.
const aboutPlace = "about"

// path returns the path of a machine's place.
func path(run string, machine int, place string) string {
	return "/v1/runs/" + run + "/machines/" + strconv.Itoa(machine) + "/" + place
}

// About is what a machine says about itself beside its log. What is not known is zero.
type About struct {
	Version string `json:"version,omitempty"` // of its program
	Host    string `json:"host,omitempty"`    // that it runs on
	System  string `json:"system,omitempty"`  // operating system and architecture
	CPUs    int    `json:"cpus,omitzero"`
	// Duration is what the machine was told that the run lasts; 0: until stopped.
	Duration time.Duration `json:"duration_ns,omitzero"`
	// Record is that of the run, where one stands beside the log.
	Record *rundir.Record `json:"record,omitempty"`
	// Summary is what the machine has counted, of a machine that came to its end.
	Summary *summary.Machine `json:"summary,omitempty"`
}

// maxAbout is the largest [About] that is taken, in bytes: a record of a thousand machines
// has 10 kB, a summary one kilobyte and some bytes for each peer.
const maxAbout = 1 << 20

// maxText is how long a text of an [About] can be, in bytes.
const maxText = 256

// check returns nil where an About can be that of a machine. What is in its record has
// been checked by reading it.
func (a *About) check(run string, machine, machines int) error {
	for _, text := range []string{a.Version, a.Host, a.System} {
		if len(text) > maxText {
			return fmt.Errorf("a text of %d bytes: want at most %d", len(text), maxText)
		}
	}
	switch {
	case a.CPUs < 0 || a.CPUs > 1<<20:
		return fmt.Errorf("%d processors", a.CPUs)
	case a.Duration < 0:
		return fmt.Errorf("duration %v: a duration cannot be negative", a.Duration)
	case a.Record != nil && (a.Record.Run != run || len(a.Record.Rates) != machines):
		return fmt.Errorf("the record of run %q with %s: want that of run %q with %d", a.Record.Run, figure.Plural(len(a.Record.Rates), "machine"), run, machines)
	case a.Summary != nil && a.Summary.ID != machine:
		return fmt.Errorf("the summary of machine %d: want that of machine %d", a.Summary.ID, machine)
	}
	return nil
}

// digest is the SHA-256 of a log, or of its beginning.
type digest [sha256.Size]byte

const (
	digestBefore = "sha-256=:"
	digestBehind = ":"
)

// String writes a digest as RFC 9530 has it.
func (d digest) String() string {
	return digestBefore + base64.StdEncoding.EncodeToString(d[:]) + digestBehind
}

var errDigest = errors.New("want sha-256=:…: with the 32 bytes in base64")

// parseDigest reads what String writes.
func parseDigest(s string) (d digest, err error) {
	text, ok := strings.CutPrefix(s, digestBefore)
	if text, ok = cutSuffix(text, ok); !ok {
		return d, errDigest
	}
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(b) != len(d) {
		return d, errDigest
	}
	copy(d[:], b)
	return d, nil
}

func cutSuffix(text string, ok bool) (string, bool) {
	if !ok {
		return "", false
	}
	return strings.CutSuffix(text, digestBehind)
}

// parseBytes reads a number of bytes from the fields of a message.
func parseBytes(h http.Header, field string) (int64, error) {
	n, err := strconv.ParseInt(h.Get(field), 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s %q: want a number of bytes", field, h.Get(field))
	}
	return n, nil
}

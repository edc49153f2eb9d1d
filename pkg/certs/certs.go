// Package certs is how the machines of a run prove to each other who they are: TLS 1.3
// with certificates at both ends, each of which names a run and a machine of it.
//
// [Open] reads what one process of a run has for that, and reads it again when the
// files change. [Credentials.Client] and [Credentials.Server] are for crypto/tls, and
// whoever uses them talks only to a certificate of the same run, signed by an
// authority of the run: an expired one, another run's, or none is refused in the
// handshake. [PeerOf] then tells whose it was. [Make] makes an authority and the
// certificates of a run.
//
// Nothing here looks at the name or address of a host. Containers change theirs, and
// a certificate says which machine it is of.
//
// All cryptography is that of the standard library.
package certs

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// Files are where a process finds its certificate, in PEM: as in a Kubernetes secret
// for TLS, or as cert-manager writes it.
type Files struct {
	Cert string // its certificate, then the authorities between that and one of CA, if any
	Key  string // the private key of it
	CA   string // the authorities that it believes, one or more, then certificates that it believes as they are, if any
}

// Name is whom a certificate is of.
type Name struct {
	Run     string // 1 to MaxRun bytes
	Machine int    // 0, 1, 2, …, or NoMachine
}

// NoMachine is in the place of a machine's id for a part of the run that is none:
// what gathers its logs.
const NoMachine = -1

// MaxRun is the most bytes that the name of a run has.
const MaxRun = 64

// String returns it in words.
func (n Name) String() string {
	if n.Machine == NoMachine {
		return fmt.Sprintf("the gatherer of run %q", n.Run)
	}
	return fmt.Sprintf("machine %d of run %q", n.Machine, n.Run)
}

const (
	scheme      = "lamport"
	machinePart = "machine"
	gatherPart  = "gather"
)

// URI returns the name as it stands among the subject alternative names of a
// certificate: "lamport:/exam/machine/0", or "lamport:/exam/gather" for [NoMachine]. What
// cannot stand in the path of a URI is escaped there as usual, %2F for a slash.
func (n Name) URI() string {
	s := scheme + ":/" + url.PathEscape(n.Run)
	if n.Machine == NoMachine {
		return s + "/" + gatherPart
	}
	return s + "/" + machinePart + "/" + strconv.Itoa(n.Machine)
}

// Check returns nil if the name can be that of a certificate.
func (n Name) Check() error {
	switch {
	case n.Run == "" || len(n.Run) > MaxRun:
		return fmt.Errorf("name of a run of %d bytes: want 1 to %d", len(n.Run), MaxRun)
	case n.Machine < NoMachine || n.Machine > maxMachine:
		return fmt.Errorf("machine %d: want 0 to %d", n.Machine, maxMachine)
	}
	return nil
}

// maxMachine is below the ids that the links' protocol uses for something else.
const maxMachine = 1<<31 - 1

// ParseURI reads what [Name.URI] returns, and takes no other spelling of it: who may be
// whom should not hang on how something is normalised.
func ParseURI(uri string) (Name, error) {
	n, ok := parseURI(uri)
	if !ok || n.Check() != nil || n.URI() != uri {
		return Name{}, fmt.Errorf("%.200q names no machine of a run: want %s or %s", uri,
			Name{Run: "exam"}.URI(), Name{Run: "exam", Machine: NoMachine}.URI())
	}
	return n, nil
}

func parseURI(uri string) (n Name, ok bool) {
	path, ok := strings.CutPrefix(uri, scheme+":/")
	parts := strings.Split(path, "/")
	if !ok || len(parts) < 2 {
		return n, false
	}
	var err error
	if n.Run, err = url.PathUnescape(parts[0]); err != nil {
		return n, false
	}
	switch {
	case len(parts) == 2 && parts[1] == gatherPart:
		n.Machine = NoMachine
		return n, true
	case len(parts) == 3 && parts[1] == machinePart:
		n.Machine, err = strconv.Atoi(parts[2])
		return n, err == nil && n.Machine >= 0
	}
	return n, false
}

// Why a certificate does not do. An error of this package wraps one of them where the
// certificate is at fault, and its text says whose certificate it is and what is wrong.
var (
	ErrExpired   = errors.New("the certificate has expired")
	ErrNotYet    = errors.New("the certificate is not valid yet")
	ErrAuthority = errors.New("the certificate is of another authority")
	ErrUsage     = errors.New("the certificate is for another use")
	ErrName      = errors.New("the certificate names no machine")
	ErrRun       = errors.New("the certificate is of another run")
	ErrNone      = errors.New("there is no certificate")
)

// fault is what is wrong with a certificate, in a sentence of its own.
type fault struct {
	text string
	kind error
}

func (f *fault) Error() string { return f.text }
func (f *fault) Unwrap() error { return f.kind }

func faulty(kind error, format string, args ...any) error {
	return &fault{fmt.Sprintf(format, args...), kind}
}

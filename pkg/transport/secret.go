package transport

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
)

// Secret is what the sender on a link proves itself with when it comes again: 128
// random bits that it has made for this one link, and says in each HELLO. The
// receiver keeps what it heard first. The zero Secret is none.
type Secret [16]byte

// NewSecret draws a secret from the system's source of randomness.
func NewSecret() (s Secret) {
	_, _ = rand.Read(s[:]) // which never fails
	return s
}

// is compares two secrets in a time that does not depend on where they differ.
func (s Secret) is(other Secret) bool {
	return subtle.ConstantTimeCompare(s[:], other[:]) == 1
}

// String hides the secret, so that it gets into no log by mistake.
func (s Secret) String() string { return "(secret)" }

// GoString hides it as well.
func (s Secret) GoString() string { return s.String() }

// MarshalText writes it as 32 hexadecimal digits, for whoever keeps it.
func (s Secret) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, s[:]), nil }

// UnmarshalText reads what MarshalText writes.
func (s *Secret) UnmarshalText(b []byte) error {
	if len(b) != hex.EncodedLen(len(s)) {
		return errors.New("a secret has 32 hexadecimal digits")
	}
	_, err := hex.Decode(s[:], b)
	return err
}

// LinkSecrets are the secrets of the two links with a peer.
type LinkSecrets struct {
	Peer int    // AnyID while it has not said who it is
	Addr string // as in Config.Peers
	To   Secret // of the link to it
	From Secret // of the link from it; zero: it has not come yet
}

// Secrets returns what this machine has to keep for its later processes, in the order of
// Config.Peers. It has to be kept for good
//   - before [Node.Barrier], as peers that have heard READY on a link take nobody there
//     any more who does not know its secret;
//   - once more after it, where it differs, before anything says that the run
//     has begun: this machine then does the same.
func (n *Node) Secrets() []LinkSecrets {
	secrets := make([]LinkSecrets, len(n.out))
	n.mu.Lock()
	defer n.mu.Unlock()
	for i, l := range n.out {
		s := LinkSecrets{Peer: l.peerID(), Addr: l.addr, To: l.secret}
		if s.Peer != AnyID {
			s.From = n.in[s.Peer].holder()
		}
		secrets[i] = s
	}
	return secrets
}

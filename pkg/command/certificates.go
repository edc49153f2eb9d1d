package command

import (
	"errors"

	"github.com/scalemodel/lamport/pkg/certs"
)

// WrongCertificate returns wrong usage for an error of [certs.Open], which names the flag
// of the file that does not do and how to mend it.
func WrongCertificate(err error) error {
	which := "cert"
	if e, ok := errors.AsType[*certs.FileError](err); ok {
		which = e.Which
	}
	return Usage("--tls-%s: %w%s", which, err, CertificateMend(err))
}

// CertificateMend returns what is to be said behind an error about a certificate, "" where it
// says all.
func CertificateMend(err error) string {
	switch {
	case errors.Is(err, certs.ErrExpired):
		return `: make new ones with "launcher certs --renew"`
	case errors.Is(err, certs.ErrAuthority):
		return ": all machines of a run need certificates of one authority, and that as --tls-ca"
	}
	return ""
}

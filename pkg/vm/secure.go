package vm

import (
	"crypto/tls"
	"fmt"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scalemodel/lamport/pkg/certs"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/transport"
)

// CertificateError says that a machine was given the certificate of another one.
type CertificateError struct{ Is, Wanted certs.Name }

func (e *CertificateError) Error() string {
	return fmt.Sprintf("the certificate is that of %v, and this is %v", e.Is, e.Wanted)
}

// checkCertificate returns nil if the machine has its own certificate, or none.
func checkCertificate(cfg *Config) error {
	if cfg.TLS == nil {
		return nil
	}
	if is, wanted := cfg.TLS.Name(), (certs.Name{Run: cfg.Run, Machine: cfg.ID}); is != wanted {
		return &CertificateError{is, wanted}
	}
	return nil
}

// underLinks returns what lies under the links of a machine, nil where it has no certificate.
func underLinks(c *certs.Credentials, duration time.Duration, log hclog.Logger) *transport.TLS {
	if c == nil {
		return nil
	}
	c.Log(logging.Slog(log))
	until := c.NotAfter()
	log.Info("links are under TLS", "certificate", c.Name(), "valid-until", until.UTC().Format(time.DateTime))
	if left := time.Until(until); left < duration {
		log.Warn("the certificate expires before the end of the run: what is connected then stays so, but a connection that breaks is not made again",
			"expires", until.UTC().Format(time.DateTime), "in", left.Round(time.Second))
	}
	return secured(c)
}

// secured returns what demands a certificate of the run of everybody, nil where c is.
func secured(c *certs.Credentials) *transport.TLS {
	if c == nil {
		return nil
	}
	return &transport.TLS{Client: c.Client(), Server: c.Server(), Machine: machineOf}
}

// machineOf returns whose certificate the other end of a link has.
func machineOf(state tls.ConnectionState) (int, error) {
	name, err := certs.PeerOf(state)
	if err == nil && name.Machine == certs.NoMachine {
		err = fmt.Errorf("the certificate is that of %v, and not a machine's", name)
	}
	return name.Machine, err
}

package cluster

import (
	"os"
	"time"

	"github.com/scalemodel/lamport/pkg/certs"
)

// makeCertificates makes what the machines of this run know each other by, where that is
// asked for. It lies beside no log: the keys are of use for this run only, and are
// removed with it; the authority's is never written. Machines that are started again
// need theirs once more.
func (c *Cluster) makeCertificates() (err error) {
	if !c.cfg.TLS {
		return nil
	}
	if c.certs, err = os.MkdirTemp("", "lamport-certs-"); err != nil {
		return err
	}
	_, err = certs.Make(c.certs, certs.Plan{
		Run:      c.cfg.Run,
		Machines: len(c.cfg.Rates),
		Valid:    max(certs.DefaultValid, c.cfg.Duration+24*time.Hour),
		Closed:   true,
	})
	if err != nil {
		c.removeCertificates()
	}
	return err
}

func (c *Cluster) removeCertificates() {
	if c.certs != "" {
		_ = os.RemoveAll(c.certs)
	}
}

// tlsArgs returns the arguments that say where machine id has its certificate.
func (c *Cluster) tlsArgs(id int) []string {
	if !c.cfg.TLS {
		return nil
	}
	f := certs.FilesOf(c.certs, id)
	return []string{"--tls-cert", f.Cert, "--tls-key", f.Key, "--tls-ca", f.CA}
}

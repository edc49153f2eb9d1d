package cluster

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
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
	if err == nil && c.cfg.Elsewhere != nil {
		err = c.bringCertificates()
	}
	if err != nil || c.cfg.Elsewhere != nil { // where they are not needed here
		c.removeCertificates()
	}
	return err
}

// bringCertificates puts each machine's own on its host, and no other's.
func (c *Cluster) bringCertificates() error {
	files := make([]map[string][]byte, len(c.cfg.Rates))
	for id := range files {
		files[id] = make(map[string][]byte)
		from, to := certs.FilesOf(c.certs, id), certsElsewhere("", id)
		for _, f := range []struct{ from, to string }{{from.Cert, to.Cert}, {from.Key, to.Key}, {from.CA, to.CA}} {
			b, err := os.ReadFile(f.from)
			if err != nil {
				return err
			}
			files[id][f.to] = b
		}
	}
	return c.cfg.Elsewhere.Bring(files)
}

// certsElsewhere returns where a machine has its certificate on another host, whose paths
// have slashes.
func certsElsewhere(dir string, id int) certs.Files {
	name := path.Join(dir, fmt.Sprintf("vm_%d.tls", id))
	return certs.Files{Cert: name + ".crt", Key: name + ".key", CA: name + ".ca"}
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
	f.CA = filepath.Join(c.certs, certs.AuthorityFile) // in which they all know each other
	if c.cfg.Elsewhere != nil {
		f = certsElsewhere(c.cfg.Elsewhere.Site(id).Dir, id)
	}
	return []string{"--tls-cert", f.Cert, "--tls-key", f.Key, "--tls-ca", f.CA}
}

package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/certs"
	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/vm"
)

// tlsOptions are what the command line says of certificates.
type tlsOptions struct {
	files certs.Files // none: the machine runs open
	run   bool        // the run is to be named as in the certificate
}

// idInPath is what stands in a file's name for the machine's id, so that the machines of
// a run can have the same flags or environment.
const idInPath = "{id}"

func tlsFlags() []cli.Flag {
	env := func(name string) []string { return []string{"VM_" + name} }
	return []cli.Flag{
		&cli.StringFlag{Name: "tls-cert", Usage: "`FILE` of this machine's certificate, in PEM; " + idInPath + " in the name is the id", EnvVars: env("TLS_CERT")},
		&cli.StringFlag{Name: "tls-key", Usage: "`FILE` of its private key", EnvVars: env("TLS_KEY")},
		&cli.StringFlag{Name: "tls-ca", Usage: "`FILE` of the authorities that sign the certificates of the run", EnvVars: env("TLS_CA")},
		&cli.BoolFlag{Name: "require-tls", Usage: "refuse to run without certificates", EnvVars: env("REQUIRE_TLS")},
	}
}

// parse reads the command line.
func (t *tlsOptions) parse(c *cli.Context) error {
	t.run = !c.IsSet("run")
	given := 0
	var missing string
	for _, f := range []struct {
		name string
		file *string
	}{{"tls-cert", &t.files.Cert}, {"tls-key", &t.files.Key}, {"tls-ca", &t.files.CA}} {
		*f.file = c.String(f.name)
		switch {
		case *f.file != "":
			given++
		case c.IsSet(f.name):
			return command.Usage("--%s is empty: want the name of a file", f.name)
		case missing == "":
			missing = f.name
		}
	}
	switch {
	case given > 0 && missing != "":
		return command.Usage("--%s is missing: --tls-cert, --tls-key and --tls-ca belong together; \"launcher certs\" makes all three", missing)
	case given == 0 && c.Bool("require-tls"):
		return command.Usage("--require-tls, and there is no certificate: give --tls-cert, --tls-key and --tls-ca; \"launcher certs\" makes all three")
	}
	return nil
}

// on reports whether the links are under TLS.
func (t *tlsOptions) on() bool { return t.files != certs.Files{} }

// open reads the files, once it is known which machine this is.
func (t *tlsOptions) open(cfg *vm.Config) (err error) {
	if !t.on() {
		return nil
	}
	id := strconv.Itoa(cfg.ID)
	f := t.files
	for _, name := range []*string{&f.Cert, &f.Key, &f.CA} {
		*name = strings.ReplaceAll(*name, idInPath, id)
	}
	if cfg.TLS, err = certs.Open(f); err != nil {
		return command.WrongCertificate(err)
	}
	if t.run && cfg.Replay == nil {
		cfg.Run = cfg.TLS.Name().Run
	}
	return nil
}

// tlsHint returns what is to be said behind an error about certificates.
func tlsHint(err error) string {
	if e, ok := errors.AsType[*vm.CertificateError](err); ok {
		if e.Is.Run != e.Wanted.Run && e.Is.Machine == e.Wanted.Machine {
			return ": leave out --run to take the name of the certificate, or give the certificate of this run"
		}
		return fmt.Sprintf(": give --tls-cert and --tls-key of machine %d, or another --id", e.Wanted.Machine)
	}
	return command.CertificateMend(err)
}

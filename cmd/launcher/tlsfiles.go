package main

import (
	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/certs"
	"github.com/scalemodel/lamport/pkg/command"
)

// tlsFileFlags are the flags of a command that shows a certificate of a run.
func tlsFileFlags(whose string) []cli.Flag {
	env := func(name string) []string { return []string{"LAUNCHER_" + name} }
	return []cli.Flag{
		&cli.StringFlag{Name: "tls-cert", Usage: "`FILE` of " + whose + " certificate, in PEM", EnvVars: env("TLS_CERT")},
		&cli.StringFlag{Name: "tls-key", Usage: "`FILE` of its private key", EnvVars: env("TLS_KEY")},
		&cli.StringFlag{Name: "tls-ca", Usage: "`FILE` of the authorities that sign the certificates of the run", EnvVars: env("TLS_CA")},
		&cli.BoolFlag{Name: "require-tls", Usage: "refuse to go without certificates", EnvVars: env("REQUIRE_TLS")},
	}
}

// credentials reads the files of these flags, nil where none are given.
func credentials(c *cli.Context) (*certs.Credentials, error) {
	f := certs.Files{Cert: c.String("tls-cert"), Key: c.String("tls-key"), CA: c.String("tls-ca")}
	if (f == certs.Files{}) {
		if c.Bool("require-tls") {
			return nil, command.Usage("--require-tls, and there is no certificate: give --tls-cert, --tls-key and --tls-ca; \"launcher certs\" makes all three")
		}
		return nil, nil
	}
	for _, part := range []struct{ name, file string }{{"tls-cert", f.Cert}, {"tls-key", f.Key}, {"tls-ca", f.CA}} {
		if part.file == "" {
			return nil, command.Usage("--%s is missing: --tls-cert, --tls-key and --tls-ca belong together; \"launcher certs\" makes all three", part.name)
		}
	}
	creds, err := certs.Open(f)
	if err != nil {
		return nil, command.WrongCertificate(err)
	}
	return creds, nil
}

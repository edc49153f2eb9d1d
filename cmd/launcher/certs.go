package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/certs"
	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/lab"
)

func certsCommand() *cli.Command {
	return &cli.Command{
		Name:      "certs",
		Usage:     "make certificates for machines on several hosts",
		UsageText: "launcher certs [flags] DIR",
		Description: `Makes an authority and a certificate for each machine of a run, and one for what gathers
its logs. With them, machines speak TLS 1.3, and nobody else can take part or listen:

  launcher certs --machines 3 certs
  vm --id 0 … --tls-cert certs/vm-0/tls.crt --tls-key certs/vm-0/tls.key --tls-ca certs/vm-0/ca.crt

A certificate names the run and the machine, and no host needs to be known. What is there
already stays: with more --machines, only what is missing is made. --renew makes all
certificates anew, under the same authority; machines that run take them from then on.

The directories are laid out as Kubernetes' secrets for TLS are (docs/security.md).`,
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "machines", Usage: "`NUMBER` of machines", DefaultText: fmt.Sprintf("as many as --hosts, else as are in DIR, else %d", certs.DefaultMachines)},
			&cli.StringFlag{Name: "hosts", Usage: "a `LIST` of the machines' hosts, names or addresses, to stand in their certificates for other programs"},
			&cli.StringFlag{Name: "run", Usage: "`NAME` of the run", DefaultText: "that of what is in DIR, else " + certs.DefaultRun},
			&cli.IntFlag{Name: "days", Usage: "`DAYS` for which certificates are valid", Value: int(certs.DefaultValid / (24 * time.Hour))},
			&cli.BoolFlag{Name: "renew", Usage: "make new certificates in the place of those in DIR"},
			&cli.BoolFlag{Name: "quiet", Usage: "print only what was made, and errors"},
		},
		Action: action(certsOptions),
	}
}

// tlsFlag is --tls of a run on this host.
func tlsFlag() cli.Flag {
	return &cli.BoolFlag{Name: "tls", Usage: "the machines speak TLS, with certificates that are made for this run and removed with it", EnvVars: []string{"LAUNCHER_TLS"}}
}

func certsOptions(c *cli.Context) (o lab.Certificates, err error) {
	const maxDays = 3650
	switch days := c.Int("days"); {
	case c.NArg() == 0:
		return o, command.Usage("certs: where? Name a directory for the certificates, for example certs")
	case c.NArg() > 1:
		return o, command.Usage("certs takes one directory, and here are %d", c.NArg())
	case c.IsSet("machines") && (c.Int("machines") < 1 || c.Int("machines") > certs.MaxMachines):
		return o, command.Usage("--machines %d: want 1 to %d", c.Int("machines"), certs.MaxMachines)
	case days < 1 || days > maxDays:
		return o, command.Usage("--days %d: want 1 to %d", days, maxDays)
	}
	if c.IsSet("run") {
		if err := experiment.CheckName(c.String("run")); err != nil {
			return o, err
		}
	}
	o.Dir = c.Args().First()
	o.Plan = certs.Plan{
		Run: c.String("run"), Machines: c.Int("machines"), Valid: time.Duration(c.Int("days")) * 24 * time.Hour, Renew: c.Bool("renew"),
	}
	if c.IsSet("hosts") {
		for h := range strings.SplitSeq(c.String("hosts"), ",") {
			if h = strings.TrimSpace(h); len(strings.Fields(h)) != 1 {
				return o, command.Usage("--hosts %q: want names or addresses, separated by commas", c.String("hosts"))
			}
			o.Hosts = append(o.Hosts, h)
		}
		if c.IsSet("machines") && len(o.Hosts) != o.Machines {
			return o, command.Usage("--hosts has %d for a run of %d: give one each", len(o.Hosts), o.Machines)
		}
	}
	return o, nil
}

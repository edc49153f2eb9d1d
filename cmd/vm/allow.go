package main

import (
	"net/netip"

	"github.com/hashicorp/go-hclog"
	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/roster"
	"github.com/scalemodel/lamport/pkg/transport"
)

// allowFlag returns the flag that says who else may connect than the peers.
func allowFlag(env func(string) []string) cli.Flag {
	return &cli.StringFlag{Name: "allow", Usage: "`CIDR`,... from which peers may call whose names do not lead there, as behind a NAT", DefaultText: "the peers' addresses alone", EnvVars: env("ALLOW")}
}

// parseAllow reads who may connect. Certificates say it better than addresses.
func (o *options) parseAllow(c *cli.Context) error {
	also, err := roster.ParseNetworks(c.String("allow"))
	if err != nil {
		return command.Usage("--allow: %w", err)
	}
	if c.IsSet("allow") && also == nil {
		return command.Usage("--allow is empty: want an address or a network such as 10.0.0.0/8")
	}
	if o.open() || also != nil {
		o.machine.Allow = transport.NewSources(o.machine.Peers, also).Allow
	}
	return nil
}

// open reports whether the machines of the run prove nothing to each other.
func (o *options) open() bool { return !o.tls.on() }

// warnOpen says that others can read along and join in, where they can.
func (o *options) warnOpen(logger hclog.Logger) {
	if !o.open() || len(o.machine.Peers) == 0 || o.control.ListenFD > 0 {
		return
	}
	if addr, err := netip.ParseAddr(o.bind); err == nil && addr.IsLoopback() || o.bind == "localhost" {
		return
	}
	logger.Warn("nothing is encrypted: anybody on the network can read along, and who takes a peer's address can speak for it",
		"mend", "give --tls-cert, --tls-key and --tls-ca, with files that \"launcher certs\" makes")
}

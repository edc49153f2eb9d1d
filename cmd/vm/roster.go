package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/replay"
	"github.com/scalemodel/lamport/pkg/roster"
)

// here is the world of this process; tests have their own.
var here = roster.Here

// rosterFlags returns the flags that say who is in the run and which machine this is.
func rosterFlags(env func(string) []string) []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "id", Usage: "this machine's `ID`, from 0: a number, a name that ends in one, or auto: by the engine's rank, the own entry of --peers, or the host name", Value: roster.Auto, EnvVars: env("ID")},
		&cli.IntFlag{Name: "id-base", Usage: "the `NUMBER` of machine 0 in what tells the id: 1 where an engine counts from 1", EnvVars: env("ID_BASE")},
		&cli.IntFlag{Name: "port", Usage: "`PORT` to listen on", DefaultText: "that of the own entry of --peers", EnvVars: env("PORT")},
		&cli.StringFlag{Name: "peers", Usage: "`HOST:PORT` or ID=HOST:PORT of all other machines, or of all in the order of their ids, separated by commas; patterns: vm-{0..2}:2050, {hosts}:2050", DefaultText: "the engine's hosts", EnvVars: env("PEERS")},
		&cli.StringFlag{Name: "hosts", Usage: "`HOSTS` for {hosts} in --peers: a,b or n[1-3] or @FILE", DefaultText: "the engine's", EnvVars: env("HOSTS")},
		&cli.StringFlag{Name: "rate", Usage: "`TICKS` per second, fractions allowed, or max; or one rate per machine: 1,5,4", Value: "1", EnvVars: env("RATE")},
		&cli.StringFlag{Name: "bind", Usage: "`ADDRESS` to listen on; 0.0.0.0: all", DefaultText: "loopback if all peers are there, else all", EnvVars: env("BIND")},
	}
}

// parseRoster reads who else there is, and which of them this machine is.
func (o *options) parseRoster(c *cli.Context) (err error) {
	o.port = c.Int("port")
	if c.IsSet("port") && (o.port < 0 || o.port > 65535) {
		return command.Usage("--port %d: want 1 to 65535", o.port)
	}
	req := roster.Request{
		ID:    c.String("id"),
		Base:  c.Int("id-base"),
		Peers: c.String("peers"),
		Alone: c.IsSet("peers") && strings.TrimSpace(c.String("peers")) == "",
		Hosts: c.String("hosts"),
		Port:  o.port,
	}
	if req.Base < 0 || req.Base > 1_000_000 {
		return command.Usage("--id-base %d: want 0 to 1000000", req.Base)
	}
	if c.IsSet("id") && req.ID == "" {
		return command.Usage("--id is empty: want auto or a number")
	}
	if o.record != "" { // it is of one machine
		if req.ID, err = recordedID(o.record); err != nil {
			return err
		}
		req.Base = 0
	}
	r, err := awaitRoster(c.Context, req, c.Duration("connect-timeout"), c.App.ErrWriter)
	switch {
	case errors.Is(err, context.Canceled):
		return o.life.withCode(c.Context, err)
	case err != nil:
		return command.Flagged(err)
	}
	o.roster, o.pattern = r, strings.Contains(req.Peers, "{")
	o.machine.ID, o.machine.Peers = r.ID, r.Peers
	if o.port = r.Port; o.port == 0 && !c.IsSet("port") && o.control.ListenFD <= 0 {
		return command.Usage("--port is missing: where does this machine listen, for example %d?", roster.DefaultPort)
	}
	return o.parseBind(c)
}

// recordedID returns the id of the machine that a record is of.
func recordedID(path string) (string, error) {
	track, err := replay.Open(path)
	if err != nil {
		return "", command.Usage("--replay: %w", err)
	}
	defer track.Close()
	return strconv.Itoa(track.ID()), nil
}

// fileEvery is how often is looked for a file of hosts that is not there yet.
const fileEvery = 200 * time.Millisecond

// awaitRoster is [roster.Resolve] that waits for a file of hosts; 0: without limit. Where told ends
// meanwhile, the error is that it was.
func awaitRoster(told context.Context, req roster.Request, limit time.Duration, talk io.Writer) (*roster.Roster, error) {
	ctx := told
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	world, said := here(), false
	for {
		r, err := roster.Resolve(req, world)
		absent, ok := errors.AsType[*roster.AbsentError](err)
		if !ok {
			return r, err
		}
		if !said {
			said = true
			_, _ = fmt.Fprintf(talk, "vm: waiting for the hosts: %v\n", absent)
		}
		select {
		case <-ctx.Done():
			if err := told.Err(); err != nil {
				return nil, err
			}
			return nil, exit.With(exit.Retry, fmt.Errorf("--hosts: %w", absent)) // it may come until the next try
		case <-time.After(fileEvery):
		}
	}
}

// parseBind reads where to listen. Unless that is said, it follows the peers: nobody
// else can be meant to connect.
func (o *options) parseBind(c *cli.Context) error {
	if !c.IsSet("bind") {
		o.bind = bindFor(o.roster)
		return nil
	}
	if o.bind = unbracketed(c.String("bind")); o.bind == "" {
		return command.Usage("--bind is empty: want an address of this host, or 0.0.0.0 for all")
	}
	return nil
}

// bindFor returns the address on which a machine's peers reach it: "" for all.
func bindFor(r *roster.Roster) string {
	const loopback6 = "::1"
	loopback, bind := "127.0.0.1", ""
	if own, err := netip.ParseAddrPort(r.Own); err == nil && own.Addr().Is4() && own.Addr().IsLoopback() {
		loopback = own.Addr().String() // a host has many, and another machine may have the port at the next one
	}
	addrs := []string{r.Own}
	for _, p := range r.Peers {
		addrs = append(addrs, p.Addr)
	}
	for _, addr := range addrs {
		host, _, _ := net.SplitHostPort(addr)
		ip, err := netip.ParseAddr(host)
		switch {
		case addr == "":
		case host == "localhost", err == nil && ip.IsLoopback() && ip.Is4():
			bind = loopback
		case err == nil && ip.IsLoopback() && (bind == "" || bind == loopback6):
			bind = loopback6
		case err == nil && ip.IsLoopback():
		default:
			return ""
		}
	}
	if bind == "" { // there are no peers
		return loopback
	}
	return bind
}

// parseRate reads the rate of this machine: one for all, or one for each by id.
func parseRate(text string, id, machines int) (clock.Rate, error) {
	rates := strings.Split(text, ",")
	if len(rates) == 1 {
		rate, err := clock.ParseRate(text)
		if err != nil {
			return 0, command.Usage("--rate: %w", err)
		}
		return rate, nil
	}
	if len(rates) != machines {
		return 0, command.Usage("--rate has %d for a run of %d: give one each, or one for all", len(rates), machines)
	}
	var own clock.Rate
	for i, one := range rates {
		rate, err := clock.ParseRate(strings.TrimSpace(one))
		if err != nil {
			return 0, command.Usage("--rate: %w", err)
		}
		if i == id {
			own = rate
		}
	}
	return own, nil
}

// introduce says which machine this is and who the others are, where that was not simply told.
func (o *options) introduce(logger hclog.Logger) {
	r := o.roster
	if r.By == roster.Told && r.Own == "" && !o.pattern {
		return
	}
	args := []any{"id", r.ID, "by", r.By, "machines", r.Machines}
	if r.Own != "" {
		args = append(args, "own", r.Own)
	}
	var peers []string
	for _, p := range r.Peers[:min(len(r.Peers), 8)] {
		peers = append(peers, p.Addr)
	}
	if len(r.Peers) > len(peers) {
		peers = append(peers, "…")
	}
	logger.Info("who is who", append(args, "peers", strings.Join(peers, ","))...)
}

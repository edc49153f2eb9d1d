package main

import (
	"strings"

	"github.com/hashicorp/go-hclog"
	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/control"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/fault"
	"github.com/scalemodel/lamport/pkg/roster"
	"github.com/scalemodel/lamport/pkg/transport"
	"github.com/scalemodel/lamport/pkg/vm"
)

// options are what the command line says, and are known to make sense.
type options struct {
	machine vm.Config // but for what ties it to this process
	record  string    // the log to replay; "": none
	control control.Options
	deliver delivery
	tls     tlsOptions
	level   hclog.Level // of the diagnostics
	bind    string
	port    int // not used with a listener that is handed down
	roster  *roster.Roster
	pattern bool // the peers were written as one
	life    life // of the process, by the flags that say so

	health      healthOptions
	logToStdout bool
}

// parse reads the command line. What is wrong with it is wrong usage.
func (o *options) parse(c *cli.Context) error {
	if c.Args().Present() {
		return command.Usage("unexpected argument %q: everything is said by flags; \"vm --help\" lists them", c.Args().First())
	}
	o.machine = vm.Config{
		Common: experiment.Common{
			Run:      c.String("run"),
			Die:      c.Int("die"),
			Duration: c.Duration("duration"),
			Window:   c.Int("window"),
		},
		LogDir:         c.String("log-dir"),
		ConnectTimeout: c.Duration("connect-timeout"),
		Linger:         c.Duration("linger"),
		MaxJump:        c.Uint64("max-jump"),
		Resume:         c.Bool("resume"),
		Sync:           c.Bool("sync"),
		WatchEvery:     o.control.StatusEvery,
	}
	if err := o.tls.parse(c); err != nil {
		return err
	}
	if err := o.parseModel(c); err != nil {
		return err
	}
	if err := o.parseSurroundings(c); err != nil {
		return err
	}
	if err := o.deliver.parse(c); err != nil {
		return err
	}
	if o.level = hclog.LevelFromString(c.String("log-level")); o.level == hclog.NoLevel {
		return command.Usage("--log-level %q: want trace, debug, info, warn, error or off", c.String("log-level"))
	}
	var err error
	if o.health, err = parseHealth(c); err != nil {
		return err
	}
	if o.logToStdout, err = parseLogTo(c); err != nil {
		return err
	}
	if o.record != "" {
		return nil
	}
	return o.machine.Check()
}

// unbracketed returns an IPv6 address without the brackets in which peers' addresses
// hold it.
func unbracketed(host string) string {
	if inner, ok := strings.CutPrefix(host, "["); ok && strings.HasSuffix(inner, "]") {
		return strings.TrimSuffix(inner, "]")
	}
	return host
}

// parseModel reads which machine this is and what it does, or where that is
// recorded.
func (o *options) parseModel(c *cli.Context) (err error) {
	switch c.String("pace") {
	case "max":
	case "recorded":
		o.machine.AtPace = true
	default:
		return command.Usage("--pace %q: want max or recorded", c.String("pace"))
	}
	if c.IsSet("replay") {
		if err := o.parseReplay(c); err != nil {
			return err
		}
		return o.parseRoster(c)
	}
	if c.IsSet("pace") {
		return command.Usage("--pace is for a replay: give the record with --replay, or the machine's pace with --rate")
	}
	if err := o.parseRoster(c); err != nil {
		return err
	}
	if o.machine.Rate, err = parseRate(c.String("rate"), o.machine.ID, len(o.machine.Peers)+1); err != nil {
		return err
	}
	o.machine.SeedDrawn = c.String("seed") == ""
	o.machine.Seed, err = experiment.ParseSeed(c.String("seed"))
	return err
}

func (o *options) parseReplay(c *cli.Context) error {
	if o.record = c.String("replay"); o.record == "" {
		return command.Usage("--replay is empty: want the log that is to be done again")
	}
	for _, name := range []string{"id", "rate", "duration", "seed", "die", "run"} {
		if c.IsSet(name) {
			return command.Usage("--%s with --replay: that is in the record", name)
		}
	}
	return nil
}

// parseSurroundings reads who else there is and what becomes of the links to them.
func (o *options) parseSurroundings(c *cli.Context) (err error) {
	if err := o.parseAllow(c); err != nil {
		return err
	}
	for _, name := range []string{"connect-timeout", "linger"} {
		if d := c.Duration(name); d < 0 {
			return command.Usage("--%s %v: a duration cannot be negative", name, d)
		}
	}
	if c.IsSet("max-jump") && o.machine.MaxJump == 0 {
		return command.Usage("--max-jump 0: want at least 1")
	}
	if o.machine.Window < 1 { // 0 would be the default
		return command.Usage("--window %d: want 1 to %d messages", o.machine.Window, transport.MaxWindow)
	}
	o.machine.Faults, err = parseFaults(c.String("faults"), o.machine.Peers)
	return err
}

// parseFaults reads the fault plan of a run with these peers.
func parseFaults(text string, peers []transport.Peer) (*fault.Plan, error) {
	if text == "" {
		return nil, nil
	}
	for _, p := range peers {
		if p.ID == transport.AnyID {
			return nil, command.Usage("--faults needs the ids of all peers: write %s as ID=%s", p.Addr, p.Addr)
		}
	}
	plan, err := fault.Parse(text, len(peers)+1)
	if err != nil {
		return nil, command.Usage("--faults: %w", err)
	}
	return plan, nil
}

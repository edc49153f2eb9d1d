package main

import (
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/fleet"
	"github.com/scalemodel/lamport/pkg/remote"
)

// hostsFlags are the flags about machines on other hosts.
func hostsFlags() []cli.Flag {
	env := func(name string) []string { return []string{hostsVariable(name)} }
	return []cli.Flag{
		&cli.StringFlag{Name: "hosts", Usage: "run the machines on a `LIST` of hosts by ssh, one after the other: a,user@b,c=ADDRESS, where the other hosts reach c by that address (docs/ssh.md)",
			DefaultText: "this host", EnvVars: env("hosts")},
		&cli.StringFlag{Name: "ssh", Usage: "hosts: the ssh `PROGRAM` and its options, such as 'ssh -p 2222'", Value: "ssh", EnvVars: env("ssh")},
		&cli.StringFlag{Name: "remote-vm", Usage: "hosts: `PATH` of the vm program to be copied there, or of a directory that \"make cross\" has made",
			DefaultText: "--vm, or that in dist/ beside this program", EnvVars: env("remote-vm")},
		&cli.StringFlag{Name: "remote-dir", Usage: "hosts: `DIR` there for the vm program and the logs of the run", DefaultText: "~/.cache/lamport", EnvVars: env("remote-dir")},
		&cli.BoolFlag{Name: "keep-remote", Usage: "hosts: leave the logs there, too", EnvVars: env("keep-remote")},
		&cli.DurationFlag{Name: "connect-timeout", Usage: "hosts: `TIME` in which each must answer", Value: 10 * time.Second, EnvVars: env("connect-timeout")},
	}
}

// hostsVariable returns the environment variable of one of these flags.
func hostsVariable(name string) string {
	return "LAUNCHER_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// hosts reads the flags about machines on other hosts.
func hosts(c *cli.Context) (f fleet.Config, err error) {
	list := c.String("hosts")
	if list == "" {
		if c.IsSet("hosts") {
			return f, command.Usage("--hosts is empty: want a list such as hosta,user@hostb")
		}
		for _, name := range []string{"ssh", "remote-vm", "remote-dir", "keep-remote", "connect-timeout"} {
			if c.IsSet(name) && os.Getenv(hostsVariable(name)) == "" { // which may be meant for other runs
				return f, command.Usage("--%s is for machines on other hosts: say which with --hosts", name)
			}
		}
		return f, nil
	}
	if f.Entries, err = fleet.Parse(list); err != nil {
		return f, err
	}
	if f.SSH.Program, err = remote.ParseProgram(c.String("ssh")); err != nil {
		return f, command.Usage("--ssh %q: want a program and its options, such as 'ssh -p 2222'", c.String("ssh"))
	}
	if f.SSH.Timeout = c.Duration("connect-timeout"); f.SSH.Timeout < time.Second {
		return f, command.Usage("--connect-timeout %v: want at least 1s", f.SSH.Timeout)
	}
	f.RemoteVM, f.Dir, f.Keep = c.String("remote-vm"), c.String("remote-dir"), c.Bool("keep-remote")
	for _, name := range []string{"remote-vm", "remote-dir"} {
		if c.IsSet(name) && c.String(name) == "" {
			return f, command.Usage("--%s is empty", name)
		}
	}
	return f, nil
}

// machineEach has each of many hosts get a machine, where nobody says how many there
// are to be.
func machineEach(c *cli.Context, hosts int) error {
	if hosts <= 3 || c.IsSet("machines") || strings.Contains(c.String("rates"), ",") {
		return nil
	}
	return c.Set("machines", strconv.Itoa(hosts))
}

package fleet

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/remote"
)

// Entry is a host of a list.
type Entry struct {
	Name    string // as ssh knows it, see [remote.CheckName]
	Address string // as the other hosts know it; "": as ssh's configuration has it
}

// String returns the entry as [Parse] reads it.
func (e Entry) String() string {
	if e.Address == "" {
		return e.Name
	}
	return e.Name + "=" + e.Address
}

func hostsError(format string, args ...any) error {
	return &experiment.Error{Field: "hosts", Err: fmt.Errorf(format, args...)}
}

// MaxHosts is the largest number of hosts of a run.
const MaxHosts = 1000

// Parse reads a list of hosts: "hosta,user@hostb,hostc=10.0.0.3", where the last is
// known to the other hosts by that address. A name may stand in it more than once. An
// error is an [*experiment.Error] about the field "hosts".
func Parse(list string) ([]Entry, error) {
	var entries []Entry
	for part := range strings.SplitSeq(list, ",") {
		var e Entry
		var named bool
		e.Name, e.Address, named = strings.Cut(strings.TrimSpace(part), "=")
		if err := remote.CheckName(e.Name); err != nil {
			return nil, hostsError("%w", err)
		}
		if named {
			e.Address = strings.Trim(e.Address, "[]")
			if err := checkAddress(e.Address); err != nil {
				return nil, hostsError("%s=%s: %w", e.Name, e.Address, err)
			}
		}
		entries = append(entries, e)
	}
	if len(entries) > MaxHosts {
		return nil, hostsError("%d are too many: want at most %d", len(entries), MaxHosts)
	}
	return entries, nil
}

// checkAddress returns nil for what can stand before a port.
func checkAddress(s string) error {
	if _, err := netip.ParseAddr(s); err == nil {
		return nil
	}
	if s == "" || strings.ContainsAny(s, "@:/[]") || remote.CheckName(s) != nil {
		return errors.New("want the host name or the IP address by which the other hosts reach it")
	}
	return nil
}

// isLoopback reports whether an address leads nowhere but to the host that uses it.
func isLoopback(address string) bool {
	if strings.EqualFold(address, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(address)
	return err == nil && ip.IsLoopback()
}

const loopback = "127.0.0.1"

// meeting is where machines find each other.
type meeting struct {
	addresses []string // of the hosts
	binds     []string // what a machine of each host listens on
}

// meet decides where the machines of hosts with these addresses find each other.
func meet(names, addresses []string) (meeting, error) {
	m := meeting{addresses: make([]string, len(addresses)), binds: make([]string, len(addresses))}
	one, near, version6 := true, 0, false
	for i, a := range addresses {
		if strings.EqualFold(a, "localhost") {
			a = loopback // which the name may not be on each host
		}
		m.addresses[i] = a
		one = one && a == m.addresses[0]
		if isLoopback(a) {
			near++
		}
		ip, err := netip.ParseAddr(a)
		version6 = version6 || err == nil && ip.Is6()
	}
	switch {
	case near == len(addresses):
		copy(m.binds, m.addresses)
		return m, nil
	case one: // nobody else need be able to reach them
		for i := range m.addresses {
			m.addresses[i], m.binds[i] = loopback, loopback
		}
		return m, nil
	case near > 0:
		for i, a := range m.addresses {
			if isLoopback(a) {
				return m, hostsError("%s is at %s, where the other hosts cannot reach it: give the address by which they do, as %s=ADDRESS",
					names[i], a, names[i])
			}
		}
	}
	all := net.IPv4zero.String()
	if version6 {
		all = net.IPv6unspecified.String()
	}
	for i := range m.binds {
		m.binds[i] = all
	}
	return m, nil
}

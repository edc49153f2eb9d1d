package roster

import (
	"fmt"
	"net/netip"
	"strings"
)

// mapped is how many bits an IPv4 address has before it where it is written as one of IPv6,
// ::ffff:10.0.0.1.
const mapped = 128 - 32

// ParseNetworks reads a list of networks and addresses, apart by commas: "10.0.0.0/8,192.0.2.7".
// An IPv4 address is one however it is written.
func ParseNetworks(list string) (all []netip.Prefix, err error) {
	for text := range strings.SplitSeq(list, ",") {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		p, err := netip.ParsePrefix(text)
		if err != nil {
			addr, single := netip.ParseAddr(text)
			if single != nil || addr.Zone() != "" {
				return nil, fmt.Errorf("%q: want an address or a network, such as 192.0.2.7 or 10.0.0.0/8", text)
			}
			p = netip.PrefixFrom(addr, addr.BitLen())
		}
		if p.Addr().Is4In6() && p.Bits() >= mapped {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mapped)
		}
		all = append(all, p)
	}
	return all, nil
}

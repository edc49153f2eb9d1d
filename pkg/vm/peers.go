package vm

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/scalemodel/lamport/pkg/transport"
)

// ParsePeers reads the list of the other machines: "host:port" or
// "id=host:port" each, apart by commas. An IPv6 address stands in brackets.
func ParsePeers(s string) ([]transport.Peer, error) {
	var peers []transport.Peer
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	seen := make(map[string]bool)
	for part := range strings.SplitSeq(s, ",") {
		part = strings.TrimSpace(part)
		p := transport.Peer{ID: transport.AnyID, Addr: part}
		if id, addr, named := strings.Cut(part, "="); named {
			n, err := strconv.ParseUint(id, 10, 31)
			if err != nil {
				return nil, fmt.Errorf("peer %q: %q is not a machine id; want id=host:port, such as 1=hostb:3050", part, id)
			}
			p = transport.Peer{ID: int(n), Addr: addr}
		}
		host, port, err := net.SplitHostPort(p.Addr)
		if err != nil || host == "" {
			return nil, fmt.Errorf("peer %q: want host:port or id=host:port, such as hostb:3050 or 1=hostb:3050", part)
		}
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return nil, fmt.Errorf("peer %q: port %q is not a number from 1 to 65535", part, port)
		}
		if seen[p.Addr] {
			return nil, fmt.Errorf("peer %q is listed twice", p.Addr)
		}
		seen[p.Addr] = true
		peers = append(peers, p)
	}
	return peers, nil
}

package roster

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/scalemodel/lamport/pkg/transport"
)

// Bounds of what is read, which may be anybody's.
const (
	// MaxEntries is the largest number of hosts, or of peers, that a text can stand for.
	MaxEntries = 1 << 16
	maxText    = 1 << 20 // of a text, in bytes
	maxName    = 255     // of an entry, in bytes
)

// ParsePeers reads a list of machines, apart by commas: "host:port" or
// "id=host:port" each, where an IPv6 address stands in brackets. An entry can be a
// pattern that stands for several, the last brace counting fastest:
//
//	vm-{0..2}.lamport:2050        vm-0.lamport:2050, vm-1.lamport:2050, vm-2.lamport:2050
//	n{08..10}:2050                n08:2050, n09:2050, n10:2050
//	host{a,b}:{2050..2051}        hosta:2050, hosta:2051, hostb:2050, hostb:2051
//	{hosts}:2050                  each host of slots, once
//	{slots}:2050+                 each as often as it is in slots, with ports that count up
//
// A port with a "+" is that for the first entry of its host, and one more for each
// further one.
func ParsePeers(text string, slots []string) ([]transport.Peer, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	entries, err := expand(text, slots)
	if err != nil {
		return nil, err
	}
	var peers []transport.Peer
	seen := make(map[string]bool)
	counted := make(map[string]int) // by host: entries with a port that counts up
	for _, entry := range entries {
		p, err := parsePeer(entry, counted)
		if err != nil {
			return nil, wrong("peers", "", "%w", err)
		}
		if seen[p.Addr] {
			mend := ""
			if strings.Contains(text, "{") {
				mend = "; a port with a +, such as 2050+, counts up for a host that comes again"
			}
			return nil, wrong("peers", "", "peer %q is listed twice%s", p.Addr, mend)
		}
		seen[p.Addr] = true
		peers = append(peers, p)
	}
	return peers, nil
}

// parsePeer reads one entry.
func parsePeer(entry string, counted map[string]int) (transport.Peer, error) {
	p := transport.Peer{ID: transport.AnyID, Addr: entry}
	if id, addr, named := strings.Cut(entry, "="); named {
		n, err := strconv.ParseUint(id, 10, 31)
		if err != nil {
			return p, fmt.Errorf("peer %q: %q is not a machine id; want id=host:port, such as 1=hostb:3050", entry, id)
		}
		p = transport.Peer{ID: int(n), Addr: addr}
	}
	host, port, err := net.SplitHostPort(p.Addr)
	if err != nil || host == "" || len(entry) > maxName {
		return p, fmt.Errorf("peer %q: want host:port or id=host:port, such as hostb:3050 or 1=hostb:3050", entry)
	}
	first, counts := strings.CutSuffix(port, "+")
	n, err := strconv.ParseUint(first, 10, 16)
	if err != nil || n == 0 {
		return p, fmt.Errorf("peer %q: port %q is not a number from 1 to 65535", entry, port)
	}
	if counts {
		n += uint64(counted[host])
		counted[host]++
		if n > 65535 {
			return p, fmt.Errorf("peer %q: there is no port %d for its machine %d", entry, n, counted[host])
		}
		p.Addr = net.JoinHostPort(host, strconv.FormatUint(n, 10))
	}
	return p, nil
}

// port returns the port of an address that ParsePeers has read.
func port(addr string) int {
	_, text, _ := net.SplitHostPort(addr)
	n, _ := strconv.Atoi(text)
	return n
}

// part is a piece of a pattern: the texts that it can be.
type part []string

// expand returns the entries that a list of patterns stands for.
func expand(text string, slots []string) (entries []string, err error) {
	bad := func(entry, format string, args ...any) ([]string, error) {
		return nil, wrong("peers", "", "peer %q: %w", entry, fmt.Errorf(format, args...))
	}
	if len(text) > maxText {
		return nil, wrong("peers", "", "a text of %d bytes: want at most %d", len(text), maxText)
	}
	for _, entry := range splitOutside(text, '{', '}') {
		entry = strings.TrimSpace(entry)
		parts, err := braces(entry, slots)
		if err != nil {
			return bad(entry, "%w", err)
		}
		if entries, err = multiply(entries, parts); err != nil {
			return bad(entry, "%w", err)
		}
	}
	return entries, nil
}

// splitOutside splits a list at the commas that do not stand between open and shut.
func splitOutside(text string, open, shut byte) (items []string) {
	depth, from := 0, 0
	for i := range len(text) {
		switch c := text[i]; {
		case c == open:
			depth++
		case c == shut:
			depth--
		case c == ',' && depth <= 0:
			items = append(items, text[from:i])
			from = i + 1
		}
	}
	return append(items, text[from:])
}

// braces splits an entry into its parts.
func braces(entry string, slots []string) (parts []part, err error) {
	const form = "want {0..2}, {a,b}, {hosts} or {slots}"
	count := 1
	for rest := entry; rest != ""; {
		i := strings.IndexAny(rest, "{}")
		if i < 0 {
			return append(parts, part{rest}), nil
		}
		if rest[i] == '}' {
			return nil, fmt.Errorf("a } without its {: %s", form)
		}
		if i > 0 {
			parts = append(parts, part{rest[:i]})
		}
		body, behind, closed := strings.Cut(rest[i+1:], "}")
		if !closed || strings.Contains(body, "{") {
			return nil, fmt.Errorf("a { without its }: %s", form)
		}
		p, err := brace(body, slots)
		if err != nil {
			return nil, fmt.Errorf("{%s}: %w", body, err)
		}
		if p == nil {
			return nil, fmt.Errorf("{%s}: %s", body, form)
		}
		if count *= len(p); count > MaxEntries { // before there is memory for more of them
			return nil, tooMany()
		}
		parts, rest = append(parts, p), behind
	}
	return parts, nil
}

// brace returns what a brace stands for, nil if it is no form of one.
func brace(body string, slots []string) (part, error) {
	switch body {
	case "hosts", "slots":
		var p part
		seen := make(map[string]bool)
		for _, host := range slots {
			if body == "hosts" && seen[host] {
				continue
			}
			seen[host] = true
			if strings.Contains(host, ":") {
				host = "[" + host + "]"
			}
			p = append(p, host)
		}
		return p, nil
	}
	if low, high, ok := strings.Cut(body, ".."); ok {
		return countUp(low, high, paddedAlike(low, high))
	}
	if choices := strings.Split(body, ","); len(choices) > 1 {
		return choices, nil
	}
	return nil, nil
}

// paddedAlike returns to which width the numbers of a range are padded with zeros, as a
// shell does: to that of the longer end, if one has a zero in front.
func paddedAlike(low, high string) int {
	if len(low) > 1 && low[0] == '0' || len(high) > 1 && high[0] == '0' {
		return max(len(low), len(high))
	}
	return 0
}

// countUp returns the numbers of a range, or down where high is below low.
func countUp(low, high string, width int) (part, error) {
	from, err := number(low)
	if err != nil {
		return nil, err
	}
	to, err := number(high)
	if err != nil {
		return nil, err
	}
	step := 1
	if to < from {
		step = -1
	}
	count := (to-from)*step + 1
	if count > MaxEntries {
		return nil, tooMany()
	}
	p := make(part, count)
	for i := range p {
		p[i] = fmt.Sprintf("%0*d", width, from+i*step)
	}
	return p, nil
}

// maxDigits is how many digits a number of a range can have: no sum of two overflows.
const maxDigits = 9

func number(s string) (int, error) {
	if s == "" || len(s) > maxDigits || strings.Trim(s, "0123456789") != "" {
		return 0, fmt.Errorf("%q is not a number of 1 to %d digits", s, maxDigits)
	}
	return strconv.Atoi(s)
}

func tooMany() error { return fmt.Errorf("more than %d entries", MaxEntries) }

// multiply appends all texts that consist of one text of each part, the last part
// counting fastest.
func multiply(texts []string, parts []part) ([]string, error) {
	count, length := 1, 0
	for _, p := range parts {
		count *= len(p) // each factor and what is left of the limit have at most 17 bits
		if count > MaxEntries-len(texts) {
			return nil, tooMany()
		}
		longest := 0
		for _, text := range p {
			longest = max(longest, len(text))
		}
		length += longest
	}
	if length > maxName && count > 1 {
		return nil, fmt.Errorf("an entry of %d bytes: want at most %d", length, maxName)
	}
	if count == 0 {
		return texts, nil
	}
	at := make([]int, len(parts))
	var b strings.Builder
	for range count {
		b.Reset()
		for i, p := range parts {
			b.WriteString(p[at[i]])
		}
		texts = append(texts, b.String())
		for i := len(at) - 1; i >= 0; i-- {
			if at[i]++; at[i] < len(parts[i]) {
				break
			}
			at[i] = 0
		}
	}
	return texts, nil
}

package roster

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestPatterns(t *testing.T) {
	slots := []string{"n1", "n1", "n2", "fd00::1"}
	for in, want := range map[string]string{
		"a:1":                            "a:1",
		"vm-{0..2}.lamport:2050":         "vm-0.lamport:2050 vm-1.lamport:2050 vm-2.lamport:2050",
		"n{08..10}:1":                    "n08:1 n09:1 n10:1",
		"n{8..010}:1":                    "n008:1 n009:1 n010:1",
		"n{2..0}:1":                      "n2:1 n1:1 n0:1",
		"n{0..0}:1":                      "n0:1",
		"host{a,b}:{2050..2051}":         "hosta:2050 hosta:2051 hostb:2050 hostb:2051",
		"{a,b}:1, c:2":                   "a:1 b:1 c:2",
		"{a,}x:1":                        "ax:1 x:1",
		"{hosts}:1":                      "n1:1 n2:1 [fd00::1]:1",
		"{hosts}:{1..2}":                 "n1:1 n1:2 n2:1 n2:2 [fd00::1]:1 [fd00::1]:2",
		"{slots}:5+":                     "n1:5 n1:6 n2:5 [fd00::1]:5",
		"a:7+,a:7+,b:7+,a:7+":            "a:7 a:8 b:7 a:9",
		"127.0.0.1:{2050..2052}":         "127.0.0.1:2050 127.0.0.1:2051 127.0.0.1:2052",
		"[::1]:{1..2}":                   "[::1]:1 [::1]:2",
		"{0,1}=a:1":                      "0=a:1 1=a:1",
		"vm-{0..1}.x:{1..2},y{3..4}.z:9": "vm-0.x:1 vm-0.x:2 vm-1.x:1 vm-1.x:2 y3.z:9 y4.z:9",
	} {
		peers, err := ParsePeers(in, slots)
		if strings.HasPrefix(in, "{0,1}") {
			assert.EqualError(t, err, `peers: peer "a:1" is listed twice; a port with a +, such as 2050+, counts up for a host that comes again`)
			continue
		}
		require.NoError(t, err, in)
		var got []string
		for _, p := range peers {
			got = append(got, p.Addr)
		}
		assert.Equal(t, want, strings.Join(got, " "), in)
	}
}

func TestPatternsThatAreNone(t *testing.T) {
	const form = "want {0..2}, {a,b}, {hosts} or {slots}"
	for in, want := range map[string]string{
		"n{0..2:1":                   `peer "n{0..2:1": a { without its }: ` + form,
		"n0..2}:1":                   `peer "n0..2}:1": a } without its {: ` + form,
		"n{{0..2}}:1":                `peer "n{{0..2}}:1": a { without its }: ` + form,
		"n{}:1":                      `peer "n{}:1": {}: ` + form,
		"n{nodes}:1":                 `peer "n{nodes}:1": {nodes}: ` + form,
		"n{0..x}:1":                  `peer "n{0..x}:1": {0..x}: "x" is not a number of 1 to 9 digits`,
		"n{-1..1}:1":                 `peer "n{-1..1}:1": {-1..1}: "-1" is not a number of 1 to 9 digits`,
		"n{0..99999999999}:1":        `peer "n{0..99999999999}:1": {0..99999999999}: "99999999999" is not a number of 1 to 9 digits`,
		"n{0..99999999}:1":           `peer "n{0..99999999}:1": {0..99999999}: more than 65536 entries`,
		"{0..999}{0..999}{0..999}:1": `peer "{0..999}{0..999}{0..999}:1": more than 65536 entries`,
		"a:65535+,a:65535+":          `peer "a:65535+": there is no port 65536 for its machine 2`,
		"a:0+":                       `peer "a:0+": port "0+" is not a number from 1 to 65535`,
		"a:+":                        `peer "a:+": port "+" is not a number from 1 to 65535`,
	} {
		peers, err := ParsePeers(in, nil)
		assert.EqualError(t, err, "peers: "+want, in)
		assert.Nil(t, peers)
	}
	_, err := ParsePeers(strings.Repeat("x", maxText+1), nil)
	assert.EqualError(t, err, "peers: a text of 1048577 bytes: want at most 1048576")
	_, err = ParsePeers(strings.Repeat("x", maxName)+"{0..1}:1", nil)
	assert.ErrorContains(t, err, "an entry of 258 bytes: want at most 255")
}

func TestNodes(t *testing.T) {
	for in, want := range map[string]string{
		"":                       "",
		"n1":                     "n1",
		"n[1-3,07-09],m4":        "n1 n2 n3 n07 n08 n09 m4",
		"n[001,3-5]":             "n001 n3 n4 n5",
		"n[8-11]":                "n8 n9 n10 n11",
		"n[08-11]-ib,x":          "n08-ib n09-ib n10-ib n11-ib x",
		"rack[1-2]n[01-02]":      "rack1n01 rack1n02 rack2n01 rack2n02",
		"r[0-1][0-1]":            "r00 r01 r10 r11",
		"a , b.example.org":      "a b.example.org",
		"192.0.2.[1-2],fd00::1":  "192.0.2.1 192.0.2.2 fd00::1",
		"n[1],n[1],n1":           "n1 n1 n1",
		"a[1-1]b[2-2]c[3-3]d":    "a1b2c3d",
		"n[0-0009]":              "n0 n1 n2 n3 n4 n5 n6 n7 n8 n9",
		"gpu-a100[01-02].r1":     "gpu-a10001.r1 gpu-a10002.r1",
		"fe80::1%eth0,::1":       "fe80::1%eth0 ::1",
		"n[65536-65537],login-0": "n65536 n65537 login-0",
	} {
		hosts, err := nodes(in)
		require.NoError(t, err, in)
		assert.Equal(t, want, strings.Join(hosts, " "), in)
	}
	for in, want := range map[string]string{
		"n[1-3":                  `host "n[1-3": a [ without its ]`,
		"n1-3]":                  `host "n1-3]": a ] without its [`,
		"n[1-[2-3]]":             `host "n[1-[2-3]]": a [ without its ]`,
		"n[]":                    `host "n[]": []: "" is not a number of 1 to 9 digits`,
		"n[1-]":                  `host "n[1-]": [1-]: "" is not a number of 1 to 9 digits`,
		"n[a-c]":                 `host "n[a-c]": [a-c]: "a" is not a number of 1 to 9 digits`,
		"n[3-1]":                 `host "n[3-1]": [3-1]: it counts down`,
		"n[0-999999999]":         `host "n[0-999999999]": [0-999999999]: more than 65536 entries`,
		"n[0-9999999999]":        `host "n[0-9999999999]": [0-9999999999]: "9999999999" is not a number of 1 to 9 digits`,
		"n[0-9999][0-9999]":      `host "n[0-9999][0-9999]": more than 65536 entries`,
		"n[0-60000],m[0-60000]":  `host "m[0-60000]": more than 65536 entries`,
		"a,,b":                   `host "": want a name or an address`,
		"a b":                    `host "a b": want a name or an address`,
		"a/b":                    `host "a/b": want a name or an address`,
		"a=b":                    `host "a=b": want a name or an address`,
		"\x1b[1-2]":              `host "\x1b1": want a name or an address`,
		"-n":                     `host "-n": want a name or an address`,
		"{hosts}":                `host "{hosts}": want a name or an address`,
		strings.Repeat("x", 256): `host "` + strings.Repeat("x", 64) + `": want a name or an address`,
	} {
		hosts, err := nodes(in)
		assert.EqualError(t, err, want, in)
		assert.Nil(t, hosts)
	}
}

// A text that stands for too much costs no memory for it.
func TestHostileSizes(t *testing.T) {
	for _, text := range []string{
		strings.Repeat("[0-65535]", 100_000), strings.Repeat("[0-1]", 200_000), strings.Repeat("n[0-65535],", 90_000) + "n",
		"n[" + strings.Repeat("0-65535,", 130_000) + "1]",
	} {
		_, err := nodes(text)
		assert.ErrorContains(t, err, "more than 65536 entries")
	}
	hosts := make([]string, MaxEntries)
	for i := range hosts {
		hosts[i] = "h"
	}
	_, err := expand(strings.Repeat("{slots}", 100_000), hosts)
	assert.ErrorContains(t, err, "more than 65536 entries")
	_, err = expand(strings.Repeat("{0..65535}", 100_000), nil)
	assert.ErrorContains(t, err, "more than 65536 entries")
}

func TestHostLines(t *testing.T) {
	slots, err := hostLines([]byte("# comment\n\nn1\nn2 slots=2 max_slots=4\r\nn3:2\nm[1-2] # two\nfd00::1\n"))
	require.NoError(t, err)
	assert.Equal(t, "n1 n2 n2 n3 n3 m1 m2 fd00::1", strings.Join(slots, " "))
	for in, want := range map[string]string{
		"n1 slots=0":                        `line 1: places for machines "0": want 1 to 4096`,
		"n1 slots=two":                      `line 1: places for machines "two": want 1 to 4096`,
		"n1 slots=1234567":                  `line 1: places for machines "1234567": want 1 to 4096`,
		"n1 slots=":                         `line 1: places for machines "": want 1 to 4096`,
		"n1\nn2:99999":                      `line 2: places for machines "99999": want 1 to 4096`,
		"n2:1234567":                        `line 1: places for machines "1234567": want 1 to 4096`,
		"n1 n2 n3":                          `line 1: "n2" behind the host: want slots=NUMBER, or one host a line`,
		"n1 slots = 2":                      `line 1: "slots" behind the host: want slots=NUMBER, or one host a line`,
		"n[1-60000]\nn[1-60000]":            "line 2: more than 65536 entries",
		"n[1-4096] slots=4096":              "line 1: more than 65536 entries",
		"n1;rm":                             `line 1: host "n1;rm": want a name or an address`,
		strings.Repeat("\n", 3) + "a/b":     `line 4: host "a/b": want a name or an address`,
		strings.Repeat("x", maxText) + "\n": "1048577 bytes: want at most 1048576",
	} {
		_, err := hostLines([]byte(in))
		assert.EqualError(t, err, want)
	}
}

func TestPerNode(t *testing.T) {
	hosts := []string{"a", "b", "c"}
	for in, want := range map[string]string{
		"": "a b c", "1(x3)": "a b c", "2(x2),1": "a a b b c", "1,1,2": "a b c c",
	} {
		slots, err := perNode(hosts, in)
		require.NoError(t, err, in)
		assert.Equal(t, want, strings.Join(slots, " "), in)
	}
	for in, want := range map[string]string{
		"1":            `"1": for 1 of 3 hosts`,
		"1(x4)":        `"1(x4)": more than the 3 hosts`,
		"x":            `"x": want numbers of tasks such as 2(x3),1`,
		"1(x99999)":    `"1(x99999)": more than the 3 hosts`,
		"99999,1,1":    "more than 65536 entries",
		"-1(x3)":       `"-1(x3)": want numbers of tasks such as 2(x3),1`,
		"1(x3),,":      `"1(x3),,": want numbers of tasks such as 2(x3),1`,
		"1(x3) (x2),,": `"1(x3) (x2),,": want numbers of tasks such as 2(x3),1`,
	} {
		_, err := perNode(hosts, in)
		assert.EqualError(t, err, want, in)
	}
}

// dumb expands the first pair of marks of a text by hand, and then the rest.
func dumb(text string, open, shut string, choices func(string) []string) []string {
	before, rest, found := strings.Cut(text, open)
	if !found {
		return []string{text}
	}
	body, behind, _ := strings.Cut(rest, shut)
	var all []string
	for _, choice := range choices(body) {
		for _, tail := range dumb(behind, open, shut, choices) {
			all = append(all, before+choice+tail)
		}
	}
	return all
}

// count returns the numbers of a range, padded with zeros to a width.
func count(low, high string, width int) (all []string) {
	from, _ := strconv.Atoi(low)
	to, _ := strconv.Atoi(high)
	for n := from; n <= to; n++ {
		s := strconv.Itoa(n)
		all = append(all, strings.Repeat("0", max(0, width-len(s)))+s)
	}
	return all
}

var drawRange = rapid.Custom(func(t *rapid.T) [2]string {
	low := rapid.IntRange(0, 1200).Draw(t, "low")
	high := low + rapid.IntRange(0, 5).Draw(t, "more")
	width := rapid.IntRange(0, 5).Draw(t, "width")
	return [2]string{fmt.Sprintf("%0*d", width, low), fmt.Sprintf("%0*d", width, high)}
})

var word = rapid.StringMatching(`[a-z][a-z0-9]{0,3}`)

// What stands in brackets is expanded as somebody would by hand.
func TestNodesAgainstADumbTwin(t *testing.T) {
	choices := func(body string) (all []string) {
		for _, one := range strings.Split(body, ",") {
			low, high, ranged := strings.Cut(one, "-")
			if !ranged {
				high = low
			}
			all = append(all, count(low, high, len(low))...)
		}
		return all
	}
	rapid.Check(t, func(t *rapid.T) {
		var list, want []string
		for range rapid.IntRange(1, 3).Draw(t, "items") {
			item := word.Draw(t, "name")
			for range rapid.IntRange(0, 3).Draw(t, "brackets") {
				var ranges []string
				for range rapid.IntRange(1, 3).Draw(t, "ranges") {
					r := drawRange.Draw(t, "range")
					if r[0] == r[1] && rapid.Bool().Draw(t, "single") {
						ranges = append(ranges, r[0])
					} else {
						ranges = append(ranges, r[0]+"-"+r[1])
					}
				}
				item += "[" + strings.Join(ranges, ",") + "]" + rapid.SampledFrom([]string{"", "x", "-ib0"}).Draw(t, "behind")
			}
			list = append(list, item)
			want = append(want, dumb(item, "[", "]", choices)...)
		}
		got, err := nodes(strings.Join(list, ","))
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
}

func TestPatternsAgainstADumbTwin(t *testing.T) {
	slots := []string{"p", "q", "p"}
	choices := func(body string) []string {
		low, high, ranged := strings.Cut(body, "..")
		switch {
		case body == "hosts":
			return []string{"p", "q"}
		case body == "slots":
			return slots
		case ranged && (len(low) > 1 && low[0] == '0' || len(high) > 1 && high[0] == '0'):
			return count(low, high, max(len(low), len(high)))
		case ranged:
			return count(low, high, 0)
		}
		return strings.Split(body, ",")
	}
	rapid.Check(t, func(t *rapid.T) {
		var list, want []string
		for range rapid.IntRange(1, 3).Draw(t, "items") {
			item := ""
			for range rapid.IntRange(0, 4).Draw(t, "parts") {
				switch rapid.IntRange(0, 3).Draw(t, "kind") {
				case 0:
					item += word.Draw(t, "text")
				case 1:
					item += "{" + rapid.SampledFrom([]string{"hosts", "slots"}).Draw(t, "hosts") + "}"
				case 2:
					r := drawRange.Draw(t, "range")
					item += "{" + r[0] + ".." + r[1] + "}"
				case 3:
					item += "{" + word.Draw(t, "one") + "," + word.Draw(t, "other") + "}"
				}
			}
			list = append(list, item)
			want = append(want, dumb(item, "{", "}", choices)...)
		}
		got, err := expand(strings.Join(list, ","), slots)
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
}

// Whatever an environment says, it costs little, and gives hosts or an error.
func FuzzHosts(f *testing.F) {
	for _, seed := range []string{
		"n[1-3,07-09],m4", "n[0-999999999]", "[[1]]", "n[1-2][3-4]", "a,,b", "]", "[", "n[1", "::1", "n1\nn2 slots=3", "n[0-9][0-9][0-9][0-9][0-9][0-9]",
		"2(x3),1", "n1:4", "x slots=99999", "n[00000000000000000001-2]",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, read := range []func() ([]string, error){
			func() ([]string, error) { return nodes(text) },
			func() ([]string, error) { return hostLines([]byte(text)) },
			func() ([]string, error) { return perNode([]string{"a", "b"}, text) },
		} {
			hosts, err := read()
			if err != nil {
				require.NotEmpty(t, err.Error())
				continue
			}
			require.LessOrEqual(t, len(hosts), MaxEntries)
			for _, host := range hosts {
				require.Regexp(t, hostForm, host)
				require.LessOrEqual(t, len(host), maxName)
			}
		}
		_, _ = ParsePeers(text, []string{"a", "b"})
		_, _ = numeral(text)
		if n, ok := ordinal(text); ok {
			require.GreaterOrEqual(t, n, 0)
		}
	})
}

package roster

import (
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/transport"
)

func TestParsePeers(t *testing.T) {
	unknown := transport.AnyID
	tests := []struct {
		in   string
		want []transport.Peer
	}{
		{"", nil},
		{"  ", nil},
		{"hostb:3050", []transport.Peer{{ID: unknown, Addr: "hostb:3050"}}},
		{"hostb:3050,hostc:4050", []transport.Peer{{ID: unknown, Addr: "hostb:3050"}, {ID: unknown, Addr: "hostc:4050"}}},
		{"1=hostb:3050, 2=10.0.0.7:4050", []transport.Peer{{ID: 1, Addr: "hostb:3050"}, {ID: 2, Addr: "10.0.0.7:4050"}}},
		{"2=c:1,b:65535", []transport.Peer{{ID: 2, Addr: "c:1"}, {ID: unknown, Addr: "b:65535"}}},
		{"[::1]:3050,7=[fe80::1%eth0]:3050", []transport.Peer{{ID: unknown, Addr: "[::1]:3050"}, {ID: 7, Addr: "[fe80::1%eth0]:3050"}}},
		// Whether ids fit the run is the transport's to say.
		{"2147483647=b:1,2147483647=c:1", []transport.Peer{{ID: 2147483647, Addr: "b:1"}, {ID: 2147483647, Addr: "c:1"}}},
	}
	for _, tt := range tests {
		got, err := ParsePeers(tt.in, nil)
		require.NoError(t, err, tt.in)
		assert.Equal(t, tt.want, got, tt.in)
	}
}

func TestParsePeersSaysWhatIsWrong(t *testing.T) {
	const form = "want host:port or id=host:port, such as hostb:3050 or 1=hostb:3050"
	const id = "is not a machine id; want id=host:port, such as 1=hostb:3050"
	tests := []struct{ in, want string }{
		{"hostb", `peer "hostb": ` + form},
		{":3050", `peer ":3050": ` + form},
		{"hostb:", `peer "hostb:": port "" is not a number from 1 to 65535`},
		{"hostb:0", `peer "hostb:0": port "0" is not a number from 1 to 65535`},
		{"hostb:65536", `peer "hostb:65536": port "65536" is not a number from 1 to 65535`},
		{"hostb:http", `peer "hostb:http": port "http" is not a number from 1 to 65535`},
		{"hostb:-1", `peer "hostb:-1": port "-1" is not a number from 1 to 65535`},
		{"::1:3050", `peer "::1:3050": ` + form},
		{"hostb:1,", `peer "": ` + form},
		{",", `peer "": ` + form},
		{"a:1,,b:2", `peer "": ` + form},
		{"x=hostb:3050", `peer "x=hostb:3050": "x" ` + id},
		{"=hostb:3050", `peer "=hostb:3050": "" ` + id},
		{"-1=hostb:3050", `peer "-1=hostb:3050": "-1" ` + id},
		{"2147483648=hostb:3050", `peer "2147483648=hostb:3050": "2147483648" ` + id},
		{"1=hostb", `peer "1=hostb": ` + form},
		{"hostb:1,hostb:1", `peer "hostb:1" is listed twice`},
		{"1=hostb:1,2=hostb:1", `peer "hostb:1" is listed twice`},
	}
	for _, tt := range tests {
		got, err := ParsePeers(tt.in, nil)
		require.EqualError(t, err, "peers: "+tt.want)
		assert.Nil(t, got)
	}
}

func FuzzParsePeers(f *testing.F) {
	for _, seed := range []string{
		"", "hostb:3050,hostc:4050", "1=hostb:3050,2=hostc:4050", "[::1]:1", "0=[fe80::1%eth0]:65535",
		"a:1,a:1", "=:", ",,", "1=2=c:3", " a:1 ,\tb:2", "a:+1", "x]:1", "[a:1", "n{0..2}:1", "{a,b}:2050+", "a:{2050..2052}", "{00..3}:1", "{2..0}x:9", "a:1+,a:1+",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		peers, err := ParsePeers(text, nil)
		if err != nil {
			require.Nil(t, peers)
			require.NotEmpty(t, err.Error())
			return
		}
		seen := map[string]bool{}
		var again []string
		for _, p := range peers {
			require.GreaterOrEqual(t, p.ID, transport.AnyID)
			host, port, err := net.SplitHostPort(p.Addr)
			require.NoError(t, err)
			require.NotEmpty(t, host)
			n, err := strconv.Atoi(port)
			require.NoError(t, err)
			require.Positive(t, n)
			require.Less(t, n, 1<<16)
			require.False(t, seen[p.Addr])
			seen[p.Addr] = true
			if p.ID == transport.AnyID {
				again = append(again, p.Addr)
			} else {
				again = append(again, strconv.Itoa(p.ID)+"="+p.Addr)
			}
		}
		// What was understood reads back the same.
		back, err := ParsePeers(strings.Join(again, ","), nil)
		require.NoError(t, err)
		require.Equal(t, peers, back)
	})
}

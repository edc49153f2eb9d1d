package roster

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestParseNetworks(t *testing.T) {
	for list, want := range map[string]string{
		"":                               "[]",
		" , ":                            "[]",
		"10.0.0.0/8":                     "[10.0.0.0/8]",
		"192.0.2.7, 2001:db8::/32":       "[192.0.2.7/32 2001:db8::/32]",
		"::ffff:10.0.0.1":                "[10.0.0.1/32]",
		"::ffff:10.0.0.0/104,::1":        "[10.0.0.0/8 ::1/128]",
		"0.0.0.0/0,::/0":                 "[0.0.0.0/0 ::/0]",
		"hosta":                          `"hosta": want an address or a network, such as 192.0.2.7 or 10.0.0.0/8`,
		"10.0.0.0/33":                    `"10.0.0.0/33": want an address or a network, such as 192.0.2.7 or 10.0.0.0/8`,
		"fe80::1%eth0":                   `"fe80::1%eth0": want an address or a network, such as 192.0.2.7 or 10.0.0.0/8`,
		"10.0.0.1,10.0.0.0/8/8,10.0.0.2": `"10.0.0.0/8/8": want an address or a network, such as 192.0.2.7 or 10.0.0.0/8`,
	} {
		all, err := ParseNetworks(list)
		if err != nil {
			assert.EqualError(t, err, want)
			continue
		}
		assert.Equal(t, want, fmt.Sprint(all), list)
	}
}

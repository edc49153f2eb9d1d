package transport

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestMessagesArriveInOrderOnEveryLink(t *testing.T) {
	const count = 5000
	nodes, boxes := mesh(t, 4, nil)
	connect(t, nodes)
	each(nodes, func(i int, n *Node) {
		for seq := uint64(1); seq <= count; seq++ {
			for j := range nodes {
				if j != i {
					assert.Equal(t, seq, n.Send(j, numbered(seq)))
				}
			}
		}
	})
	finish(t, nodes)
	for i, b := range boxes {
		b.check(t)
		for j := range nodes {
			if j != i {
				assert.EqualValues(t, count, b.got(j), "%d → %d", j, i)
			}
		}
	}
}

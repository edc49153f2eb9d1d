package vm

import (
	"encoding/binary"
	"fmt"

	"github.com/scalemodel/lamport/pkg/event"
)

// outgoing keeps messages that must not leave yet, each recipient's in the order
// of its link.
type outgoing struct {
	to       []int             // who is sent anything
	messages [][]event.Message // by recipient
	payloads [][]byte          // for send to fill
}

func newOutgoing(machines int) outgoing {
	return outgoing{messages: make([][]event.Message, machines)}
}

func (o *outgoing) add(messages []event.Message) {
	for _, m := range messages {
		if len(o.messages[m.To]) == 0 {
			o.to = append(o.to, int(m.To))
		}
		o.messages[m.To] = append(o.messages[m.To], m)
	}
}

// waiting returns how many messages to a machine there are.
func (o *outgoing) waiting(to int) int { return len(o.messages[to]) }

// send hands over all messages, with one call per recipient, which returns the
// number that the first of them has on its link.
func (o *outgoing) send(sendAll func(to int, payloads [][]byte) (first uint64)) {
	for _, to := range o.to {
		messages := o.messages[to]
		for len(o.payloads) < len(messages) {
			o.payloads = append(o.payloads, make([]byte, payloadLen))
		}
		for i := range messages {
			binary.BigEndian.PutUint64(o.payloads[i], uint64(messages[i].Sent))
		}
		if first := sendAll(to, o.payloads[:len(messages)]); first != messages[0].Seq {
			panic(fmt.Sprintf("message %d to machine %d went out as number %d", messages[0].Seq, to, first))
		}
		o.messages[to] = messages[:0]
	}
	o.to = o.to[:0]
}

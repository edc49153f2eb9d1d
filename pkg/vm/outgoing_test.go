package vm

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/event"
)

// What is kept back and sent at once is, on each link, what would have been sent
// one by one.
func TestOutgoingAgainstTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		machines := rapid.IntRange(2, 5).Draw(t, "machines")
		o := newOutgoing(machines)
		seq := make([]uint64, machines)
		want, got := make([][]byte, machines), make([][]byte, machines)
		waiting := make([]int, machines)
		add := func(t *rapid.T) {
			var messages []event.Message
			for range rapid.IntRange(1, 2).Draw(t, "messages") {
				to := rapid.IntRange(1, machines-1).Draw(t, "to")
				seq[to]++
				waiting[to]++
				m := event.Message{To: int32(to), Seq: seq[to], Sent: clock.Time(rapid.Uint64().Draw(t, "stamp"))}
				messages = append(messages, m)
				want[to] = appendPayload(want[to], m.Sent)
			}
			o.add(messages)
		}
		send := func(t *rapid.T) {
			calls := 0
			o.send(func(to int, payloads [][]byte) (first uint64) {
				require.Len(t, payloads, waiting[to])
				require.NotEmpty(t, payloads)
				for _, p := range payloads {
					require.Len(t, p, payloadLen)
				}
				calls++
				got[to] = append(got[to], bytes.Join(payloads, nil)...)
				first = seq[to] - uint64(waiting[to]) + 1
				waiting[to] = 0
				return first
			})
			require.Less(t, calls, machines, "one call per recipient")
			require.Equal(t, want, got)
		}
		t.Repeat(map[string]func(*rapid.T){
			"add":  add,
			"send": send,
			"": func(t *rapid.T) {
				for to := range machines {
					require.Equal(t, waiting[to], o.waiting(to))
				}
			},
		})
	})
}

// A number that is not the log's would make the log wrong.
func TestOutgoingWithAWrongNumber(t *testing.T) {
	o := newOutgoing(2)
	o.add([]event.Message{{To: 1, Seq: 7}, {To: 1, Seq: 8}})
	assert.PanicsWithValue(t, "message 7 to machine 1 went out as number 8", func() {
		o.send(func(int, [][]byte) uint64 { return 8 })
	})
}

func TestOutgoingReusesItsMemory(t *testing.T) {
	o := newOutgoing(3)
	messages := []event.Message{{To: 1, Seq: 1}, {To: 2, Seq: 1}}
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		o.add(messages)
		o.send(func(int, [][]byte) uint64 { return 1 })
	}))
}

package transport

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every figure is added, also one that comes later.
func TestStatsAdd(t *testing.T) {
	var a, b Stats
	for i := range reflect.TypeFor[Stats]().NumField() {
		reflect.ValueOf(&a).Elem().Field(i).SetUint(uint64(i + 1))
		reflect.ValueOf(&b).Elem().Field(i).SetUint(uint64(100 * (i + 1)))
	}
	a.Add(b)
	for i := range reflect.TypeFor[Stats]().NumField() {
		assert.EqualValues(t, 101*(i+1), reflect.ValueOf(a).Field(i).Uint(), reflect.TypeFor[Stats]().Field(i).Name)
	}
}

func TestStatsString(t *testing.T) {
	s := Stats{Messages: 3, Frames: 5, Bytes: 105, Writes: 2, Acks: 1}
	assert.Equal(t, "3 messages, 5 frames, 105 bytes, 2 writes, 1 ack", s.String())
	s.Add(Stats{Resent: 4, Duplicates: 3, Reconnects: 2, Refused: 1})
	assert.Equal(t, "3 messages, 5 frames, 105 bytes, 2 writes, 1 ack, 4 resent, 3 duplicates, 2 reconnects, 1 refused", s.String())
}

func TestStatsGoThroughJSON(t *testing.T) {
	s := Stats{Messages: 3, Frames: 5, Bytes: 105, Writes: 2, Acks: 1, Refused: 7}
	b, err := json.Marshal(s)
	require.NoError(t, err)
	assert.Equal(t, `{"messages":3,"frames":5,"bytes":105,"writes":2,"acks":1,"refused":7}`, string(b))
	var back Stats
	require.NoError(t, json.Unmarshal(b, &back))
	assert.Equal(t, s, back)
}

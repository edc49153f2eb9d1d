package progress

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestVirtualTexts(t *testing.T) {
	var out bytes.Buffer
	v := NewVirtual(&out, time.Now(), time.Minute)
	require.Equal(t, "…            ", v.timeText(time.Second))
	v.Update(15*time.Second, 30_000_000)
	require.Equal(t, "30s left     ", v.timeText(10*time.Second))
	require.Equal(t, " 15s of virtual time, 30,000,000 events, 3.00 M/s", v.eventsText(10*time.Second))
	v.Update(time.Minute, 120_000_000)
	require.Equal(t, "…            ", v.timeText(40*time.Second))
	v.Close()

	endless := NewVirtual(&out, time.Now(), 0)
	endless.Update(time.Hour, 1)
	require.Equal(t, "Ctrl-C stops ", endless.timeText(time.Second))
	endless.Close()
}

package logging

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// scanAll reads a log by the scanner alone, which is the twin of all other ways.
func scanAll(log []byte) (records []Record, err error) {
	r := NewReader(bytes.NewReader(log), "log")
	for {
		var rec Record
		if err := r.scan(&rec); err != nil {
			return records, err
		}
		records = append(records, rec)
	}
}

// readEach reads a log line by line, into one record.
func readEach(r *Reader) (records []Record, err error) {
	var rec Record
	for {
		if err := r.Next(&rec); err != nil {
			return records, err
		}
		records = append(records, rec)
	}
}

// readBatches reads a log in batches, which are used again.
func readBatches(r *Reader, size int) (records []Record, err error) {
	batch := make([]Entry, size)
	for {
		n, err := r.NextBatch(batch)
		for _, e := range batch[:n] {
			rec := Record{Line: e.Line, UnixMicro: e.UnixMicro, ID: e.ID, Kind: EventRecord, Event: e.Event}
			if e.Other != nil {
				rec = *e.Other
			}
			records = append(records, rec)
		}
		if n < size || err != nil {
			return records, err
		}
	}
}

// samples are lines of all kinds, behind the time.
var samples = []string{
	"internal: step=7 clock=12 queue=0",
	"internal: step=12345678 clock=123456789 queue=99999999",
	"internal: step=1234567890123456 clock=12345678901234567 queue=1234567890123456",
	"internal: step=18446744073709551615 clock=18446744073709551615 queue=9223372036854775807",
	"receive: step=8 clock=40 queue=2 from=1 seq=5 sent=39",
	"receive: step=88888888 clock=400000000 queue=22222 from=2147483647 seq=555555555 sent=1234567890",
	"send: step=9 clock=41 queue=0 to=1:6",
	"send: step=9 clock=41 queue=0 to=2147483647:66666666",
	`send: step=10 clock=42 queue=0 to="1:7,2:1"`,
	`send: step=10 clock=42 queue=0 to="1:777777777,2147483647:1000000000000000"`,
	`send: step=10 clock=42 queue=0 to="1:7,2:1,3:18446744073709551615"`,
	`start: version=1 run=q7f3k2 machines=3 rate=5 seed=42 die=10 peers="1,2"`,
	"pause: step=7 clock=12 elapsed=0.000001",
	"resume: step=7 clock=12 elapsed=19.204512",
	`stop: step=9 clock=99 queue=3 pending="0:1,5:2" undelivered="1:12,7:1"`,
	"offset: peer=1 ahead=-3600000123 within=153 rtt=306",
}

// randomLog returns lines most of which are good.
func randomLog(t *rapid.T) []byte {
	var log []byte
	times := rapid.SampledFrom([]string{"2026-11-22T10:20:30.", "2026-11-22T10:20:31.", "2026-11-23T00:00:00.", "2026-11-22T24:20:30.", "1970-01-01T23:59:59.", "1969-12-31T23:59:59."})
	names := rapid.SampledFrom([]string{"vm-0", "vm-0", "vm-7", "vm-12", "vm-2147483647"})
	at, name := times.Draw(t, "time"), names.Draw(t, "name")
	for range rapid.IntRange(1, 40).Draw(t, "lines") {
		switch rapid.IntRange(0, 20).Draw(t, "other") {
		case 0:
			at = times.Draw(t, "time")
		case 1:
			name = names.Draw(t, "name")
		}
		line := fmt.Appendf(nil, "%s%06dZ [INFO]  %s: %s\n", at, rapid.IntRange(0, 999999).Draw(t, "µs"), name, rapid.SampledFrom(samples).Draw(t, "kind"))
		if rapid.IntRange(0, 30).Draw(t, "damage") == 0 {
			i := rapid.IntRange(0, len(line)-1).Draw(t, "at")
			switch rapid.IntRange(0, 3).Draw(t, "how") {
			case 0:
				line[i] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
			case 1:
				line = append(line[:i], line[i+1:]...)
			case 2:
				line = append(line[:i], append([]byte{rapid.SampledFrom([]byte("0123456789: =,\"\n\r\x00/")).Draw(t, "byte")}, line[i:]...)...)
			case 3:
				line = line[:i]
			}
		}
		log = append(log, line...)
	}
	return log
}

// All ways to read a log give the same records and the same error.
func TestAllWaysToReadAreOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		requireOneWay(t, randomLog(t), rapid.IntRange(1, 50).Draw(t, "batch"))
	})
}

func requireOneWay(t require.TestingT, log []byte, batch int) {
	want, wantErr := scanAll(log)
	batches := NewReader(bytes.NewReader(log), "log")
	got, err := readBatches(batches, batch)
	require.Equal(t, want, got, "batches")
	require.Equal(t, wantErr, err, "batches")
	for _, c := range []struct { // in one order, as a fuzzer takes another path for a finding
		name string
		r    io.Reader
	}{
		{"whole", bytes.NewReader(log)}, {"halves", iotest.HalfReader(bytes.NewReader(log))}, {"err", iotest.DataErrReader(bytes.NewReader(log))},
	} {
		r := NewReader(c.r, "log")
		got, err := readEach(r)
		require.Equal(t, want, got, c.name)
		require.Equal(t, wantErr, err, c.name)
		require.Equal(t, batches.Offset(), r.Offset(), c.name)
	}
}

// Each change of one byte in a line of each kind is seen, or not, as by the scanner.
func TestEachByteIsLookedAt(t *testing.T) {
	const head = "2026-11-22T10:20:30.123456Z [INFO]  vm-12: "
	tail := strings.Repeat(head+samples[0]+"\n", 5) // so that no line is read as the last
	for _, sample := range samples {
		line := head + sample + "\n"
		for i := range line {
			for _, c := range []byte("0159/: =,\"\nZ\x00\xb0") {
				changed := []byte(head + samples[0] + "\n" + line + tail)
				changed[len(head+samples[0])+1+i] = c
				want, wantErr := scanAll(changed)
				got, err := readBatches(NewReader(bytes.NewReader(changed), "log"), 3)
				require.Equal(t, want, got, "%q", changed)
				require.Equal(t, wantErr, err, "%q", changed)
			}
		}
	}
}

// Nearly all events are plain, and are read as such.
func TestEventsArePlain(t *testing.T) {
	const head = "2026-11-22T10:20:30.123456Z [INFO]  vm-12: "
	for i, sample := range samples {
		if i == 2 || i == 3 || i == 10 || i > 10 { // too long, or no event
			continue
		}
		log := head + sample + "\n" + head + sample + "\n" + strings.Repeat(" ", 256)
		r := NewReader(strings.NewReader(log), "log")
		var rec Record
		require.NoError(t, r.scan(&rec))
		require.True(t, r.event(&rec.UnixMicro, &rec.Event), sample)
	}
}

// FuzzPlain gives the scanner's twin any bytes.
func FuzzPlain(f *testing.F) {
	const head = "2026-11-22T10:20:30.123456Z [INFO]  vm-12: "
	for _, sample := range samples {
		f.Add([]byte(strings.Repeat(head+sample+"\n", 6)), 2)
	}
	f.Fuzz(func(t *testing.T, log []byte, batch int) {
		requireOneWay(t, log, 1+batch&15)
	})
}

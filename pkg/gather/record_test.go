package gather

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/rundir"
)

// The record of a run is that of the machines, or made from their start lines.
func TestRecord(t *testing.T) {
	begun := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	start := func(after time.Duration, seed uint64) *logging.Record {
		return &logging.Record{Kind: logging.StartRecord, UnixMicro: begun.Add(after).UnixMicro(), Start: logging.Start{Run: "r", Machines: 2, Rate: 5 * clock.Hertz, Seed: seed, Die: 10}}
	}
	machine := func(host string, d time.Duration) Machine {
		return Machine{Delivery: &Delivery{From: "192.0.2.7", About: About{Host: host, System: "linux/amd64", CPUs: 2, Duration: d}}}
	}
	two := []*logging.Record{start(time.Second, 7), start(0, 7)}

	r, differ := Record("v", []Machine{machine("a", time.Minute), machine("b", time.Minute)}, two)
	assert.Empty(t, differ)
	require.NotNil(t, r)
	assert.Equal(t, &rundir.Record{
		Version: "v", Spec: experiment.Spec{Common: experiment.Common{Run: "r", Die: 10, Seed: 7, Duration: time.Minute}, Rates: []clock.Rate{5 * clock.Hertz, 5 * clock.Hertz}},
		Ports: []int{0, 0}, Host: "a and b", Hosts: []string{"a", "b"}, System: "linux/amd64", CPUs: 4, Started: begun,
	}, r)

	r, _ = Record("v", []Machine{machine("a", time.Minute), machine("a", time.Second)}, two)
	assert.Equal(t, "a", r.Host)
	assert.Nil(t, r.Hosts)
	assert.Zero(t, r.Duration, "they do not agree")

	r, _ = Record("v", []Machine{machine("", 0), machine("b", 0)}, two)
	assert.Equal(t, []string{"192.0.2.7", "b"}, r.Hosts, "what is known of a host without a name")

	r, _ = Record("v", []Machine{machine("a", 0), machine("b", 0)}, []*logging.Record{two[0], start(0, 8)})
	assert.Nil(t, r, "each has its own seed")
	r, _ = Record("v", []Machine{machine("a", 0), {}}, []*logging.Record{two[0], nil})
	assert.Nil(t, r, "one is missing")

	var many []Machine
	for i := range 20 {
		many = append(many, machine("a", 0))
		many[i].About.System = strings.Repeat(string(rune('a'+i)), maxText)
	}
	r, _ = Record("v", many, slices.Repeat(two[:1], 20))
	require.NoError(t, r.Check(), "whatever the machines say, it can be read again")

	own := &rundir.Record{Version: "w", Spec: experiment.Spec{Common: experiment.Common{Run: "r", Die: 6, Seed: 9, Duration: time.Hour}, Rates: []clock.Rate{clock.Hertz, clock.Hertz}}}
	other := *own
	other.Seed++
	all := []Machine{machine("a", 0), machine("b", 0), machine("b", 0)}
	all[1].About.Record, all[2].About.Record = own, &other
	r, differ = Record("v", all, []*logging.Record{nil, nil, nil})
	assert.Equal(t, []int{2}, differ)
	assert.EqualValues(t, 9, r.Seed)
	assert.Equal(t, "w", r.Version)
	assert.Empty(t, own.Host, "it is not changed")
}

// What a machine says about itself goes through JSON, and says where the run was done.
func TestAboutOfLog(t *testing.T) {
	dir := t.TempDir()
	file := put(t, filepath.Join(dir, "vm_1_1.log"), aLog(t, "r", 1, 2, 3, true))
	record := &rundir.Record{Spec: experiment.Spec{Common: experiment.Common{Run: "r", Die: 6, Seed: 9}, Rates: []clock.Rate{clock.Hertz, clock.Hertz}}, Host: "far", System: "plan9/arm", CPUs: 64}
	require.NoError(t, rundir.WriteRecord(dir, record))
	a := Here("v")
	require.NoError(t, a.OfLog(file))
	assert.Equal(t, "far", a.Host)
	assert.Equal(t, 64, a.CPUs)
	b, err := json.Marshal(a)
	require.NoError(t, err)
	var got About
	require.NoError(t, json.Unmarshal(b, &got))
	require.NoError(t, got.check("r", 1, 2))
	assert.Equal(t, a, &got)
	require.Error(t, got.check("r", 1, 3))
	require.Error(t, got.check("s", 1, 2))

	record.Run = "another"
	require.NoError(t, rundir.WriteRecord(dir, record))
	a = Here("v")
	require.NoError(t, a.OfLog(file))
	assert.Nil(t, a.Record, "that is not its run's")
	require.ErrorIs(t, a.OfLog(put(t, filepath.Join(dir, "vm_2_1.log"), nil)), ErrNothing)
	require.ErrorIs(t, a.OfLog(filepath.Join(dir, "nowhere")), os.ErrNotExist)
}

// A compressed log is delivered as the text that it stands for.
func TestDeliverCompressed(t *testing.T) {
	dir, want := t.TempDir(), aLog(t, "r", 0, 2, 3000, true)
	g := serve(t, Config{Dir: dir, Run: "r", Machines: 2})
	half := put(t, filepath.Join(t.TempDir(), "vm_0_1.log"), want[:len(want)/2])
	c := NewClient(g.addr, nil)
	defer c.Close()
	require.NoError(t, c.Deliver(t.Context(), half, &About{}))
	file := put(t, filepath.Join(t.TempDir(), "vm_0_1.log.gz"), zipped(t, want))
	require.NoError(t, c.Deliver(t.Context(), file, &About{}))
	got, err := os.ReadFile(filepath.Join(dir, "vm_0_1.log"))
	require.NoError(t, err)
	assert.True(t, bytes.Equal(want, got))
	require.NoError(t, c.Deliver(t.Context(), half, &About{}), "a part of what is there")
	assert.EqualValues(t, len(want), g.Machines()[0].Bytes)
}

func TestDigest(t *testing.T) {
	d := digest{1, 2, 3}
	got, err := parseDigest(d.String())
	require.NoError(t, err)
	assert.Equal(t, d, got)
	for _, s := range []string{"", "sha-256=:", "sha-256=::", "md5=" + d.String(), d.String() + "x", "sha-256=:AAAA:", "sha-256=:????:"} {
		_, err := parseDigest(s)
		assert.Error(t, err, s)
	}
}

func TestCheckAddr(t *testing.T) {
	for _, addr := range []string{"hosta:7070", "192.0.2.1:1", "[2001:db8::1]:65535"} {
		assert.NoError(t, CheckAddr(addr))
	}
	for _, addr := range []string{"", "hosta", "hosta:", ":7070", "hosta:0", "hosta:65536", "hosta:http", "http://hosta:7070", "a b:1", "u@h:1"} {
		assert.Error(t, CheckAddr(addr), addr)
	}
}

package cluster

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFits(t *testing.T) {
	const gigabyte = 1 << 30
	for _, tt := range []struct {
		host     host
		machines int
		kind     error
		want     string
	}{
		{host{}, MaxMachines, nil, ""}, // nothing is known
		{host{descriptors: 1024}, 3, nil, ""},
		{host{descriptors: 1024}, 248, nil, ""},
		{host{descriptors: 1024}, 249, ErrDescriptors, "a run of 249 machines needs 1,028 file descriptors in one process, and this host has 1,024"},
		{host{descriptors: 20}, 1, ErrDescriptors, "a run of 1 machine needs 36 file descriptors in one process, and this host has 20"},
		{host{threads: 4096}, 512, nil, ""},
		{host{threads: 4096}, 513, ErrThreads, "a run of 513 machines needs 4,104 threads of one user, and this host has 4,096"},
		{host{memory: gigabyte}, 100, nil, ""},
		{host{memory: 4 * gigabyte}, 300, nil, ""},
		{host{memory: 3 * gigabyte}, 300, ErrMemory, "a run of 300 machines needs 3,201 MB of memory, and this host has 3,072"},
		{host{memory: 16 * gigabyte}, 1000, ErrMemory, "a run of 1,000 machines needs 21,609 MB of memory, and this host has 16,384"},
		{host{1024, 1024, gigabyte}, 1000, ErrDescriptors, "a run of 1,000 machines needs 4,032 file descriptors in one process, and this host has 1,024"},
		{host{20_000, 100_000, 24 * gigabyte}, 1000, nil, ""},
	} {
		err := tt.host.fits(tt.machines)
		if tt.kind == nil {
			assert.NoError(t, err, "%d machines on %+v", tt.machines, tt.host)
			continue
		}
		require.ErrorIs(t, err, tt.kind)
		assert.EqualError(t, err, tt.want)
	}
}

func TestThisHost(t *testing.T) {
	h := thisHost()
	require.NoError(t, h.fits(3))
	if runtime.GOOS == "linux" {
		assert.Positive(t, h.memory)
		assert.Positive(t, h.descriptors)
	}
}

// What a host cannot bear is refused before anything is there.
func TestNewRefusesTooManyMachines(t *testing.T) {
	cfg := config(t, 3)
	_, err := newOn(host{descriptors: 30}, cfg)
	require.ErrorIs(t, err, ErrDescriptors)
	assert.NoDirExists(t, cfg.Dir)
}

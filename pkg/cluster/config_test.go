package cluster

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/rundir"
)

func TestParsePorts(t *testing.T) {
	for _, c := range []struct {
		text     string
		machines int
		want     []int
		err      string
	}{
		{"auto", 3, []int{0, 0, 0}, ""},
		{"2050,3050,4050", 3, []int{2050, 3050, 4050}, ""},
		{" 2050, 3050 ", 2, []int{2050, 3050}, ""},
		{"1", 1, []int{1}, ""},
		{"65535", 1, []int{65535}, ""},
		{"65536", 1, nil, `ports: port "65536": want a number from 1 to 65535`},
		{"0", 1, nil, `ports: port "0": want a number from 1 to 65535`},
		{"-1", 1, nil, `ports: port "-1": want a number from 1 to 65535`},
		{"", 1, nil, `ports: port "": want a number from 1 to 65535`},
		{"80,", 2, nil, `ports: port "": want a number from 1 to 65535`},
		{"80,auto", 2, nil, `ports: port "auto": want a number from 1 to 65535`},
		{"80", 2, nil, `ports: 1 port for 2 machines: give one each`},
		{"80,81,82", 2, nil, `ports: 3 ports for 2 machines: give one each`},
	} {
		ports, err := ParsePorts(c.text, c.machines)
		if c.err != "" {
			require.EqualError(t, err, c.err, "%q", c.text)
			continue
		}
		require.NoError(t, err, "%q", c.text)
		assert.Equal(t, c.want, ports, "%q", c.text)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, c := range []struct {
		edit func(*Config)
		want string
	}{
		{func(c *Config) { c.Rates, c.Ports = nil, nil }, "machines 0: want 1 to 1000; each is a process of this host"},
		{func(c *Config) { c.Rates = make([]clock.Rate, 1001) }, "machines 1001: want 1 to 1000; each is a process of this host"},
		{func(c *Config) { c.Ports = c.Ports[1:] }, "ports: 2 ports for 3 machines: give one each"},
		{func(c *Config) { c.Die = 0 }, "die 0: a die has at least 1 face"},
		{func(c *Config) { c.Duration = -1 }, "duration -1ns: a duration cannot be negative"},
		{func(c *Config) { c.Ports = []int{0, 7, 7} }, "ports: machines 1 and 2 have one port, 7: give each its own"},
		{func(c *Config) { c.VM = "no-such-program" }, `the vm program "no-such-program" cannot be run: executable file not found in`},
	} {
		cfg := config(t, 3)
		c.edit(&cfg)
		_, err := New(cfg)
		require.ErrorContains(t, err, c.want)
		assert.NoDirExists(t, filepath.Dir(cfg.Dir))
	}
}

// Of ports that cannot all be had none is kept, and no directory is made.
func TestNewFindsAPortTaken(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = ln.Close() }()
	cfg := config(t, 3)
	cfg.Ports[2] = ln.Addr().(*net.TCPAddr).Port
	_, err = New(cfg)
	taken, ok := errors.AsType[*PortError](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, 2, taken.ID)
	require.ErrorIs(t, err, syscall.EADDRINUSE)
	require.EqualError(t, err, fmt.Sprintf("port %d on 127.0.0.1 is taken", cfg.Ports[2]))
	assert.NoDirExists(t, filepath.Dir(cfg.Dir))
}

func TestFindVM(t *testing.T) {
	name := "vm"
	if runtime.GOOS == "windows" {
		name = "vm.exe"
	}
	self, err := os.Executable()
	require.NoError(t, err)
	self, err = filepath.EvalSymlinks(self)
	require.NoError(t, err)
	beside := filepath.Join(filepath.Dir(self), name)
	require.NoFileExists(t, beside)

	dir := t.TempDir()
	t.Setenv("PATH", dir)
	_, err = FindVM()
	require.EqualError(t, err, `the program "`+name+`" is neither beside this one nor in the path`)

	inPath := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(inPath, nil, 0o777))
	path, err := FindVM()
	require.NoError(t, err)
	assert.Equal(t, inPath, path)

	// What is beside comes first, if it is a program.
	require.NoError(t, os.Mkdir(beside, 0o777))
	path, err = FindVM()
	require.NoError(t, os.Remove(beside))
	require.NoError(t, err)
	assert.Equal(t, inPath, path)

	require.NoError(t, os.WriteFile(beside, nil, 0o777))
	path, err = FindVM()
	require.NoError(t, os.Remove(beside))
	require.NoError(t, err)
	assert.Equal(t, beside, path)
}

// What a run is started with stands in its directory.
func TestRecord(t *testing.T) {
	cfg := config(t, 2)
	cfg.Rates = []clock.Rate{clock.Unpaced, clock.Hertz / 4}
	cfg.Seed = 1<<64 - 1
	cfg.Duration = 90 * time.Second
	cfg.Restart, cfg.Sync = true, true
	before := time.Now().Add(-time.Second)
	c, err := New(cfg)
	require.NoError(t, err)
	defer c.closeListeners()
	r, err := rundir.ReadRecord(cfg.Dir)
	require.NoError(t, err)
	assert.WithinRange(t, r.Started, before, time.Now().Add(time.Second))
	assert.NotEmpty(t, r.Host)
	assert.Positive(t, r.CPUs)
	r.Started, r.Host, r.CPUs = time.Time{}, "", 0
	assert.Equal(t, &rundir.Record{
		Version: "v1.2.3", Spec: cfg.Spec, Ports: c.Ports(), Restart: true, Sync: true, System: runtime.GOOS + "/" + runtime.GOARCH,
	}, r)
	assert.NotContains(t, c.Ports(), 0)
}

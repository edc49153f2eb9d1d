package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/clock"
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
		{"65536", 1, nil, `port "65536": want a number from 1 to 65535, or --ports auto`},
		{"0", 1, nil, `port "0": want a number from 1 to 65535, or --ports auto`},
		{"-1", 1, nil, `port "-1": want a number from 1 to 65535, or --ports auto`},
		{"", 1, nil, `port "": want a number from 1 to 65535, or --ports auto`},
		{"80,", 2, nil, `port "": want a number from 1 to 65535, or --ports auto`},
		{"80,auto", 2, nil, `port "auto": want a number from 1 to 65535, or --ports auto`},
		{"80", 2, nil, `1 ports for 2 machines: give one each, or --ports auto`},
		{"80,81,82", 2, nil, `3 ports for 2 machines: give one each, or --ports auto`},
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
		{func(c *Config) { c.Rates, c.Ports = nil, nil }, "a run has at least 1 machine"},
		{func(c *Config) { c.Rates = make([]clock.Rate, 1001) }, "1001 machines: at most 1000 run as processes of one host"},
		{func(c *Config) { c.Ports = c.Ports[1:] }, "2 ports for 3 machines: give one each, or --ports auto"},
		{func(c *Config) { c.Die = 0 }, "--die 0: a die has at least 1 face"},
		{func(c *Config) { c.Duration = -1 }, "--duration -1ns: a duration cannot be negative"},
		{func(c *Config) { c.Ports = []int{0, 7, 7} }, "machines 1 and 2 have one port, 7: give each its own, or --ports auto"},
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
	require.EqualError(t, err, fmt.Sprintf("port %d on 127.0.0.1 is taken", taken.Port))
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
	require.EqualError(t, err, `the program "`+name+`" is neither beside this one nor in the path: build it with "make build", or say where it is with --vm`)

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

func TestRecord(t *testing.T) {
	cfg := config(t, 2)
	cfg.Rates = []clock.Rate{clock.Unpaced, clock.Hertz / 4}
	cfg.Seed = 1<<64 - 1
	cfg.Duration = 90 * time.Second
	before := time.Now().Add(-time.Second)
	c, err := New(cfg)
	require.NoError(t, err)
	defer c.closeListeners()
	r, err := ReadRecord(filepath.Join(cfg.Dir, RecordName))
	require.NoError(t, err)
	assert.WithinRange(t, r.Started, before, time.Now().Add(time.Second))
	assert.NotEmpty(t, r.Host)
	assert.Positive(t, r.CPUs)
	r.Started, r.Host, r.CPUs = time.Time{}, "", 0
	assert.Equal(t, &Record{
		Format:   1,
		Version:  "v1.2.3",
		Run:      "test",
		Machines: 2,
		Rates:    cfg.Rates,
		Ports:    c.Ports(),
		Die:      10,
		Seed:     1<<64 - 1,
		Duration: "1m30s",
		System:   runtime.GOOS + "/" + runtime.GOARCH,
	}, r)
	assert.NotContains(t, c.Ports(), 0)
}

func TestReadRecordRefuses(t *testing.T) {
	name := filepath.Join(t.TempDir(), "run.json")
	_, err := ReadRecord(name)
	require.ErrorIs(t, err, fs.ErrNotExist)
	for text, want := range map[string]string{
		"":                                 name + ": not the record of a run: ",
		"vm-0: start":                      name + ": not the record of a run: ",
		`{"format": 1, "rates": ["fast"]}`: name + ": not the record of a run: ",
		`{"format": 2, "version": "v9"}`:   name + ": format 2 of another release (v9); this one reads format 1",
		`{}`:                               name + ": format 0 of another release (); this one reads format 1",
	} {
		require.NoError(t, os.WriteFile(name, []byte(text), 0o666))
		_, err := ReadRecord(name)
		assert.ErrorContains(t, err, want)
	}
}

// Every field of a record is written and read back.
func TestRecordRoundTrip(t *testing.T) {
	r := Record{
		Format: 1, Version: "v", Run: "name", Machines: 1, Rates: []clock.Rate{clock.Hertz}, Ports: []int{2}, Die: 3, Seed: 4,
		Duration: "5s", Window: 6, Host: "host", System: "os/arch", CPUs: 7, Started: time.Unix(8, 9000).UTC(),
	}
	name := filepath.Join(t.TempDir(), "run.json")
	f, err := os.Create(name)
	require.NoError(t, err)
	require.NoError(t, r.write(f))
	require.NoError(t, f.Close())
	back, err := ReadRecord(name)
	require.NoError(t, err)
	assert.Equal(t, &r, back)
	// The names are a contract with whoever reads it.
	b, err := json.Marshal(r)
	require.NoError(t, err)
	assert.JSONEq(t, `{"format":1,"version":"v","run":"name","machines":1,"rates":["1"],"ports":[2],"die":3,"seed":4,
		"duration":"5s","window":6,"host":"host","system":"os/arch","cpus":7,"started":"1970-01-01T00:00:08.000009Z"}`, string(b))
}

// Of many that want one directory at one instant, one gets it.
func TestOneRunPerDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	var wg sync.WaitGroup
	var won atomic.Int32
	for range 20 {
		wg.Go(func() {
			if _, err := newRunDir(dir, &Record{Format: 1}); err == nil {
				won.Add(1)
			} else {
				assert.ErrorContains(t, err, "is of an earlier run")
			}
		})
	}
	wg.Wait()
	assert.Equal(t, int32(1), won.Load())
	assert.Equal(t, []string{RecordName}, files(t, dir))
}

func TestRunDirRemove(t *testing.T) {
	root := t.TempDir()
	prepare := func() *runDir {
		d, err := newRunDir(filepath.Join(root, "a", "b", "c")+"/", &Record{Format: 1})
		require.NoError(t, err)
		for name, text := range map[string]string{"vm_0.stderr": "talk", "vm_1.stderr": ""} {
			f, err := d.create(name)
			require.NoError(t, err)
			_, err = f.WriteString(text)
			require.NoError(t, err)
			require.NoError(t, f.Close())
		}
		return d
	}
	d := prepare()
	d.remove(false)
	assert.Equal(t, []string{"vm_0.stderr"}, files(t, d.path), "what was said stays")
	d.remove(true)
	assert.Empty(t, files(t, root))

	// What others have put there stays, and so does what it is in.
	d = prepare()
	other := filepath.Join(root, "a", "notes")
	require.NoError(t, os.WriteFile(other, nil, 0o666))
	d.remove(true)
	assert.Equal(t, []string{"notes"}, files(t, filepath.Join(root, "a")))

	// A directory that was there before stays too.
	require.NoError(t, os.Remove(other))
	d = prepare()
	d.remove(true)
	assert.Equal(t, []string{"a"}, files(t, root))
	assert.Empty(t, files(t, filepath.Join(root, "a")))
}

//go:build unix

package fleet

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/internal/fakessh"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/remote"
)

// fakeVM stands in for the vm program: it answers for its ports.
const fakeVM = `#!/bin/sh
case $1 in
--probe-ports)
	IFS=,
	for p in $2; do
		if [ $p = 7 ]; then echo "{\"port\":7,\"problem\":\"port 7 on $4 is taken\"}"; else echo "{\"port\":$((p ? p : 4711))}"; fi
	done ;;
--version) echo vm version 1 ;;
*) echo "$@" ;;
esac
`

// ground is where a fleet of a test is made.
type ground struct {
	cfg  Config
	home string // of the hosts
	ssh  string // the directory of what stands in for ssh
}

func newGround(t *testing.T, list string) *ground {
	t.Helper()
	g := &ground{home: filepath.Join(t.TempDir(), "it's", "home"), ssh: t.TempDir()}
	program, err := fakessh.Install(g.ssh)
	require.NoError(t, err)
	entries, err := Parse(list)
	require.NoError(t, err)
	vm := filepath.Join(t.TempDir(), "vm")
	require.NoError(t, os.WriteFile(vm, []byte(fakeVM), 0o755))
	g.cfg = Config{SSH: remote.SSH{Program: []string{program}}, Entries: entries, Run: "r", VM: vm, Dir: g.home}
	return g
}

func (g *ground) fleet(t *testing.T, machines int) *Fleet {
	t.Helper()
	f, err := New(t.Context(), g.cfg, machines)
	require.NoError(t, err)
	return f
}

// calls returns what ssh was called for.
func (g *ground) calls(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(g.ssh, "calls"))
	require.NoError(t, err)
	return string(b)
}

func TestParse(t *testing.T) {
	for in, want := range map[string][]Entry{
		"a":                            {{"a", ""}},
		"a, u@b ,c=10.0.0.3":           {{"a", ""}, {"u@b", ""}, {"c", "10.0.0.3"}},
		"a=host.example,a=[::1],b=::1": {{"a", "host.example"}, {"a", "::1"}, {"b", "::1"}},
	} {
		got, err := Parse(in)
		require.NoError(t, err, in)
		assert.Equal(t, want, got)
	}
	for _, bad := range []string{"", ",", "a,", "-x", "a,-oProxyCommand=x", "a=", "a=-x", "a=b:22", "a=u@b", "a=b c", "a=b=c", strings.Repeat("a,", MaxHosts) + "a"} {
		_, err := Parse(bad)
		var e *experiment.Error
		require.ErrorAs(t, err, &e, bad)
		assert.Equal(t, "hosts", e.Field)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("a,u@b,c=10.0.0.3")
	f.Fuzz(func(t *testing.T, s string) {
		entries, err := Parse(s)
		if err != nil {
			return
		}
		var list []string
		for _, e := range entries {
			list = append(list, e.String())
		}
		again, err := Parse(strings.Join(list, ","))
		require.NoError(t, err)
		require.Equal(t, entries, again)
	})
}

// Where the machines find each other follows from the addresses of their hosts.
func TestMeet(t *testing.T) {
	for _, tt := range []struct {
		in, addresses, binds string
	}{
		{"127.0.0.1", "127.0.0.1", "127.0.0.1"},
		{"localhost,127.0.0.2", "127.0.0.1,127.0.0.2", "127.0.0.1,127.0.0.2"},
		{"::1,127.0.0.1", "::1,127.0.0.1", "::1,127.0.0.1"},
		{"10.0.0.1,hostb", "10.0.0.1,hostb", "0.0.0.0,0.0.0.0"},
		{"10.0.0.1,fd00::1", "10.0.0.1,fd00::1", "::,::"},
		{"hosta", "127.0.0.1", "127.0.0.1"},
		{"hosta,hosta", "127.0.0.1,127.0.0.1", "127.0.0.1,127.0.0.1"},
	} {
		in := strings.Split(tt.in, ",")
		m, err := meet(in, in)
		require.NoError(t, err)
		assert.Equal(t, tt.addresses, strings.Join(m.addresses, ","), tt.in)
		assert.Equal(t, tt.binds, strings.Join(m.binds, ","), tt.in)
	}
	_, err := meet([]string{"x", "y"}, []string{"10.0.0.1", "localhost"})
	assert.EqualError(t, err, "hosts: y is at 127.0.0.1, where the other hosts cannot reach it: give the address by which they do, as y=ADDRESS")
}

func TestPlatformOf(t *testing.T) {
	for in, want := range map[string]platform{
		"Linux x86_64": "linux/amd64", "Linux aarch64": "linux/arm64", "Darwin arm64": "darwin/arm64", "Darwin x86_64": "darwin/amd64",
		"FreeBSD amd64": "freebsd/amd64", "Linux mips": "linux/mips", "Linux armv7l": "linux/arm", "": "/",
	} {
		assert.Equal(t, want, platformOf(in), in)
	}
}

// writeELF makes a file that begins as a program for an architecture does.
func writeELF(t *testing.T, path string, m elf.Machine) {
	t.Helper()
	var b bytes.Buffer
	h := elf.Header64{Type: uint16(elf.ET_EXEC), Machine: uint16(m), Version: 1, Ehsize: 64}
	copy(h.Ident[:], "\x7fELF\x02\x01\x01")
	require.NoError(t, binary.Write(&b, binary.LittleEndian, h))
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, b.Bytes(), 0o755))
}

// For each platform there is a program, or a line that says which is missing.
func TestPrograms(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	writeELF(t, in("bin/vm"), elf.EM_X86_64)
	writeELF(t, in("dist/linux/arm64/vm"), elf.EM_AARCH64)
	writeELF(t, in("dist/linux/riscv64/vm"), elf.EM_AARCH64) // somebody has mixed that up
	writeELF(t, in("arm"), elf.EM_AARCH64)
	require.NoError(t, os.WriteFile(in("script"), []byte("#!/bin/sh\n"), 0o755))
	require.NoError(t, os.WriteFile(in("text"), []byte("text"), 0o755))
	assert.Equal(t, here, platformOfFile(os.Args[0]), "this test is a program")
	for _, tt := range []struct {
		local, remote string
		of            platform
		want, err     string
	}{
		{"bin/vm", "", "linux/amd64", "bin/vm", ""},
		{"bin/vm", "", "linux/arm64", "dist/linux/arm64/vm", ""},
		{"bin/vm", "", "darwin/arm64", "", "no vm program for h, which is darwin/arm64: there is DIR/bin/vm for " + string(here)},
		{"bin/vm", "", "linux/riscv64", "", "no vm program for h, which is linux/riscv64: there is DIR/bin/vm for " + string(here)},
		{"bin/vm", "arm", "linux/arm64", "arm", ""},
		{"bin/vm", "arm", "linux/amd64", "", "no vm program for h, which is linux/amd64: DIR/arm is for linux/arm64"},
		{"bin/vm", "dist", "linux/arm64", "dist/linux/arm64/vm", ""},
		{"bin/vm", "dist", "linux/amd64", "", "no vm program for h, which is linux/amd64: DIR/dist/linux/amd64/vm is not there"},
		{"bin/vm", "script", "linux/arm64", "script", ""},
		{"bin/vm", "text", "linux/amd64", "", "no vm program: DIR/text is no program"},
		{"bin/vm", "none", "linux/amd64", "", "no vm program: DIR/none: no such file or directory"},
		{"script", "", here, "script", ""},
	} {
		p := programs{local: in(tt.local), beside: in("bin")}
		if tt.remote != "" {
			p.remote = in(tt.remote)
		}
		found, err := p.find("h", tt.of)
		if tt.err != "" {
			require.ErrorIs(t, err, ErrNoProgram)
			assert.Equal(t, tt.err, strings.ReplaceAll(err.Error(), dir, "DIR"))
			continue
		}
		require.NoError(t, err)
		assert.Equal(t, in(tt.want), found.path)
		again, err := p.find("h", tt.of)
		require.NoError(t, err)
		assert.Same(t, found, again)
	}
}

// A program is copied where it is not there, and only there.
func TestPrepare(t *testing.T) {
	g := newGround(t, "a,greets,bare,never")
	f := g.fleet(t, 3)
	ports, err := f.Prepare(t.Context(), []int{0, 2050, 0})
	require.NoError(t, err)
	assert.Equal(t, []int{4711, 2050, 4711}, ports)
	assert.NotContains(t, g.calls(t), "never", "it has no machine")
	assert.Equal(t, 3, strings.Count(g.calls(t), "mv -f"), "a copy each")
	assert.Equal(t, "a, greets, bare", f.String())
	assert.Equal(t, []string{"a", "greets", "bare"}, f.Hosts())
	site := f.Site(1)
	assert.Equal(t, filepath.Join(g.home, "runs", "r", "1"), site.Dir)
	assert.Equal(t, "127.0.0.1", site.Address)
	info, err := os.Stat(site.Dir)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	out, err := f.Command(1, []string{"--run", "it's"}).Output()
	require.NoError(t, err)
	assert.Equal(t, "Welcome!\n--run it's\n", string(out))

	require.NoError(t, f.Clear(t.Context()))
	left, err := filepath.Glob(filepath.Join(g.home, "*", "*"))
	require.NoError(t, err)
	assert.Empty(t, left, "nothing of the run is left")
	assert.Empty(t, f.Places())

	g.cfg.Run = "s"
	_, err = g.fleet(t, 3).Prepare(t.Context(), []int{1, 2, 3})
	require.NoError(t, err)
	assert.Equal(t, 3, strings.Count(g.calls(t), "mv -f"), "it was there")
}

func TestPrepareFails(t *testing.T) {
	for _, tt := range []struct {
		hosts, want string
		edit        func(*Config)
		ports       []int
	}{
		{hosts: "a,gone", want: "gone cannot be reached to prepare it: ssh: connect to host gone port 22: Connection refused"},
		{hosts: "asks,a", want: "asks cannot be reached to prepare it: asks: Permission denied (publickey,password)."},
		{hosts: "asks", want: "asks is only to be reached by answering a question, and the connections of the machines cannot answer one",
			edit: func(c *Config) { c.Ask = true }},
		{hosts: "a,b", ports: []int{7, 0}, want: "a: port 7 on 127.0.0.1 is taken"},
		{hosts: "a,b", ports: []int{0, 7}, want: "b: port 7 on 127.0.0.1 is taken"},
		{hosts: "a", want: "no vm program for arm, which is linux/arm64: there is VM for " + string(here), edit: func(c *Config) { c.Entries[0].Name = "arm" }},
		{hosts: "a", want: "a: cannot start the vm program: oh no", edit: func(c *Config) {
			c.RemoteVM = filepath.Join(filepath.Dir(c.VM), "broken")
			_ = os.WriteFile(c.RemoteVM, []byte("#!/bin/sh\necho oh no >&2\nexit 1\n"), 0o755)
		}},
	} {
		g := newGround(t, tt.hosts)
		if tt.edit != nil {
			tt.edit(&g.cfg)
		}
		if tt.ports == nil {
			tt.ports = make([]int, len(g.cfg.Entries))
		}
		f := g.fleet(t, len(tt.ports))
		_, err := f.Prepare(t.Context(), tt.ports)
		require.Error(t, err, tt.want)
		assert.Equal(t, tt.want, strings.ReplaceAll(err.Error(), g.cfg.VM, "VM"))
		left, err := filepath.Glob(filepath.Join(g.home, "runs", "*"))
		require.NoError(t, err)
		assert.Empty(t, left, "%s: nothing of the run is left", tt.want)
	}
	g := newGround(t, "a")
	ctx, cancel := context.WithCancel(t.Context())
	f := g.fleet(t, 1)
	cancel()
	_, err := f.Prepare(ctx, []int{0})
	assert.ErrorIs(t, err, context.Canceled)
}

// A run that has the name of another one does not get into its directory.
func TestPrepareTwice(t *testing.T) {
	g := newGround(t, "a")
	_, err := g.fleet(t, 1).Prepare(t.Context(), []int{0})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(g.home, "runs", "r", "0", "vm_0_1.log"), nil, 0o600))
	_, err = g.fleet(t, 1).Prepare(t.Context(), []int{0})
	require.ErrorContains(t, err, "File exists")
	assert.FileExists(t, filepath.Join(g.home, "runs", "r", "0", "vm_0_1.log"), "it stays the other's")
}

// gathering makes a run of machines with logs on hosts.
func gathering(t *testing.T, list string, machines int) (g *ground, f *Fleet, names []string, contents [][]byte) {
	t.Helper()
	g = newGround(t, list)
	f = g.fleet(t, machines)
	_, err := f.Prepare(t.Context(), make([]int, machines))
	require.NoError(t, err)
	for id := range machines {
		var b []byte
		for i := range uint32(9000) {
			i = (i + uint32(id)) * 2654435761
			b = append(b, byte(i>>24), byte(i>>13))
		}
		names, contents = append(names, fmt.Sprintf("vm_%d_1.log", id)), append(contents, b)
		require.NoError(t, os.WriteFile(filepath.Join(f.Site(id).Dir, names[id]), b, 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(f.Site(id).Dir, fmt.Sprintf("vm_%d_1.links", id)), []byte("secret"), 0o600))
	}
	return g, f, names, contents
}

// Logs come as they are, however the hosts are.
func TestGather(t *testing.T) {
	for _, hosts := range []string{"a,b,c", "a,bare", "cuts,a", "lies,bare"} {
		t.Run(hosts, func(t *testing.T) {
			_, f, names, contents := gathering(t, hosts, 5)
			require.NoError(t, os.Remove(filepath.Join(f.Site(3).Dir, names[3])), "one has not begun")
			dir := t.TempDir()
			var asked int64
			g, err := f.Gather(t.Context(), dir, names, func(n int64) error { asked = n; return nil })
			require.NoError(t, err)
			assert.Equal(t, Gathering{4, 4 * 18000}, g)
			assert.EqualValues(t, 4*18000, asked)
			entries, err := os.ReadDir(dir)
			require.NoError(t, err)
			assert.Len(t, entries, 4, "the logs and nothing else: secrets stay where they are")
			for id, name := range names {
				if id != 3 {
					got, err := os.ReadFile(filepath.Join(dir, name))
					require.NoError(t, err)
					assert.True(t, bytes.Equal(contents[id], got), name)
				}
			}
		})
	}
}

// What cannot come is named, and stays; the rest comes.
func TestGatherInPart(t *testing.T) {
	g, f, names, _ := gathering(t, "a,b", 4)
	f.hosts[1].Host, _ = g.cfg.SSH.Host(t.Context(), fakessh.Gone)
	defer func(p []time.Duration) { pauses = p }(pauses)
	pauses = nil
	dir := t.TempDir()
	got, err := f.Gather(t.Context(), dir, names, nil)
	assert.Equal(t, 2, got.Logs)
	var e *GatherError
	require.ErrorAs(t, err, &e)
	place := "b:" + f.Site(1).Dir
	assert.Equal(t, "the log of machine 1 stays in "+place+"/vm_1_1.log: gone cannot be reached to look at its files: ssh: connect to host gone port 22: Connection refused; "+
		"the log of machine 3 stays in "+place+"/vm_3_1.log: gone cannot be reached to look at its files: ssh: connect to host gone port 22: Connection refused", err.Error())
	assert.FileExists(t, filepath.Join(f.Site(1).Dir, names[1]))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 2)
}

func TestGatherWithoutRoom(t *testing.T) {
	_, f, names, _ := gathering(t, "a", 2)
	full := errors.New("no room")
	dir := t.TempDir()
	_, err := f.Gather(t.Context(), dir, names, func(int64) error { return full })
	require.ErrorIs(t, err, full)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, entries)
}

// A connection that breaks over and over ends it, but not before some tries.
func TestGatherFromAHostThatGoes(t *testing.T) {
	g, f, names, _ := gathering(t, "a", 1)
	f.hosts[0].Host, _ = g.cfg.SSH.Host(t.Context(), fakessh.Gone)
	defer func(p []time.Duration) { pauses = p }(pauses)
	pauses = []time.Duration{1, 1}
	_, err := f.Gather(t.Context(), t.TempDir(), names, nil)
	require.Error(t, err)
	assert.Equal(t, 3, strings.Count(g.calls(t), "gone "))
}

// With no fleet, all is here.
func TestNoFleet(t *testing.T) {
	var f *Fleet
	assert.Equal(t, 1, f.Size())
	assert.Empty(t, f.Places())
}

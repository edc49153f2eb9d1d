package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/fault"
	"github.com/scalemodel/lamport/pkg/rundir"
	"github.com/scalemodel/lamport/pkg/summary"
)

// away is another host whose ssh is the test program, in one of its disguises.
type away struct {
	program string
	mu      sync.Mutex
	args    map[int][]string // of each machine's first process
	brought []map[string][]byte
	refuses error
}

func (a *away) Command(id int, args []string) *exec.Cmd {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.args[id] == nil {
		a.args[id] = args
	}
	return exec.Command(a.program, args...)
}

func (a *away) Bring(files []map[string][]byte) error {
	a.brought = files
	return a.refuses
}

func (a *away) Site(id int) Site {
	return Site{Host: fmt.Sprintf("host%d", id%2), Address: fmt.Sprintf("fd00::%d", id%2), Bind: "::", Dir: "/far"}
}

// newAway prepares a run of three on two other hosts.
func newAway(t *testing.T, behaviour string, edit func(*Config)) (*Cluster, *away) {
	t.Helper()
	require.Contains(t, fakes, behaviour)
	t.Setenv(fakeEnv, behaviour)
	t.Setenv("GORACE", "atexit_sleep_ms=0")
	cfg := config(t, 3)
	a := &away{program: cfg.VM, args: make(map[int][]string)}
	cfg.Elsewhere, cfg.VM, cfg.Ports, cfg.Hosts = a, "", []int{2050, 2050, 3050}, []string{"host0", "host1", "host0"}
	if edit != nil {
		edit(&cfg)
	}
	c, err := New(cfg)
	require.NoError(t, err)
	c.limits.shortLinger = 50 * time.Millisecond
	return c, a
}

func TestRunElsewhere(t *testing.T) {
	c, a := newAway(t, "good", nil)
	assert.Equal(t, []int{2050, 2050, 3050}, c.Ports())
	results, err := c.Run(t.Context(), nil)
	require.NoError(t, err)
	require.Len(t, results, 3)
	line := strings.Join(a.args[2], " ")
	for _, want := range []string{
		"--id 2 ", " --peers 0=[fd00::0]:2050,1=[fd00::1]:2050 ", " --bind :: ", " --log-dir /far ", " --port 3050", " --warded", " --supervised", " --gated",
	} {
		assert.Contains(t, line, want)
	}
	assert.NotContains(t, line, "--listen-fd")
	assert.NotContains(t, line, "--orphan", "nobody will come back")
	r, err := rundir.ReadRecord(c.cfg.Dir)
	require.NoError(t, err)
	assert.Equal(t, []string{"host0", "host1", "host0"}, r.Hosts)
	requireGone(t, c)
}

// Each host gets the certificates of its own machines, and nothing of them stays here.
func TestCertificatesElsewhere(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	c, a := newAway(t, "good", func(cfg *Config) { cfg.TLS = true })
	require.Len(t, a.brought, 3)
	for id, files := range a.brought {
		require.Len(t, files, 3)
		assert.Contains(t, string(files[fmt.Sprintf("vm_%d.tls.key", id)]), "PRIVATE KEY")
		assert.Contains(t, string(files[fmt.Sprintf("vm_%d.tls.crt", id)]), "CERTIFICATE")
		assert.Equal(t, a.brought[0]["vm_0.tls.ca"], files[fmt.Sprintf("vm_%d.tls.ca", id)])
	}
	assert.Empty(t, files(t, os.TempDir()))
	_, err := c.Run(t.Context(), nil)
	require.NoError(t, err)
	assert.Contains(t, strings.Join(a.args[1], " "), "--tls-cert /far/vm_1.tls.crt --tls-key /far/vm_1.tls.key --tls-ca /far/vm_1.tls.ca")

	cfg := c.cfg
	cfg.Dir = filepath.Join(t.TempDir(), "run")
	a.refuses = errors.New("disk full")
	_, err = New(cfg)
	require.ErrorIs(t, err, a.refuses)
	assert.NoDirExists(t, cfg.Dir)
	assert.Empty(t, files(t, os.TempDir()))
}

func TestElsewhereCheck(t *testing.T) {
	cfg := config(t, 3)
	cfg.Elsewhere, cfg.VM = &away{}, "/nowhere"
	cfg.Ports = []int{2050, 2050, 2050}
	assert.EqualError(t, cfg.Check(), "ports: machines 0 and 2 have one port, 2050: give each its own", "on one host")
	cfg.Ports = []int{2050, 2050, 3050}
	assert.NoError(t, cfg.Check(), "no vm program of this host is needed")
	var err error
	cfg.Duration = time.Minute
	cfg.Faults, err = fault.Parse("at 1s pause 1 for 1s", 3)
	require.NoError(t, err)
	assert.NoError(t, cfg.Check(), "the other host pauses it")
}

// What the clock of another host says is taken for no time of this one.
func TestClockOfAnotherHost(t *testing.T) {
	c, _ := newAway(t, "lives in the year 2000", func(cfg *Config) { cfg.Duration = time.Hour })
	ctx, cancel := context.WithCancel(t.Context())
	before := time.Now()
	var starts []time.Time
	_, err := c.Run(ctx, func(_ int, s summary.Status) {
		if s.Phase != summary.Running {
			return
		}
		if starts = append(starts, s.Start); len(starts) == 3 {
			cancel()
		}
	})
	require.NoError(t, err)
	for _, s := range starts {
		assert.Equal(t, starts[0], s, "all are said to have begun at one instant")
		assert.False(t, s.Before(before))
		assert.False(t, s.After(time.Now()))
	}
}

// The connection is what dies with ssh's own exit code; what the host says, with all
// others.
func TestDeathElsewhere(t *testing.T) {
	for behaviour, want := range map[string]string{
		"1 loses its connection": `machine 1 on host1 died: the connection was lost \(ssh: exit status 255\)\. Its last words, from \S+: ssh: gone`,
		"1 is killed there":      `machine 1 on host1 died: killed by a signal$`,
		"1 crashes":              `machine 1 on host1 died: exit status 2\. Its last words, .*: panic: oh no`,
	} {
		t.Run(behaviour, func(t *testing.T) {
			c, _ := newAway(t, behaviour, nil)
			_, err := c.Run(t.Context(), nil)
			assert.Regexp(t, want, death(t, err).Error())
			requireGone(t, c)
		})
	}
	t.Run("before the run", func(t *testing.T) {
		c, _ := newAway(t, "1 crashes before the run", nil)
		results, err := c.Run(t.Context(), nil)
		assert.Nil(t, results)
		assert.Regexp(t, `machine 1 on host1 died: exit status 2 before its first report\. Its last words, from \S+: no port for me`, death(t, err).Error())
	})
}

// A connection that was lost is made anew, even where nothing was heard over the one
// that came next: the host may be starting.
func TestConnectionIsMadeAnew(t *testing.T) {
	marks := t.TempDir()
	t.Setenv(markEnv, marks)
	c, a := newAway(t, "1 is hard to reach", func(cfg *Config) { cfg.Restart, cfg.Duration = true, time.Hour })
	ctx, cancel := context.WithCancel(t.Context())
	results, err := c.Run(ctx, func(id int, s summary.Status) {
		if id == 1 && s.Phase == summary.Running && len(files(t, marks)) == 3 {
			cancel()
		}
	})
	require.NoError(t, err)
	assert.Equal(t, 3, results[1].Restarts)
	assert.Contains(t, strings.Join(a.args[1], " "), " --orphan 30s")
}

// What a plan does to a process there, its warden is told.
func TestFaultsElsewhere(t *testing.T) {
	c, _ := newAway(t, "tells what it is told", func(cfg *Config) {
		cfg.Duration = 0
		var err error
		cfg.Faults, err = fault.Parse("at 1ms pause 1 for 1ms; at 2ms kill 2 for 1h", 3)
		require.NoError(t, err)
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		defer cancel()
		for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
			one, _ := os.ReadFile(filepath.Join(c.cfg.Dir, "vm_1.stderr"))
			two, _ := os.ReadFile(filepath.Join(c.cfg.Dir, "vm_2.stderr"))
			if strings.Contains(string(one), "resume") && strings.Contains(string(two), "kill") {
				return
			}
		}
	}()
	_, err := c.Run(ctx, nil)
	require.NoError(t, err)
	one, err := os.ReadFile(filepath.Join(c.cfg.Dir, "vm_1.stderr"))
	require.NoError(t, err)
	assert.Regexp(t, "^hold\nresume\n", string(one))
}

// Not more machines of one host are started at a time than its sshd lets in.
func TestGreetings(t *testing.T) {
	g := make(greetings)
	var done []func()
	for range greeting {
		done = append(done, g.begin("a"))
	}
	g.begin("b")()
	room := g["a"]
	assert.Len(t, room, greeting)
	assert.Equal(t, greeting, cap(room))
	for _, d := range slices.Backward(done) {
		d()
	}
	assert.Empty(t, room)
}

package vm

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/transport"
)

// keptConfig is machine 1 of three, in a directory of its own.
func keptConfig(t *testing.T) *Config {
	return &Config{
		Common: experiment.Common{Run: "kept"},
		ID:     1, Rate: parseRate(t, "2.5"), LogDir: t.TempDir(),
		Peers: []transport.Peer{{ID: 0, Addr: "a:1"}, {ID: 2, Addr: "c:3"}},
	}
}

func keptPath(cfg *Config) string { return filepath.Join(cfg.LogDir, "vm_1_2.5.links") }

// someSecrets are what a node of keptConfig says.
func someSecrets() []transport.LinkSecrets {
	return []transport.LinkSecrets{
		{Peer: 0, Addr: "a:1", To: transport.NewSecret(), From: transport.NewSecret()},
		{Peer: 2, Addr: "c:3", To: transport.NewSecret(), From: transport.NewSecret()},
	}
}

// What one process keeps, the next one finds, and counts on from there. There is no clock
// in it that could be set back.
func TestKeptForTheNextLife(t *testing.T) {
	cfg, secrets := keptConfig(t), someSecrets()
	k, err := openKept(cfg, false)
	require.NoError(t, err)
	assert.EqualValues(t, 1, k.Life)
	require.NoError(t, k.claim())
	empty(t, cfg.LogDir) // there is nothing yet that anybody knows
	to, err := k.to(cfg.Peers, false)
	require.NoError(t, err)
	assert.Equal(t, make([]transport.Secret, 2), to, "the node makes new ones")
	require.NoError(t, k.keep(secrets))

	for life := uint64(2); life < 5; life++ {
		k, err = openKept(cfg, true)
		require.NoError(t, err)
		assert.Equal(t, life, k.Life)
		require.NoError(t, k.claim())
		to, err := k.to(cfg.Peers, true)
		require.NoError(t, err)
		assert.Equal(t, []transport.Secret{secrets[0].To, secrets[1].To}, to)
		assert.Equal(t, secrets[1].From, k.from(2))
		before, err := os.Stat(keptPath(cfg))
		require.NoError(t, err)
		require.NoError(t, k.keep(secrets))
		after, err := os.Stat(keptPath(cfg))
		require.NoError(t, err)
		assert.True(t, os.SameFile(before, after), "what is there is not written again")
		if runtime.GOOS != "windows" {
			assert.Equal(t, fs.FileMode(0o600), after.Mode())
		}
	}
	entries, err := os.ReadDir(cfg.LogDir)
	require.NoError(t, err)
	assert.Len(t, entries, 1, "nothing else is left")
}

// A process that dies while it writes leaves the file as it was, and a part of another one
// that does not disturb.
func TestKilledWhileItKeeps(t *testing.T) {
	cfg, secrets := keptConfig(t), someSecrets()
	k, err := openKept(cfg, false)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(keptPath(cfg)+".new", []byte("{"), 0o600))
	again, err := openKept(cfg, false)
	require.NoError(t, err, "it had kept nothing")
	assert.EqualValues(t, 1, again.Life)

	require.NoError(t, k.keep(secrets))
	require.NoError(t, os.WriteFile(keptPath(cfg)+".new", []byte("{"), 0o600))
	again, err = openKept(cfg, true)
	require.NoError(t, err)
	require.NoError(t, again.claim())
	// It dies once more, before anybody has heard of this life.
	again, err = openKept(cfg, true)
	require.NoError(t, err)
	assert.EqualValues(t, 3, again.Life)
	assert.Equal(t, secrets[0].From, again.from(0))
}

// Of a peer whose id is not said the address has to be the one that it had.
func TestKeptByAddress(t *testing.T) {
	cfg, secrets := keptConfig(t), someSecrets()
	k, err := openKept(cfg, false)
	require.NoError(t, err)
	require.NoError(t, k.keep(secrets))
	to, err := k.to([]transport.Peer{{ID: transport.AnyID, Addr: "c:3"}, {ID: 0, Addr: "moved:1"}}, true)
	require.NoError(t, err)
	assert.Equal(t, []transport.Secret{secrets[1].To, secrets[0].To}, to)
	moved := []transport.Peer{{ID: transport.AnyID, Addr: "a:1"}, {ID: transport.AnyID, Addr: "moved:3"}}
	_, err = k.to(moved, true)
	require.EqualError(t, err, keptPath(cfg)+" knows no peer moved:3: give it the address that it had, or say which machine it is, as in 2=moved:3")
	to, err = k.to(moved, false)
	require.NoError(t, err)
	assert.Equal(t, []transport.Secret{secrets[0].To, {}}, to, "before the run it may have moved")
}

// What is missing, damaged or another's is said, with the mend.
func TestKeptRefuses(t *testing.T) {
	good := func(edit func(k *keptLinks)) string {
		k := keptLinks{Format: 1, Run: "kept", ID: 1, Machines: 3, Life: 7}
		for _, s := range someSecrets() {
			k.Links = append(k.Links, keptLink{s.Peer, s.Addr, s.To, s.From})
		}
		if edit != nil {
			edit(&k)
		}
		b, err := json.Marshal(k)
		require.NoError(t, err)
		return string(b)
	}
	const damaged = "; it is damaged, and nothing is guessed: put the right one back, or move it away with its log and begin a new run"
	for _, c := range []struct {
		name, content string
		begun         bool
		want          string // "": taken
	}{
		{"good", good(nil), true, ""},
		{"another format", good(func(k *keptLinks) { k.Format = 2 }), true, "format 2, want 1" + damaged},
		{"no life", good(func(k *keptLinks) { k.Life = 0 }), true, "life 0" + damaged},
		{"no later life", good(func(k *keptLinks) { k.Life = math.MaxUint64 }), true, "life 18446744073709551615" + damaged},
		{"a link less", good(func(k *keptLinks) { k.Links = k.Links[:1] }), true, "links with 1 peer in a run of 3 machines" + damaged},
		{"a link with itself", good(func(k *keptLinks) { k.Links[0].Peer = 1 }), true, "links with machine 1" + damaged},
		{"a link twice", good(func(k *keptLinks) { k.Links[0].Peer = 2 }), true, "links with machine 2" + damaged},
		{"a link with nobody", good(func(k *keptLinks) { k.Links[0].Peer = 3 }), true, "links with machine 3" + damaged},
		{"no secret", good(func(k *keptLinks) { k.Links[0].To = transport.Secret{} }), false, "a link with machine 0 without a secret" + damaged},
		{"no secret of the peer's", good(func(k *keptLinks) { k.Links[0].From = transport.Secret{} }), true, "a link with machine 0 without a secret" + damaged},
		{"none yet", good(func(k *keptLinks) { k.Links[0].From = transport.Secret{} }), false, ""},
		{"nothing", "", false, "unexpected end of JSON input" + damaged},
		{"torn", good(nil)[:40], false, "unexpected end of JSON input" + damaged},
		{"a short secret", strings.Replace(good(nil), `"to":"`, `"to":"0`, 1), true, "a secret has 32 hexadecimal digits" + damaged},
		{"another run's", good(func(k *keptLinks) { k.Run = "test" }), true, `of machine 1 in run "test" of 3 machines, but its log of machine 1 in run "kept" of 3`},
		{"another machine's", good(func(k *keptLinks) { k.ID = 2; k.Links[1].Peer = 1 }), true, `of machine 2 in run "kept" of 3 machines, but its log of machine 1 in run "kept" of 3`},
		{"of a run before", good(func(k *keptLinks) { k.Run = "test" }), false, ""},
		{"large", strings.Repeat(" ", maxLinks+1), true, "too large: want at most 16777216 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := keptConfig(t)
			require.NoError(t, os.WriteFile(keptPath(cfg), []byte(c.content), 0o600))
			k, err := openKept(cfg, c.begun)
			if c.want == "" {
				require.NoError(t, err)
				assert.NotZero(t, k.Life)
				return
			}
			require.ErrorContains(t, err, keptPath(cfg))
			require.ErrorContains(t, err, c.want)
			b, err := os.ReadFile(keptPath(cfg))
			require.NoError(t, err)
			assert.Equal(t, c.content, string(b), "it is left as it is")
		})
	}
	t.Run("missing", func(t *testing.T) {
		cfg := keptConfig(t)
		_, err := openKept(cfg, true)
		require.EqualError(t, err, keptPath(cfg)+" is missing: it belongs beside the log, and the peers know this machine by it: put it back, or begin a new run")
	})
	t.Run("no file", func(t *testing.T) {
		cfg := keptConfig(t)
		require.NoError(t, os.Mkdir(keptPath(cfg), 0o777))
		_, err := openKept(cfg, false)
		require.EqualError(t, err, "open "+keptPath(cfg)+": not a regular file")
	})
	t.Run("cannot be written", func(t *testing.T) {
		cfg := keptConfig(t)
		k, err := openKept(cfg, false)
		require.NoError(t, err)
		cfg.LogDir = filepath.Join(cfg.LogDir, "gone")
		k.path = keptPath(cfg)
		err = k.keep(someSecrets())
		require.ErrorContains(t, err, "what the peers know this machine by cannot be kept: ")
		require.ErrorIs(t, err, fs.ErrNotExist)
	})
}

func FuzzKept(f *testing.F) {
	f.Add([]byte(`{"format":1,"run":"r","id":0,"machines":2,"life":1,"links":[{"peer":1,"addr":"a","to":"`+strings.Repeat("01", 16)+`","from":"`+strings.Repeat("02", 16)+`"}]}`), true)
	f.Fuzz(func(t *testing.T, b []byte, begun bool) {
		k, err := parseLinks(b, begun)
		if err != nil {
			return
		}
		for _, l := range k.Links {
			assert.NotZero(t, l.To)
			assert.True(t, !begun || l.From != transport.Secret{})
		}
		assert.Len(t, k.Links, k.Machines-1)
	})
}

// A machine that was stopped after it had said that it is ready, but before its own
// log said that the run began, may have peers that have begun. What they know it by
// is left, and with that it can come back; without it, it could not.
func TestComesBackAfterReady(t *testing.T) {
	for _, lost := range []bool{false, true} {
		t.Run(fmt.Sprintf("lost %v", lost), func(t *testing.T) {
			f := newFleet(t, []string{"1000", "1"}, func(_ int, cfg *Config) { cfg.Duration = 0 })
			var mute atomic.Bool // the peer's READY does not come through
			p := newPeer(f, func(cfg *transport.Config) {
				cfg.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
					conn, err := new(net.Dialer).DialContext(ctx, network, addr)
					return muted{conn, &mute}, err
				}
			})
			f.start(0)
			p.connect(false)
			mute.Store(true)
			start, err := p.node.Barrier(within(t)) // it begins when it has heard READY
			require.NoError(t, err)
			f.stops[0](nil)
			soon(t, "its end", f.ended[0])
			requireStartError(t, f.errs[0], "context canceled")
			onlyLinks(t, f.cfgs[0])
			mute.Store(false)

			ln, err := net.Listen("tcp", f.lns[0].Addr().String())
			require.NoError(t, err)
			cfg := f.cfgs[0]
			watch, there := after(10)
			cfg.Watch, cfg.WatchEvery, cfg.ConnectTimeout = watch, time.Millisecond, 2*time.Second
			name := filepath.Join(cfg.LogDir, linksName(0, cfg.Rate))
			if lost {
				require.NoError(t, os.Remove(name))
				_, err := Run(within(t), cfg, ln)
				requireStartError(t, err, cfg.Peers[0].Addr+` does not take this machine for one of its run: this is machine 0 of 2 in run "test"`)
				return
			}
			ctx, stop := context.WithCancelCause(context.Background())
			defer stop(nil)
			ended := make(chan error, 1)
			go func() {
				_, err := Run(ctx, cfg, ln)
				ended <- err
			}()
			soon(t, "its first steps", there)
			stop(StopWithin{})
			require.NoError(t, <-ended)
			assert.True(t, start.Truncate(time.Microsecond).Equal(read(t, f.logName(0))[0].Time()), "it has heard when the run began")
			b, err := os.ReadFile(name)
			require.NoError(t, err)
			assert.Contains(t, string(b), `"life": 2,`)
		})
	}
}

// muted is a connection on which nothing is said any more while mute is set.
type muted struct {
	net.Conn
	mute *atomic.Bool
}

func (m muted) Write(b []byte) (int, error) {
	if m.mute.Load() {
		return len(b), nil
	}
	return m.Conn.Write(b)
}

// A machine that has lost what it kept says so itself.
func TestLinksAreMissing(t *testing.T) {
	f := newFleet(t, []string{"300", "300"}, nil)
	f.run()
	name := filepath.Join(f.cfgs[0].LogDir, "vm_0_300.links")
	require.NoError(t, os.Remove(name))
	before, err := os.ReadFile(f.logName(0))
	require.NoError(t, err)
	f.cfgs[0].Resume = true
	_, err = Run(t.Context(), f.cfgs[0], listen(t))
	requireStartError(t, err, fmt.Sprintf("%s is missing: it belongs beside the log, and the peers know this machine by it: put it back, or begin a new run", name))
	after, err := os.ReadFile(f.logName(0))
	require.NoError(t, err)
	assert.Equal(t, before, after, "its log is left as it is")
}

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	t.Cleanup(cancel)
	return ctx
}

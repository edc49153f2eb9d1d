//go:build unix

package remote_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/internal/fakessh"
	"github.com/scalemodel/lamport/pkg/remote"
)

// host returns a host behind a program that stands in for ssh, and the file of its calls.
func host(t *testing.T, name string) (h *remote.Host, calls string) {
	t.Helper()
	dir := t.TempDir()
	program, err := fakessh.Install(dir)
	require.NoError(t, err)
	h, err = remote.SSH{Program: []string{program, "-p", "1"}, Timeout: 3 * time.Second}.Host(t.Context(), name)
	require.NoError(t, err)
	return h, filepath.Join(dir, "calls")
}

func TestCheckName(t *testing.T) {
	for _, ok := range []string{"a", "hosta", "user@host", "10.0.0.1", "::1", "fe80::1%eth0", "[::1]", "ssh://host", "ssh://u@host:22", "my_host", "u.v@a-b.c", "first.last+x@h"} {
		assert.NoError(t, remote.CheckName(ok), ok)
	}
	for _, bad := range []string{
		"", "-oProxyCommand=x", "-", "a@-oProxyCommand=x", "-a@b", "a b", "a\tb", "a\n", "a;b", "$(a)", "`a`", "a'b", `a"b`, "a|b", "a&b", "a>b", "a*",
		"ssh://-a", "ssh://u@-a", "a/b", "a=b", "a,b", "ä", "a@b@c", strings.Repeat("a", 256),
	} {
		assert.ErrorIs(t, remote.CheckName(bad), remote.ErrName, bad)
		_, err := remote.SSH{Program: []string{"true"}}.Host(t.Context(), bad)
		assert.ErrorIs(t, err, remote.ErrName, "it never gets as far as ssh")
	}
}

// FuzzCheckName: nothing that passes is an option, or more than a word of a shell.
func FuzzCheckName(f *testing.F) {
	for _, seed := range []string{"a", "u@h", "-o", "ssh://h:1", "::1", "$(x)"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if remote.CheckName(s) != nil {
			return
		}
		if s == "" || s[0] == '-' || strings.Contains(s, "@-") || strings.Contains(s, "/-") || strings.ContainsAny(s, " \t\r\n'\"`$;&|<>()*?!\\#~,=") {
			t.Errorf("%q passes", s)
		}
	})
}

func TestProgramIsMissing(t *testing.T) {
	_, err := remote.SSH{Program: []string{"/nowhere/ssh"}}.Host(t.Context(), "a")
	var missing *remote.ProgramError
	require.ErrorAs(t, err, &missing)
	assert.Equal(t, `the ssh program "/nowhere/ssh" cannot be run: no such file or directory`, err.Error())
}

func TestParseProgram(t *testing.T) {
	words, err := remote.ParseProgram("ssh -p 2222 -o 'User x'")
	require.NoError(t, err)
	assert.Equal(t, []string{"ssh", "-p", "2222", "-o", "User x"}, words)
	for _, bad := range []string{"", " ", "''", "ssh 'x"} {
		_, err := remote.ParseProgram(bad)
		assert.Error(t, err, bad)
	}
}

// What the user's program is called with: their own options first.
func TestCommand(t *testing.T) {
	h, _ := host(t, "u@h")
	assert.Equal(t, fakessh.Address, h.Address())
	assert.Equal(t, "u@h", h.String())
	args := h.Command(t.Context(), remote.Silently, "echo \"$1\"", "it's").Args[1:]
	assert.Equal(t, []string{"-p", "1", "-T", "-x", "-o", "ClearAllForwardings=yes", "-o", "RemoteCommand=none", "-o", "ConnectTimeout=3",
		"-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=4", "-o", "BatchMode=yes", "u@h", `exec sh -c 'echo "$1"' sh 'it'\''s'`}, args)
	assert.NotContains(t, h.Command(t.Context(), remote.MayAsk, "x").Args, "BatchMode=yes")
}

// A host whose name ssh's configuration does not know is where its name says.
func TestAddressWithoutConfiguration(t *testing.T) {
	for name, want := range map[string]string{"a": "a", "u@a": "a", "ssh://u@a:22": "a", "ssh://a": "a", "[::1]": "::1", "ssh://[::1]:22": "::1"} {
		h, err := remote.SSH{Program: []string{"false"}}.Host(t.Context(), name)
		require.NoError(t, err)
		assert.Equal(t, want, h.Address(), name)
	}
}

// Whatever the arguments are, the script gets them as they are.
func TestArgumentsArriveAsTheyAre(t *testing.T) {
	h, _ := host(t, "h")
	rapid.Check(t, func(rt *rapid.T) {
		args := rapid.SliceOfN(rapid.StringMatching(`[ -~\n\t]{0,20}`), 0, 5).Draw(rt, "args")
		out, err := h.Do(t.Context(), remote.Silently, "test", nil, `for a do printf "%s\0" "$a"; done`, args...)
		require.NoError(rt, err)
		want := ""
		for _, a := range args {
			want += a + "\x00"
		}
		require.Equal(rt, want, string(out))
	})
}

func TestDoFails(t *testing.T) {
	h, _ := host(t, "h")
	_, err := h.Do(t.Context(), remote.Silently, "do it", nil, "echo first >&2; echo last >&2; echo >&2; exit 3")
	var e *remote.Error
	require.ErrorAs(t, err, &e)
	assert.False(t, e.Lost)
	assert.Equal(t, "h: cannot do it: last", e.Error())
	_, err = h.Do(t.Context(), remote.Silently, "do it", nil, "exit 3")
	assert.EqualError(t, err, "h: cannot do it: exit status 3")

	gone, _ := host(t, fakessh.Gone)
	_, err = gone.Do(t.Context(), remote.Silently, "do it", nil, "true")
	require.ErrorAs(t, err, &e)
	assert.True(t, e.Lost)
	assert.Equal(t, "gone cannot be reached to do it: ssh: connect to host gone port 22: Connection refused", e.Error())
}

func TestDoEndsWithItsContext(t *testing.T) {
	h, _ := host(t, "h")
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	cancel(why)
	_, err := h.Do(ctx, remote.Silently, "do it", nil, "exec sleep 1000")
	assert.ErrorIs(t, err, why)
}

func TestMarked(t *testing.T) {
	h, _ := host(t, fakessh.Greets)
	out, err := h.Do(t.Context(), remote.Silently, "test", nil, "echo lamport is here; echo other")
	require.NoError(t, err)
	assert.Contains(t, string(out), "Welcome!")
	assert.Equal(t, []string{"is here"}, remote.Marked(out))
}

// A file goes there and comes back, with all that the host has, and with nothing of it.
func TestFilesThereAndBack(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789\x00\xff\n"), 5000)
	for name, zips := range map[string]bool{"h": true, fakessh.Greets: true, fakessh.Bare: false} {
		t.Run(name, func(t *testing.T) {
			h, _ := host(t, name)
			dir := t.TempDir()
			for _, c := range [][]byte{content, {}, []byte("x")} {
				path := filepath.Join(dir, "it's a file")
				require.NoError(t, h.Put(t.Context(), remote.Silently, path, 0o600, remote.NewContent(c), zips))
				got, err := os.ReadFile(path)
				require.NoError(t, err)
				require.Equal(t, c, append([]byte{}, got...))
				info, err := os.Stat(path)
				require.NoError(t, err)
				assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())

				files, err := h.Files(t.Context(), path, path+"?")
				require.NoError(t, err)
				require.Len(t, files, 2)
				assert.True(t, files[0].Is(remote.Sum(c)))
				assert.False(t, files[0].Is(remote.Sum(append([]byte("0"), c...))))
				assert.Equal(t, name != fakessh.Bare, files[0].SHA256 != "")
				assert.Negative(t, files[1].Size)

				if name == fakessh.Greets {
					continue // as with scp, a shell that talks spoils what comes
				}
				for _, offset := range []int64{0, int64(len(c)) / 3, int64(len(c))} {
					var b bytes.Buffer
					n, err := h.Get(t.Context(), path, offset, &b, zips)
					require.NoError(t, err)
					assert.Equal(t, int64(len(c))-offset, n)
					assert.True(t, bytes.Equal(c[offset:], b.Bytes()))
				}
			}
			left, err := os.ReadDir(dir)
			require.NoError(t, err)
			assert.Len(t, left, 1, "nothing half is left")
		})
	}
}

func TestPutTexts(t *testing.T) {
	for _, name := range []string{"h", fakessh.Greets, fakessh.Bare} {
		h, _ := host(t, name)
		dir := t.TempDir()
		files := map[string][]byte{
			"a key":   []byte("-----BEGIN X-----\n  AAA+/==\n\nfile no\n.dot\n-n\n\\n'\"$x`\n-----END X-----\n"),
			"b.crt":   []byte("x\n"),
			"nothing": {},
		}
		require.NoError(t, h.PutTexts(t.Context(), remote.Silently, dir, files))
		for name, want := range files {
			got, err := os.ReadFile(filepath.Join(dir, name))
			require.NoError(t, err)
			assert.Equal(t, string(want), string(got), name)
			info, err := os.Stat(filepath.Join(dir, name))
			require.NoError(t, err)
			assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
		}
		assert.Error(t, h.PutTexts(t.Context(), remote.Silently, dir+"?", files))
	}
}

// A file that does not come whole is not there, and the one before it stays.
func TestPutIsAllOrNothing(t *testing.T) {
	h, _ := host(t, "h")
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	require.NoError(t, os.WriteFile(path, []byte("old"), 0o600))
	err := h.Put(t.Context(), remote.Silently, filepath.Join(dir, "no", "f"), 0o600, remote.NewContent([]byte("new")), true)
	assert.ErrorContains(t, err, "h: cannot write "+dir+"/no/f: ")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, h.Put(ctx, remote.Silently, path, 0o600, remote.NewContent([]byte("new")), true), context.Canceled)
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "old", string(got))
}

// What came before a connection broke is there, and the rest can follow.
func TestGetGoesOn(t *testing.T) {
	h, calls := host(t, fakessh.Cuts)
	var content []byte // that gzip cannot make much smaller
	for i := range uint32(20000) {
		i *= 2654435761
		content = append(content, byte(i>>24), byte(i>>13))
	}
	path := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(path, content, 0o600))
	var b bytes.Buffer
	for range 2 {
		before := b.Len()
		n, err := h.Get(t.Context(), path, int64(b.Len()), &b, true)
		var e *remote.Error
		require.ErrorAs(t, err, &e)
		assert.True(t, e.Lost)
		assert.EqualValues(t, b.Len()-before, n)
	}
	assert.Less(t, b.Len(), len(content))
	_, err := h.Get(t.Context(), path, int64(b.Len()), &b, true)
	require.NoError(t, err)
	assert.True(t, bytes.Equal(content, b.Bytes()))
	made, err := os.ReadFile(calls)
	require.NoError(t, err)
	assert.Equal(t, 3, strings.Count(string(made), "\n"))
}

// full is a disk that is.
type full struct{}

var errFull = errors.New("no space left")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestGetToAFullDisk(t *testing.T) {
	h, _ := host(t, "h")
	path := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(path, bytes.Repeat([]byte("x"), 1<<20), 0o600))
	for _, zips := range []bool{true, false} {
		_, err := h.Get(t.Context(), path, 0, full{}, zips)
		assert.ErrorIs(t, err, errFull)
		var e *remote.Error
		assert.NotErrorAs(t, err, &e, "it is not the host's fault")
	}
	_, err := h.Get(t.Context(), path+"?", 0, &bytes.Buffer{}, false)
	assert.ErrorContains(t, err, "h: cannot read "+path+"?: ")
}

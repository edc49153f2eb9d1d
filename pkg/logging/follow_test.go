package logging

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sink notes what is written to it, and blocks while it is held.
type sink struct {
	hold sync.Mutex
	mu   sync.Mutex
	got  bytes.Buffer
	most int // the longest write
	err  error
}

func (s *sink) Write(p []byte) (int, error) {
	s.hold.Lock()
	defer s.hold.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return 0, s.err
	}
	s.most = max(s.most, len(p))
	return s.got.Write(p)
}

func (s *sink) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got.String()
}

// is waits until something holds.
func is(t *testing.T, ok func() bool, what string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(time.Millisecond) {
		require.True(t, time.Now().Before(end), what)
	}
}

func TestFollow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vm_0_1.log")
	var to sink
	f, err := Follow(path, &to)
	require.NoError(t, err)
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
	require.NoError(t, err)
	defer file.Close()
	write := func(s string) {
		_, err := file.WriteString(s)
		require.NoError(t, err)
	}
	write("one\ntw")
	is(t, func() bool { return to.String() == "one\n" }, "the first line")
	write("o\n")
	is(t, func() bool { return to.String() == "one\ntwo\n" }, "the second line")
	long := strings.Repeat("x", 3*block) + "\n"
	many := strings.Repeat(strings.Repeat("y", 99)+"\n", 10_000)
	write(long + many + "three\nto")
	left, err := f.Close(time.Minute, time.Minute)
	require.NoError(t, err)
	assert.Zero(t, left)
	assert.Equal(t, "one\ntwo\n"+long+many+"three\n", to.String())
}

// A log that is gone on with is copied from where the earlier process has ended.
func TestFollowFromTheEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vm_0_1.log")
	old := strings.Repeat("old\n", block)
	require.NoError(t, os.WriteFile(path, []byte(old+"to"), 0o666))
	var to sink
	f, err := Follow(path, &to)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, []byte(old+"new\n"), 0o666))
	left, err := f.Close(time.Minute, time.Minute)
	require.NoError(t, err)
	assert.Zero(t, left)
	assert.Equal(t, "new\n", to.String())
}

// Lines go out whole, in pieces that a pipe takes at once.
func TestFollowWritesWholeLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vm_0_1.log")
	var whole bytes.Buffer
	for n := range 3000 {
		whole.WriteString(strings.Repeat("z", n%211) + "\n")
	}
	require.NoError(t, os.WriteFile(path, nil, 0o666))
	to := &sink{}
	f, err := Follow(path, writerFunc(func(p []byte) (int, error) {
		if !bytes.HasSuffix(p, []byte("\n")) {
			t.Errorf("%q ends within a line", p)
		}
		return to.Write(p)
	}))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, whole.Bytes(), 0o666))
	_, err = f.Close(time.Minute, time.Minute)
	require.NoError(t, err)
	assert.Equal(t, whole.String(), to.String())
	assert.LessOrEqual(t, to.most, 4096)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// Who takes nothing is not waited for, and what he has missed is known.
func TestFollowIsNotHeldUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vm_0_1.log")
	var to sink
	to.hold.Lock()
	f, err := Follow(path, &to)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, []byte("one\ntwo\n"), 0o666))
	left, err := f.Close(10*time.Millisecond, time.Minute)
	require.NoError(t, err)
	assert.EqualValues(t, 8, left)
	to.hold.Unlock()
	<-f.done
}

func TestFollowEndsWithWhoTakesIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vm_0_1.log")
	to := sink{err: io.ErrClosedPipe}
	f, err := Follow(path, &to)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, []byte("one\n"), 0o666))
	<-f.done
	left, err := f.Close(time.Minute, time.Minute)
	require.ErrorIs(t, err, io.ErrClosedPipe)
	assert.EqualValues(t, 4, left)
}

func TestFollowNoLog(t *testing.T) {
	f, err := Follow(filepath.Join(t.TempDir(), "vm_0_1.log"), &sink{err: errors.New("nothing is to be written")})
	require.NoError(t, err)
	left, err := f.Close(time.Minute, time.Minute)
	require.NoError(t, err)
	assert.Zero(t, left)
}

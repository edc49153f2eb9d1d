package warden

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/scalemodel/lamport/pkg/internal/filelock"
)

// lock is a file that this process alone holds. It has the process's id in it. Whoever
// finds it locked can rely on that: a lock ends with the process that has it.
type lock struct{ f *os.File }

// settled is how long an id must have stood in a lock to be its holder's.
const settled = 200 * time.Millisecond

// takeOver returns the lock, once a warden that holds it has ended.
func takeOver(name string, patience time.Duration) (*lock, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	var seen, told int
	since := time.Now()
	for deadline := since.Add(patience); !filelock.Try(f); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			return nil, errors.Join(fmt.Errorf("%w within %v", ErrHeld, patience), f.Close())
		}
		if pid := holder(f); pid != seen {
			seen, since = pid, time.Now()
		}
		// Who has just locked the file may not have written its id yet, and what stands
		// there is that of one that is gone. A second order would say nothing new.
		if seen > 0 && seen != told && time.Since(since) >= settled {
			told = seen
			if p, err := os.FindProcess(seen); err == nil {
				_ = interrupt(p)
			}
		}
	}
	l := &lock{f}
	_, err = f.WriteAt(fmt.Appendf(nil, "%-20d\n", os.Getpid()), 0)
	if err != nil {
		l.release()
		return nil, err
	}
	return l, nil
}

// holder returns the process that a lock names, 0: none yet.
func holder(f *os.File) int {
	b := make([]byte, 32)
	n, err := f.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b[:n])))
	if err != nil {
		return 0
	}
	return pid
}

// release gives the lock back. The file stays: another may be waiting for it.
func (l *lock) release() {
	filelock.Release(l.f)
	_ = l.f.Close()
}

package rundir

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
)

// Shared is the directory of a run whose machines are started one by one, each of which
// writes the run's record: those that share a directory write one and the same. The
// record of an earlier run is in the way, as its logs are; one that no log belongs to is
// replaced.
type Shared struct {
	dir   string
	stale fs.FileInfo // of a record that no log belongs to; nil: there was none
}

var begunLog = regexp.MustCompile(`^vm_.*\.log(\.gz)?$`)

// Share looks at the directory of a machine that begins, before it meets the others: none
// of them can have begun the same run yet, so a record that is there is of an earlier
// one. If that has logs, the error wraps [ErrUsed]; unless the machine may have been
// started again, resume says, while the others have begun.
func Share(dir string, resume bool) (*Shared, error) {
	s := &Shared{dir: dir}
	info, err := os.Lstat(s.name())
	if err != nil {
		return s, nil //nolint:nilerr // what cannot be seen now is found when it is written
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return s, nil //nolint:nilerr // the same
	}
	for _, e := range entries {
		if !begunLog.MatchString(e.Name()) {
			continue
		}
		if log, err := e.Info(); err == nil && log.Size() > 0 {
			if resume {
				return s, nil
			}
			return nil, used(s.name())
		}
	}
	s.stale = info
	return s, nil
}

func (s *Shared) name() string { return filepath.Join(s.dir, RecordName) }

// ErrOther says that a record is there already, and not that of the same run.
var ErrOther = errors.New("is of another run, and is left as it is")

// Write writes the record, in which it fills in where and when, unless another machine has
// written that of the same run. Where another one is there, the error wraps [ErrOther].
func (s *Shared) Write(r *Record) error {
	r.here()
	if err := r.Check(); err != nil {
		return err // nobody could read it
	}
	switch info, err := os.Lstat(s.name()); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case s.stale == nil || !sameContent(info, s.stale):
		there, err := ReadRecord(s.dir)
		if err != nil {
			return err
		}
		if !sameRun(there, r) {
			return fmt.Errorf("%s %w", s.name(), ErrOther)
		}
		return nil
	}
	// Of two machines that come here at once, one replaces what the other has written just
	// now, which says the same.
	f, err := os.CreateTemp(s.dir, "."+RecordName+"-*")
	if err != nil {
		return err
	}
	err = errors.Join(r.write(f), f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), s.name())
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// sameContent reports whether a file is still the one that was seen before.
func sameContent(now, before fs.FileInfo) bool {
	return os.SameFile(now, before) && now.Size() == before.Size() && now.ModTime().Equal(before.ModTime())
}

// sameRun reports whether two records say the same of their run, wherever and whenever each
// was written.
func sameRun(a, b *Record) bool {
	what := func(r *Record) []byte {
		text, err := json.Marshal(&Record{Spec: r.Spec})
		if err != nil {
			return nil
		}
		return text
	}
	return bytes.Equal(what(a), what(b))
}

package sweep

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"

	"github.com/scalemodel/lamport/pkg/internal/filelock"
	"github.com/scalemodel/lamport/pkg/internal/guarded"
)

// journal is the file of a sweep's results, one line each. A process that is killed
// leaves whole lines, and at most one that is not. It is never replaced, so it is what a
// process locks.
type journal struct {
	mu   sync.Mutex
	file *os.File
	size int64 // of the whole lines; what follows is cut off before more is written
}

// openJournal opens the journal of a sweep, makes it if there is none, and locks it.
func openJournal(root *os.Root) (*journal, error) {
	if info, err := root.Lstat(ResultsName); err == nil && !info.Mode().IsRegular() {
		return nil, guarded.ErrNotRegular
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	f, err := root.OpenFile(ResultsName, os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return nil, err
	}
	if !filelock.Try(f) {
		_ = f.Close()
		return nil, ErrBusy
	}
	return &journal{file: f}, nil
}

// maxLine is the longest line that is read, in bytes: the result of [MaxChecked]
// machines.
var maxLine = maxResult(MaxChecked)

// read calls see with each whole line, without its end. A last line that breaks off is
// cut off.
func (j *journal) read(see func(line []byte) error) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, err := j.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	var err error
	if j.size, err = readLines(j.file, see); err != nil {
		return err
	}
	return j.file.Truncate(j.size)
}

// readLines calls see with each whole line, without its end, and returns how many bytes
// they have: what follows breaks off.
func readLines(from io.Reader, see func(line []byte) error) (size int64, err error) {
	r := bufio.NewReaderSize(from, 1<<16)
	var long []byte
	for {
		part, err := r.ReadSlice('\n')
		switch {
		case int64(len(long)+len(part)) > maxLine:
			return size, fmt.Errorf("a line of more than %d bytes", maxLine)
		case errors.Is(err, bufio.ErrBufferFull):
			long = append(long, part...)
			continue
		case errors.Is(err, io.EOF):
			return size, nil
		case err != nil:
			return size, err
		}
		line := part
		if len(long) > 0 {
			line = append(long, part...)
		}
		if err := see(bytes.TrimSuffix(line, []byte("\n"))); err != nil {
			return size, err
		}
		size += int64(len(line))
		long = long[:0]
	}
}

// append writes a line. If that fails, nothing of it stays.
func (j *journal) append(line []byte) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, err := j.file.WriteAt(line, j.size); err != nil {
		_ = j.file.Truncate(j.size) // half a line in the middle could not be gone on with
		return err
	}
	j.size += int64(len(line))
	return nil
}

// close waits for the disk, and lets others lock the journal.
func (j *journal) close() error {
	err := j.file.Sync()
	filelock.Release(j.file)
	return errors.Join(err, j.file.Close())
}

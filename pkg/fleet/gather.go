package fleet

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/remote"
)

// Gathering is what came of gathering a run's logs.
type Gathering struct {
	Logs  int
	Bytes int64
}

// GatherError says that a log could not be gathered. It is still where it was.
type GatherError struct {
	ID    int
	Place string // as scp names it
	Err   error
}

func (e *GatherError) Error() string {
	return fmt.Sprintf("the log of machine %d stays in %s: %v", e.ID, e.Place, e.Err)
}

// Unwrap returns e.Err.
func (e *GatherError) Unwrap() error { return e.Err }

// Gather brings the logs of the machines with these names, by machine, into a
// directory. A log comes compressed where the host can do that, goes on where a
// connection broke, and is compared with the one on the host. room, if not nil, is
// asked whether there is room for so many bytes.
//
// What could not be brought is said by errors, a [*GatherError] each, all in one.
// A machine without a log is none; it has not begun.
func (f *Fleet) Gather(ctx context.Context, dir string, names []string, room func(bytes int64) error) (Gathering, error) {
	var g Gathering
	there := make([]remote.File, len(names))
	errs := make([]error, len(names))
	_ = each(f.hosts, func(i int) error {
		f.list(ctx, i, names, there, errs)
		return nil
	})
	for id := range names {
		if there[id].Size >= 0 && errs[id] == nil {
			g.Bytes += there[id].Size
		}
	}
	if room != nil {
		if err := room(g.Bytes); err != nil {
			for id := range names {
				errs[id] = errors.Join(errs[id], err)
			}
			return Gathering{}, f.failures(names, errs)
		}
	}
	_ = each(f.hosts, func(i int) error {
		for id := i; id < len(names); id += len(f.hosts) {
			if errs[id] == nil && there[id].Size >= 0 {
				errs[id] = f.hosts[i].fetch(ctx, names[id], filepath.Join(dir, names[id]), there[id])
			}
		}
		return nil
	})
	g.Bytes = 0
	for id := range names {
		if errs[id] == nil && there[id].Size >= 0 {
			g.Logs++
			g.Bytes += there[id].Size
		}
	}
	return g, f.failures(names, errs)
}

// list asks a host for its logs.
func (f *Fleet) list(ctx context.Context, i int, names []string, there []remote.File, errs []error) {
	h := f.hosts[i]
	var ids []int
	var paths []string
	for id := i; id < len(names); id += len(f.hosts) {
		ids, paths = append(ids, id), append(paths, path.Join(h.dir, names[id]))
	}
	var files []remote.File
	err := again(ctx, func() (bool, error) {
		var err error
		files, err = h.Files(ctx, paths...)
		return false, err
	})
	for k, id := range ids {
		if errs[id] = err; err == nil {
			there[id] = files[k]
		}
	}
}

func (f *Fleet) failures(names []string, errs []error) error {
	var all []error
	for id, err := range errs {
		if err != nil {
			h := f.of(id)
			all = append(all, &GatherError{id, h.entry.Name + ":" + path.Join(h.dir, names[id]), err})
		}
	}
	return exit.Join(all...)
}

// pauses are made before what has failed for want of a connection is tried again.
var pauses = []time.Duration{time.Second, 2 * time.Second, 4 * time.Second}

// again calls do until it succeeds, fails for another reason than its connection, or
// fails too often without having got further.
func again(ctx context.Context, do func() (further bool, err error)) error {
	for tries := 0; ; tries++ {
		further, err := do()
		if further {
			tries = 0
		}
		e, ok := errors.AsType[*remote.Error](err)
		if !ok || !e.Lost || tries >= len(pauses) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pauses[tries]):
		}
	}
}

// partial is behind the name of a log that has not come whole yet.
const partial = ".part"

// fetch brings a file here, where nothing may have its name.
func (h *host) fetch(ctx context.Context, name, to string, want remote.File) (err error) {
	part, err := os.OpenFile(to+partial, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	defer func() {
		_ = part.Close()
		if err != nil {
			_ = os.Remove(to + partial)
		}
	}()
	from := path.Join(h.dir, name)
	// A machine that was cut off from here may write its last lines only now, so a
	// file that is not as it was said to be is asked for once more.
	for range 3 {
		if err := h.continueTo(ctx, from, part, want.Size); err != nil {
			return err
		}
		got, err := sum(part)
		if err != nil {
			return err
		}
		if got.Is(want) {
			return finish(part, to)
		}
		files, err := h.Files(ctx, from)
		if err != nil {
			return err
		}
		if want = files[0]; got.Is(want) {
			return finish(part, to)
		}
		if got.Size >= want.Size { // then what is here already is wrong
			if err := part.Truncate(0); err != nil {
				return err
			}
		}
	}
	return errors.New("it does not come as it is there")
}

// continueTo brings what part lacks of a file.
func (h *host) continueTo(ctx context.Context, from string, part *os.File, size int64) error {
	return again(ctx, func() (bool, error) {
		at, err := part.Seek(0, io.SeekEnd)
		if err != nil || at >= size {
			return false, err
		}
		n, err := h.Get(ctx, from, at, part, h.zips)
		return n > 0, err
	})
}

// sum says what is in a file.
func sum(f *os.File) (remote.File, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return remote.File{}, err
	}
	s := sha256.New()
	n, err := io.Copy(s, f)
	return remote.File{Size: n, SHA256: hex.EncodeToString(s.Sum(nil))}, err
}

// finish gives a file that is whole its name.
func finish(part *os.File, to string) error {
	if err := part.Close(); err != nil {
		return err
	}
	return os.Rename(part.Name(), to)
}

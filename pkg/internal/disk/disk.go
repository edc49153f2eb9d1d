// Package disk says how much room there is on a file system.
package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Space is the room on a file system, in bytes.
type Space struct {
	Free  uint64 // for a process without privileges
	Total uint64 // 0: without a limit, or not known
}

// IsFull reports whether an error says that a file system, or its owner's share of it, has no room for
// more.
func IsFull(err error) bool {
	return slices.ContainsFunc(full, func(f error) bool { return errors.Is(err, f) })
}

// Of returns the room on the file system of a path, or if that is not there yet, of
// where it would be made. Where the system does not say, the error is
// [errors.ErrUnsupported].
func Of(path string) (Space, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return Space{}, err
	}
	for {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) || path == filepath.Dir(path) {
			return of(path)
		}
		path = filepath.Dir(path)
	}
}

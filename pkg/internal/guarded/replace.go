package guarded

import (
	"errors"
	"os"
	"path/filepath"
)

// Part stands behind the name of a file while what replaces it is written.
const Part = ".part"

// Replace gives a file the content that write writes, as a whole or not at all. It is
// written beside the file, under its name with [Part] behind it; two processes must not
// replace one file at once. Where not even a loss of power may leave the name without the
// content, write ends with Sync.
func Replace(name string, write func(*os.File) error) error {
	root, err := os.OpenRoot(filepath.Dir(name))
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	return ReplaceIn(root, filepath.Base(name), write)
}

// ReplaceIn is [Replace] inside of a root: nothing outside of it is written,
// whatever links stand in it.
func ReplaceIn(root *os.Root, name string, write func(*os.File) error) error {
	fresh := name + Part
	// What a process that was killed has left there, or a link that somebody has
	// put there, is not written through.
	_ = root.Remove(fresh)
	f, err := root.OpenFile(fresh, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	if err = errors.Join(write(f), f.Close()); err == nil {
		err = root.Rename(fresh, name)
	}
	if err != nil {
		_ = root.Remove(fresh)
	}
	return err
}

package lab

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/scalemodel/lamport/pkg/rundir"
)

// Runs says which runs a command looks at.
type Runs struct {
	Dirs []string
	// Descend looks for runs in these directories and in those in them, by links too.
	// A run counts once, however many links lead to it.
	Descend bool
}

// many reports whether there may be more than one run.
func (r Runs) many() bool { return r.Descend || len(r.Dirs) > 1 }

// find returns the directories of the runs, and what there is to remark. One that
// cannot be read is among them, so that it is said in its place.
func (r Runs) find() (dirs, remarks []string, err error) {
	if !r.Descend {
		dirs, remarks = withoutLinks(r.Dirs)
		return dirs, remarks, nil
	}
	s := search{seen: make(map[string]bool)}
	for _, dir := range r.Dirs {
		s.look(dir)
	}
	for len(s.links) > 0 { // they lead to what has no other name here
		link := s.links[0]
		s.links = s.links[1:]
		s.look(link)
	}
	switch {
	case len(s.found) == 0 && s.logless > 0:
		return nil, nil, fmt.Errorf("%s: the runs there keep no event logs", strings.Join(r.Dirs, ", "))
	case len(s.found) == 0:
		return nil, nil, fmt.Errorf("%s: there is no run: want a directory with event logs (vm_<id>_<rate>.log) somewhere in it", strings.Join(r.Dirs, ", "))
	case s.logless > 0:
		remarks = append(remarks, fmt.Sprintf("left out: %d without event logs, which keep figures only", s.logless))
	}
	return s.found, remarks, nil
}

// withoutLinks returns the directories without the links to others of them.
func withoutLinks(all []string) (dirs, remarks []string) {
	names := make(map[string]string) // of what is no link, by where it is
	for _, dir := range all {
		if place, err := filepath.EvalSymlinks(dir); err == nil && !isLink(dir) {
			names[place] = dir
		}
	}
	for _, dir := range all {
		place, err := filepath.EvalSymlinks(dir)
		if other, ok := names[place]; ok && err == nil && isLink(dir) {
			remarks = append(remarks, fmt.Sprintf("%s is %s, which counts once", dir, other))
			continue
		}
		if err == nil && isLink(dir) {
			names[place] = dir
		}
		dirs = append(dirs, dir)
	}
	return dirs, remarks
}

func isLink(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

// search is a walk through directories, which does not go round in links.
type search struct {
	seen    map[string]bool // where it was, without links
	found   []string
	links   []string // to directories, still to be followed
	logless int      // runs that keep no logs
}

// look looks for runs in a directory and in those in it, in the order of their names.
func (s *search) look(dir string) {
	place, err := filepath.EvalSymlinks(dir)
	if err != nil {
		s.found = append(s.found, dir)
		return
	}
	if s.seen[place] {
		return
	}
	s.seen[place] = true
	entries, err := os.ReadDir(dir)
	if err != nil {
		s.found = append(s.found, dir)
		return
	}
	switch rundir.Holds(dir, entries) {
	case rundir.Run:
		s.found = append(s.found, dir)
	case rundir.RunWithoutLogs:
		s.logless++
	case rundir.NoRun:
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch {
		case e.IsDir():
			s.look(path)
		case e.Type()&fs.ModeSymlink != 0:
			if info, err := os.Stat(path); err == nil && info.IsDir() { // one that leads nowhere is none
				s.links = append(s.links, path)
			}
		}
	}
}

// inOrder calls do for 0 to n-1, several at a time, and show with each result, one at a
// time and in order. The first error of show ends it.
func inOrder[T any](n int, do func(int) T, show func(int, T) error) error {
	pending := make(chan chan T, runtime.GOMAXPROCS(0))
	stop := make(chan struct{})
	defer func() {
		close(stop)
		for c := range pending { // what was begun comes to its end
			<-c
		}
	}()
	go func() {
		defer close(pending)
		for i := range n {
			c := make(chan T, 1)
			select {
			case pending <- c:
			case <-stop:
				return
			}
			go func() { c <- do(i) }()
		}
	}()
	i := 0
	for c := range pending {
		if err := show(i, <-c); err != nil {
			return err
		}
		i++
	}
	return nil
}

// unnamed returns an error about a run without the name of its directory in front, which
// stands there already.
func unnamed(dir string, err error) string {
	text := err.Error()
	for _, separator := range []string{": ", " ", string(filepath.Separator)} {
		if rest, ok := strings.CutPrefix(text, dir+separator); ok {
			return rest
		}
	}
	return text
}

package lab

import (
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/internal/guarded"
)

// maxPlan is the largest file with a fault plan that is read, in bytes.
const maxPlan = 1 << 20

// ReadPlan returns the text of a fault plan: what is given, or where that is the name of
// a file, what is in it, and the name. What is called so and may have no end, such as a
// named pipe or a device, is refused. An error is an [*experiment.Error].
func ReadPlan(s string) (text, file string, err error) {
	info, err := os.Stat(s)
	if err == nil && info.IsDir() {
		err = errors.New("a directory")
	}
	switch {
	case err == nil:
	case isName(s):
		return "", "", &experiment.Error{Field: "faults", Value: s, Err: cause(err)}
	default:
		return s, "", nil // a text is no name of a file
	}
	b, err := guarded.ReadFile(s, maxPlan)
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		err = &experiment.Error{Field: "faults", Value: s, Err: p.Err}
	} else if err != nil {
		err = &experiment.Error{Field: "faults", Err: err}
	}
	return string(b), s, err
}

// isName reports whether a text can only be meant as the name of a file: a plan has several words.
func isName(s string) bool { return len(strings.Fields(s)) == 1 && strings.ContainsAny(s, `./\`) }

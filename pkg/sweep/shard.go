package sweep

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/internal/figure"
)

// Shard is the part of a sweep that one of several processes does, each in a directory of
// its own: every Of-th run, from the Number-th on. So all parts have about as much to do, and
// more trials leave the runs of each where they are. The zero Shard is the whole.
type Shard struct {
	Number int // 1 … Of
	Of     int // 1 … MaxRuns
}

// IsWhole reports whether it is no part.
func (s Shard) IsWhole() bool { return s.Of == 0 }

// Has reports whether the run with this index, from 0, is in the part.
func (s Shard) Has(run int) bool { return s.IsWhole() || run%s.Of == s.Number-1 }

// String returns "3/16", and "" of the whole.
func (s Shard) String() string {
	if s.IsWhole() {
		return ""
	}
	return fmt.Sprintf("%d/%d", s.Number, s.Of)
}

// dirName is the directory of the part, in that of all of them. [isShardDir] knows it.
func (s Shard) dirName() string {
	width := len(strconv.Itoa(s.Of))
	return fmt.Sprintf("shard-%0*d-of-%d", width, s.Number, s.Of)
}

var shardDir = regexp.MustCompile(`^shard-\d+-of-\d+$`)

func isShardDir(name string) bool { return shardDir.MatchString(name) }

// MarshalText writes what UnmarshalText reads.
func (s Shard) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads "3/16".
func (s *Shard) UnmarshalText(text []byte) (err error) {
	*s, err = ParseShard(string(text), nil)
	return err
}

// errShard says what a part is called.
func errShard(text string, why error) error {
	return &experiment.Error{Field: "shard", Value: strconv.Quote(text), Err: why}
}

// autoShard stands for the number that an engine gives to one of many tasks.
const autoShard = "auto"

// ParseShard reads which part a process does: "3/16", "auto/16", or "auto". The number for
// auto is that of the task in Slurm's job array, or of the pod in Kubernetes' Indexed Job, as
// getenv tells; Slurm also says of how many. With a getenv of nil there is no auto.
func ParseShard(text string, getenv func(string) string) (s Shard, err error) {
	number, of, counted := strings.Cut(text, "/")
	if number == autoShard && getenv != nil {
		if s, err = engineShard(getenv); err != nil {
			return Shard{}, errShard(text, err)
		}
		switch {
		case !counted && s.Of == 0:
			return Shard{}, errShard(text, errors.New("nothing says of how many; want auto/16 for one of 16"))
		case !counted:
			return s, nil
		case s.Of > 0 && strconv.Itoa(s.Of) != of:
			return Shard{}, errShard(text, fmt.Errorf("the job array has %s", figure.Plural(s.Of, "task")))
		}
		number = strconv.Itoa(s.Number)
	}
	var parts [2]int
	for i, part := range []string{number, of} {
		n, err := strconv.ParseUint(part, 10, 31)
		if err != nil {
			return Shard{}, errShard(text, errors.New("want the number of the part and how many there are, such as 3/16"))
		}
		parts[i] = int(n)
	}
	s = Shard{parts[0], parts[1]}
	switch {
	case s.Of < 1 || s.Of > MaxRuns:
		return Shard{}, errShard(text, fmt.Errorf("want 1 to %d parts", MaxRuns))
	case s.Number < 1 || s.Number > s.Of:
		return Shard{}, errShard(text, fmt.Errorf("the parts are 1/%d to %d/%d", s.Of, s.Of, s.Of))
	}
	return s, nil
}

// engineShard returns which of its tasks an engine has started, Of is 0 if it does not say how
// many there are.
func engineShard(getenv func(string) string) (Shard, error) {
	number := func(name string, otherwise int) (int, error) {
		text := getenv(name)
		if text == "" {
			return otherwise, nil
		}
		n, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			return 0, fmt.Errorf("%s is %q, and no number", name, text)
		}
		return int(n), nil
	}
	if getenv("SLURM_ARRAY_TASK_ID") == "" {
		index, err := number("JOB_COMPLETION_INDEX", -1) // from 0
		if err == nil && index < 0 {
			err = errors.New("this is no task of a Slurm job array (SLURM_ARRAY_TASK_ID), nor of an Indexed Job (JOB_COMPLETION_INDEX)")
		}
		return Shard{Number: index + 1}, err
	}
	id, err := number("SLURM_ARRAY_TASK_ID", 0)
	first, err1 := number("SLURM_ARRAY_TASK_MIN", 1)
	step, err2 := number("SLURM_ARRAY_TASK_STEP", 1)
	count, err3 := number("SLURM_ARRAY_TASK_COUNT", 0)
	if err := errors.Join(err, err1, err2, err3); err != nil {
		return Shard{}, err
	}
	if step < 1 || id < first || (id-first)%step != 0 {
		return Shard{}, fmt.Errorf("SLURM_ARRAY_TASK_ID is %d: it is none of %d, %d, …", id, first, first+step)
	}
	return Shard{Number: (id-first)/step + 1, Of: count}, nil
}

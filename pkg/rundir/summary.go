package rundir

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"

	"github.com/scalemodel/lamport/pkg/summary"
)

// WriteSummary writes what the machines of a run did to its directory, one after
// the other: there may be millions. There is none of a machine that has died.
func WriteSummary(dir string, machines iter.Seq[summary.Machine]) error {
	err := writeSummary(filepath.Join(dir, SummaryName), machines)
	if err != nil {
		return fmt.Errorf("the summary cannot be written: %w", err)
	}
	return nil
}

func writeSummary(name string, machines iter.Seq[summary.Machine]) (err error) {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 1<<20)
	before, after := "[\n  ", "[]\n"
	for m := range machines {
		b, err := json.MarshalIndent(m, "  ", "  ")
		if err != nil {
			return err
		}
		_, _ = w.WriteString(before) // Flush returns the first error
		_, _ = w.Write(b)
		before, after = ",\n  ", "\n]\n"
	}
	_, _ = w.WriteString(after)
	return w.Flush()
}

// WriteText keeps what was printed at the end of a run in its directory, as a whole
// or not at all.
func WriteText(dir string, text []byte) error {
	name := filepath.Join(dir, TextName)
	fresh := name + ".part"
	err := os.WriteFile(fresh, text, 0o666)
	if err == nil {
		err = os.Rename(fresh, name)
	}
	if err != nil {
		_ = os.Remove(fresh)
		return fmt.Errorf("the summary cannot be kept: %w", err)
	}
	return nil
}

// MaxSummary is the largest summary that is read, in bytes: a machine has about
// one kilobyte.
const MaxSummary = 1 << 30

// ReadSummary reads what [WriteSummary] has written. Where there is none the error
// wraps [fs.ErrNotExist].
func ReadSummary(dir string) ([]summary.Machine, error) {
	name := filepath.Join(dir, SummaryName)
	b, err := readFile(name, MaxSummary)
	if err != nil {
		return nil, err
	}
	var machines []summary.Machine
	if err := json.Unmarshal(b, &machines); err != nil {
		return nil, fmt.Errorf("%s: not the summary of a run: %w", name, err)
	}
	return machines, nil
}

package rundir

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"

	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/internal/guarded"
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

func writeSummary(name string, machines iter.Seq[summary.Machine]) error {
	return guarded.Replace(name, func(f *os.File) error {
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
	})
}

// MaxListed is up to how many machines a summary lists each. Of more it has a
// [summary.Population].
const MaxListed = 1000

// WritePopulation writes what many machines did to the run's directory.
func WritePopulation(dir string, p *summary.Population) error {
	b, err := json.MarshalIndent(p, "", "  ")
	if err == nil {
		err = guarded.Replace(filepath.Join(dir, SummaryName), func(f *os.File) error {
			_, err := f.Write(append(b, '\n'))
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("the summary cannot be written: %w", err)
	}
	return nil
}

// WriteText keeps what was printed at the end of a run in its directory, as a whole
// or not at all.
func WriteText(dir string, text []byte) error {
	err := guarded.Replace(filepath.Join(dir, TextName), func(f *os.File) error {
		_, err := f.Write(text)
		return err
	})
	if err != nil {
		return fmt.Errorf("the summary cannot be kept: %w", err)
	}
	return nil
}

// MaxSummary is the largest summary that is read, in bytes: a machine has about
// one kilobyte.
const MaxSummary = 1 << 30

// ReadSummary reads what [WriteSummary] has written, one machine after the other.
// Where there is none the error wraps [fs.ErrNotExist].
func ReadSummary(dir string) ([]summary.Machine, error) {
	name := filepath.Join(dir, SummaryName)
	f, err := guarded.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil {
		return nil, err
	} else if info.Size() > MaxSummary {
		return nil, &guarded.SizeError{Name: name, Limit: MaxSummary}
	}
	machines, err := decodeSummary(io.LimitReader(f, MaxSummary))
	if err != nil {
		return nil, fmt.Errorf("%s: not the summary of a run: %w", name, err)
	}
	return machines, nil
}

// ReadPopulation reads what the machines of a run did as a whole, whether its summary
// lists each or not. Where there is none the error wraps [fs.ErrNotExist].
func ReadPopulation(dir string) (*summary.Population, error) {
	name := filepath.Join(dir, SummaryName)
	f, err := guarded.Open(name)
	if err != nil {
		return nil, err
	}
	first := make([]byte, 1)
	_, _ = io.ReadFull(f, first) // of an empty file, what follows says what is wrong
	_ = f.Close()
	if first[0] != '{' {
		machines, err := ReadSummary(dir)
		if err == nil && len(machines) == 0 {
			err = fmt.Errorf("%s: it has no machine", name)
		}
		if err != nil {
			return nil, err
		}
		p := summary.Survey(slices.Values(machines))
		if err := p.Check(); err != nil {
			return nil, fmt.Errorf("%s: not the summary of a run: %w", name, err)
		}
		return p, nil
	}
	text, err := guarded.ReadFile(name, summary.MaxPopulation)
	if err != nil {
		return nil, err
	}
	p, err := summary.ParsePopulation(text)
	if err != nil {
		return nil, fmt.Errorf("%s: not the summary of a run: %w", name, err)
	}
	return p, nil
}

// decodeSummary takes no machine that is shorter than the shortest that is written:
// otherwise three bytes of the file, "{},", would take half a kilobyte of memory.
func decodeSummary(r io.Reader) ([]summary.Machine, error) {
	shortest, err := json.Marshal(summary.Machine{})
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(r)
	if err := delimiter(d, '['); err != nil {
		return nil, err
	}
	machines := []summary.Machine{}
	for last := -1; d.More(); {
		var m summary.Machine
		from := d.InputOffset()
		if err := d.Decode(&m); err != nil {
			return nil, err
		}
		switch {
		case d.InputOffset()-from < int64(len(shortest)):
			return nil, fmt.Errorf("machine %d lacks figures", m.ID)
		case m.ID <= last || m.ID >= experiment.MaxMachines:
			return nil, fmt.Errorf("machine %d after %d: want them in ascending order, up to %d", m.ID, last, experiment.MaxMachines-1)
		}
		last = m.ID
		machines = append(machines, m)
	}
	if err := delimiter(d, ']'); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the last machine")
	}
	return machines, nil
}

// delimiter takes a bracket.
func delimiter(d *json.Decoder, want json.Delim) error {
	token, err := d.Token()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err == nil && token != want {
		err = fmt.Errorf("want %v, found something else", want)
	}
	return err
}

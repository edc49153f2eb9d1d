package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"golang.org/x/perf/benchfmt"
)

// What was measured is kept as the text of "go test -bench", in Go's benchmark format: what
// each group of rows said is one block, under lines that tell of the measurement. So
// benchstat reads the files too.

// Block is what one group of rows said when it was measured.
type Block struct {
	Group string
	Text  []byte // with the lines that tell of the measurement
}

const groupKey = "group: "

// readBlocks takes a file of blocks apart; there are none in a file that is not there.
func readBlocks(name string) ([]Block, error) {
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var blocks []Block
	for line := range bytes.Lines(text) {
		if key, ok := strings.CutPrefix(string(line), groupKey); ok {
			blocks = append(blocks, Block{Group: strings.TrimSpace(key)})
		}
		if len(blocks) == 0 {
			return nil, fmt.Errorf("%s: does not begin with %q", name, groupKey)
		}
		b := &blocks[len(blocks)-1]
		b.Text = append(b.Text, line...)
	}
	return blocks, nil
}

func writeBlocks(name string, blocks []Block) error {
	var text []byte
	for _, b := range blocks {
		text = append(text, b.Text...)
	}
	return os.WriteFile(name, text, 0o644)
}

// Data is what was measured, by benchmark.
type Data struct {
	figures map[benchmark]map[string][]float64 // by unit
	about   map[string]map[string]string       // what a block says of its measurement, by its group
}

// benchmark is a benchmark's place and name, as rows have it. The group tells apart those
// that are measured in two ways.
type benchmark struct{ group, name string }

// parse reads blocks.
func parse(name string, blocks []Block) (*Data, error) {
	d := &Data{figures: make(map[benchmark]map[string][]float64), about: make(map[string]map[string]string)}
	for _, b := range blocks {
		r := benchfmt.NewReader(bytes.NewReader(b.Text), name)
		for r.Scan() {
			switch rec := r.Result().(type) {
			case *benchfmt.SyntaxError:
				return nil, rec
			case *benchfmt.Result:
				d.add(b.Group, rec)
			}
		}
		if err := r.Err(); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (d *Data) add(group string, r *benchfmt.Result) {
	if d.about[group] == nil {
		d.about[group] = make(map[string]string)
		for _, c := range r.Config {
			d.about[group][c.Key] = string(c.Value)
		}
	}
	base, parts := r.Name.Parts()
	name := "Benchmark" + string(base)
	for i, p := range parts {
		if i < len(parts)-1 || p[0] == '/' { // the last may be the number of processors
			name += string(p)
		}
	}
	at := benchmark{group, name}
	if d.figures[at] == nil {
		d.figures[at] = make(map[string][]float64)
	}
	for _, v := range r.Values {
		value, unit := v.Value, v.Unit
		if v.OrigUnit != "" { // as the benchmark reported it
			value, unit = v.OrigValue, v.OrigUnit
		}
		d.figures[at][unit] = append(d.figures[at][unit], value)
	}
}

// of returns the figures of a benchmark in a unit, nil if there are none.
func (d *Data) of(group, name, unit string) []float64 {
	return d.figures[benchmark{group, strings.ReplaceAll(name, " ", "_")}][unit]
}

// values returns what the blocks say of a key, each once, sorted.
func (d *Data) values(key string) []string {
	seen := make(map[string]bool)
	for _, about := range d.about {
		if v := about[key]; v != "" {
			seen[v] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// Command bench measures this project and shows what was measured: a table of every
// stage against its limit, and docs/benchmarks.md.
//
// What is measured are Go benchmarks; rows.go has a line for each row of a table. What
// they said is kept as Go's benchmark format, and the page is made from that.
//
//	go run ./pkg/internal/bench measure -set stages -count 1 -store bin/bench
//	go run ./pkg/internal/bench page
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	verb := ""
	if len(args) > 0 {
		verb, args = args[0], args[1:]
	}
	root, err := moduleRoot(ctx)
	if err != nil {
		return err
	}
	flags := flag.NewFlagSet("bench "+verb, flag.ContinueOnError)
	flags.SetOutput(stderr)
	set := flags.String("set", string(Stages), "what to measure: stages, peers or scaling")
	count := flags.Int("count", 1, "how often; from 6 on there is a spread")
	only := flags.String("rows", "", "measure only the rows whose name or benchmark matches this `regexp`")
	store := flags.String("store", filepath.Join(root, "docs", "benchmarks"), "the `directory` of what was measured")
	page := flags.String("page", filepath.Join(root, "docs", "benchmarks.md"), "the `file` that page writes")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if !slices.Contains(sets, Set(*set)) {
		return fmt.Errorf("there is no set %q, but %v", *set, sets)
	}
	chosen, err := choose(ofSet(sections, Set(*set)), *only)
	if err != nil {
		return err
	}
	file := storeName(*store, Set(*set))
	switch verb {
	case "measure":
		m := Measuring{Root: root, Set: Set(*set), Count: *count, Log: stderr,
			Partial: filepath.Join(root, "bin", "bench", fmt.Sprintf("%s-%d.partial", *set, *count))}
		blocks, err := m.Run(ctx, groups(chosen))
		if err != nil {
			return fmt.Errorf("%w\n(again measures only what is missing)", err)
		}
		blocks, err = finish(file, blocks, *only != "")
		if err != nil {
			return err
		}
		if err := remove(m.Partial); err != nil {
			return err
		}
		return show(stdout, blocks, chosen)
	case "table":
		blocks, err := readBlocks(file)
		if err != nil {
			return err
		}
		return show(stdout, blocks, chosen)
	case "list":
		list(stdout, chosen)
		return nil
	case "page":
		text, figures, err := pageOf(*store)
		if err != nil {
			return err
		}
		for name, svg := range figures {
			if err := os.WriteFile(filepath.Join(*store, name), svg, 0o644); err != nil {
				return err
			}
		}
		return os.WriteFile(*page, text, 0o644)
	}
	return errors.New("wants measure, table, list or page")
}

// choose returns the sections with those of their rows that match, and those that are measured
// together with them: else what was measured of these before would be lost.
func choose(all []Section, pattern string) ([]Section, error) {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, err
	}
	wanted := make(map[string]bool) // by group
	for i := range all {
		s := &all[i]
		for j := range s.Rows {
			if r := &s.Rows[j]; re.MatchString(r.What) || re.MatchString(r.Of) {
				g := s.group(r)
				wanted[g.Key()] = true
			}
		}
	}
	var some []Section
	for _, s := range all {
		s.Rows = slices.DeleteFunc(slices.Clone(s.Rows), func(r Row) bool {
			g := s.group(&r)
			return !wanted[g.Key()]
		})
		if len(s.Rows) > 0 {
			some = append(some, s)
		}
	}
	return some, nil
}

// show writes the tables of sections; that of the stages comes last.
func show(w io.Writer, blocks []Block, chosen []Section) error {
	data, err := parse("measured", blocks)
	if err != nil {
		return err
	}
	sorted := slices.Clone(chosen)
	slices.SortStableFunc(sorted, func(a, b Section) int { return min(len(b.Columns), 1) - min(len(a.Columns), 1) })
	for i := range sorted {
		if _, err := fmt.Fprintf(w, "%s\n\n", strings.ReplaceAll(data.layout(&sorted[i]).Text(), "`", "")); err != nil {
			return err
		}
	}
	return nil
}

// list writes how each row is measured.
func list(w io.Writer, chosen []Section) {
	for i := range chosen {
		for j := range chosen[i].Rows {
			g := chosen[i].group(&chosen[i].Rows[j])
			_, _ = fmt.Fprintf(w, "%s: %s\n    %s\n", chosen[i].Name, chosen[i].Rows[j].What, shellWords(g.command(0)))
		}
	}
}

// pageOf makes the page and its figures from a directory of what was measured.
func pageOf(store string) (text []byte, figures map[string][]byte, err error) {
	data := make(map[Set]*Data)
	for _, set := range sets {
		blocks, err := readBlocks(storeName(store, set))
		if err != nil {
			return nil, nil, err
		}
		if data[set], err = parse(storeName(store, set), blocks); err != nil {
			return nil, nil, err
		}
	}
	text, err = Page(data, sections)
	if err != nil {
		return nil, nil, err
	}
	figures, err = Plots(data, sections, plots)
	return text, figures, err
}

// moduleRoot returns the directory of go.mod.
func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", err
	}
	mod := strings.TrimSpace(string(out))
	if filepath.Base(mod) != "go.mod" {
		return "", errors.New("not in the module")
	}
	return filepath.Dir(mod), nil
}

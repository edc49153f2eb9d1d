package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Measuring runs groups of rows one after the other, and keeps what they said. What was
// measured before it was interrupted is not measured again.
type Measuring struct {
	Root    string // of the module
	Set     Set
	Count   int
	Partial string // the file of what is measured so far
	Log     io.Writer

	blocks  []Block
	host    string            // what is the same for every block
	tests   map[string]string // test binaries, by package
	scratch string
}

// Run measures the groups. What could not be measured is told by the error; a benchmark
// that skips itself says why, and is no error.
func (m *Measuring) Run(ctx context.Context, all []Group) ([]Block, error) {
	if err := os.MkdirAll(filepath.Dir(m.Partial), 0o755); err != nil {
		return nil, err
	}
	done, err := readBlocks(m.Partial)
	if err != nil {
		return nil, err
	}
	m.scratch, err = os.MkdirTemp("", "bench-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(m.scratch) }()
	m.tests, m.host = make(map[string]string), host(ctx, m.Root)
	var failed []error
	for i := range all {
		g := &all[i]
		head := fmt.Sprintf("[%d/%d] %s", i+1, len(all), g.Key())
		if at := slices.IndexFunc(done, func(b Block) bool { return b.Group == g.Key() && bytes.Contains(b.Text, []byte(m.line(g))) }); at >= 0 {
			_, _ = fmt.Fprintf(m.Log, "%s: measured already\n", head)
			m.blocks = append(m.blocks, done[at])
			continue
		}
		_, _ = fmt.Fprintf(m.Log, "%s …", head)
		b, took, err := m.measure(ctx, g)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil {
			_, _ = fmt.Fprintln(m.Log, " failed")
			failed = append(failed, fmt.Errorf("%s: %w", g.Key(), err))
			continue
		}
		_, _ = fmt.Fprintf(m.Log, " %.1f s\n", took.Seconds())
		m.blocks = append(m.blocks, b)
		if err := writeBlocks(m.Partial, m.blocks); err != nil {
			return nil, err
		}
	}
	return m.blocks, errors.Join(failed...)
}

// measure runs one group as its command does; the test binary is built once for all groups
// of a package, and talks, since only then it says why a benchmark is skipped.
func (m *Measuring) measure(ctx context.Context, g *Group) (b Block, took time.Duration, err error) {
	test, err := m.build(ctx, g.Package)
	if err != nil {
		return b, 0, err
	}
	times, count := 1, g.times(m.Count)
	if g.Whole {
		times, count = count, 1
	}
	args := []string{"-test.v", "-test.run=^$", "-test.bench=" + g.pattern(), fmt.Sprint("-test.count=", count), "-test.timeout=60m"}
	if g.Time != "" {
		args = append(args, "-test.benchtime="+g.Time)
	}
	args = append(args, strings.Fields(g.Flags)...)
	var out bytes.Buffer
	began := time.Now()
	for range times {
		cmd := exec.CommandContext(ctx, test, args...)
		cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
		cmd.WaitDelay = 10 * time.Second
		cmd.Dir = filepath.Join(m.Root, g.Package)
		var errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Run(); err != nil {
			return b, 0, fmt.Errorf("%w\n%s%s", err, out.Bytes(), errs.Bytes())
		}
	}
	took = time.Since(began)
	text, found, skipped := sift(out.String())
	for _, s := range skipped {
		_, _ = fmt.Fprintf(m.Log, "\n  %s\n ", s)
	}
	if found == 0 && len(skipped) == 0 {
		return b, took, fmt.Errorf("no such benchmark\n%s", out.Bytes())
	}
	b.Group = g.Key()
	b.Text = fmt.Appendf(nil, "%s%s\n%sdate: %s\ntook: %.1fs\n%s%s", groupKey, b.Group,
		m.line(g), began.UTC().Format(time.RFC3339), took.Seconds(), m.host, text)
	return b, took, nil
}

// line tells in a block how a group is measured. What was measured in another way does not
// count.
func (m *Measuring) line(g *Group) string {
	return "command: " + shellWords(g.command(m.Count)) + "\n"
}

// sift returns of the output of a test binary the lines of the benchmark format, how many
// results are among them, and why benchmarks were skipped.
func sift(out string) (text string, results int, skipped []string) {
	var b strings.Builder
	said := "" // what the benchmark itself has said last
	for line := range strings.Lines(out) {
		trimmed := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "    "):
			if _, why, ok := strings.Cut(trimmed, ": "); ok {
				said = why
			}
			continue
		case strings.HasPrefix(line, "Benchmark") && strings.Contains(line, "\t"):
			results++
			b.WriteString(line)
		case slices.ContainsFunc([]string{"goos: ", "goarch: ", "pkg: ", "cpu: "}, func(p string) bool { return strings.HasPrefix(line, p) }):
			b.WriteString(line)
		case strings.HasPrefix(trimmed, "--- SKIP"):
			skipped = append(skipped, said)
		}
		said = ""
	}
	return b.String(), results, slices.Compact(skipped)
}

// build returns the test binary of a package.
func (m *Measuring) build(ctx context.Context, pkg string) (string, error) {
	if test, ok := m.tests[pkg]; ok {
		return test, nil
	}
	test := filepath.Join(m.scratch, strings.ReplaceAll(pkg, "/", "-")+".test.exe")
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-o", test, ".")
	cmd.Dir = filepath.Join(m.Root, pkg) // which may be a module of its own
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	m.tests[pkg] = test
	return test, nil
}

// host says on what is measured, in lines of the benchmark format.
func host(ctx context.Context, root string) string {
	of := func(name string, args ...string) string {
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Dir = root
		out, _ := cmd.Output()
		return strings.TrimSpace(string(out))
	}
	var b strings.Builder
	for _, c := range [][2]string{
		{"commit", of("git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude", "*")},
		{"go", runtime.Version()},
		{"cores", fmt.Sprint(runtime.NumCPU())},
		{"kernel", of("uname", "-sr")},
		{"memory", memory()},
	} {
		if c[1] != "" {
			_, _ = fmt.Fprintf(&b, "%s: %s\n", c[0], c[1])
		}
	}
	return b.String()
}

// memory returns how much there is, where Linux tells.
func memory() string {
	text, _ := os.ReadFile("/proc/meminfo")
	var kb float64
	if _, err := fmt.Sscanf(string(text), "MemTotal: %f kB", &kb); err != nil {
		return ""
	}
	return fmt.Sprintf("%.0f GB", kb*1024/1e9)
}

// shellWords writes a command line.
func shellWords(words []string) string {
	all := slices.Clone(words)
	for i, w := range all {
		if strings.ContainsAny(w, "^$|()*?[]\\ '\"=") && !strings.HasPrefix(w, "-") {
			all[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(all, " ")
}

// finish puts what was measured into the file of the set: in the place of all that was
// there, or, if only some rows were asked for, in the place of theirs.
func finish(file string, measured []Block, some bool) ([]Block, error) {
	if some {
		old, err := readBlocks(file)
		if err != nil {
			return nil, err
		}
		for _, b := range measured {
			if at := slices.IndexFunc(old, func(o Block) bool { return o.Group == b.Group }); at >= 0 {
				old[at] = b
			} else {
				old = append(old, b)
			}
		}
		measured = old
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return nil, err
	}
	return measured, writeBlocks(file, measured)
}

// remove removes a file that need not be there.
func remove(name string) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

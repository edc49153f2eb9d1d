package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mattn/go-runewidth"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// onTerminalOf runs a program whose standard output is a terminal with so many columns,
// until all that it wrote was read.
func onTerminalOf(t *testing.T, p *program, columns uint16) {
	t.Helper()
	person, tty := openTerminal(t)
	require.NoError(t, unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns}))
	p.cmd.Stdout = tty
	p.cmd.Env = append(p.cmd.Env, "TERM=xterm")
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = io.Copy(p.out, person) // until nobody has the other end
	}()
	p.start()
	require.Equal(t, "0", p.wait(), p.cmd.Args)
	require.NoError(t, tty.Close())
	<-read
}

// Results fit a terminal of any width, also one that does not say how wide it is, and
// what is kept of a run is what was to be seen.
func TestResultsFitTheTerminal(t *testing.T) {
	t.Parallel()
	for columns, width := range map[uint16]int{0: 80, 1: 0, 20: 0, 60: 60, 80: 80, 120: 120} {
		t.Run(fmt.Sprint(columns), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for _, command := range []string{
				"sim --duration 1m --seed 1 --out run", "check run", "stats run", "replay run", "sim --machines 60 --duration 5s --logs=false",
				"sweep --virtual --rates 1,5,4;3,3,3 --duration 10s --trials 2 --out sweep", "--help", "sim --help",
			} {
				p := launcher(t, dir, strings.Fields(command)...)
				onTerminalOf(t, p, columns)
				assert.NotEmpty(t, seen(p), command)
				for line := range strings.Lines(seen(p)) {
					if line = strings.TrimSuffix(line, "\n"); width > 0 {
						assert.LessOrEqual(t, runewidth.StringWidth(line), width, "%s: %q", command, line)
					}
				}
				if strings.HasPrefix(command, "sim --duration") {
					assert.Equal(t, seen(p), readFile(t, filepath.Join(dir, "run", "summary.txt")))
					assert.Contains(t, p.out.String(), "\x1b[32mcorrect\x1b[0m:")
				}
			}
		})
	}
}

// --wide shows all columns wherever it is, and --color asks for colours.
func TestLooks(t *testing.T) {
	t.Parallel()
	sim := []string{"sim", "--duration", "10s", "--logs=false"}
	for _, tt := range []struct {
		flags         []string
		wide, colours bool
	}{
		{nil, false, false},
		{[]string{"--wide"}, true, false},
		{[]string{"--color", "always"}, false, true},
		{[]string{"--color", "never", "--wide"}, true, false},
	} {
		code, out, errs := inProcess(append(sim, tt.flags...)...)
		require.Zero(t, code, errs)
		assert.Equal(t, tt.wide, strings.Contains(out, "sent  received  pending\n"), tt)
		assert.Equal(t, !tt.wide, strings.Contains(out, "not shown    the columns messages sent, received and pending (--wide shows all)\n"), tt)
		assert.Equal(t, tt.colours, strings.Contains(out, "\x1b["), tt)
	}
	code, _, errs := inProcess(append(sim, "--color", "sometimes")...)
	assert.Equal(t, 2, code)
	assert.Equal(t, "launcher: --color \"sometimes\": want auto, always or never\n", errs)
}

// What stands in the place of runs/latest stays there, and even who wants it quiet is
// told.
func TestLatestIsNoLink(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"--duration 100ms --ports auto --quiet", "sim --duration 1s --quiet"} {
		dir := t.TempDir()
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "runs", "latest"), 0o777))
		p := launcher(t, dir, strings.Fields(command)...).start()
		require.Equal(t, "0", p.wait())
		assert.Equal(t, "runs/latest does not point at this run: it is not a symbolic link, so it is left alone\n", p.errors.String())
		assert.Contains(t, p.out.String(), "\ncheck        correct: ")
	}
}

package main

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/scalemodel/lamport/internal/needs"
)

// openTerminal makes a pseudo-terminal: what a person at the keyboard has in hand,
// and what a program is given.
func openTerminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = person.Close() })
	fd := int(person.Fd())
	require.NoError(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	require.NoError(t, err)
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = program.Close() })
	require.NoError(t, unix.IoctlSetWinsize(int(program.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 60, Col: 160}))
	return person, program
}

// onTerminal gives a program a terminal of its own, from which Ctrl-C reaches it
// and its group.
func onTerminal(t *testing.T, p *program) (person *os.File) {
	t.Helper()
	person, tty := openTerminal(t)
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = tty, tty, tty
	p.cmd.Env = append(p.cmd.Env, "TERM=xterm")
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
	return person
}

// look reads all that comes on a terminal.
func look(p *program, person *os.File) {
	go func() {
		buf := make([]byte, 64<<10)
		for {
			n, err := person.Read(buf)
			_, _ = p.out.Write(buf[:n])
			if err != nil {
				return
			}
		}
	}()
}

var escape = regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]`)

// paint is what colours are made of.
var paint = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// seen is what was written to the terminal, without what moves the cursor.
func seen(p *program) string {
	text := strings.ReplaceAll(escape.ReplaceAllString(p.out.String(), ""), "\r\n", "\n")
	return strings.ReplaceAll(text, "\r", "")
}

func TestTerminal(t *testing.T) {
	t.Parallel()
	p := launcher(t, t.TempDir(), "--ports", "auto", "--out", "run", "--duration", "2s", "--rates", "10,20,0.5")
	look(p, onTerminal(t, p))
	p.start()
	require.Equal(t, "0", p.wait())
	eventually(t, func() bool { return strings.Contains(seen(p), "\nwire ") }, "the terminal shows all")
	text := seen(p)
	dir := filepath.Join(p.cmd.Dir, "run")
	var last strings.Builder // the last picture stays, and the table follows it
	events := uint64(0)
	for _, m := range summaryOf(t, dir) {
		fmt.Fprintf(&last, `vm-%d +%v +done +%d +\d+ +%d +#* +%d +%d +%d\n`, m.ID, m.Rate, m.Clock, m.Queue, m.Sent, m.Receives, m.Steps)
		events += m.Steps
	}
	for _, want := range []string{
		`^run \w{6}: 3 machines, rates 10,20,0\.5, die 10, seed \d+, 2s; logs in run\n`,
		`\n[12]s left +\[=+>? *\].*\n\d+ events, clock \d+, \d+ waiting\n`,
		`\nvm-0 +10 +running +\d+ +\d+ +\d+ +#* +\d+ +\d+ +\d+\n`,
		`\nvm-2 +0\.5 +running `,
		fmt.Sprintf(`\n2s +\[=+\](?:  logs .*)?\n%d events, clock \d+, \d+ waiting\nvm .*\n`, events) + last.String() + `\n +ticks/s`,
	} {
		assert.Regexp(t, want, text)
	}
	assert.Equal(t, 1, strings.Count(text, "machine  rate  internal"))
	requireCorrect(t, dir)
}

// Of many machines the display shows some, and the sum of the rest.
func TestTerminalWithManyMachines(t *testing.T) {
	t.Parallel()
	p := launcher(t, t.TempDir(), "--ports", "auto", "--out", "run", "--duration", "500ms", "--machines", "18")
	look(p, onTerminal(t, p))
	p.start()
	require.Equal(t, "0", p.wait())
	eventually(t, func() bool { return strings.Contains(seen(p), "\nevents ") }, "the terminal shows all")
	text := seen(p)
	assert.Regexp(t, ` events, clock \d+, \d+ waiting`, text)
	assert.Regexp(t, `\n2 more: .*, queue up to \d+, behind up to \d+\n`, text)
	requireCorrect(t, filepath.Join(p.cmd.Dir, "run"))
}

// Ctrl-C at the keyboard goes to the launcher alone, which stops the machines in
// order.
func TestTerminalCtrlC(t *testing.T) {
	t.Parallel()
	p := launcher(t, t.TempDir(), "--ports", "auto", "--out", "run", "--duration", "0", "--rates", "50,60,70")
	person := onTerminal(t, p)
	look(p, person)
	p.start()
	dir := filepath.Join(p.cmd.Dir, "run")
	waitForEvents(t, dir, 3, 20)
	eventually(t, func() bool { return strings.Contains(seen(p), "Ctrl-C stops") }, "the display says how to end it")
	_, err := person.WriteString("\x03")
	require.NoError(t, err)
	require.Equal(t, "130", p.wait())
	eventually(t, func() bool { return strings.Contains(seen(p), "all accounted for") }, "the table follows")
	requireCorrect(t, dir)
}

// hangUp closes a terminal once its program has written so many events: as when a
// window is closed, or a connection breaks.
func hangUp(t *testing.T, p *program, person *os.File, dir string, machines, events int) {
	t.Helper()
	_ = p.cmd.Stdin.(*os.File).Close() // ours; the program has the last one
	waitForEvents(t, dir, machines, events)
	require.NoError(t, person.Close())
}

// heedHangUps keeps this process from ignoring hang-ups, which under nohup all that is
// started here would do too.
func heedHangUps(t *testing.T) {
	hangUps := make(chan os.Signal, 1)
	signal.Notify(hangUps, syscall.SIGHUP)
	t.Cleanup(func() { signal.Stop(hangUps) })
}

// The terminal goes away: the run ends in order, as after Ctrl-C, and its result is
// in its directory.
func TestTerminalHangsUp(t *testing.T) {
	t.Parallel()
	heedHangUps(t)
	p := launcher(t, t.TempDir(), "--ports", "auto", "--out", "run", "--duration", "0", "--rates", "50,60,70")
	person := onTerminal(t, p)
	p.start()
	dir := filepath.Join(p.cmd.Dir, "run")
	waitForEvents(t, dir, 3, 20)
	machines := processes(t, p, 3)
	hangUp(t, p, person, dir, 3, 20)
	assert.Equal(t, "130", p.wait())
	requireGone(t, machines)
	assert.Len(t, summaryOf(t, dir), 3)
	text := readFile(t, filepath.Join(dir, "summary.txt"))
	assert.Contains(t, text, "all accounted for")
	assert.Contains(t, text, "check        correct: ")
	requireCorrect(t, dir)
}

func TestTerminalHangsUpInVirtualTime(t *testing.T) {
	t.Parallel()
	heedHangUps(t)
	p := launcher(t, t.TempDir(), "sim", "--out", "run", "--duration", "0", "--machines", "2")
	person := onTerminal(t, p)
	p.start()
	dir := filepath.Join(p.cmd.Dir, "run")
	hangUp(t, p, person, dir, 2, 20)
	assert.Equal(t, "130", p.wait())
	assert.Len(t, summaryOf(t, dir), 2)
	assert.Contains(t, readFile(t, filepath.Join(dir, "summary.txt")), "check        correct: ")
	requireCorrect(t, dir)
}

// A sweep keeps what is done, and goes on from there.
func TestTerminalHangsUpInASweep(t *testing.T) {
	t.Parallel()
	heedHangUps(t)
	args := []string{"sweep", "--rates", "50", "--machines", "2", "--trials", "2", "--jobs", "1", "--duration", "1s", "--out", "sweep"}
	p := launcher(t, t.TempDir(), args...)
	person := onTerminal(t, p)
	p.start()
	hangUp(t, p, person, filepath.Join(p.cmd.Dir, "sweep", "runs", "p0001-t0002"), 2, 2)
	assert.Equal(t, "130", p.wait())
	assert.Equal(t, 2, strings.Count(readFile(t, filepath.Join(p.cmd.Dir, "sweep", "sweep.csv")), "\np0001-t0001,"), "what is done is written")
	again := launcher(t, p.cmd.Dir, args...).start()
	require.Equal(t, "0", again.wait())
}

func TestTerminalHangsUpByHand(t *testing.T) {
	t.Parallel()
	heedHangUps(t)
	p := prepare(t, t.TempDir(), filepath.Join(bin, "vm"), "--id", "0", "--port", strconv.Itoa(freePorts(t, 1)[0]), "--rate", "50", "--duration", "0")
	person := onTerminal(t, p)
	p.start()
	hangUp(t, p, person, p.cmd.Dir, 1, 20)
	assert.Equal(t, "130", p.wait())
	requireCorrect(t, p.cmd.Dir)
}

// A terminal that is held (Ctrl-S) holds the display, and nothing else.
func TestTerminalThatNobodyReads(t *testing.T) {
	t.Parallel()
	p := launcher(t, t.TempDir(), "--ports", "auto", "--out", "run", "--duration", "1s", "--machines", "16", "--rates", "20")
	person := onTerminal(t, p)
	p.start()
	dir := filepath.Join(p.cmd.Dir, "run")
	waitForEvents(t, dir, 16, 2)
	_, err := person.WriteString("\x13") // Ctrl-S
	require.NoError(t, err)
	eventually(t, func() bool {
		byID := logs(t, dir)
		for _, name := range byID {
			if !isComplete(t, name) {
				return false
			}
		}
		return len(byID) == 16
	}, "all machines end")
	assert.False(t, hasEnded(p), "the launcher waits to draw")
	look(p, person)
	_, err = person.WriteString("\x11") // Ctrl-Q
	require.NoError(t, err)
	require.Equal(t, "0", p.wait())
	requireAllTicks(t, dir, time.Second)
	requireCorrect(t, dir)
}

// No picture where none can be drawn, or none is wanted.
func TestTerminalWithoutDisplay(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(*program){
		"quiet": func(p *program) { p.cmd.Args = append(p.cmd.Args, "--quiet") },
		"dumb":  func(p *program) { p.cmd.Env = append(p.cmd.Env, "TERM=dumb") },
	} {
		p := launcher(t, t.TempDir(), "--ports", "auto", "--out", "run", "--duration", "500ms")
		look(p, onTerminal(t, p))
		edit(p)
		p.start()
		require.Equal(t, "0", p.wait(), name)
		eventually(t, func() bool { return strings.Contains(seen(p), ": all laws hold") }, "the terminal shows all")
		assert.NotContains(t, seen(p), "\r", name)
		assert.Equal(t, name == "quiet", strings.Contains(p.out.String(), "\x1b[32mcorrect\x1b[0m: "), name)
		assert.NotContains(t, paint.ReplaceAllString(p.out.String(), ""), "\x1b", name)
	}
}

// With a terminal the script gives each machine a pane.
func TestClusterByHandInPanes(t *testing.T) {
	t.Parallel()
	needs.Programs(t, "tmux")
	p := byHandScript(t)
	p.cmd.Env = append(p.cmd.Env, "TMUX_TMPDIR="+shortTempDir(t))
	look(p, onTerminal(t, p))
	p.start()
	require.Equal(t, "0", p.wait())
	eventually(t, func() bool { return strings.Contains(seen(p), "run: correct") }, "the verdict")
	text := seen(p)
	assert.Contains(t, text, "all links are up", "the panes show the machines' talk")
	requireThree(t, p, text[strings.LastIndex(text, "machine:     vm-0"):])
}

// shortTempDir is a directory whose sockets have names that are short enough.
func shortTempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "") //nolint:usetesting // t.TempDir is long
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// A sweep shows how far it is, and the tables follow.
func TestTerminalSweep(t *testing.T) {
	t.Parallel()
	p := launcher(t, t.TempDir(), "sweep", "--rates", "20,50", "--trials", "3", "--jobs", "1", "--duration", "500ms", "--out", "sweep")
	look(p, onTerminal(t, p))
	p.start()
	require.Equal(t, "0", p.wait())
	eventually(t, func() bool { return strings.Contains(seen(p), "what this shows: sweep/findings.md\n") }, "the terminal shows all")
	text := seen(p)
	for _, want := range []string{
		`^sweep of 3 runs of 500ms as processes: 1 point × 3 trials, seed \d+; in sweep\n`,
		`\ds left +\[=+>? *\]\n[12] of 3 runs, [01] under way\n`,
		`\ds +\[=+\]\n3 of 3 runs, 0 under way\n\n1 point × 3 trials of 500ms as processes`,
	} {
		assert.Regexp(t, want, text)
	}
	assert.NotContains(t, text, "(1 of 3)", "that is for those without a display")
}

// Ctrl-C at the keyboard reaches the script, which passes it on.
func TestTerminalLaboratoryCtrlC(t *testing.T) {
	t.Parallel()
	p := laboratory(t, "lab-five-runs.sh", "--duration", "5m")
	person := onTerminal(t, p)
	look(p, person)
	p.start()
	runs := filepath.Join(p.cmd.Dir, "lab", "runs")
	waitForEvents(t, filepath.Join(runs, "p0001-t0001"), 3, 1)
	_, err := person.WriteString("\x03")
	require.NoError(t, err)
	require.Equal(t, "130", p.wait())
	eventually(t, func() bool {
		return strings.Contains(seen(p), "stopped; to go on: "+filepath.Join(bin, "launcher")+" sweep --out lab\n")
	}, "it says how to go on")
	assert.Empty(t, files(t, runs))
}

// The picture says what has become of machines that the plan pauses and kills.
func TestTerminalShowsFaults(t *testing.T) {
	t.Parallel()
	p := launcher(t, t.TempDir(), "--ports", "auto", "--out", "run", "--duration", "4s", "--rates", "10,20,30",
		"--faults", "at 500ms kill 1 for 2500ms; at 1s pause 2 for 2s")
	look(p, onTerminal(t, p))
	p.start()
	require.Equal(t, "0", p.wait())
	eventually(t, func() bool { return strings.Contains(seen(p), "\nevents ") }, "the terminal shows all")
	assert.Regexp(t, `\nvm-1 +20 +down 1s .*\nvm-2 +30 +paused \ds `, seen(p))
	requireCorrect(t, filepath.Join(p.cmd.Dir, "run"))
}

// A machine by hand says when it starts, and shows how it stands with it below what
// else it says.
func TestTerminalByHand(t *testing.T) {
	t.Parallel()
	p := prepare(t, t.TempDir(), filepath.Join(bin, "vm"), "--id", "0", "--port", strconv.Itoa(freePorts(t, 1)[0]), "--rate", "50", "--duration", "1s")
	look(p, onTerminal(t, p))
	p.start()
	require.Equal(t, "0", p.wait())
	eventually(t, func() bool { return strings.Contains(seen(p), "\nmessages: ") }, "the terminal shows all")
	assert.Regexp(t, `: all start together: at=\d\d:\d\d:\d\d\.\d{3} duration=1s seed=\d+\n`, seen(p))
	assert.Regexp(t, `\n1s left +\[=+> *\]\n\d+ events?, clock \d+, 0 waiting\nvm .*\nvm-0 +50 +running `, seen(p))
	assert.Regexp(t, `\n1s +\[=+\]\n\d+ events, clock \d+, 0 waiting\nvm .*\nvm-0 +50 +done .*\n\nmachine: `, seen(p), "a busy host misses ticks")
}

// drawn is a line of a picture.
var drawn = regexp.MustCompile(`\r([^\r\n]*)\x1b\[K\r?\n`)

// However narrow the terminal is, no line of a picture reaches its edge. One that does
// not know its width counts as one of 80.
func TestTerminalOfAnyWidth(t *testing.T) {
	t.Parallel()
	for cols, want := range map[uint16]int{0: 80, 20: 20, 60: 60} {
		p := launcher(t, t.TempDir(), "--ports", "auto", "--out", "run", "--duration", "200ms", "--machines", "5", "--rates", "max")
		person := onTerminal(t, p)
		require.NoError(t, unix.IoctlSetWinsize(int(p.cmd.Stdin.(*os.File).Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: cols / 2, Col: cols}))
		look(p, person)
		p.start()
		require.Equal(t, "0", p.wait())
		eventually(t, func() bool { return strings.Contains(seen(p), "correct") }, "the terminal shows all")
		lines := drawn.FindAllStringSubmatch(p.out.String(), -1)
		assert.Greater(t, len(lines), 8)
		for _, line := range lines {
			assert.Less(t, utf8.RuneCountInString(line[1]), want, "%q", line[1])
		}
	}
}

//go:build unix

package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// hostile is what a file that somebody else wrote can say. Each does something to a
// terminal, a page or a table that shows it as it is.
var hostile = map[string]string{
	"clear the screen":      "\x1b[2J\x1b[H",
	"csi in one":            "\u009b31m",
	"set the clipboard":     "\x1b]52;c;ZXZpbA==\a",
	"link elsewhere":        "\x1b]8;;http://evil\x1b\\here\x1b]8;;\x1b\\",
	"write over":            "good\rbad\b\b\bout",
	"ring":                  "\a\a",
	"turn round":            "\u202egnp.exe\u2066",
	"no width":              "a\u200bb\ufeffc\u00add\u3164",
	"another line":          "one\ntwo\r\nlauncher: all is well",
	"another cell":          "a | b | c",
	"script":                `<script>alert("&amp;")</script>`,
	"code":                  "`rm -rf` ```\n# heading",
	"picture":               "![x](http://evil/x.png)",
	"not of utf-8":          "\xff\xfe\xc3(",
	"nul and del":           "\x00\x7f",
	"line separators":       "\u2028\u2029\u0085",
	"tags and variations":   "\U000e0041\ufe0f",
	"a megabyte":            strings.Repeat(strings.Repeat("x", 31)+"\x1b", 1<<15), // which JSON makes little longer
	"what a format expands": "%s%n%d \\x1b {{.}}",
}

// fileName makes a name that a file can have of a text.
func fileName(text string) string {
	text = strings.NewReplacer("/", "-", "\x00", "").Replace(text)
	return "d" + text[:min(len(text), 200)]
}

// requireHarmless fails if an output does anything but show text.
func requireHarmless(t *testing.T, out string, args []string) {
	t.Helper()
	require.True(t, utf8.ValidString(out), "%.300q of %q", out, args)
	for _, r := range out { // of megabytes in all, so that nothing but the comparison is done for each
		if r == '\n' || r >= ' ' && r <= '~' {
			continue
		}
		if !unicode.IsPrint(r) || unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) {
			require.FailNow(t, "hidden", "%q in %.500q of %.500q", r, out, args)
		}
	}
	require.Less(t, len(out), 1<<17, "of %.500q", args)
}

// readings are the command lines that read a run's directory, with what reads their
// output back.
var readings = []struct {
	args  []string
	parse func(string) error
}{
	{[]string{"check"}, nil},
	{[]string{"check", "--all", "--format", "json"}, parseJSON},
	{[]string{"stats"}, nil},
	{[]string{"stats", "--format", "markdown"}, parseMarkdown},
	{[]string{"stats", "--format", "csv"}, parseCSV},
	{[]string{"stats", "--format", "json"}, parseJSON},
	{[]string{"order"}, nil},
	{[]string{"export", "--format", "shiviz"}, nil},
	{[]string{"export", "--format", "perfetto"}, parseJSON},
	{[]string{"export", "--format", "csv"}, parseCSV},
	{[]string{"export", "--format", "jsonl"}, parseJSON},
	{[]string{"diagram"}, parseXML},
	{[]string{"replay"}, nil},
	{[]string{"replay", "--processes", "--vm", "nowhere"}, nil},
	{[]string{"rerun", "--out", "OUT"}, nil},
	{[]string{"sweep", "--out"}, nil},
}

func parseJSON(s string) error {
	d := json.NewDecoder(strings.NewReader(s))
	for {
		var v any
		if err := d.Decode(&v); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func parseCSV(s string) error {
	_, err := csv.NewReader(strings.NewReader(s)).ReadAll()
	return err
}

func parseXML(s string) error {
	d := xml.NewDecoder(strings.NewReader(s))
	for {
		if token, err := d.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		} else if e, ok := token.(xml.StartElement); ok && e.Name.Local == "script" {
			return errors.New("a script")
		}
	}
}

// parseMarkdown holds that every row of a table has the cells of its head, and that there
// is no element of a page.
func parseMarkdown(s string) error {
	cells := 0
	for line := range strings.Lines(s) {
		n := strings.Count(strings.ReplaceAll(line, `\|`, ""), "|")
		if cells > 0 && n > 0 && n != cells || strings.ContainsAny(line, "<`") || strings.Contains(line, "](") {
			return fmt.Errorf("markup in %q", line)
		}
		cells = n
	}
	return nil
}

// read executes all command lines on a directory, and holds that what they say is
// harmless and can be read back. It returns all that was said.
func read(t *testing.T, dir string) (said string) {
	t.Helper()
	for _, r := range readings {
		args := append([]string(nil), r.args...)
		for i := range args {
			if args[i] == "OUT" {
				args[i] = filepath.Join(t.TempDir(), "out")
			}
		}
		args = append(args, dir)
		code, out, talk := inProcess(args...)
		requireHarmless(t, out, args)
		requireHarmless(t, talk, args)
		if r.parse != nil && out != "" {
			require.NoError(t, r.parse(out), "exit code %d of %.500q: %.1000s", code, args, out)
		}
		said += out + talk
	}
	return said
}

// Whatever stands in the files of a run or is their name, terminals and pages show text.
func TestHostileText(t *testing.T) {
	t.Parallel()
	good := virtualRun(t, "--duration", "10s")
	for nth, what := range slices.Sorted(maps.Keys(hostile)) {
		text := hostile[what]
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			// All texts at all places take minutes with the race detector, for which it matters
			// little what a text says: then each text stands at every third place, and each place has
			// every third text. A long one takes as long as all others.
			every := 1
			if raceEnabled() {
				if every = 3; len(text) > 1<<16 {
					every = 7
				}
			}
			quoted, err := json.Marshal(text)
			require.NoError(t, err)
			places := map[string]func(t *testing.T, dir string){
				"a record's texts": func(t *testing.T, dir string) {
					var record map[string]any
					require.NoError(t, json.Unmarshal([]byte(readFile(t, filepath.Join(dir, "run.json"))), &record))
					for _, field := range []string{"version", "host", "system"} {
						record[field] = text
					}
					writeJSON(t, filepath.Join(dir, "run.json"), record)
				},
				"what it is a replay of": func(t *testing.T, dir string) { setInRecord(t, dir, "replay_of", text) },
				"the run's name":         func(t *testing.T, dir string) { setInRecord(t, dir, "run", text) },
				"a fault plan":           func(t *testing.T, dir string) { setInRecord(t, dir, "faults", text) },
				"a duration":             func(t *testing.T, dir string) { setInRecord(t, dir, "duration", text) },
				"a format":               func(t *testing.T, dir string) { setInRecord(t, dir, "format", 9); setInRecord(t, dir, "version", text) },
				"a record":               func(t *testing.T, dir string) { writeFile(t, filepath.Join(dir, "run.json"), text) },
				"a log's start line": func(t *testing.T, dir string) {
					for _, log := range logs(t, dir) {
						change(t, log, " run=sim ", ` run="`+text+`" `)
					}
				},
				"a line of a log": func(t *testing.T, dir string) { change(t, filepath.Join(dir, "vm_1_5.log"), "internal: step=1 ", text) },
				"the end of a log": func(t *testing.T, dir string) {
					log := filepath.Join(dir, "vm_1_5.log")
					writeFile(t, log, readFile(t, log)+text)
				},
				"a broken law's lines": func(t *testing.T, dir string) {
					log := filepath.Join(dir, "vm_1_5.log")
					writeFile(t, log, readFile(t, log)+strings.Replace(firstLine(readFile(t, log)), " run=sim ", ` run="`+text+`" `, 1))
				},
				"a sweep": func(t *testing.T, dir string) { writeFile(t, filepath.Join(dir, "sweep.json"), text) },
				"a sweep's version": func(t *testing.T, dir string) {
					writeFile(t, filepath.Join(dir, "sweep.json"), `{"format":7,"version":`+string(quoted)+`}`)
				},
				"a sweep's rates": func(t *testing.T, dir string) {
					writeFile(t, filepath.Join(dir, "sweep.json"), `{"format":1,"rates":[`+string(quoted)+`],"machines":[3],"die":[4],"duration_ns":1,"trials":1}`)
				},
			}
			for n, place := range slices.Sorted(maps.Keys(places)) {
				if (n+nth)%every != 0 {
					continue
				}
				dir := filepath.Join(t.TempDir(), "run")
				require.NoError(t, os.CopyFS(dir, os.DirFS(good)))
				places[place](t, dir)
				said := read(t, dir)
				require.NotEmpty(t, said, place)
			}
			dir := filepath.Join(t.TempDir(), fileName(text))
			require.NoError(t, os.CopyFS(dir, os.DirFS(good)))
			read(t, dir)
			writeFile(t, filepath.Join(dir, "vm_0_1.log"), "")
			read(t, dir)
			read(t, filepath.Join(dir, "nowhere"))
		})
	}
}

func firstLine(text string) string { return text[:strings.IndexByte(text, '\n')+1] }

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(name, []byte(text), 0o666))
}

func writeJSON(t *testing.T, name string, v any) {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(name, b, 0o666))
}

func setInRecord(t *testing.T, dir, field string, value any) {
	t.Helper()
	var record map[string]any
	name := filepath.Join(dir, "run.json")
	require.NoError(t, json.Unmarshal([]byte(readFile(t, name)), &record))
	record[field] = value
	writeJSON(t, name, record)
}

// A sweep that goes on shows nothing of its files but what it would have written.
func TestHostileSweep(t *testing.T) {
	t.Parallel()
	good := filepath.Join(t.TempDir(), "sweep")
	code, _, talk := inProcess("sweep", "--virtual", "--duration", "5s", "--trials", "2", "--seed", "1", "--out", good, "--quiet")
	require.Zero(t, code, talk)
	for what, text := range hostile {
		quoted, err := json.Marshal(text)
		require.NoError(t, err)
		for _, c := range []struct{ file, old string }{
			{"sweep.json", `"1,5,4"`},
			{"sweep.json", `"1ms"`},
			{"sweep.json", `"together"`},
			{"results.jsonl", `"p0001-t0001"`},
			{"results.jsonl", `"correct"`},
		} {
			dir := filepath.Join(t.TempDir(), "sweep")
			require.NoError(t, os.CopyFS(dir, os.DirFS(good)))
			change(t, filepath.Join(dir, c.file), c.old, string(quoted))
			args := []string{"sweep", "--out", dir}
			code, out, talk := inProcess(args...)
			assert.Equal(t, 2, code, "%s for %s", what, c.old)
			requireHarmless(t, out+talk, args)
			assert.Contains(t, talk, filepath.Base(c.file))
		}
	}
}

// Nobody writes into the pipe, the device has no end: each command says so at once.
func TestNoFiles(t *testing.T) {
	t.Parallel()
	good := virtualRun(t, "--duration", "5s")
	for _, name := range []string{"run.json", "vm_1_5.log", "sweep.json", "vm_7_1.log.gz"} {
		for _, place := range []func(string) error{
			func(path string) error { return syscall.Mkfifo(path, 0o666) },
			func(path string) error { return os.Symlink("/dev/zero", path) },
			func(path string) error { return os.Mkdir(path, 0o777) },
		} {
			dir := filepath.Join(t.TempDir(), "run")
			require.NoError(t, os.CopyFS(dir, os.DirFS(good)))
			require.NoError(t, os.RemoveAll(filepath.Join(dir, name)))
			require.NoError(t, place(filepath.Join(dir, name)))
			inTime(t, func() { assert.Contains(t, read(t, dir), "regular file") })
		}
	}
}

func TestFaultsFromNoFile(t *testing.T) {
	t.Parallel()
	pipe, large := filepath.Join(t.TempDir(), "pipe"), filepath.Join(t.TempDir(), "large")
	require.NoError(t, syscall.Mkfifo(pipe, 0o666))
	writeFile(t, large, "")
	require.NoError(t, os.Truncate(large, 1<<40))
	for plan, want := range map[string]string{
		pipe:        "launcher: --faults " + pipe + ": not a regular file\n",
		"/dev/zero": "launcher: --faults /dev/zero: not a regular file\n",
		large:       "launcher: --faults: " + large + ": too large: want at most 1048576 bytes\n",
	} {
		for _, command := range []string{"run", "sim", "sweep"} {
			inTime(t, func() {
				code, out, talk := inProcess(command, "--faults", plan)
				assert.Equal(t, 2, code)
				assert.Empty(t, out)
				assert.Equal(t, want, talk)
			})
		}
	}
}

// inTime fails if f takes so long that it must be waiting for somebody.
func inTime(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(deadline):
		t.Fatal("it waits")
	}
}

// A log's start line can carry a name that no run may have: it never becomes a path.
func TestNamesInLogsAreNoPaths(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"x/../../../PWN/a", "..", "/tmp/a", strings.Repeat("n", 65), "a b"} {
		dir := virtualRun(t, "--duration", "5s")
		for _, log := range logs(t, dir) {
			quoted := name
			if strings.Contains(name, " ") {
				quoted = `"` + name + `"`
			}
			change(t, log, " run=sim ", " run="+quoted+" ")
		}
		code, _, talk := inProcess("replay", dir)
		require.Zero(t, code, "%s: %s", name, talk)
		p := launcher(t, t.TempDir(), "replay", "--processes", dir)
		requireRefused(t, p, fmt.Sprintf("%s cannot be replayed with processes, whose run has the same name: run %q: "+
			"want a name of 1 to 64 letters, digits, dots, dashes or underscores; replay it without --processes", dir, name))
	}
}

// Nothing is called the same that was not there to be compared.
func TestRerunSaysWhatItDidNotCompare(t *testing.T) {
	t.Parallel()
	good := virtualRun(t, "--duration", "10s")
	log := func(dir string) string { return filepath.Join(dir, "vm_1_5.log") }
	text := readFile(t, log(good))
	compress := func(t *testing.T, dir string) {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, err := io.WriteString(w, text)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		writeFile(t, log(dir)+".gz", b.String())
	}
	for what, c := range map[string]struct {
		damage func(t *testing.T, dir string)
		want   string // "": the same
	}{
		"nothing":      {func(*testing.T, string) {}, ""},
		"compressed":   {func(t *testing.T, dir string) { compress(t, dir); require.NoError(t, os.Remove(log(dir))) }, ""},
		"both":         {compress, "vm_1_5.log.gz is the log of no machine of this run, or a second one"},
		"missing":      {func(t *testing.T, dir string) { require.NoError(t, os.Remove(log(dir))) }, "vm_1_5.log is not there, so what machine 1 did cannot be compared"},
		"all missing":  {func(t *testing.T, dir string) { removeLogs(t, dir) }, "vm_0_1.log is not there, so what machine 0 did cannot be compared; vm_1_5.log is not there"},
		"empty":        {func(t *testing.T, dir string) { writeFile(t, log(dir), "") }, "vm_1_5.log:1: expected a start line, found an empty log"},
		"cut":          {func(t *testing.T, dir string) { writeFile(t, log(dir), text[:len(text)/2]) }, "vm_1_5.log breaks off after line "},
		"cut in start": {func(t *testing.T, dir string) { writeFile(t, log(dir), text[:20]) }, "vm_1_5.log:1: expected a start line, found it torn"},
		"one line":     {func(t *testing.T, dir string) { writeFile(t, log(dir), firstLine(text)) }, "vm_1_5.log breaks off after line 1"},
		"forged":       {func(t *testing.T, dir string) { change(t, log(dir), "clock=9 ", "clock=8 ") }, "vm_1_5.log is not what it was in "},
		"no text":      {func(t *testing.T, dir string) { writeFile(t, log(dir), strings.Repeat("\x00", 3<<20)) }, "vm_1_5.log"},
		"of another":   {func(t *testing.T, dir string) { writeFile(t, filepath.Join(dir, "vm_9_1.log"), text) }, "vm_9_1.log is the log of no machine of this run, or a second one"},
		"another rate": {func(t *testing.T, dir string) {
			require.NoError(t, os.Rename(log(dir), filepath.Join(dir, "vm_1_6.log")))
		}, "vm_1_5.log is not there, so what machine 1 did cannot be compared; "},
	} {
		t.Run(what, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			require.NoError(t, os.CopyFS(dir, os.DirFS(good)))
			c.damage(t, dir)
			code, out, talk := inProcess("rerun", "--quiet", "--out", filepath.Join(t.TempDir(), "again"), dir)
			if c.want == "" {
				assert.Zero(t, code, talk)
				assert.Contains(t, out, "again        the same bytes as in "+dir+"\n")
				return
			}
			assert.Equal(t, 1, code)
			assert.Contains(t, talk, c.want)
			assert.NotContains(t, out, "the same bytes")
		})
	}
}

func removeLogs(t *testing.T, dir string) {
	t.Helper()
	for _, log := range logs(t, dir) {
		require.NoError(t, os.Remove(log))
	}
}

// A run that has written no logs has none to be compared, and says so in its record.
func TestRerunWithoutLogs(t *testing.T) {
	t.Parallel()
	dir := virtualRun(t, "--logs=false", "--duration", "5s")
	assert.True(t, recordOf(t, dir).NoLogs)
	again := filepath.Join(t.TempDir(), "again")
	code, out, talk := inProcess("rerun", "--out", again, dir)
	require.Zero(t, code, talk)
	assert.NotContains(t, out, "again  ")
	assert.Equal(t, []string{"run.json", "summary.json", "summary.txt"}, files(t, again))
}

// A machine that is to go on from a log that is none says so at once, and so does one
// whose record is none: nothing is left that a signal would have to end.
func TestMachineWithoutALogFile(t *testing.T) {
	t.Parallel()
	h := &byHand{t: t, dir: t.TempDir(), ports: freePorts(t, 2), flags: []string{"--run", "pipe", "--rate", "5"}}
	for id, place := range []func(string) error{
		func(path string) error { return syscall.Mkfifo(path, 0o666) },
		func(path string) error { return os.Symlink("/dev/zero", path) },
	} {
		name := fmt.Sprintf("vm_%d_5.log", id)
		require.NoError(t, place(filepath.Join(h.dir, name)))
		p := h.start(id, "--resume")
		assert.Equal(t, "2", p.wait())
		assert.Contains(t, p.errors.String(), "cannot reopen event log: ")
		assert.Contains(t, p.errors.String(), name+": not a regular file")
		ctx, cancel := context.WithTimeout(t.Context(), deadline)
		defer cancel()
		said, err := exec.CommandContext(ctx, filepath.Join(bin, "vm"), "--port", "1", "--peers", "a:1", "--replay", filepath.Join(h.dir, name)).CombinedOutput()
		require.NoError(t, ctx.Err())
		require.Error(t, err)
		assert.Contains(t, string(said), name+": expected an event log, found no regular file")
	}
}

// A machine is ended by the first signal while it waits, whatever it waits for.
func TestFirstSignalEndsAMachine(t *testing.T) {
	t.Parallel()
	h := &byHand{t: t, dir: t.TempDir(), ports: freePorts(t, 2), flags: []string{"--run", "signal", "--rate", "5"}}
	for _, resume := range []string{"--resume=false", "--resume"} {
		p := h.start(0, resume)
		h.waitForKnock(1)
		p.signal(os.Interrupt)
		assert.Equal(t, "130", p.wait())
		assert.Contains(t, p.errors.String(), "interrupted before the run began")
		assert.Empty(t, files(t, h.dir))
	}
}

// A few bytes of a log can claim a million machines, and times that lie as far apart as
// times can: no command takes memory or time for what is not there.
func TestForgedFigures(t *testing.T) {
	t.Parallel()
	good := virtualRun(t, "--duration", "5s")
	for what, damage := range map[string]func(dir string){
		"a million machines": func(dir string) {
			for _, log := range logs(t, dir) {
				change(t, log, "machines=3 ", "machines=1048576 ")
			}
		},
		"machines in a name": func(dir string) {
			require.NoError(t, os.Rename(filepath.Join(dir, "vm_2_4.log"), filepath.Join(dir, "vm_1048575_4.log")))
		},
		"eight thousand years": func(dir string) {
			change(t, filepath.Join(dir, "vm_1_5.log"), "2000-01-01T00:00:04.2", "9999-12-31T00:00:04.2")
		},
		"the end of clocks": func(dir string) {
			change(t, filepath.Join(dir, "vm_1_5.log"), " clock=9 ", " clock=18446744073709551615 ")
		},
		"the end of queues": func(dir string) {
			change(t, filepath.Join(dir, "vm_1_5.log"), " queue=0", " queue=9223372036854775807")
		},
		"the end of numbers":  func(dir string) { change(t, filepath.Join(dir, "vm_1_5.log"), " to=0:2", " to=0:18446744073709551615") },
		"the end of machines": func(dir string) { change(t, filepath.Join(dir, "vm_1_5.log"), " to=0:2", " to=2147483647:2") },
		"the end of dice":     func(dir string) { change(t, filepath.Join(dir, "vm_1_5.log"), " die=10 ", " die=9223372036854775807 ") },
	} {
		dir := filepath.Join(t.TempDir(), "run")
		require.NoError(t, os.CopyFS(dir, os.DirFS(good)))
		damage(dir)
		t.Run(what, func(t *testing.T) { inTime(t, func() { read(t, dir) }) })
	}
}

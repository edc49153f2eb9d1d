package cluster

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/summary"
)

// These tests are about programs that misbehave, which the real vm does not. So
// the test program stands in for it, and behaves as one of the fakes. With the
// real programs the tests of cmd/launcher run.

const (
	fakeEnv = "LAMPORT_TEST_FAKE"
	// releaseEnv is the address where a fake waits for its test to hang up.
	releaseEnv = "LAMPORT_TEST_RELEASE"
	// markEnv is a directory where fakes leave marks.
	markEnv = "LAMPORT_TEST_MARKS"
)

func untilReleased() {
	if c, err := net.Dial("tcp", os.Getenv(releaseEnv)); err == nil {
		_, _ = io.Copy(io.Discard, c)
	}
}

func TestMain(m *testing.M) {
	if name := os.Getenv(fakeEnv); name != "" {
		os.Exit(fakes[name](newFake()))
	}
	os.Exit(m.Run())
}

// fake is a process that pretends to be a machine.
type fake struct {
	id       int
	lifeline *bufio.Reader
}

func newFake() *fake {
	f := &fake{lifeline: bufio.NewReader(os.Stdin)}
	i := slices.Index(os.Args, "--id")
	_, _ = fmt.Sscan(os.Args[i+1], &f.id)
	return f
}

func (f *fake) say(s summary.Status) { _ = json.NewEncoder(os.Stdout).Encode(s) }

func (f *fake) begin() {
	f.arrive()
	f.say(summary.Status{Phase: summary.Running, Start: time.Now()})
}

// arrive reports that it is there, and waits at its gate, if it has one, as machines
// do: what it is told after that comes to a machine that has begun.
func (f *fake) arrive() {
	f.say(summary.Status{Phase: summary.Connecting})
	if !slices.Contains(os.Args, "--gated") {
		return
	}
	for {
		line, err := f.lifeline.ReadString('\n')
		if err != nil {
			os.Exit(exit.Interrupted)
		}
		if line == "go\n" {
			return
		}
	}
}

func (f *fake) done() {
	f.say(summary.Status{Phase: summary.Done, Machine: &summary.Machine{ID: f.id, Rate: clock.Hertz, Steps: 7}})
}

// untilTold waits for the end of the lifeline and returns what was said on it.
func (f *fake) untilTold() string {
	b, _ := io.ReadAll(f.lifeline)
	return string(b)
}

// connecting is a machine that looks for its peers until it is told to stop.
func (f *fake) connecting() int {
	f.say(summary.Status{Phase: summary.Connecting})
	f.untilTold()
	return exit.Interrupted
}

// unless1 ends in order, or as machine 1, with a code and some words.
func (f *fake) unless1(code int, words string) int {
	f.begin()
	if f.id == 1 {
		fmt.Fprint(os.Stderr, words)
		return code
	}
	f.untilTold()
	f.done()
	return exit.Interrupted
}

// hang never ends by itself. Where nothing else can come, select{} would be a deadlock, and so an end.
func hang() int {
	time.Sleep(time.Hour)
	return 0
}

var fakes = map[string]func(*fake) int{
	"good": func(f *fake) int {
		f.begin()
		f.done()
		return 0
	},
	"patient": func(f *fake) int {
		f.begin()
		fmt.Fprintf(os.Stderr, "told: %q\n", f.untilTold())
		f.done()
		return exit.Interrupted
	},
	"goes when told": func(f *fake) int {
		if f.id == 1 {
			untilReleased()
		}
		fmt.Fprint(os.Stderr, "up at ", time.Now().UnixNano())
		f.arrive()
		fmt.Fprint(os.Stderr, ", go at ", time.Now().UnixNano())
		f.say(summary.Status{Phase: summary.Running, Start: time.Now()})
		f.done()
		return 0
	},
	"1 crashes once": func(f *fake) int {
		f.begin()
		if f.id == 1 && !slices.Contains(os.Args, "--resume") {
			return 2
		}
		f.untilTold()
		f.done()
		return exit.Interrupted
	},
	"lives in the year 2000": func(f *fake) int {
		f.arrive()
		f.say(summary.Status{Phase: summary.Running, Start: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)})
		f.untilTold()
		f.done()
		return exit.Interrupted
	},
	"1 loses its connection": func(f *fake) int { return f.unless1(255, "ssh: gone") },
	"1 is killed there":      func(f *fake) int { return f.unless1(137, "") },
	"1 is hard to reach": func(f *fake) int {
		marks, _ := os.ReadDir(os.Getenv(markEnv))
		if f.id == 1 && len(marks) < 3 {
			mark, _ := os.CreateTemp(os.Getenv(markEnv), "")
			_ = mark.Close()
			if len(marks) > 0 {
				return 255
			}
			f.begin()
			return 255
		}
		f.begin()
		f.untilTold()
		f.done()
		return exit.Interrupted
	},
	"tells what it is told": func(f *fake) int {
		f.begin()
		for {
			line, err := f.lifeline.ReadString('\n')
			fmt.Fprint(os.Stderr, line)
			if line == "kill\n" {
				return 137
			}
			if err != nil {
				f.done()
				return exit.Interrupted
			}
		}
	},
	"patient before the run": (*fake).connecting,
	"never begins":           func(*fake) int { return hang() },
	"waits for nothing":      func(f *fake) int { f.say(summary.Status{Phase: summary.Connecting}); return hang() },
	"never ends": func(f *fake) int {
		f.begin()
		return hang()
	},
	"ends, but does not go": func(f *fake) int {
		f.begin()
		f.done()
		return hang()
	},
	"1 crashes": func(f *fake) int {
		f.begin()
		if f.id != 1 {
			f.untilTold()
			f.done()
			return exit.Interrupted
		}
		fmt.Fprint(os.Stderr, "some talk\npanic: oh no\n\ngoroutine 1 [running]:\n", strings.Repeat("main.f()\n", 50))
		return 2
	},
	"1 crashes before the run": func(f *fake) int {
		if f.id != 1 {
			return f.connecting()
		}
		fmt.Fprintln(os.Stderr, "no port for me")
		return 2
	},
	"1 crashes in the end": func(f *fake) int {
		f.begin()
		f.done()
		if f.id == 1 {
			return 66
		}
		return 0
	},
	"leaves without a result": func(f *fake) int {
		f.begin()
		return 0
	},
	"babbles": func(f *fake) int {
		fmt.Println("Hello!", "\x00\xff")
		fmt.Println(`{"phase": 7}`, "\n[]\nnull\n{}")
		f.begin()
		fmt.Println(strings.Repeat("x", 100_000))
		f.done()
		f.say(summary.Status{Phase: summary.Done}) // a late report
		fmt.Print(strings.Repeat("no newline", 200_000))
		return 0
	},
	"lists its files": func(f *fake) int {
		// Taken at once: the runtime opens files of its own for pipes and
		// sockets later.
		entries, _ := os.ReadDir("/proc/self/fd")
		for _, e := range entries {
			if target, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil {
				fmt.Fprintln(os.Stderr, e.Name(), target)
			}
		}
		f.begin()
		f.untilTold() // all of them are there at one time
		f.done()
		return exit.Interrupted
	},
}

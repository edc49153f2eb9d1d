//go:build unix

package vm

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/internal/bench/build"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/machine"
	"github.com/scalemodel/lamport/pkg/summary"
	"github.com/scalemodel/lamport/pkg/transport"
)

// BenchmarkPipeline runs three machines as processes, as fast as they can, with logs: the
// whole. Beside it, in the same run, it takes the time of each part alone, done by
// three processes for as many events:
//
//   - step: the machine's steps with what they receive, and its figures;
//   - clock: the readings of the system's clock for the lines;
//   - format: the lines;
//   - write: the lines' bytes, in commits of the same size, each process to a file of its own;
//   - links: the messages, in groups of a commit, from their sender's queue of what must not
//     leave yet to the receiver's inbox and back as acknowledgements. All three nodes
//     are in one process, and their wake-ups are those of the whole.
//
// A part's events/s are what all cores would reach if they did nothing else. The processor
// time per event of all parts together is the limit: no pipeline of them can be faster
// than all cores allow. The rest is what the whole takes beyond:
// processes that start, wait for each other and take turns on a core.
//
//	go test -run '^$' -bench Pipeline -benchtime 1x ./pkg/vm
func BenchmarkPipeline(b *testing.B) {
	const duration = 2 * time.Second
	const events = 3_000_000 // of each process
	bin := buildCommands(b)
	var whole, limit cost
	var rate, bytesPerEvent, messagesPerEvent float64
	b.Run("whole", func(b *testing.B) {
		var all summary.Run
		var bytes int64
		whole, all, bytes = runCommands(b, bin, duration, "--rates", "max", "--duration", duration.String())
		whole = whole.per(float64(all.Steps))
		rate = float64(all.Steps) / duration.Seconds()
		bytesPerEvent, messagesPerEvent = float64(bytes)/float64(all.Steps), float64(all.Sent)/float64(all.Steps)
		whole.report(b)
	})
	for _, part := range []string{"step", "clock", "format", "write", "links"} {
		b.Run(part, func(b *testing.B) {
			processes := 3
			if part == "links" {
				processes = 1
			}
			c := runPart(b, task{Part: part, Events: events, Dir: b.TempDir(), BytesPerEvent: bytesPerEvent, MessagesPerEvent: messagesPerEvent}, processes)
			c = c.per(3 * events)
			limit = limit.plus(c)
			c.report(b)
			b.ReportMetric(c.cores(), "events/s")
		})
	}
	b.Run("rest", func(b *testing.B) { whole.minus(limit).report(b) })
	b.Run("limit", func(b *testing.B) {
		limit.report(b)
		b.ReportMetric(rate, "ours/s")
		b.ReportMetric(limit.cores(), "rival/s")
		b.ReportMetric(rate/limit.cores(), "ratio")
		// Whatever else the host does, it takes no part in this one.
		b.ReportMetric(float64(limit.total())/float64(whole.total()), "cpu-ratio")
	})
}

// BenchmarkSlowBesideFast shows what a machine that runs as fast as it can does to two slow
// ones on its host: how late they are at their ticks beside it, and beside another slow one in its place. It
// takes turns between the two, for as long as -pace says.
func BenchmarkSlowBesideFast(b *testing.B) {
	bin := buildCommands(b)
	micro := func(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
	for _, rates := range []string{"1,0.1,5", "max,0.1,5", "1,2,50", "max,2,50"} {
		b.Run("rates="+rates, func(b *testing.B) {
			var p50, p99, latest time.Duration
			var all summary.Run
			var c cost
			for range b.N {
				c, all, _ = runCommands(b, bin, *paceFor, "--rates", rates, "--duration", paceFor.String())
				for _, m := range c.machines[1:] {
					p50, p99, latest = max(p50, m.Lateness.P50), max(p99, m.Lateness.P99), max(latest, m.Lateness.Max)
				}
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(micro(p50), "p50-µs")
			b.ReportMetric(micro(p99), "p99-µs")
			b.ReportMetric(micro(latest), "max-µs")
			b.ReportMetric(float64(all.Stalls), "stalls")
			b.ReportMetric(c.resident/1e6, "MB-resident")
		})
	}
}

// BenchmarkFastTicks shows what machines of a high rate cost, for as long as -pace says.
func BenchmarkFastTicks(b *testing.B) {
	bin := buildCommands(b)
	for _, rate := range []string{"1000", "10000", "50000"} {
		b.Run("rate="+rate, func(b *testing.B) {
			var c cost
			var all summary.Run
			for range b.N {
				c, all, _ = runCommands(b, bin, *paceFor, "--rates", rate, "--duration", paceFor.String())
			}
			c = c.per(float64(all.Steps))
			c.report(b)
			b.ReportMetric(float64(all.Steps)/paceFor.Seconds(), "events/s")
			b.ReportMetric(float64(all.Wire.Writes)/float64(all.Sent), "writes/message")
			b.ReportMetric(float64(all.Missed), "missed")
		})
	}
}

// cost is what processes took of the processor.
type cost struct {
	user, kernel time.Duration
	resident     float64 // bytes; the largest process
	machines     []summary.Machine
}

func (c cost) total() time.Duration { return c.user + c.kernel }

func (c cost) plus(o cost) cost {
	return cost{user: c.user + o.user, kernel: c.kernel + o.kernel}
}

func (c cost) minus(o cost) cost {
	return cost{user: c.user - o.user, kernel: c.kernel - o.kernel}
}

// per is kept to the nanosecond, as all costs are of hundreds of them.
func (c cost) per(events float64) cost {
	c.user, c.kernel = time.Duration(float64(c.user)/events), time.Duration(float64(c.kernel)/events)
	return c
}

func (c cost) report(b *testing.B) {
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(c.user), "ns-user/event")
	b.ReportMetric(float64(c.kernel), "ns-kernel/event")
}

// cores returns how many events all cores could do in a second at this cost.
func (c cost) cores() float64 { return float64(runtime.NumCPU()) / c.total().Seconds() }

func buildCommands(b *testing.B) (dir string) {
	b.Helper()
	dir = b.TempDir()
	require.NoError(b, build.Commands(dir))
	return dir
}

// runCommands does a run of three machines by the command line, and returns what all processes
// took, what was done, and the size of the logs.
func runCommands(b *testing.B, bin string, duration time.Duration, args ...string) (c cost, all summary.Run, bytes int64) {
	b.Helper()
	dir := filepath.Join(b.TempDir(), "run")
	defer func() { _ = os.RemoveAll(dir) }() // at once: they are large
	ctx, cancel := context.WithTimeout(b.Context(), duration+deadline)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "launcher"), append([]string{"run", "--machines", "3", "--ports", "auto",
		"--out", dir, "--quiet", "--check=false", "--report=false"}, args...)...)
	out, err := cmd.CombinedOutput()
	require.NoError(b, err, "%s", out)
	text, err := os.ReadFile(filepath.Join(dir, "summary.json"))
	require.NoError(b, err)
	require.NoError(b, json.Unmarshal(text, &c.machines))
	for i := range c.machines {
		all.Add(&c.machines[i])
	}
	logs, err := filepath.Glob(filepath.Join(dir, "*.log"))
	require.NoError(b, err)
	for _, log := range logs {
		info, err := os.Stat(log)
		require.NoError(b, err)
		bytes += info.Size()
	}
	c.user, c.kernel = cmd.ProcessState.UserTime(), cmd.ProcessState.SystemTime() // with all that it has waited for
	c.resident = residentBytes(cmd.ProcessState.SysUsage().(*syscall.Rusage))
	return c, all, bytes
}

// residentBytes returns the most memory that a process had, which systems count in different units.
func residentBytes(u *syscall.Rusage) float64 {
	if runtime.GOOS == "darwin" {
		return float64(u.Maxrss)
	}
	return 1024 * float64(u.Maxrss)
}

// task is a part of the pipeline for a process to do.
type task struct {
	Part             string
	Events           int
	Dir              string // for its file
	BytesPerEvent    float64
	MessagesPerEvent float64
}

// runPart has several processes do the same task at once, and returns what they took, but
// for their start.
func runPart(b *testing.B, t task, processes int) (all cost) {
	b.Helper()
	costs := make([]cost, processes)
	errs := make([]error, processes)
	var wg sync.WaitGroup
	for i := range processes {
		wg.Go(func() {
			one := t
			one.Dir = filepath.Join(t.Dir, fmt.Sprint(i))
			costs[i], errs[i] = runTask(one)
		})
	}
	wg.Wait()
	for i := range processes {
		require.NoError(b, errs[i])
		all = all.plus(costs[i])
	}
	return all
}

// took is what a process says of itself.
type took struct{ User, Kernel time.Duration }

func runTask(t task) (cost, error) {
	exe, err := os.Executable()
	if err != nil {
		return cost{}, err
	}
	text, err := json.Marshal(t)
	if err != nil {
		return cost{}, err
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), partVar+"="+string(text))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return cost{}, fmt.Errorf("%s: %w", t.Part, err)
	}
	var said took
	err = json.Unmarshal(out, &said)
	return cost{user: said.User, kernel: said.Kernel}, err
}

func init() { doPart = doTask }

// doTask is such a process.
func doTask(text string) error {
	var t task
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return err
	}
	do, err := t.prepare()
	if err != nil {
		return err
	}
	var before, after syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &before); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &after); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(took{
		User:   time.Duration(after.Utime.Nano() - before.Utime.Nano()),
		Kernel: time.Duration(after.Stime.Nano() - before.Stime.Nano()),
	})
}

func (t task) prepare() (do func() error, err error) {
	switch t.Part {
	case "step":
		w, err := newWorker()
		return func() error { return w.steps(t.Events, func(*event.Event) {}) }, err
	case "clock":
		s := &stepper{wall: time.Now}
		return func() error {
			for range t.Events {
				s.instant()
			}
			return nil
		}, nil
	case "format":
		return t.format()
	case "write":
		return t.write()
	case "links":
		return t.links()
	}
	return nil, fmt.Errorf("no such part: %q", t.Part)
}

// worker is a machine that gets a message back for each that it sends, as one among its equals
// does in the mean, when a commit's worth has come together.
type worker struct {
	machine *machine.Machine
	figures summary.Collector
	back    []event.Message
	seq     uint64
}

func newWorker() (*worker, error) {
	m, err := machine.New(machine.Config{ID: 0, Machines: 3, Die: 10, Seed: 42})
	return &worker{machine: m}, err
}

func (w *worker) steps(n int, visit func(*event.Event)) error {
	var ev event.Event
	for range n {
		if err := w.machine.Step(&ev); err != nil {
			return err
		}
		w.figures.Observe(&ev)
		visit(&ev)
		if ev.Kind != event.Send {
			continue
		}
		for _, m := range ev.Messages() {
			w.seq++
			w.back = append(w.back, event.Message{From: m.To, To: 0, Seq: w.seq, Sent: m.Sent})
		}
		if len(w.back) >= 256 {
			w.machine.DeliverAll(w.back)
			w.back = w.back[:0]
		}
	}
	return nil
}

func (t task) format() (do func() error, err error) {
	w, err := newWorker()
	if err != nil {
		return nil, err
	}
	var events []event.Event
	err = w.steps(10_000, func(ev *event.Event) {
		late := *ev
		late.Step += 5_000_000 // numbers of the length that most have
		events = append(events, late)
	})
	log, at := logging.NewWriter(io.Discard, 0), time.Now()
	return func() error {
		for i := range t.Events {
			if i%sharing == 0 {
				at = at.Add(2 * time.Microsecond)
			}
			log.Event(at, &events[i%len(events)])
			if log.Buffered() >= commitBytes {
				if err := log.Flush(); err != nil {
					return err
				}
			}
		}
		return nil
	}, err
}

func (t task) write() (do func() error, err error) {
	file, err := os.OpenFile(t.Dir, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	commit := make([]byte, commitBytes+int(t.BytesPerEvent/2)) // it ends with the line that fills it
	for i := range commit {
		commit[i] = byte('a' + i%26)
	}
	return func() error {
		for left := int(float64(t.Events) * t.BytesPerEvent); left > 0; left -= len(commit) {
			if _, err := file.Write(commit); err != nil {
				return err
			}
		}
		return file.Close()
	}, nil
}

// links returns a function that sends the messages of three machines.
func (t task) links() (do func() error, err error) {
	var ends []*end
	var lns []net.Listener
	for range 3 {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		lns = append(lns, ln)
	}
	for id := range lns {
		e := &end{inbox: newInbox(id, 0), consumed: make([]uint64, 3)}
		cfg := transport.Config{ID: id, Run: "bench", Handler: e.inbox, Life: 1}
		for other, ln := range lns {
			if other != id {
				cfg.Peers = append(cfg.Peers, transport.Peer{ID: other, Addr: ln.Addr().String()})
				e.peers = append(e.peers, other)
			}
		}
		if e.node, err = transport.New(cfg, lns[id]); err != nil {
			return nil, err
		}
		ends = append(ends, e)
	}
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	errs := make(chan error, len(ends))
	for _, e := range ends {
		go func() { errs <- e.node.Connect(ctx) }()
	}
	for range ends {
		if err := <-errs; err != nil {
			return nil, err
		}
	}
	each := int(float64(t.Events) * t.MessagesPerEvent / 2) // to each peer
	group := max(1, int(commitBytes/t.BytesPerEvent*t.MessagesPerEvent/2))
	return func() error {
		var wg sync.WaitGroup
		for id, e := range ends {
			wg.Go(func() { e.exchange(id, each, group) })
		}
		wg.Wait()
		return nil
	}, nil
}

// end is what of a machine has to do with its links.
type end struct {
	node     *transport.Node
	inbox    *inbox
	peers    []int
	consumed []uint64
	got      int
}

// exchange sends so many messages to each peer, in groups, and takes as many in.
func (e *end) exchange(id, each, group int) {
	out := newOutgoing(3)
	for sent := 0; sent < each || e.got < len(e.peers)*each; {
		next := min(group, each-sent)
		for _, to := range e.peers { // one that has none left says when it has some
			next = min(next, e.node.Room(to))
		}
		if next > 0 {
			for range next {
				sent++
				for _, to := range e.peers {
					out.add([]event.Message{{From: int32(id), To: int32(to), Seq: uint64(sent), Sent: 1}})
				}
			}
			out.send(e.node.SendAll)
		} else {
			<-e.inbox.wake
		}
		e.inbox.drain(func(messages []event.Message) {
			e.got += len(messages)
			for _, m := range messages {
				e.consumed[m.From] = m.Seq
			}
		})
		for _, from := range e.peers {
			if e.consumed[from] > 0 {
				e.node.Consumed(from, e.consumed[from])
			}
		}
	}
}

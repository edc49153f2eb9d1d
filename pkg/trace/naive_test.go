package trace_test

import (
	"errors"
	"io"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/trace"
)

// naive is the checker's dumb twin: all lines in memory, each law as its definition
// reads, one after the other, in whatever time that takes.
type naive struct {
	machines int
	logs     map[int]*naiveLog
	broken   map[trace.Law]bool
	open     bool // something is missing
}

type naiveLog struct {
	id    int
	name  string
	lines []logging.Record
	torn  bool
}

type naiveLink struct{ from, to int }

type naiveMessage struct {
	naiveLink
	seq uint64
}

// naiveEvent names an event: the machine and the index among its log's lines.
type naiveEvent struct{ machine, line int }

// naiveCheck returns the state of a run and the laws that are broken, or an error
// where a log cannot be read.
func naiveCheck(t require.TestingT, dir string) (trace.State, []trace.Law, error) {
	n, err := naiveRead(t, dir)
	if err != nil {
		return "", nil, err
	}
	n.run()
	n.stepsAndClocks()
	n.messages()
	n.conservation()
	if n.cyclic() {
		n.broken[trace.LawAcyclic] = true
	}
	state := trace.Correct
	switch {
	case len(n.broken) > 0:
		state = trace.Broken
	case n.open:
		state = trace.Incomplete
	}
	return state, slices.Sorted(maps.Keys(n.broken)), nil
}

func naiveRead(t require.TestingT, dir string) (*naive, error) {
	run, err := trace.Open(dir)
	if err != nil {
		return nil, err
	}
	n := &naive{machines: run.Machines, logs: make(map[int]*naiveLog), broken: make(map[trace.Law]bool)}
	for _, l := range run.Logs {
		if n.logs[l.ID] != nil {
			n.broken[trace.LawRun] = true // the second is not looked at
			continue
		}
		f, err := os.Open(l.Name)
		require.NoError(t, err)
		defer f.Close()
		log := &naiveLog{id: l.ID, name: filepath.Base(l.Name)}
		n.logs[l.ID] = log
		r := logging.NewReader(f, l.Name)
		for {
			var rec logging.Record
			err := r.Next(&rec)
			if errors.Is(err, io.EOF) {
				break
			}
			if errors.Is(err, logging.ErrTorn) {
				log.torn = true
				break
			}
			if err != nil {
				return nil, err
			}
			log.lines = append(log.lines, rec)
		}
	}
	n.open = len(n.logs) < n.machines
	for _, l := range n.logs {
		n.open = n.open || l.stop() == nil
	}
	return n, nil
}

func (l *naiveLog) first(kind logging.RecordKind) *logging.Record {
	for i := range l.lines {
		if l.lines[i].Kind == kind {
			return &l.lines[i]
		}
	}
	return nil
}

func (l *naiveLog) stop() *logging.Record  { return l.first(logging.StopRecord) }
func (l *naiveLog) start() *logging.Record { return l.first(logging.StartRecord) }

func (n *naive) run() {
	var starts []*logging.Record
	for _, l := range n.logs {
		for i, rec := range l.lines {
			isStart, isStop := rec.Kind == logging.StartRecord, rec.Kind == logging.StopRecord
			isLast := i == len(l.lines)-1 && !l.torn
			goesOn := i > 0 && l.lines[i-1].Kind == logging.PauseRecord && rec.Kind != logging.ResumeRecord
			if rec.ID != l.id || (i == 0) != isStart || isStop && !isLast || goesOn {
				n.broken[trace.LawRun] = true
			}
			if i > 0 && l.lines[i-1].Kind == logging.PauseRecord && rec.Kind != logging.ResumeRecord {
				n.broken[trace.LawRun] = true
			}
		}
		if s := l.start(); s != nil {
			starts = append(starts, s)
			strange := slices.Contains(s.Start.Peers, l.id) || len(s.Start.Peers) != s.Start.Machines-1
			for _, p := range s.Start.Peers { // which ascend
				strange = strange || p >= s.Start.Machines
			}
			if logging.FileName(l.id, s.Start.Rate) != l.name || l.id >= s.Start.Machines || strange {
				n.broken[trace.LawRun] = true
			}
		}
	}
	for _, a := range starts {
		for _, b := range starts {
			if a.Start.Run != b.Start.Run || a.Start.Machines != b.Start.Machines || a.Start.Die != b.Start.Die {
				n.broken[trace.LawRun] = true
			}
		}
	}
}

func big1(n uint64) *big.Int { return new(big.Int).Add(new(big.Int).SetUint64(n), big.NewInt(1)) }

func isNext(b, a uint64) bool { return big1(a).Cmp(new(big.Int).SetUint64(b)) == 0 }

func (n *naive) stepsAndClocks() {
	for _, l := range n.logs {
		var step, clock uint64
		for _, rec := range l.lines {
			switch rec.Kind {
			case logging.EventRecord:
				ev := rec.Event
				if !isNext(ev.Step, step) {
					n.broken[trace.LawStep] = true
				}
				if ev.Kind == event.Receive {
					if !isNext(uint64(ev.Clock), max(clock, uint64(ev.Messages()[0].Sent))) {
						n.broken[trace.LawReceive] = true
					}
				} else if !isNext(uint64(ev.Clock), clock) {
					n.broken[trace.LawIncrement] = true
				}
				step, clock = ev.Step, uint64(ev.Clock)
			case logging.PauseRecord:
				n.same(step, rec.Pause.Step, clock, uint64(rec.Pause.Clock))
				step, clock = rec.Pause.Step, uint64(rec.Pause.Clock)
			case logging.ResumeRecord:
				n.same(step, rec.Resume.Step, clock, uint64(rec.Resume.Clock))
				step, clock = rec.Resume.Step, uint64(rec.Resume.Clock)
			case logging.StopRecord:
				n.same(step, rec.Stop.Step, clock, uint64(rec.Stop.Clock))
				step, clock = rec.Stop.Step, uint64(rec.Stop.Clock)
			}
		}
	}
}

func (n *naive) same(step, step2, clock, clock2 uint64) {
	if step != step2 {
		n.broken[trace.LawStep] = true
	}
	if clock != clock2 {
		n.broken[trace.LawIncrement] = true
	}
}

// sendsAndReceives returns who sends and receives a message, in the order of
// the lines, and the messages of each link likewise.
func (n *naive) sendsAndReceives() (sends, receives map[naiveMessage][]naiveEvent, sent, received map[naiveLink][]uint64) {
	sends, receives = make(map[naiveMessage][]naiveEvent), make(map[naiveMessage][]naiveEvent)
	sent, received = make(map[naiveLink][]uint64), make(map[naiveLink][]uint64)
	for id, l := range n.logs {
		for i, rec := range l.lines {
			if rec.Kind != logging.EventRecord {
				continue
			}
			for _, m := range rec.Event.Messages() {
				link, of, in := naiveLink{id, int(m.To)}, sends, sent
				if rec.Event.Kind == event.Receive {
					link, of, in = naiveLink{int(m.From), id}, receives, received
				}
				if link.from == link.to || link.from >= n.machines || link.to >= n.machines {
					n.broken[trace.LawMatch] = true
					continue
				}
				of[naiveMessage{link, m.Seq}] = append(of[naiveMessage{link, m.Seq}], naiveEvent{id, i})
				in[link] = append(in[link], m.Seq)
			}
		}
	}
	return sends, receives, sent, received
}

func (n *naive) messages() {
	sends, receives, sent, received := n.sendsAndReceives()
	for _, by := range sends {
		if len(by) > 1 {
			n.broken[trace.LawMatch] = true
		}
	}
	for m, by := range receives {
		receive := n.logs[m.to].lines[by[0].line].Event
		if len(sends[m]) > 0 {
			send := n.logs[m.from].lines[sends[m][0].line].Event
			if send.Clock != receive.Messages()[0].Sent {
				n.broken[trace.LawMatch] = true
			}
			if send.Clock >= receive.Clock {
				n.broken[trace.LawCondition] = true
			}
			continue
		}
		sender := n.logs[m.from]
		switch {
		case sender == nil:
		case sender.stop() != nil, len(sent[m.naiveLink]) > 0 && slices.Max(sent[m.naiveLink]) > m.seq:
			n.broken[trace.LawMatch] = true
		default: // the send may stand in what is missing
		}
	}
	// Repeated sends are a matter of match; repeated receives are not in order.
	for link, seqs := range sent {
		var once []uint64
		for _, seq := range seqs {
			if !slices.Contains(once, seq) {
				once = append(once, seq)
			}
		}
		sent[link] = once
	}
	for _, links := range []map[naiveLink][]uint64{sent, received} {
		for _, seqs := range links {
			for i, seq := range seqs {
				if seq != uint64(i)+1 {
					n.broken[trace.LawFIFO] = true
				}
			}
		}
	}
}

func (n *naive) conservation() {
	_, _, sent, received := n.sendsAndReceives()
	for from, a := range n.logs {
		for to, b := range n.logs {
			if from == to || a.stop() == nil || b.stop() == nil {
				continue
			}
			count := func(counts []logging.Count, peer int) *big.Int {
				for _, c := range counts {
					if c.Peer == peer {
						return new(big.Int).SetUint64(c.Messages)
					}
				}
				return new(big.Int)
			}
			link := naiveLink{from, to}
			missing := big.NewInt(int64(len(sent[link]) - len(received[link])))
			missing.Sub(missing, count(b.stop().Stop.Pending, from))
			if missing.Sign() < 0 || missing.Cmp(count(a.stop().Stop.Undelivered, to)) > 0 {
				n.broken[trace.LawConservation] = true
			}
			n.open = n.open || missing.Sign() > 0
		}
	}
	for id, l := range n.logs {
		stop := l.stop()
		for i := range l.lines { // each stop line, should there be more
			if s := l.lines[i].Stop; l.lines[i].Kind == logging.StopRecord {
				total := new(big.Int)
				for _, c := range s.Pending {
					total.Add(total, new(big.Int).SetUint64(c.Messages))
				}
				if total.Cmp(big.NewInt(int64(s.Queue))) != 0 {
					n.broken[trace.LawConservation] = true
				}
			}
		}
		if stop == nil {
			continue
		}
		for _, c := range slices.Concat(stop.Stop.Pending, stop.Stop.Undelivered) {
			if c.Peer == id || c.Peer >= n.machines {
				n.broken[trace.LawConservation] = true
			}
		}
	}
}

// edges returns what each event directly precedes: the next of its machine, and
// the receive of what it sends. Of repetitions the first counts.
func (n *naive) edges() map[naiveEvent][]naiveEvent {
	edges := make(map[naiveEvent][]naiveEvent)
	for id, l := range n.logs {
		last := -1
		for i, rec := range l.lines {
			if rec.Kind != logging.EventRecord {
				continue
			}
			if last >= 0 {
				edges[naiveEvent{id, last}] = append(edges[naiveEvent{id, last}], naiveEvent{id, i})
			}
			last = i
		}
	}
	sends, receives, _, _ := n.sendsAndReceives()
	for m, by := range receives {
		if s := sends[m]; len(s) > 0 {
			edges[s[0]] = append(edges[s[0]], by[0])
		}
	}
	return edges
}

// reach returns all that happened after an event.
func reach(edges map[naiveEvent][]naiveEvent, from naiveEvent) map[naiveEvent]bool {
	seen := make(map[naiveEvent]bool)
	queue := []naiveEvent{from}
	for len(queue) > 0 {
		e := queue[0]
		queue = queue[1:]
		for _, next := range edges[e] {
			if !seen[next] {
				seen[next] = true
				queue = append(queue, next)
			}
		}
	}
	return seen
}

func (n *naive) cyclic() bool {
	edges := n.edges()
	for e := range edges {
		if reach(edges, e)[e] {
			return true
		}
	}
	return false
}

// The twin itself: it knows the good run, and each law it is to know is broken by
// the table of TestLaws.
func TestNaiveCheckTakesTheGoodRun(t *testing.T) {
	state, laws, err := naiveCheck(t, filepath.Join("testdata", "small"))
	require.NoError(t, err)
	require.Equal(t, trace.Correct, state)
	require.Empty(t, laws)
}

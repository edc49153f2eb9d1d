package trace

import (
	"errors"
	"io"
	"math/bits"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/scalemodel/lamport/pkg/event"
	"github.com/scalemodel/lamport/pkg/logging"
)

// certify tries to see that a run keeps the laws without putting its lines in order, which costs
// more than all else. Every log is held against the laws by itself, as many at once as there
// are processors, and what a receive says of its send is believed. It returns nil where that
// does not show that all laws hold, for whatever reason: then it is for the walk to say what is
// the matter, from the start. Else it returns the verdict that the walk would come to.
//
// What is believed is right if on each link the stamps that the receives name are those of the
// sends, number by number. Both ends number them 1, 2, 3, … by law fifo, so there are two
// sequences to compare, of which each end keeps a digest (see [fold]). What is underway at the end
// is in the sender's sequence alone: so it keeps its last stamps apart, and where more are underway
// than these, its log is read once more.
//
// Then happened-before has no cycle either: an event raises its machine's clock, and a receive
// raises it above the stamp of its send, so that clocks rise along every path (Lamport 1978,
// the Clock Condition).
func (r *Run) certify(o Options) *Verdict {
	return newCertifier(r, o, rand.Uint64N(prime), stampBytes).run()
}

const (
	// stampBytes is how much the stamps that the senders keep may take together, unless each link
	// has the fewest.
	stampBytes = 8 << 20
	// mostStamps is how many a link needs at most: in a run with the usual window, no more
	// messages are underway on a link.
	mostStamps = 2 * halfWindow
	// fewestStamps is how many a link has in any case.
	fewestStamps = 4
	// manyLogs is how many logs are read at once where there are fewer processors: they take
	// turns, and so come to their ends together, which leaves no processor without work.
	manyLogs = 32
	// soloBatch is how many lines of a log are read at once: they stay in the cache.
	soloBatch = 64
)

// certifier is one attempt to certify a run.
type certifier struct {
	checker *checker // of the whole run
	solos   []*solo  // by log, as the accounts
	point   uint64   // where digests are taken
	keep    uint64   // how many stamps a sender keeps for each link, a power of two
	next    atomic.Int64
	odd     atomic.Bool // it has failed
}

// solo is one log, read by itself.
type solo struct {
	of      *certifier
	checker *checker // which counts for this log alone
	account *account
	index   int
	dense   []side // by peer, while that is few; else nil
	some    map[int]*side
	flight  Flight // the send of the receive that is looked at
}

// side is what one log says of the messages to and from a peer.
type side struct {
	link            // of which the tally is used: of both directions, as this log has them
	received uint64 // digest of the stamps that receives name
	past     uint64 // digest of the stamps that were sent, but for the recent ones
	recent   []uint64
}

func newCertifier(r *Run, o Options, point uint64, bytes int) *certifier {
	present := len(r.Present())
	c := &certifier{checker: newChecker(r, newLinks(r.Machines, present), o.All), point: point}
	room := uint64(bytes/8) / uint64(max(1, present*(present-1)))
	c.keep = 1 << bits.Len64(min(max(room, fewestStamps), mostStamps)) >> 1
	c.solos = make([]*solo, present)
	return c
}

// newSolo is called by the goroutine that is to read the log, so that what it writes there again
// and again is not in a cache line with what others write.
func (c *certifier) newSolo(index int) *solo {
	s := &solo{of: c, checker: c.checker.alone(), account: c.checker.accounts[index], index: index}
	if c.checker.links.dense != nil {
		s.dense = make([]side, c.checker.verdict.Machines)
	} else {
		s.some = make(map[int]*side)
	}
	return s
}

// run returns the verdict, nil if there is none.
func (c *certifier) run() *Verdict {
	if len(c.checker.verdict.Broken) > 0 {
		return nil
	}
	var readers sync.WaitGroup
	for range min(len(c.solos), max(manyLogs, 2*runtime.GOMAXPROCS(0))) {
		readers.Go(c.readLogs)
	}
	readers.Wait()
	if c.odd.Load() || !c.fits() {
		return nil
	}
	v, err := c.checker.conclude()
	if err != nil {
		return nil
	}
	return v
}

// readLogs reads one log after the other, until none is left.
func (c *certifier) readLogs() {
	batch := make([]logging.Entry, soloBatch)
	for !c.odd.Load() {
		i := int(c.next.Add(1)) - 1
		if i >= len(c.solos) {
			return
		}
		s := c.newSolo(i)
		c.solos[i] = s
		if !s.read(batch) {
			c.odd.Store(true)
		}
	}
}

// fits puts together what the logs say, and reports whether that is of one run and agrees.
func (c *certifier) fits() bool {
	whole := c.checker
	again := make(map[*solo]map[int]*side)
	for _, s := range c.solos {
		whole.join(s.checker)
		for peer, e := range s.sides() {
			if e.sends > 0 {
				l := whole.links.get(s.account.id, peer)
				l.sends, l.lastSent = e.sends, e.lastSent
			}
			if e.receives > 0 {
				l := whole.links.get(peer, s.account.id)
				l.receives, l.lastReceived = e.receives, e.lastReceived
				i, ok := whole.roster.index(peer)
				if !ok {
					continue
				}
				sender := c.solos[i]
				sent := sender.side(s.account.id)
				digest, known := sent.digest(e.receives, c.point, c.keep)
				switch {
				case e.receives > sent.sends || known && digest != e.received:
					return false
				case !known && again[sender] == nil:
					again[sender] = map[int]*side{s.account.id: e}
				case !known:
					again[sender][s.account.id] = e
				}
			}
		}
	}
	return len(whole.verdict.Broken) == 0 && len(whole.leavers()) == 0 && c.readAgain(again)
}

// readAgain reads logs once more, and reports whether they send what was received, by recipient.
func (c *certifier) readAgain(logs map[*solo]map[int]*side) bool {
	var readers sync.WaitGroup
	for s, received := range logs {
		readers.Go(func() {
			if !s.sent(received) {
				c.odd.Store(true)
			}
		})
	}
	readers.Wait()
	return !c.odd.Load()
}

// read reads the log to its end. It reports false if there is anything that breaks a law, or
// cannot be read.
func (s *solo) read(batch []logging.Entry) bool {
	source, err := s.account.log.Open()
	if err != nil {
		return false
	}
	defer func() { _ = source.Close() }()
	for err == nil && !s.of.odd.Load() {
		var n int
		n, err = NextBatch(source, batch)
		s.lines(batch[:n])
		if errors.Is(err, logging.ErrTorn) {
			s.checker.torn(s.index, err)
			err = io.EOF
		}
		if len(s.checker.verdict.Broken) > 0 {
			return false
		}
	}
	// Clocks rise, so the last one bounds all stamps. Those of which two may look the same in a
	// digest are none that a machine comes to.
	return errors.Is(err, io.EOF) && s.account.last.clock < prime
}

// lines holds lines against the laws.
func (s *solo) lines(entries []logging.Entry) {
	var few [2]passage
	step := Step{Machine: s.account.id, Index: s.index}
	for i := range entries {
		e := &entries[i]
		step.Line, step.Micro = e.Line, e.UnixMicro
		step.Event, step.Other, step.Sent = nil, e.Other, nil
		passages := few[:0]
		switch {
		case e.Other != nil:
		case e.Event.Kind == event.Receive:
			m := &e.Event.Messages()[0]
			s.flight.Clock = m.Sent
			step.Event, step.Sent = &e.Event, &s.flight
			passages = append(passages, s.receive(m))
		default:
			step.Event = &e.Event
			messages := e.Event.Messages()
			for i := range messages {
				passages = append(passages, s.send(&e.Event, &messages[i]))
			}
		}
		s.checker.line(&step, e.ID, passages)
	}
}

// send takes in a message of a send.
func (s *solo) send(ev *event.Event, m *event.Message) passage {
	to := int(m.To)
	if !s.checker.isOther(to, s.account) {
		return passage{outcome: foreign}
	}
	e := s.side(to)
	if s.checker.account(to) != nil { // else nobody will ask
		e.send(uint64(ev.Clock), s.of.point, s.of.keep)
	}
	return passage{outcome: underway, link: &e.link}
}

// receive takes in a message of a receive.
func (s *solo) receive(m *event.Message) passage {
	from := int(m.From)
	if !s.checker.isOther(from, s.account) {
		return passage{outcome: foreign}
	}
	e := s.side(from)
	if s.checker.account(from) == nil {
		return passage{outcome: unknown, link: &e.link}
	}
	e.received = fold(e.received, s.of.point, uint64(m.Sent))
	return passage{outcome: arrived, link: &e.link}
}

// side returns that of the links with a peer.
func (s *solo) side(peer int) *side {
	if s.dense != nil {
		return &s.dense[peer]
	}
	e := s.some[peer]
	if e == nil {
		e = new(side)
		s.some[peer] = e
	}
	return e
}

// sides goes through them all, in any order.
func (s *solo) sides() func(yield func(int, *side) bool) {
	return func(yield func(int, *side) bool) {
		for peer := range s.dense {
			if !yield(peer, &s.dense[peer]) {
				return
			}
		}
		for peer, e := range s.some {
			if !yield(peer, e) {
				return
			}
		}
	}
}

// sent reads the log again, and reports whether it sends what was received, by recipient.
func (s *solo) sent(received map[int]*side) bool {
	source, err := s.account.log.Open()
	if err != nil {
		return false
	}
	defer func() { _ = source.Close() }()
	type first struct{ left, digest uint64 } // of so many messages
	links := make(map[int]*first)
	for to, e := range received {
		links[to] = &first{left: e.receives}
	}
	batch := make([]logging.Entry, soloBatch)
	for len(links) > 0 && err == nil {
		var n int
		n, err = NextBatch(source, batch)
		for i := range batch[:n] {
			ev := &batch[i].Event
			if batch[i].Other != nil || ev.Kind != event.Send {
				continue
			}
			for _, m := range ev.Messages() {
				to := int(m.To)
				l := links[to]
				if l == nil {
					continue
				}
				l.digest = fold(l.digest, s.of.point, uint64(ev.Clock))
				if l.left--; l.left > 0 {
					continue
				}
				if l.digest != received[to].received {
					return false
				}
				delete(links, to)
			}
		}
	}
	return len(links) == 0
}

// send takes in the stamp of the next message that is sent.
func (e *side) send(stamp, point, keep uint64) {
	if n := len(e.recent); uint64(n) < keep {
		if n == cap(e.recent) {
			e.recent = append(make([]uint64, 0, min(keep, fewestStamps+4*uint64(n))), e.recent...)
		}
		e.recent = append(e.recent, stamp)
		return
	}
	oldest := &e.recent[e.sends&(keep-1)]
	e.past = fold(e.past, point, *oldest)
	*oldest = stamp
}

// digest returns that of the first n stamps that were sent, false if that is not known.
func (e *side) digest(n, point, keep uint64) (uint64, bool) {
	past := e.sends - uint64(len(e.recent))
	if n < past || n > e.sends {
		return 0, false
	}
	digest := e.past
	for i := past; i < n; i++ {
		digest = fold(digest, point, e.recent[i&(keep-1)])
	}
	return digest, true
}

// prime is 2⁶¹-1. The integers modulo it are a field.
const prime = 1<<61 - 1

// fold puts a stamp behind those of which it is given the digest.
//
// A digest is the value of a polynomial over the field, whose coefficients are the stamps, at a
// point that is drawn at random for each run that is checked. Two sequences of n stamps below
// prime that differ are two polynomials whose difference has at most n-1 roots. So their
// digests agree by chance with a probability below n/2⁶¹, whatever the stamps are, since nobody
// who wrote them knew the point. (Karp and Rabin 1987; the lemma of Schwartz and Zippel.)
func fold(digest, point, stamp uint64) uint64 {
	hi, lo := bits.Mul64(digest, point) // 2⁶¹ is 1 here: what is above is added to what is below
	sum := lo&prime + (hi<<3 | lo>>61) + stamp
	sum = sum&prime + sum>>61
	if sum >= prime {
		sum -= prime
	}
	return sum
}

package transport

import (
	"context"
	"time"
)

// When the machines of a run start together is decided here, by functions that touch
// nothing. [Node.Barrier] carries it out.

// sameClock is by how much what two clocks say may differ before one of them was set.
const sameClock = time.Second

// proposal is an instant at which a machine would start, or has started.
type proposal struct {
	at     int64 // Unix ns, by the clock of who proposes it, as that stood then; 0: none
	agreed bool  // it is the run's
	// Where it is agreed: when it came or comes, as Node.now. Of a peer's, if its word
	// took no time; as that may have been under way for up to delay, it was
	// between began-delay and began.
	began, delay time.Duration
}

// append appends the frame that says it, at this instant. How long ago the run began does
// not depend on anybody's system clock, which may have been set since.
func (p *proposal) append(b []byte, now time.Duration) []byte {
	if !p.agreed {
		return appendNumbers(b, frameReady, uint64(p.at))
	}
	return appendNumbers(b, frameStarted, uint64(p.at), uint64(now-p.began)) // of two's complement where it is to come
}

// heardProposal returns what a READY or STARTED says that is heard now. Its connection
// stands since the instant since.
func heardProposal(t frameType, says numbers, now, since time.Duration) proposal {
	p := proposal{at: int64(says[0])}
	if t == frameStarted {
		p.agreed, p.began, p.delay = true, now-time.Duration(says[1]), now-since
	}
	return p
}

// measure is a peer's proposal, and how far its clock is ahead of ours.
type measure struct {
	proposal
	ahead time.Duration
}

// common returns the instant at which all start, in Unix ns by this host's clock, which
// says wall at the instant now: of this machine's proposal and those of its peers the
// latest, unless a peer says that the run has its instant already.
func common(own int64, peers []measure, wall int64, now time.Duration) int64 {
	start := own
	for _, p := range peers {
		theirs := p.at - int64(p.ahead)
		if !p.agreed {
			start = max(start, theirs)
			continue
		}
		// The clocks show when that was, and so does the time that has gone by since, to
		// within what its word took to come. If they contradict each other, one of the
		// clocks was set.
		latest := wall - int64(now-p.began)
		if theirs > latest+int64(sameClock) || theirs < latest-int64(p.delay+sameClock) {
			return latest
		}
		return theirs
	}
	return start
}

// margin returns how far ahead one of so many machines proposes to start, if no way to a
// peer and back takes longer than this: all must have heard of the last proposal before
// its instant comes.
func margin(machines int, longest time.Duration) time.Duration {
	return 20*time.Millisecond + max(time.Duration(machines)*time.Millisecond, 2*longest)
}

// coarse is how long a round trip may take before it says too little of a peer's clock to
// be the only one. It is a first one, made while all machines of a host may be busy with
// their start.
const coarse = 10 * time.Millisecond

// sharpen measures once more those of the peers' clocks of which too little is known.
func (n *Node) sharpen(ctx context.Context) error {
	samples := make(map[*outLink]uint64)
	for _, l := range n.out {
		if c := l.measured(); c.rtt > coarse {
			samples[l] = c.samples
			l.ping()
		}
	}
	return n.await(ctx, func() bool {
		for l, before := range samples {
			if l.measured().samples == before && !l.life().closed() {
				return false
			}
		}
		return true
	})
}

// propose returns the instant at which this machine would start. Some peers may have agreed
// on one by what an earlier process of it has proposed; so it proposes that again.
func (n *Node) propose() int64 {
	var before int64
	var longest time.Duration
	for _, l := range n.out {
		before = max(before, l.proposedBefore())
		longest = max(longest, l.measured().rtt)
	}
	if before != 0 {
		return before
	}
	return n.cfg.Wall().Add(margin(len(n.in), longest)).UnixNano()
}

// Barrier tells all peers that this machine's mesh stands, waits until all have
// said so, and returns the instant at which all are to start, by this host's
// clock.
//
// Every machine proposes one instant, the same in each of its processes where somebody has
// heard it, and the latest proposal holds, so no machine needs to be special. A proposal from a host whose clock
// differs is moved by the difference, as far as it was measured to be one.
func (n *Node) Barrier(ctx context.Context) (time.Time, error) {
	defer n.gather()()
	if err := n.sharpen(ctx); err != nil {
		return time.Time{}, err
	}
	own := n.propose()
	n.start.Store(&proposal{at: own}) // before the loop: connections made from now on say it themselves
	for _, l := range n.out {
		l.ready()
	}
	proposals := make([]proposal, len(n.in))
	err := n.await(ctx, func() bool { return n.proposed(proposals) })
	if err != nil {
		return time.Time{}, err
	}
	var peers []measure
	for id, p := range proposals {
		if p.at != 0 {
			peers = append(peers, measure{p, n.to(id).measured().ahead()})
		}
	}
	now, wall := n.now(), n.cfg.Wall().UnixNano()
	start := common(own, peers, wall, now)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.stage = stageRunning
	n.agreed = &proposal{at: start, agreed: true, began: now + time.Duration(start-wall)}
	return time.Unix(0, start), nil
}

// proposed notes by id what the peers propose, and reports whether all have. They are looked at once:
// a peer that is started again proposes nothing until it has said so, and what it said counts for
// the others.
func (n *Node) proposed(proposals []proposal) bool {
	for id, l := range n.in {
		if l == nil {
			continue
		}
		if proposals[id] = l.proposed(); proposals[id].at == 0 {
			return false
		}
	}
	return true
}

// Begun says, after [Node.Barrier], that the instant which that returned is noted for
// good. From then on peers that are started again hear that the run has begun. Were they
// told before, and this machine died and forgot it, the others could agree on another.
func (n *Node) Begun() {
	n.mu.Lock()
	n.start.Store(n.agreed)
	n.mu.Unlock()
	n.askAll(FirstQuestions)
}

// Package roster says who is in a run and which of them this process is: from what
// it was told, and from what the engine that has started it says in its environment.
//
// One list of peers serves all machines of a run, and so does one environment: each
// process finds its own entry in it. [Resolve] is a function of a [Request] and a
// [World]; only [Here] looks at the real one. What is wrong is an
// [*experiment.Error] whose field is named like the flag.
package roster

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/transport"
)

// DefaultPort is the one that machines listen on where only their hosts are known;
// further machines of one host have the ports behind it.
const DefaultPort = 2050

// DefaultPeers is the pattern that stands for the peers where only their hosts are
// known.
const DefaultPeers = "{slots}:2050+"

// Auto is the id of a process that has to find out which machine it is.
const Auto = "auto"

// Told is what [Roster.By] says of an id that was told as a plain number.
const Told = "the id given"

// Request is what a process was told.
type Request struct {
	// ID is [Auto] or "", a number, or a name that ends in one, such as vm-1.
	ID string
	// Base is the number of machine 0 in all that tells an id: 1 where slots are
	// counted from 1.
	Base int
	// Peers is a list of entries, which [ParsePeers] describes: of all machines, or of all
	// others. "": the engine's hosts with [DefaultPeers], if it says some.
	Peers string
	// Alone says that there are no peers, whatever the engine says.
	Alone bool
	// Hosts is what {hosts} and {slots} stand for in Peers, as [Hosts] reads it; "": what
	// the engine says.
	Hosts string
	// Port is the one that this process listens on; 0: that of its own entry.
	Port int
}

// Roster is who is in a run.
type Roster struct {
	ID       int
	By       string           // what has told the id, for people
	Machines int              // in the run
	Peers    []transport.Peer // all but this one; ids that are not known are [transport.AnyID]
	Own      string           // this machine's address in the list; "": it is not in there
	Port     int              // to listen on; 0: nothing says it
}

// Resolve says who is in the run that a process was told about. Where hosts are to be
// read from a file that is not there, or still empty, the error is an [*AbsentError].
func Resolve(req Request, w World) (*Roster, error) {
	t, err := tell(req, w)
	if err != nil {
		return nil, err
	}
	peers, err := req.peers(t, w)
	if err != nil {
		return nil, err
	}
	s := seat{list: peers, port: req.Port, told: t, world: w, base: req.Base}
	at, id, err := s.find()
	if err != nil {
		return nil, err
	}
	r := &Roster{ID: id, By: s.by, Machines: len(peers), Port: req.Port}
	if at < 0 {
		r.Machines++
	} else {
		r.Own = peers[at].Addr
		if r.Port == 0 {
			r.Port = port(r.Own)
		}
		if !s.named() {
			for i := range peers {
				peers[i].ID = i
			}
		}
		peers = slices.Delete(peers, at, at+1)
	}
	if r.Machines == 1 && r.ID > 0 {
		return nil, wrong("id", "", "machine %d by %s, and there are no others: --peers lists them", r.ID, r.By)
	}
	if r.ID < 0 || r.ID >= r.Machines {
		return nil, wrong("id", "", "machine %d by %s, in a run of %d: ids are 0 to %d", r.ID, r.By, r.Machines, r.Machines-1)
	}
	for _, p := range peers {
		if p.ID >= r.Machines {
			return nil, wrong("peers", "", "peer %s has id %d: with %s, ids are 0 to %d", p.Addr, p.ID, figure.Plural(len(peers), "peer"), len(peers))
		}
	}
	r.Peers = peers
	return r, nil
}

// peers returns the entries of the list.
func (req *Request) peers(t *told, w World) ([]transport.Peer, error) {
	text := req.Peers
	if strings.TrimSpace(text) == "" && !req.Alone {
		switch ranked := t != nil && t.rank; {
		case req.Hosts != "", ranked && engineHosts(w) != "":
		case ranked && t.size > 1:
			return nil, wrong("peers", "", "nothing says where the other %d of the %d processes are that %s tells of: --hosts or --peers does", t.size-1, t.size, t.by)
		default:
			return nil, nil
		}
		text = DefaultPeers
	}
	if !strings.Contains(text, "{hosts}") && !strings.Contains(text, "{slots}") {
		if req.Hosts != "" {
			return nil, wrong("hosts", "", "no {hosts} in the peers stands for them: want peers such as {hosts}:%d", DefaultPort)
		}
		return ParsePeers(text, nil)
	}
	slots, err := req.slots(w)
	if err != nil {
		return nil, err
	}
	return ParsePeers(text, slots)
}

// slots returns the hosts, each as often as it has places for machines.
func (req *Request) slots(w World) ([]string, error) {
	if req.Hosts != "" {
		return Hosts(req.Hosts, w.ReadFile)
	}
	slots, by, err := slotsOfEngine(w)
	switch {
	case err != nil && by == "":
		return nil, err
	case errors.As(err, new(*AbsentError)):
		return nil, err
	case err != nil:
		return nil, wrong("hosts", "", "%s: %w", by, plain(err))
	}
	return slots, nil
}

// plain returns what is wrong without the part of the run that it is wrong with.
func plain(err error) error {
	if e, ok := errors.AsType[*experiment.Error](err); ok {
		return e.Err
	}
	return err
}

func wrong(field, value, format string, args ...any) error {
	return &experiment.Error{Field: field, Value: value, Err: fmt.Errorf(format, args...)}
}

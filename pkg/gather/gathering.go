package gather

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/internal/figure"
	"github.com/scalemodel/lamport/pkg/internal/filelock"
	"github.com/scalemodel/lamport/pkg/internal/guarded"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/rundir"
)

// Config says which logs are gathered, and from whom.
type Config struct {
	Dir      string // of the run; made if it is not there
	Run      string // its name
	Machines int    // from 1 to [MaxMachines]
	Version  string // of the program

	// MaxLog is how long the log of a machine can be, in bytes; 0: DefaultMaxLog.
	MaxLog int64
	// Room returns how many bytes more may be written; nil: as many as the disk takes.
	Room func() int64
	// Peer returns whose certificate that of a connection is: the run, and the machine,
	// below 0 for one that may deliver the logs of all. nil: machines have none.
	Peer func(*tls.ConnectionState) (run string, machine int, err error)
	// Allow are the addresses from which machines come; empty: all.
	Allow []netip.Prefix
	// Tell is told what happens, by one goroutine at a time; nil: nobody is.
	Tell func(Notice)
	// Idle is how long a machine that delivers may say nothing; 0: DefaultIdle.
	Idle time.Duration

	careless bool // waits for no disk: of tests
}

const (
	// MaxMachines is the largest number of machines whose logs are gathered.
	MaxMachines = 10_000
	// DefaultMaxLog is how long the log of a machine can be where nobody says so, in bytes.
	DefaultMaxLog = 32 << 30
	// DefaultIdle is how long a machine that delivers may say nothing where nobody says so.
	DefaultIdle = 30 * time.Second
)

// Notice is something that people may want to know.
type Notice struct {
	Kind    NoticeKind
	Machine int    // below 0: none
	From    string // address
	Host    string // that the machine runs on, as it says; "": not known
	Bytes   int64  // of its log, as far as it has arrived
	Of      int64  // of its log
	Err     error  // what was wrong
}

// NoticeKind is what has happened.
type NoticeKind uint8

// What can happen.
const (
	Arriving  NoticeKind = iota + 1 // now and then, while a long log arrives
	Delivered                       // all of a log is there, and may grow
	Ended                           // all of a log is there, with its stop line
	Other                           // a machine has delivered a log that does not go on from its first
	Differs                         // a machine has another record of the run than one before
	Refused                         // somebody has not been let in, or what was delivered was not taken
)

// The names below a run's directory.
const (
	dirName  = "gather"      // what is known of the logs, and what is no log yet
	selfName = "gather.json" // of which run the directory is
)

// self is the content of selfName.
type self struct {
	Format   int    `json:"format"`
	Version  string `json:"version"`
	Run      string `json:"run"`
	Machines int    `json:"machines"`
}

// format is the version of the files in dirName.
const format = 1

// Delivery is what is known of a machine that has delivered its log.
type Delivery struct {
	Format  int       `json:"format"`
	Machine int       `json:"machine"`
	File    string    `json:"file"`   // in the run's directory
	Bytes   int64     `json:"bytes"`  // that were confirmed
	SHA256  string    `json:"sha256"` // of these
	Ended   bool      `json:"ended"`  // they end with a stop line
	From    string    `json:"from"`   // address
	At      time.Time `json:"at"`     // of the last delivery
	About   About     `json:"about"`
}

// maxDelivery is the largest file of a delivery that is read, in bytes.
const maxDelivery = 2 * maxAbout

// Gathering takes in the logs of a run's machines.
type Gathering struct {
	cfg  Config
	root *os.Root // of the directory
	lock *os.File

	telling sync.Mutex
	full    chan struct{} // closed when all logs have ended

	mu       sync.Mutex // for what follows, never held while a file is used
	machines []*gathered
	refused  map[string]bool // of whom that was told, and why
}

// gathered is what has arrived of a machine.
type gathered struct {
	log, other *place
	about      *About    // nil: it has not said anything
	delivery   *Delivery // nil: nothing has been confirmed
	others     bool      // it has delivered another log as well
}

// ErrBusy says that another process gathers into the directory.
var ErrBusy = errors.New("another process gathers there")

// Open begins to gather into a directory, or goes on where another process has broken off.
// A directory with another run is refused with [rundir.ErrUsed], one that cannot be
// written with [rundir.ErrUnwritable], one in which another process gathers with
// [ErrBusy].
func Open(cfg Config) (*Gathering, error) {
	switch {
	case cfg.Machines < 1 || cfg.Machines > MaxMachines:
		return nil, &experiment.Error{Field: "machines", Value: strconv.Itoa(cfg.Machines), Err: fmt.Errorf("want 1 to %d", MaxMachines)}
	case cfg.MaxLog < 0:
		return nil, &experiment.Error{Field: "max-size", Value: strconv.FormatInt(cfg.MaxLog, 10), Err: errors.New("want a size above 0")}
	}
	if err := experiment.CheckName(cfg.Run); err != nil {
		return nil, err
	}
	if cfg.MaxLog == 0 {
		cfg.MaxLog = DefaultMaxLog
	}
	if cfg.Idle == 0 {
		cfg.Idle = DefaultIdle
	}
	g := &Gathering{cfg: cfg, full: make(chan struct{}), refused: make(map[string]bool)}
	if err := g.open(); err != nil {
		_ = g.Close()
		if path, ok := errors.AsType[*fs.PathError](err); ok {
			return nil, fmt.Errorf("the run's directory %s %w: %w", cfg.Dir, rundir.ErrUnwritable, path.Err)
		}
		return nil, err
	}
	return g, nil
}

func (g *Gathering) open() (err error) {
	if _, err := os.Stat(filepath.Join(g.cfg.Dir, dirName)); errors.Is(err, fs.ErrNotExist) {
		if err := rundir.Vacant(g.cfg.Dir); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Join(g.cfg.Dir, dirName), 0o777); err != nil {
		return err
	}
	if g.root, err = os.OpenRoot(g.cfg.Dir); err != nil {
		return err
	}
	if g.lock, err = os.Open(filepath.Join(g.cfg.Dir, dirName)); err != nil {
		return err
	}
	if !filelock.Try(g.lock) {
		return fmt.Errorf("%s: %w", g.cfg.Dir, ErrBusy)
	}
	if err := g.claim(); err != nil {
		return err
	}
	logs, err := g.logs()
	if err != nil {
		return err
	}
	for id := range g.cfg.Machines {
		m, err := g.earlier(id, logs[id])
		if err != nil {
			return err
		}
		g.machines = append(g.machines, m)
	}
	g.look()
	return nil
}

// claim writes of which run the directory is, or reads it.
func (g *Gathering) claim() error {
	name := dirName + "/" + selfName
	mine := self{format, g.cfg.Version, g.cfg.Run, g.cfg.Machines}
	b, err := guarded.ReadFileIn(g.root, name, maxDelivery)
	if errors.Is(err, fs.ErrNotExist) {
		return g.write(name, mine)
	}
	var theirs self
	if err == nil {
		err = guarded.Unmarshal(b, &theirs)
	}
	path := filepath.Join(g.cfg.Dir, name)
	switch {
	case err != nil:
		return fmt.Errorf("%s: not that of a run whose logs are gathered: %w", path, err)
	case theirs.Format != format:
		return fmt.Errorf("%s: format %d of another release (%.64q); this one reads format %d", path, theirs.Format, theirs.Version, format)
	case theirs.Run != mine.Run || theirs.Machines != mine.Machines:
		return fmt.Errorf("%s (run %.64q of %s) is %w", path, theirs.Run, figure.Plural(theirs.Machines, "machine"), rundir.ErrUsed)
	}
	return nil
}

// write writes a small file as a whole or not at all.
func (g *Gathering) write(name string, v any) error {
	b, err := marshal(v)
	if err != nil {
		return err
	}
	return guarded.ReplaceIn(g.root, name, func(f *os.File) error {
		_, err := f.Write(b)
		if g.cfg.careless {
			return err
		}
		return errors.Join(err, f.Sync())
	})
}

func marshal(v any) ([]byte, error) {
	b, err := json.MarshalIndent(v, "", "  ")
	return append(b, '\n'), err
}

func deliveryName(id int) string { return fmt.Sprintf("%s/vm_%d.json", dirName, id) }
func partName(id int) string     { return fmt.Sprintf("%s/vm_%d.part", dirName, id) }
func otherName(id int) string    { return fmt.Sprintf("%s/vm_%d.other", dirName, id) }
func otherPart(id int) string    { return otherName(id) + ".part" }

// logs returns the names of the logs in the run's directory, by machine.
func (g *Gathering) logs() (map[int][]string, error) {
	names := make(map[int][]string)
	logs, err := rundir.Logs(g.cfg.Dir)
	if errors.Is(err, rundir.ErrNoLogs) {
		return names, nil
	}
	for _, l := range logs {
		names[l.ID] = append(names[l.ID], filepath.Base(l.Path))
	}
	return names, err
}

// earlier returns what an earlier process has of a machine, of which there are these logs.
func (g *Gathering) earlier(id int, logs []string) (*gathered, error) {
	check := func(rec *logging.Record) error {
		switch s := &rec.Start; {
		case rec.ID != id:
			return fmt.Errorf("a log of machine %d", rec.ID)
		case s.Run != g.cfg.Run:
			return fmt.Errorf("a log of run %.64q", s.Run)
		case s.Machines != g.cfg.Machines:
			return fmt.Errorf("a log of a run of %s, and this one has %d", figure.Plural(s.Machines, "machine"), g.cfg.Machines)
		}
		return nil
	}
	m := &gathered{log: newPlace(g.root, partName(id), check), other: newPlace(g.root, otherPart(id), check)}
	m.log.careless, m.other.careless = g.cfg.careless, g.cfg.careless
	if info, err := g.root.Lstat(otherName(id)); err == nil && info.Mode().IsRegular() && info.Size() > 0 {
		m.others, m.other.confirmed = true, info.Size()
		m.other.named(otherName(id))
	}
	name := deliveryName(id)
	b, err := guarded.ReadFileIn(g.root, name, maxDelivery)
	if errors.Is(err, fs.ErrNotExist) {
		// A process may have given a log its name, and was killed before it wrote that down:
		// it has to be delivered once more, from where it is.
		if len(logs) > 0 {
			m.log.named(logs[len(logs)-1])
		}
		return m, nil
	}
	var d Delivery
	if err == nil {
		err = guarded.Unmarshal(b, &d)
	}
	path := filepath.Join(g.cfg.Dir, name)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: not what is known of a delivery: %w", path, err)
	case d.Format != format || d.Machine != id || d.Bytes <= 0 || !slices.Contains(logs, d.File):
		return nil, fmt.Errorf("%s: not what is known of a delivery of machine %d", path, id)
	}
	if err := d.About.check(g.cfg.Run, id, g.cfg.Machines); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	info, err := g.root.Lstat(d.File)
	if err != nil || !info.Mode().IsRegular() || info.Size() < d.Bytes {
		return nil, fmt.Errorf("%s: %s was delivered, with %s, and is not there any more: put it back, or remove %s", path, d.File, figure.Plural(d.Bytes, "byte"), name)
	}
	m.log.confirmed, m.log.ended = d.Bytes, d.Ended
	m.log.named(d.File)
	m.about, m.delivery = &d.About, &d
	return m, nil
}

// Close ends the gathering. What was not confirmed of the logs stays, but for what follows
// on what was: a later process goes on from there.
func (g *Gathering) Close() error {
	var errs []error
	for _, m := range g.machines {
		for _, p := range []*place{m.log, m.other} {
			<-p.turn
			errs = append(errs, p.end())
		}
	}
	if g.lock != nil {
		filelock.Release(g.lock)
		errs = append(errs, g.lock.Close())
	}
	if g.root != nil {
		errs = append(errs, g.root.Close())
	}
	return errors.Join(errs...)
}

// Full is closed when the logs of all machines have ended.
func (g *Gathering) Full() <-chan struct{} { return g.full }

// look closes full when it is time.
func (g *Gathering) look() {
	for _, m := range g.machines {
		if m.delivery == nil || !m.delivery.Ended {
			return
		}
	}
	select {
	case <-g.full:
	default:
		close(g.full)
	}
}

// Machine is how far the gathering is with one machine.
type Machine struct {
	*Delivery      // nil: nothing of its log was confirmed
	Other     bool // it has delivered another log as well
}

// Machines returns how far it is with each machine.
func (g *Gathering) Machines() []Machine {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := make([]Machine, len(g.machines))
	for id, m := range g.machines {
		all[id] = Machine{m.delivery, m.others}
	}
	return all
}

// OtherLog returns the name, below the run's directory, of a log that a machine has
// delivered besides.
func OtherLog(id int) string { return otherName(id) }

// differs reports whether the record of a machine says something else of the run than that
// of another.
func (g *Gathering) differs(a *About) bool {
	for _, m := range g.machines {
		if m.about != nil && m.about.Record != nil {
			return !a.Record.Same(m.about.Record)
		}
	}
	return false
}

// refuse tells of somebody who was refused: once of each and for each reason, as he comes again, and
// not of too many, as it may be anybody.
func (g *Gathering) refuse(n Notice) {
	const enough = 20
	what := fmt.Sprint(n.Machine, n.From, n.Err)
	g.mu.Lock()
	told := g.refused[what] || len(g.refused) == enough
	if !told {
		g.refused[what] = true
	}
	g.mu.Unlock()
	if n.Kind = Refused; !told {
		g.tell(n)
	}
}

// tell tells people of something.
func (g *Gathering) tell(n Notice) {
	if g.cfg.Tell == nil {
		return
	}
	g.telling.Lock()
	defer g.telling.Unlock()
	g.cfg.Tell(n)
}

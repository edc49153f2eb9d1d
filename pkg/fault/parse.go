package fault

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	maxMachines = math.MaxInt32
	// maxTime bounds every time in a plan, so that no sum of two overflows.
	maxTime = 1_000_000 * time.Hour
	// defaultLength is how long a random fault lasts that does not say.
	defaultLength = time.Second
)

// SyntaxError is what is wrong with the text of a plan, and where.
type SyntaxError struct {
	Line, Column int // from 1; a column is a character
	Msg          string
}

// Error returns the place and the message.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Msg)
}

// Parse reads the plan of a run with so many machines, whose ids are 0, 1, 2, …
// One fault stands on a line, or between semicolons; # begins a comment; "none"
// alone is no fault. An error in the text is a *[SyntaxError].
func Parse(text string, machines int) (*Plan, error) {
	p, _, err := parse(text, machines)
	return p, err
}

// ParseWithin reads the plan of a run that ends at a time after its start. What it
// draws is over by then; a fault that cannot be is a *[SyntaxError] too. Only a delay
// may last beyond.
func ParseWithin(text string, machines int, end time.Duration) (*Plan, error) {
	p, read, err := parse(text, machines)
	if err != nil {
		return nil, err
	}
	q, late := p.within(end)
	if late != nil {
		s := &read[late.n]
		return nil, s.errorAt(s.first, "%v", late.tooLate(p, end))
	}
	return q, nil
}

// parse returns the plan, and what read each of its faults.
func parse(text string, machines int) (*Plan, []scanner, error) {
	if machines < 1 || machines > maxMachines {
		return nil, nil, fmt.Errorf("a plan for %d machines: a run has 1 to %d", machines, maxMachines)
	}
	if strings.TrimSpace(text) == "none" {
		text = ""
	}
	var faults []*fault
	var read []scanner // and what read them
	line := 0
	for row := range strings.Lines(text) {
		line++
		row, _, _ = strings.Cut(strings.TrimRight(row, "\r\n"), "#")
		for start := 0; start <= len(row); {
			end := len(row)
			if i := strings.IndexByte(row[start:], ';'); i >= 0 {
				end = start + i
			}
			s := &scanner{text: row, line: line, pos: start, end: end, machines: machines}
			start = end + 1
			if s.done() {
				continue
			}
			s.first = s.pos
			f := s.fault()
			if s.err != nil {
				return nil, nil, s.err
			}
			faults = append(faults, f)
			read = append(read, *s)
		}
	}
	p := newPlan(machines, faults)
	for i, f := range faults {
		if msg := p.overlap(f, read); msg != "" {
			return nil, nil, read[i].errorAt(read[i].what, "%s", msg)
		}
	}
	return p, read, nil
}

// overlap returns what is wrong where f strikes a process that a fault before it
// in the text strikes at the same time. What would it mean to pause a process
// that is dead, or to let one go on that two faults have paused?
func (p *Plan) overlap(f *fault, read []scanner) (msg string) {
	if !f.kind.process() || f.random() {
		return ""
	}
	p.process.overlapping(f.at, f.end(), func(other *fault) {
		id, both := f.machines.common(other.machines)
		if !both || other.n >= f.n || msg != "" {
			return
		}
		state := "down"
		if other.kind == Pause {
			state = "paused"
		}
		msg = fmt.Sprintf("machine %d is %s from %s to %s already (line %d)", id, state, short(other.at), short(other.end()), read[other.n].line)
	})
	return msg
}

// scanner reads one fault, text[pos:end]. After the first error it reads nothing,
// and returns zero values.
type scanner struct {
	text     string // of the line, without its comment
	line     int
	pos, end int
	machines int
	first    int // where the fault begins
	what     int // where what the fault strikes stands
	err      error
}

func (s *scanner) errorAt(pos int, format string, args ...any) error {
	return &SyntaxError{s.line, utf8.RuneCountInString(s.text[:pos]) + 1, fmt.Sprintf(format, args...)}
}

func (s *scanner) fail(pos int, format string, args ...any) {
	if s.err == nil {
		s.err = s.errorAt(pos, format, args...)
	}
}

// expected fails at the next word.
func (s *scanner) expected(format string, args ...any) {
	s.skip()
	found := strconv.Quote(shorten(s.peekWord()))
	switch {
	case s.pos == s.end && s.end < len(s.text):
		found = `";"`
	case s.pos == s.end:
		found = "the end of the line"
	}
	s.fail(s.pos, "expected %s, found %s", fmt.Sprintf(format, args...), found)
}

// shorten cuts what would make a message unreadable.
func shorten(word string) string {
	const most = 24
	if r := []rune(word); len(r) > most {
		return string(r[:most]) + "…"
	}
	return word
}

func (s *scanner) skip() {
	for s.pos < s.end && strings.IndexByte(" \t\r\v\f", s.text[s.pos]) >= 0 {
		s.pos++
	}
}

// done says whether nothing is left to read.
func (s *scanner) done() bool {
	s.skip()
	return s.pos == s.end || s.err != nil
}

// peekWord returns what stands before the next space.
func (s *scanner) peekWord() string {
	rest := s.text[s.pos:s.end]
	if i := strings.IndexAny(rest, " \t\r\v\f"); i >= 0 {
		return rest[:i]
	}
	return rest
}

// word reads one of some words, and returns "" where none of them stands.
func (s *scanner) word(words ...string) string {
	if s.done() {
		return ""
	}
	if w := s.peekWord(); slices.Contains(words, w) {
		s.pos += len(w)
		return w
	}
	return ""
}

// mark reads a mark, where it stands.
func (s *scanner) mark(m string) bool {
	if s.done() || !strings.HasPrefix(s.text[s.pos:s.end], m) {
		return false
	}
	s.pos += len(m)
	return true
}

// name returns the letters and digits that stand next.
func (s *scanner) name() string {
	if s.done() {
		return ""
	}
	rest := s.text[s.pos:s.end]
	if i := strings.IndexFunc(rest, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }); i >= 0 {
		return rest[:i]
	}
	return rest
}

// duration reads a duration that is at least least.
func (s *scanner) duration(least time.Duration) time.Duration {
	if s.done() {
		s.expected("a duration such as 2s")
		return 0
	}
	w := s.peekWord()
	d, err := time.ParseDuration(w)
	_, unitless := strconv.ParseFloat(w, 64)
	switch {
	case err != nil && unitless == nil:
		s.expected("a duration with its unit, such as 2s")
	case err != nil:
		s.expected("a duration such as 2s")
	case d < least && least == 0:
		s.expected("a duration that is not negative")
	case d < least:
		s.expected("a duration above 0")
	case d > maxTime:
		s.expected("a duration of at most %s", short(maxTime))
	default:
		s.pos += len(w)
		return d
	}
	return 0
}

// id reads a machine's number.
func (s *scanner) id() int {
	name := s.name()
	id, err := strconv.ParseUint(name, 10, 64)
	switch {
	case errors.Is(err, strconv.ErrSyntax):
		s.expected("the number of a machine")
		return 0
	case err != nil || id >= uint64(s.machines):
		known := "machine 0"
		if s.machines > 1 {
			known = fmt.Sprintf("machines 0 to %d", s.machines-1)
		}
		s.fail(s.pos, "there is no machine %s: the run has %s", shorten(name), known)
		return 0
	}
	s.pos += len(name)
	return int(id)
}

// all reads the word, or the mark, for all machines.
func (s *scanner) all() bool {
	if s.name() == "all" {
		s.pos += len("all")
		return true
	}
	return s.mark("*")
}

// place is a part of a list, and where it stands.
type place struct {
	span
	pos int
}

// list reads machines such as "0,3..5" or "all", and adds their places.
func (s *scanner) list(places *[]place) spans {
	var set []span
	for {
		s.skip()
		p := place{pos: s.pos}
		if s.all() {
			p.last = s.machines - 1
		} else {
			p.first = s.id()
			p.last = p.first
			if s.mark("..") {
				p.last = s.id()
			}
		}
		if p.last < p.first {
			s.fail(p.pos, "%d..%d: the first machine of a range comes after the last", p.first, p.last)
		}
		if s.err != nil {
			return nil
		}
		*places = append(*places, p)
		set = append(set, p.span)
		if !s.mark(",") {
			return union(set)
		}
	}
}

// once fails where a machine is named twice.
func (s *scanner) once(places []place) {
	slices.SortFunc(places, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(a.pos, b.pos))
	})
	last := -1
	for i, p := range places {
		if p.first <= last {
			s.fail(max(p.pos, places[i-1].pos), "machine %d is named twice", p.first)
			return
		}
		last = p.last
	}
}

func (s *scanner) targets() spans {
	var places []place
	set := s.list(&places)
	s.once(places)
	return set
}

// groups reads the groups of a partition.
func (s *scanner) groups() []spans {
	s.needLinks()
	var places []place
	var groups []spans
	var named []span
	for {
		g := s.list(&places)
		groups = append(groups, g)
		named = append(named, g...)
		if !s.mark("|") {
			break
		}
	}
	s.once(places)
	if len(groups) == 1 && union(named).size() == s.machines {
		s.fail(s.what, `a partition has two groups or more, with | between them: "0 | 1,2"`)
	}
	return groups
}

// link reads "0->1", "0-1" or "*", with a * for any machine.
func (s *scanner) link() Link {
	s.needLinks()
	end := func() int {
		if s.all() {
			return Any
		}
		return s.id()
	}
	l := Link{From: end()}
	switch {
	case s.mark("->"):
		l.To = end()
	case s.mark("-"):
		l.To, l.Both = end(), true
	case l.From == Any:
		l.To = Any
	default:
		s.expected(`"->" for one way or "-" for both`)
	}
	switch {
	case l.From == Any && l.To == Any:
		l.Both = false // both are in it already
	case l.From == l.To:
		s.fail(s.what, "machine %d has no link to itself", l.From)
	case l.Both && (l.From == Any || l.To != Any && l.To < l.From):
		l.From, l.To = l.To, l.From // the same, written the usual way
	}
	return l
}

// needLinks fails where no machine has another.
func (s *scanner) needLinks() {
	if s.machines == 1 {
		s.fail(s.what, "a run with 1 machine has no links")
	}
}

var kindsInText = `kill, pause, partition, cut, delay, reset or stop-reading`

func (s *scanner) kind(kinds string, except Kind) Kind {
	w := s.word(kindNames[1:]...)
	k := Kind(slices.Index(kindNames[:], w))
	if w == "" || k == except {
		s.pos -= len(w)
		s.expected("a fault: %s", kinds)
		return 0
	}
	return k
}

// fault reads a whole fault.
func (s *scanner) fault() *fault {
	f := new(fault)
	switch s.word("at", "from", "random") {
	case "random":
		s.random(f)
	case "":
		s.expected(`"at", "from" or "random"`)
	default:
		f.at = s.duration(0)
		s.fixed(f)
	}
	return f
}

// fixed reads a fault that does not depend on chance, after its start.
func (s *scanner) fixed(f *fault) {
	f.kind = s.kind(kindsInText, 0)
	s.skip()
	s.what = s.pos
	switch f.kind {
	case Kill, Pause, StopReading:
		f.machines = s.targets()
	case Partition:
		f.groups = s.groups()
	default:
		f.link = s.link()
	}
	var words []string
	if f.kind != Reset {
		words = []string{"for to"}
	}
	if f.kind == Delay {
		s.delays(f)
		if f.jitter > 0 {
			words = append(words, "seed")
		}
	}
	o := s.options(words)
	f.seed, f.seeded = o.seed, o.has("seed")
	switch {
	case o.has("for"):
		f.length = o.length
	case o.has("to") && o.to <= f.at:
		s.fail(o.at["to"], "the end, %s, is not after the start, %s", short(o.to), short(f.at))
	case o.has("to"):
		f.length = o.to - f.at
	case f.kind == Delay:
		f.length = Forever
	case f.kind != Reset:
		s.expected(`"for" and how long`)
	}
}

// delays reads a mean and, where one stands, a jitter.
func (s *scanner) delays(f *fault) {
	f.mean = s.duration(1)
	if s.done() || strings.IndexByte("+-.0123456789", s.text[s.pos]) < 0 {
		return
	}
	pos := s.pos
	f.jitter = s.duration(1)
	if f.jitter > f.mean {
		s.fail(pos, "the jitter, %s, is above the mean, %s, and no delay can be negative", short(f.jitter), short(f.mean))
	}
}

// random reads a random fault, after its first word.
func (s *scanner) random(f *fault) {
	f.kind = s.kind(strings.Replace(kindsInText, " delay,", "", 1), Delay)
	s.skip()
	s.what = s.pos
	if f.kind != Kill && f.kind != Pause && f.kind != StopReading {
		s.needLinks()
	}
	words := []string{"every", "from", "to", "seed", "for"}
	if f.kind == Reset {
		words = words[:4]
	} else {
		f.length = defaultLength
	}
	o := s.options(words)
	f.every, f.at, f.until = o.every, o.from, maxTime
	f.seed, f.seeded = o.seed, o.has("seed")
	if o.has("for") {
		f.length = o.length
	}
	if o.has("to") {
		f.until = o.to
	}
	switch {
	case !o.has("every"):
		s.expected(`"every" and the mean time between two`)
	case s.err != nil:
	case f.length/f.every >= maxInstances:
		s.fail(s.what, "%d would be going on at a time, with one every %s, each for %s: at most %d may",
			f.length/f.every+1, short(f.every), short(f.length), maxInstances)
	case f.at+f.length > f.until:
		s.fail(s.what, "none that lasts %s can begin after %s and be over by %s", short(f.length), short(f.at), short(f.until))
	}
}

// options are what stands after what a fault strikes.
type options struct {
	every, length, from, to time.Duration
	seed                    uint64
	at                      map[string]int // where the value after a word stands
}

func (o options) has(word string) bool { _, ok := o.at[word]; return ok }

// options reads some words, each with its value and at most once, in any order,
// to the end of the fault. Of words with a space between them, one at most.
func (s *scanner) options(words []string) options {
	o := options{at: make(map[string]int)}
	words = slices.Clone(words)
	for !s.done() {
		choice := strings.Fields(strings.Join(words, " "))
		w := s.word(choice...)
		if w == "" {
			s.expected("%s", either(choice))
			break
		}
		words = slices.DeleteFunc(words, func(o string) bool { return slices.Contains(strings.Fields(o), w) })
		s.skip()
		o.at[w] = s.pos
		switch w {
		case "every":
			o.every = s.duration(1)
		case "for":
			o.length = s.duration(1)
		case "from":
			o.from = s.duration(0)
		case "to":
			o.to = s.duration(1)
		case "seed":
			o.seed = s.seed()
		}
	}
	return o
}

func (s *scanner) seed() uint64 {
	w := s.peekWord()
	seed, err := strconv.ParseUint(w, 10, 64)
	if err != nil {
		s.expected("a whole number from 0 to %d", uint64(math.MaxUint64))
		return 0
	}
	s.pos += len(w)
	return seed
}

// either returns what may stand next.
func either(words []string) string {
	if len(words) == 0 {
		return "the end of the fault"
	}
	var b strings.Builder
	for i, w := range words {
		switch {
		case i > 0 && i == len(words)-1:
			b.WriteString(" or ")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(strconv.Quote(w))
	}
	return b.String()
}

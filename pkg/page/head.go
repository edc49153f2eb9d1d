package page

import "github.com/scalemodel/lamport/pkg/internal/quote"

// version is that of the form of [Head] and of the columns, which the scripts know.
const version = 1

// Kinds of page.
const (
	KindRun     = "run"
	KindCompare = "compare"
	KindSweep   = "sweep"
)

// Head is all that a page shows but for the events themselves. All text in it is plain
// text. Times are in µs since the start of the run, durations in µs.
type Head struct {
	Version     int          `json:"version"`
	Program     string       `json:"program"`
	Kind        string       `json:"kind"`
	Title       string       `json:"title"`
	Runs        []Run        `json:"runs"`
	Differences []Difference `json:"differences,omitempty"` // of several runs
	Sweep       *Sweep       `json:"sweep,omitempty"`
}

// NewHead returns a head of a page of a kind, without what it is about. program is what wrote
// it, and its version.
func NewHead(kind, program, title string) Head {
	return Head{Version: version, Program: quote.Visible(program), Kind: kind, Title: quote.Short(title, maxText), Runs: []Run{}}
}

// Run is what is to be said of one run.
type Run struct {
	Name     string      `json:"name"`
	Dir      string      `json:"dir"`
	Verdict  Verdict     `json:"verdict"`
	Findings []Finding   `json:"findings"` // the most telling first
	Facts    [][2]string `json:"facts"`    // labels and values
	Again    string      `json:"again"`    // the command that does it again, "" where it is not known

	StartUnixMicro int64     `json:"startUnixMicro"`
	Duration       int64     `json:"duration"`
	Virtual        bool      `json:"virtual"`
	Machines       []Machine `json:"machines"` // those that have a log
	Foreign        []int     `json:"foreign"`  // those without one, the first of them
	Spans          []Span    `json:"spans"`
	Left           string    `json:"left"` // what the page leaves out, and how to see it

	Columns    Columns           `json:"columns"`
	First      []uint64          `json:"first"` // position of the first event kept, by machine
	Series     []Series          `json:"series"`
	Histograms []Histogram       `json:"histograms"`
	Tables     []Table           `json:"tables"`
	Text       map[string]string `json:"text"` // what each chart shows, in words
}

// Verdict is what the laws say of a run.
type Verdict struct {
	State string `json:"state"` // correct, incomplete, broken
	Text  string `json:"text"`
	// Details are the violations, or what is missing, the first of them.
	Details []string `json:"details,omitempty"`
}

// Finding is something that the figures of a run say.
type Finding struct {
	Text    string `json:"text"`
	Machine *int   `json:"machine,omitempty"` // place in Run.Machines
	From    *int64 `json:"from,omitempty"`
	To      *int64 `json:"to,omitempty"`
}

// Machine is a machine that has a log.
type Machine struct {
	ID             int      `json:"id"`
	Rate           string   `json:"rate"`
	TicksPerSecond *float64 `json:"ticksPerSecond"` // nil: unpaced, or not known
	Color          int      `json:"color"`
	Events         uint64   `json:"events"` // in the page
	File           string   `json:"file"`
	Missing        bool     `json:"missing"` // the log is empty
	Records        []Record `json:"records"`
}

// Record is a line of a log that is no event.
type Record struct {
	Kind  string `json:"kind"` // start, resume, stop
	Line  int    `json:"line"`
	T     int64  `json:"t"`
	After int64  `json:"after"` // position of the event before it, -1: none
	Text  string `json:"text"`
}

// Span is a time in which something was the matter.
type Span struct {
	Kind     string `json:"kind"` // crash, pause, partition, cut, delay, reset, stop-reading, late, clock
	Machines []int  `json:"machines"`
	From     int64  `json:"from"`
	To       int64  `json:"to"`
	Text     string `json:"text"`
}

// Columns says where in a run's bytes its columns are.
type Columns struct {
	Bytes           int       `json:"bytes"`
	CheckpointEvery int       `json:"checkpointEvery"`
	Sections        []Section `json:"sections"`
}

// Section is one column: Count numbers as varints.
type Section struct {
	Name    string `json:"name"`
	Machine int    `json:"machine"` // place in Run.Machines
	Offset  int    `json:"offset"`
	Bytes   int    `json:"bytes"`
	Count   int    `json:"count"`
}

// Series is a line of a chart: for each of Count instants the least and the greatest value
// in the time up to the next, so that no peak is lost.
type Series struct {
	Name     string    `json:"name"`
	Machine  int       `json:"machine"`
	Unit     string    `json:"unit"`
	T0       int64     `json:"t0"`
	DT       int64     `json:"dt"`
	Sections [2]string `json:"sections"` // names of the columns of the least and the greatest values
	Scale    float64   `json:"scale"`    // value of a 1 in the columns
}

// Histogram counts by classes.
type Histogram struct {
	Name    string   `json:"name"`
	Machine int      `json:"machine"`
	Unit    string   `json:"unit"`
	Labels  []string `json:"labels"`
	Counts  []uint64 `json:"counts"`
}

// Table is a table of figures that are written already.
type Table struct {
	Title   string     `json:"title"`
	Columns []string   `json:"columns"`
	Rows    [][]string `json:"rows"`
	Keys    int        `json:"keys,omitempty"` // how many columns say what a row is about
	Note    string     `json:"note,omitempty"`
}

// Difference is where runs differ first.
type Difference struct {
	Runs [2]int `json:"runs"`
	Text string `json:"text"`
	At   []At   `json:"at"` // one for each of Runs
}

// At is an event; Position is -1 where there is none.
type At struct {
	Machine  int   `json:"machine"`
	Position int64 `json:"position"`
}

// Package control is the conversation between a launcher and a vm process, both
// ends of it.
//
// The launcher starts the process with [Options], holds its standard input and
// reads its standard output. On its output the vm reports: each line is a
// [summary.Status] as JSON. Its input is its lifeline. A line "go" opens the gate
// that holds a gated machine back; a line with a duration, such as "10s", says how
// long the machine may linger at its end for its peers' last messages; and the end
// of the input, whether the launcher has closed it or has died, is the order to
// stop. At last the exit code says how the process has ended, see [Ending].
//
// A launcher on another host has no hold on the process, so a warden holds it there
// (package warden): it passes the conversation on, and obeys the lines that are meant
// for itself, see [Orders].
//
// Neither end relies on the sense of what it reads. Anything but a line of the
// conversation is passed over: a panic's text, a line that is too long or broken
// off.
package control

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"io"
	"iter"
	"strconv"
	"time"
)

// Options are the flags that only a launcher gives to a vm process. They are hidden
// from a person's help.
type Options struct {
	Supervised  bool          // the process is part of this conversation
	Gated       bool          // wait for "go" before looking for the peers
	StatusEvery time.Duration // between reports of one phase; 0: only when the phase changes
	ListenFD    int           // the descriptor of a listening socket that was handed down; 0: none
	Warded      bool          // be the warden of a process with the other arguments
	// Orphan is how long a warden lets a process go on whose launcher has gone without
	// a word, for another one to take it over; 0: it ends at once.
	Orphan     time.Duration
	ProbePorts string // be no machine, but say which of these ports can be had
}

// Register defines the flags, with o as the place of their values. It is the
// only place of their names.
func (o *Options) Register(flags *flag.FlagSet) {
	flags.BoolVar(&o.Supervised, "supervised", false, "")
	flags.BoolVar(&o.Gated, "gated", false, "")
	flags.DurationVar(&o.StatusEvery, "status-every", 0, "")
	flags.IntVar(&o.ListenFD, "listen-fd", 0, "")
	flags.BoolVar(&o.Warded, "warded", false, "")
	flags.DurationVar(&o.Orphan, "orphan", 0, "")
	flags.StringVar(&o.ProbePorts, "probe-ports", "", "")
}

// Args returns the arguments that give a vm process these options.
func (o Options) Args() []string {
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	set := o // Register puts the defaults in place
	o.Register(flags)
	o = set
	var args []string
	flags.VisitAll(func(f *flag.Flag) {
		switch value := f.Value.String(); value {
		case f.DefValue:
		case strconv.FormatBool(true):
			args = append(args, "--"+f.Name)
		default:
			args = append(args, "--"+f.Name, value)
		}
	})
	return args
}

// goLine is the line that opens the gate.
const goLine = "go"

// maxLine is how long a line can be, in bytes. The longest is the report of a
// result, which names the peers that something was left over for.
const maxLine = 1 << 20

// lines yields the whole lines of r, without their ends, until r ends or fails. A
// line is valid until the next. One that is longer than maxLine is passed over, and
// so is one that r breaks off: "1m" may have become "1ms".
func lines(r io.Reader) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		in := bufio.NewReader(r)
		var line []byte
		tooLong := false
		for {
			part, err := in.ReadSlice('\n')
			if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
				return
			}
			tooLong = tooLong || len(line)+len(part) > maxLine
			if !tooLong {
				line = append(line, part...)
			}
			if err != nil {
				continue // the line goes on
			}
			if !tooLong && !yield(bytes.TrimRight(line, "\r\n")) {
				return
			}
			line, tooLong = line[:0], false
		}
	}
}

package control

import (
	"encoding/json"
	"io"
	"iter"
	"time"
)

// The lines of a lifeline that only a warden heeds.
const (
	killLine   = "kill"
	holdLine   = "hold"
	resumeLine = "resume"
)

// KilledCode is the exit code of a warden whose process was killed by a signal, as a
// shell has it for SIGKILL. What carries an exit code from another host (ssh) has
// none for a signal.
const KilledCode = 128 + 9

// Order is what a line of a lifeline asks of a warden.
type Order uint8

// The orders.
const (
	Pass   Order = iota // pass the line on to the process
	Kill                // kill the process
	Hold                // stop it for a while
	Resume              // let it go on
)

// Line is a line of a lifeline.
type Line struct {
	Order Order
	// Text is the line with its end, to be passed on. It is valid until the next.
	Text []byte
	// Linger is how long the process may linger at its end, where the line says so;
	// below 0: it says something else.
	Linger time.Duration
}

// Orders yields the lines of a lifeline, until it ends or fails.
func Orders(stdin io.Reader) iter.Seq[Line] {
	return func(yield func(Line) bool) {
		var text []byte
		for line := range lines(stdin) {
			l := Line{Linger: -1}
			switch string(line) {
			case killLine:
				l.Order = Kill
			case holdLine:
				l.Order = Hold
			case resumeLine:
				l.Order = Resume
			default:
				if d, err := time.ParseDuration(string(line)); err == nil && d >= 0 {
					l.Linger = d
				}
				text = append(append(text[:0], line...), '\n')
				l.Text = text
			}
			if !yield(l) {
				return
			}
		}
	}
}

// Port is what a host says of a port that was asked for with ProbePorts, on a line
// of JSON.
type Port struct {
	Port    int    `json:"port"`              // that can be had
	Problem string `json:"problem,omitempty"` // why it cannot
}

// WritePorts says what is known of ports, and ReadPorts reads it.
func WritePorts(w io.Writer, ports []Port) error {
	out := json.NewEncoder(w)
	for _, p := range ports {
		if err := out.Encode(p); err != nil {
			return err
		}
	}
	return nil
}

// ReadPorts is described at [WritePorts]. What is no line of it is passed over.
func ReadPorts(r io.Reader) []Port {
	var ports []Port
	for line := range lines(r) {
		var p Port
		if json.Unmarshal(line, &p) == nil && (p.Port > 0 && p.Port <= 65535 || p.Problem != "") {
			ports = append(ports, p)
		}
	}
	return ports
}

package control

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"sync"
	"time"

	"github.com/scalemodel/lamport/pkg/summary"
)

// Grace is how much longer than its linger a machine may take to end, once it is
// told to.
const Grace = 5 * time.Second

// Session is the vm's end of the conversation.
type Session struct {
	stdin   io.Reader
	reports *json.Encoder
	gate    chan struct{}
	open    func() // the gate; may be called again
}

// NewSession returns the end of a vm process with these standard files. Nothing is
// read before [Session.Run].
func NewSession(stdin io.Reader, stdout io.Writer) *Session {
	gate := make(chan struct{})
	return &Session{
		stdin:   stdin,
		reports: json.NewEncoder(stdout),
		gate:    gate,
		open:    sync.OnceFunc(func() { close(gate) }),
	}
}

// Gate returns a channel that is closed when the launcher opens the gate.
func (s *Session) Gate() <-chan struct{} { return s.gate }

// Report tells the launcher how far the machine is. It is called by one goroutine
// at a time.
func (s *Session) Report(status summary.Status) {
	_ = s.reports.Encode(status) // nobody is there to hear that nobody is there
}

// OverdueError says that a machine has not ended in time after it was told to.
type OverdueError struct{ Limit time.Duration }

func (e *OverdueError) Error() string {
	return fmt.Sprintf("did not stop in order within %v", e.Limit)
}

// Run calls machine and returns its error. The context that it gives it ends when
// the lifeline does, with what cause makes of the time to linger: linger, unless the
// launcher has given another.
//
// Where the machine does not return within [Grace] and that time after the end of
// the lifeline, Run returns an [OverdueError] without it; the process must then
// end.
func (s *Session) Run(ctx context.Context, linger time.Duration, cause func(linger time.Duration) error, machine func(context.Context) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	stopped := make(chan time.Duration, 1)
	go func() {
		d := s.listen(linger)
		stop(cause(d))
		stopped <- d
	}()
	ended := make(chan error, 1)
	go func() { ended <- machine(ctx) }()

	select {
	case err := <-ended:
		return err
	case linger = <-stopped:
	}
	limit := linger + min(Grace, math.MaxInt64-linger)
	select {
	case err := <-ended:
		return err
	case <-time.After(limit):
		return &OverdueError{limit}
	}
}

// listen obeys the lifeline until its end, and returns how long the machine may
// linger then.
func (s *Session) listen(linger time.Duration) time.Duration {
	for line := range lines(s.stdin) {
		if string(line) == goLine {
			s.open()
		} else if d, err := time.ParseDuration(string(line)); err == nil && d >= 0 {
			linger = d
		}
	}
	return linger
}

package health

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// Notifier tells the service manager that has started this process how it is, as
// sd_notify(3) describes. A nil Notifier tells nobody.
type Notifier struct {
	socket   *net.UnixAddr
	watchdog bool
}

// NewNotifier returns what the environment asks for: nil where no service manager wants
// to know.
func NewNotifier(getenv func(string) string, pid int) *Notifier {
	name := getenv("NOTIFY_SOCKET")
	if name == "" || name[0] != '/' && name[0] != '@' {
		return nil
	}
	// A name that begins with @ is in the abstract namespace, which net takes in this form too.
	n := &Notifier{socket: &net.UnixAddr{Name: name, Net: "unixgram"}}
	every, err := strconv.ParseUint(getenv("WATCHDOG_USEC"), 10, 63)
	watched := getenv("WATCHDOG_PID")
	n.watchdog = err == nil && every > 0 && (watched == "" || watched == strconv.Itoa(pid))
	return n
}

// say sends a datagram of assignments, one a line. A manager that does not listen has no use for it.
func (n *Notifier) say(lines ...string) {
	if n == nil {
		return
	}
	conn, err := net.DialUnix("unixgram", nil, n.socket)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)) // the machine does not wait for it
	_, _ = conn.Write([]byte(strings.Join(lines, "\n")))
}

// Ready says that the machine is in its run.
func (n *Notifier) Ready() { n.say("READY=1", "STATUS="+Running.String()) }

// Stopping says that the machine comes to its end.
func (n *Notifier) Stopping() { n.say("STOPPING=1", "STATUS="+Ending.String()) }

// Status says how it stands, and for a watchdog that the machine lives, if it does.
func (n *Notifier) Status(s State, steps uint64, clock uint64) {
	status := "STATUS=" + s.String()
	if steps > 0 {
		status += fmt.Sprintf(": step %d, clock %d", steps, clock)
	}
	if n != nil && n.watchdog && s.Live() {
		n.say(status, "WATCHDOG=1")
		return
	}
	n.say(status)
}

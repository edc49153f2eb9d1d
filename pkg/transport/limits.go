package transport

import "time"

// The limits of the protocol, in bytes. They are checked before anything is
// allocated, so what a stranger claims costs nothing.
const (
	MaxFrame     = 65_536 // of a frame: its type and body
	MaxHello     = 256    // of the first frame of a connection, which comes from somebody unknown
	MaxPayload   = 65_527 // of a message: a frame without its type and number
	MaxRun       = 64     // of a run's name
	MaxTerms     = 142    // of what a machine says of itself in HELLO and WELCOME
	MaxErrorText = 512    // of the text in an ERROR frame
)

// The limits of a node.
const (
	// DefaultWindow is how many messages a link holds unconsumed before its sender
	// has to wait, where Config.Window does not say otherwise.
	DefaultWindow = 262_144
	MaxWindow     = 2_147_483_647 // of Config.Window

	// MaxUnknown is how many connections may not have shown yet that they belong to
	// the run, beside one per machine; half as many from one address. Where the
	// process may not have as many open files, it is fewer. One more, and one that
	// has been silent for long is closed.
	MaxUnknown = 256

	HelloTimeout    = 10 * time.Second // for somebody unknown to say who it is: a hundred machines on two cores take a while
	WelcomeTimeout  = 10 * time.Second // for the answer: a busy peer may take longer
	AttachTimeout   = 10 * time.Second // for the connection before this one to end
	LastWordTimeout = time.Second      // for the last frame of a connection to arrive

	// DefaultPingInterval is after how long a silent connection is tried, where
	// Config.PingInterval does not say otherwise, and machines are not many.
	DefaultPingInterval = 2 * time.Second
	// SilentIntervals is for how many of these intervals a connection may be
	// silent before it is closed.
	SilentIntervals = 3

	// MaxDials is how many connections a node makes at one time while it starts.
	MaxDials = 32
)

// Descriptors returns how many files a process with one of so many machines has open
// once all its links stand: two for each peer, and at most so many for itself.
func Descriptors(machines int) int { return 2*(machines-1) + 16 }

// All machines of a run may be on one host, whose work is then that of all links:
// as many as the pairs.

// pingInterval returns the default for so many machines: with more than about 140,
// all links of one host together are tried 10,000 times a second.
func pingInterval(machines int) time.Duration {
	return max(DefaultPingInterval, time.Duration(machines*machines)*100*time.Microsecond)
}

// hundreds returns how many times as long as one of a hundred machines, one of so many
// waits for a HELLO or WELCOME.
func hundreds(machines int) time.Duration { return time.Duration(max(1, (machines+99)/100)) }

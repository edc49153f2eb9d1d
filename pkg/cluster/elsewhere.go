package cluster

import (
	"os/exec"
	"time"

	"github.com/scalemodel/lamport/pkg/control"
	"github.com/scalemodel/lamport/pkg/internal/standstill"
)

// Elsewhere is where the machines of a run are that are not processes of this host.
// Each is still a process for this one: that of a program here (ssh) whose standard
// files and exit code are those of the machine, or of its warden (package warden),
// there.
type Elsewhere interface {
	// Command returns the command, not started, that stands for the process of
	// machine id with these arguments.
	Command(id int, args []string) *exec.Cmd
	// Site says where machine id is.
	Site(id int) Site
	// Bring puts small texts, such as keys, into the directory of each machine, by
	// machine and name, for nobody's eyes but its user's.
	Bring(files []map[string][]byte) error
}

// Site is where a machine is.
type Site struct {
	Host    string // as people call it
	Address string // by which the other machines reach it, without a port
	Bind    string // the address that it listens on
	Dir     string // for its log, on the host
}

const (
	// orphan is how long a machine goes on that has lost its launcher and may come
	// back: until another process takes it over.
	orphan = 30 * time.Second
	// greeting is how many connections to one host may be in the making: its sshd
	// turns away some where there are more than ten (MaxStartups).
	greeting = 8
	// lostCode is the exit code of ssh where there is no connection.
	lostCode = 255
)

// handle is what this process can do to a machine's process besides what it tells
// the machine.
type handle interface {
	// kill ends it at once. It may have ended.
	kill()
	// hold stops it for a while, or lets it go on.
	hold(on bool) error
}

// near is a process of this host.
type near struct{ cmd *exec.Cmd }

func (p near) kill()              { _ = p.cmd.Process.Kill() }
func (p near) hold(on bool) error { return standstill.Hold(p.cmd.Process, on) }

// far is a process with a warden on another host.
type far struct {
	cmd      *exec.Cmd // of ssh
	lifeline *control.Lifeline
	patience time.Duration // for the host to obey, before the connection is given up
}

func (p far) kill() {
	p.lifeline.Kill()
	time.AfterFunc(p.patience, func() { _ = p.cmd.Process.Kill() }) // an error says that it has ended
}

func (p far) hold(on bool) error {
	p.lifeline.Hold(on)
	return nil
}

// greetings bounds how many machines of one host are being started.
type greetings map[string]chan struct{}

// begin waits until there is room on a host, and returns what gives it back.
func (g greetings) begin(host string) (done func()) {
	if g[host] == nil {
		g[host] = make(chan struct{}, greeting)
	}
	room := g[host]
	room <- struct{}{}
	return func() { <-room }
}

package main

import (
	"errors"
	"fmt"
	"net/http"
	"syscall"

	"github.com/scalemodel/lamport/pkg/certs"
	"github.com/scalemodel/lamport/pkg/cluster"
	"github.com/scalemodel/lamport/pkg/command"
	"github.com/scalemodel/lamport/pkg/exit"
	"github.com/scalemodel/lamport/pkg/fleet"
	"github.com/scalemodel/lamport/pkg/gather"
	"github.com/scalemodel/lamport/pkg/lab"
	"github.com/scalemodel/lamport/pkg/remote"
	"github.com/scalemodel/lamport/pkg/report"
	"github.com/scalemodel/lamport/pkg/rundir"
	"github.com/scalemodel/lamport/pkg/sim"
	"github.com/scalemodel/lamport/pkg/sweep"
	"github.com/scalemodel/lamport/pkg/trace"
)

// hints say how the flags of this program mend what went wrong. The packages say
// causes; they know of no flags.
var hints = []struct {
	cause error
	mend  string
}{
	{cluster.ErrPorts, ", or --ports auto"},
	{cluster.ErrNoVM, `: build it with "make build", or say where it is with --vm`},
	{cluster.ErrVM, " (choose another --vm, or leave it out to take the one beside this program)"},
	{cluster.ErrDescriptors, ` (allow more with "ulimit -n", or take fewer --machines)`},
	{cluster.ErrThreads, ` (allow more with "ulimit -u", or take fewer --machines)`},
	{cluster.ErrMemory, ` (take fewer --machines, or run them in virtual time with "launcher sim")`},
	{fleet.ErrNoProgram, `: make one with "make cross", or name one with --remote-vm`},
	{rundir.ErrUsed, ": choose another --out, or move it away"},
	{rundir.ErrUnwritable, " (choose another --out)"},
	{lab.ErrEmptyPart, ": choose other --from and --to"},
	{lab.ErrNoPart, ": leave out --from and --to, or name the directory of one of its runs"},
	{lab.ErrUnwritable, " (choose another --out)"},
	{lab.ErrOpen, ": give --tls-cert, --tls-key and --tls-ca, or say with --allow where the machines are (0.0.0.0/0,::/0 for anywhere)"},
	{lab.ErrNoGatherer, ": \"launcher certs\" puts it into the directory gather"},
	{gather.ErrBusy, ": end it, or choose another --out"},
	{lab.ErrNoPlace, ": say with --out where the page goes"},
	{lab.ErrOneClock, ": leave out --corrected"},
	{trace.ErrNoOffsets, ": leave out --corrected"},
	{lab.ErrLowDisk, " (--min-free says how much; 0 keeps nothing free)"},
	{sim.ErrTooManyLogs, ", and more with --logs=false"},
	{sweep.ErrUnchecked, "; with --virtual and --logs=false more"},
	{sweep.ErrNotASweep, ": choose another --out"},
	{sweep.ErrOtherSweep, ": choose another --out, or leave all flags but --out away to go on with it"},
	{sweep.ErrUnwritable, " (choose another --out)"},
}

// hint adds to an error what the user can do about it.
func hint(err error) error {
	if exit.Silent(err) {
		return err
	}
	hinted := command.Flagged(err)
	if port, ok := errors.AsType[*cluster.PortError](err); ok {
		switch {
		case errors.Is(port, syscall.EADDRINUSE):
			hinted = command.Hinted("", hinted, fmt.Sprintf(": end the program that holds it, or give machine %d another one with --ports (--ports auto takes free ones) (%v)",
				port.ID, syscall.EADDRINUSE))
		case errors.Is(port, syscall.EACCES):
			hinted = command.Hinted("", hinted, fmt.Sprintf(": choose one above 1023 (%v)", syscall.EACCES))
		}
	}
	if port, ok := errors.AsType[*fleet.PortError](err); ok {
		hinted = command.Hinted("", hinted, fmt.Sprintf(": end the program that holds it, or give machine %d another one with --ports (--ports auto takes free ones)", port.ID))
	}
	if _, ok := errors.AsType[*fleet.AskError](err); ok {
		hinted = command.Hinted("", hinted, ": give its key to ssh-add, or let its connections share one (ControlMaster in ~/.ssh/config)")
	}
	if _, ok := errors.AsType[*remote.ProgramError](err); ok {
		hinted = command.Hinted("", hinted, " (name another one with --ssh)")
	}
	if _, ok := errors.AsType[*lab.ProcessesError](err); ok {
		hinted = command.Hinted("", hinted, "; replay it without --processes")
	}
	if listen, ok := errors.AsType[*lab.ListenError](err); ok && errors.Is(listen, syscall.EADDRINUSE) {
		hinted = command.Hinted("", hinted, "; choose another --listen, or end the program that holds it")
	}
	if _, ok := errors.AsType[*gather.UnreachedError](err); ok {
		hinted = command.Hinted("", hinted, "; compare --to with the --listen of \"launcher gather\", which must be running, or try for longer with --timeout")
	}
	if refused, ok := errors.AsType[*gather.RefusedError](err); ok && refused.Status == http.StatusNotFound {
		hinted = command.Hinted("", hinted, "; compare --run and --machines of \"launcher gather\" with those of the run")
	}
	if _, ok := errors.AsType[*certs.OtherError](err); ok {
		hinted = command.Hinted("", hinted, ": choose another directory, or leave out --run")
	}
	if _, ok := errors.AsType[*report.VectorError](err); ok {
		hinted = command.Hinted("", hinted, " (allow more with --vector-memory, or export no vectors)")
	}
	for _, h := range hints {
		if errors.Is(err, h.cause) {
			hinted = command.Hinted("", hinted, h.mend)
		}
	}
	return hinted
}

package health

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"github.com/VictoriaMetrics/metrics"

	"github.com/scalemodel/lamport/pkg/transport"
	"github.com/scalemodel/lamport/pkg/vm"
)

// withTypes has the library say the types of the process's metrics.
var withTypes = sync.OnceFunc(func() { metrics.ExposeMetadata(true) })

// WriteMetrics writes the machine's figures in Prometheus' text format, version 0.0.4, and
// those of its process. Everything is read from what the machine counts anyway.
func (m *Monitor) WriteMetrics(w io.Writer) {
	r := m.report()
	o := &exposition{w: w}
	o.machine(m, &r)
	o.links(&r)
	withTypes()
	metrics.WriteProcessMetrics(w)
}

// exposition writes metrics.
type exposition struct {
	w    io.Writer
	name string // of the family that is being written
}

// family begins a metric with its type and its help.
func (o *exposition) family(name, kind, help string) {
	o.name = name
	_, _ = fmt.Fprintf(o.w, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

// sample writes one value of the family; labels alternate between names and values, and a
// suffix stands behind the name.
func (o *exposition) sample(suffix string, value float64, labels ...string) {
	b := append([]byte(o.name), suffix...)
	for i := 0; i < len(labels); i += 2 {
		b = append(b, "{,"[min(i, 1)])
		b = append(b, labels[i]...)
		b = append(b, '=')
		b = append(b, labelValue(labels[i+1])...)
	}
	if len(labels) > 0 {
		b = append(b, '}')
	}
	b = append(b, ' ')
	b = strconv.AppendFloat(b, value, 'g', -1, 64)
	_, _ = o.w.Write(append(b, '\n'))
}

var inLabel = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// labelValue quotes a value as the format has it.
func labelValue(s string) string { return `"` + inLabel.Replace(strings.ToValidUTF8(s, "?")) + `"` }

// one writes a family of one value.
func (o *exposition) one(name, kind, help string, value float64) {
	o.family(name, kind, help)
	o.sample("", value)
}

const (
	counter = "counter"
	gauge   = "gauge"
)

func (o *exposition) machine(m *Monitor, r *vm.Report) {
	o.family("lamport_build_info", gauge, "The program, always 1.")
	o.sample("", 1, "version", m.version, "goversion", runtime.Version())
	if r.Machines > 0 {
		o.family("lamport_machine_info", gauge, "The machine, always 1: its id, its rate in ticks per second, and how many there are in the run.")
		o.sample("", 1, "machine", strconv.Itoa(r.ID), "rate", r.Rate.String(), "machines", strconv.Itoa(r.Machines))
	}

	state := m.judge(r)
	o.family("lamport_state", gauge, "1 for the state that the machine is in, 0 for the others.")
	for s := range states {
		o.sample("", number(State(s) == state), "state", State(s).String())
	}
	o.one("lamport_live", gauge, "Whether the machine does what it should: what /healthz answers.", number(state.Live()))
	o.one("lamport_ready", gauge, "Whether the machine is in its run with all links up: what /readyz answers.", number(state.Ready()))
	if !r.Start.IsZero() {
		o.one("lamport_run_start_time_seconds", gauge, "When the run began, in seconds since 1970.", float64(r.Start.UnixMicro())/1e6)
	}

	o.family("lamport_events_total", counter, "Executed instructions by kind, since the start of the run.")
	o.sample("", float64(r.Internal), "kind", "internal")
	o.sample("", float64(r.Sends), "kind", "send")
	o.sample("", float64(r.Receives), "kind", "receive")
	o.one("lamport_clock", gauge, "The logical clock.", float64(r.Clock))
	o.one("lamport_queue_messages", gauge, "Messages that wait in the machine's queue, after its last instruction.", float64(r.Queue))
	o.one("lamport_ticks_missed_total", counter, "Ticks that were due and never ran.", float64(r.Missed))
	o.family("lamport_tick_lateness_seconds", "histogram", "When a tick ran minus when it was due; none for a machine without a pace.")
	ticks := uint64(0)
	for i, n := range r.Lateness.Ticks {
		ticks += n
		bound := "+Inf"
		if i < len(vm.LatenessBounds) {
			bound = strconv.FormatFloat(vm.LatenessBounds[i].Seconds(), 'g', -1, 64)
		}
		o.sample("_bucket", float64(ticks), "le", bound)
	}
	o.sample("_sum", r.Lateness.Sum.Seconds())
	o.sample("_count", float64(ticks))
	o.one("lamport_stalls_total", counter, "Steps that were held back by a full window of a link.", float64(r.Stalls))
	o.one("lamport_stalled_seconds_total", counter, "How long steps were held back so, in all.", r.StalledFor.Seconds())
	if info, err := os.Stat(r.Log); r.Log != "" && err == nil {
		o.one("lamport_log_bytes", gauge, "Size of the event log.", float64(info.Size()))
	}
}

func (o *exposition) links(r *vm.Report) {
	w := r.Wire
	o.one("lamport_link_sent_messages_total", counter, "Messages given to the links, each once.", float64(w.Messages))
	o.one("lamport_link_received_messages_total", counter, "Messages of the peers that were consumed.", float64(r.Receives))
	o.one("lamport_link_sent_bytes_total", counter, "Bytes sent on the links, without handshakes.", float64(w.Bytes))
	o.one("lamport_link_received_bytes_total", counter, "Bytes received on the links, without handshakes.", float64(r.Received))
	o.one("lamport_link_sent_frames_total", counter, "Frames sent on the links, of all types.", float64(w.Frames))
	o.one("lamport_link_writes_total", counter, "Writes in which the frames were given to the system.", float64(w.Writes))
	o.one("lamport_link_sent_acknowledgements_total", counter, "Acknowledgements among the frames.", float64(w.Acks))
	o.one("lamport_link_resent_messages_total", counter, "Messages sent again after a connection broke.", float64(w.Resent))
	o.one("lamport_link_duplicates_total", counter, "Messages that came again and were dropped.", float64(w.Duplicates))
	o.one("lamport_link_reconnects_total", counter, "Connections made after the first, over all links.", float64(w.Reconnects))
	o.one("lamport_link_refused_total", counter, "Incoming connections that were turned away, or closed for what they carried.", float64(w.Refused))

	o.family("lamport_link_up", gauge, "Whether the connection to or from a peer stands.")
	o.byPeer(r, func(l *transport.LinkStats, peer string) {
		o.sample("", number(l.To), "peer", peer, "direction", "to")
		o.sample("", number(l.From), "peer", peer, "direction", "from")
	})
	o.family("lamport_link_outbox_messages", gauge, "Messages to a peer that it has not consumed yet.")
	o.byPeer(r, func(l *transport.LinkStats, peer string) { o.sample("", float64(l.Unconsumed), "peer", peer) })
	o.family("lamport_link_window_messages", gauge, "How many messages to a peer may be unconsumed.")
	o.byPeer(r, func(l *transport.LinkStats, peer string) { o.sample("", float64(l.Window), "peer", peer) })
	o.family("lamport_link_acknowledged_messages_total", counter, "Messages of a peer whose consumption was logged and acknowledged, since the start of the run.")
	o.byPeer(r, func(l *transport.LinkStats, peer string) { o.sample("", float64(l.Consumed), "peer", peer) })
}

// byPeer calls f for each peer whose id is known.
func (o *exposition) byPeer(r *vm.Report, f func(l *transport.LinkStats, peer string)) {
	for i := range r.Links {
		if l := &r.Links[i]; l.Peer != transport.AnyID {
			f(l, strconv.Itoa(l.Peer))
		}
	}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

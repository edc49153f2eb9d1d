package trace_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/logging"
	"github.com/scalemodel/lamport/pkg/rundir"
	"github.com/scalemodel/lamport/pkg/trace/tracetest"
)

// host is a computer on which machines keep their pace, as package vm does, and on
// which things happen. All times are true ones, since the start. The machines do not
// talk to each other, so that the log of each can be changed by itself.
type host struct {
	rates    []clock.Rate
	duration time.Duration
	jitter   time.Duration // ticks are late by up to that
	seed     uint64
	pauses   []pause
	steps    []clockStep
	// ends is when single machines are stopped; with lingers, they wait for the
	// others before they write their stop lines.
	ends    map[int]time.Duration
	lingers bool
}

// pause holds a machine up; machine -1: all.
type pause struct {
	machine    int
	at, length time.Duration
}

// clockStep sets the system's clock.
type clockStep struct{ at, by time.Duration }

// shows returns what the system's clock shows.
func (h *host) shows(at time.Duration) time.Time {
	shown := tracetest.Start.Add(at)
	for _, s := range h.steps {
		if s.at <= at {
			shown = shown.Add(s.by)
		}
	}
	return shown
}

// free returns when a machine can go on that wants to at this instant.
func (h *host) free(machine int, at time.Duration) time.Duration {
	for _, p := range h.pauses {
		if (p.machine == machine || p.machine < 0) && p.at <= at && at < p.at+p.length {
			return p.at + p.length
		}
	}
	return at
}

// logs returns the logs of the run, and how many ticks each machine missed.
func (h *host) logs() (logs, []uint64) {
	rng := rand.New(rand.NewPCG(h.seed, 1))
	all, missed := make(logs), make([]uint64, len(h.rates))
	for id, rate := range h.rates {
		var b strings.Builder
		line := func(at time.Duration, format string, args ...any) {
			fmt.Fprintf(&b, "%s [INFO]  vm-%d: ", h.shows(at).Format("2006-01-02T15:04:05.000000Z"), id)
			fmt.Fprintf(&b, format+"\n", args...)
		}
		var peers []string
		for p := range h.rates {
			if p != id {
				peers = append(peers, fmt.Sprint(p))
			}
		}
		list := strings.Join(peers, ",")
		if len(peers) != 1 {
			list = `"` + list + `"`
		}
		line(0, "start: version=1 run=host machines=%d rate=%v seed=1 die=10 peers=%s", len(h.rates), rate, list)
		end := h.duration
		if at, ok := h.ends[id]; ok {
			end = at
		}
		steps := uint64(0)
		next, last, now := uint64(1), rate.Ticks(int64(end)), time.Duration(0)
		for ; next <= last; next++ {
			late := time.Duration(0)
			if h.jitter > 0 {
				late = time.Duration(rng.Int64N(int64(h.jitter)))
			}
			now = h.free(id, max(now, time.Duration(rate.Due(next))+late))
			if now-time.Duration(rate.Due(next)) > 100*time.Millisecond && int64(now) > rate.Due(next+1) {
				latest := min(rate.Ticks(int64(now)), last)
				missed[id] += latest - next
				next = latest
			}
			steps++
			line(now, "internal: step=%d clock=%d queue=0", steps, steps)
		}
		if h.lingers {
			end = h.duration
		}
		line(h.free(id, max(now, end))+time.Millisecond, `stop: step=%d clock=%d queue=0 pending=""`, steps, steps)
		all[logging.FileName(id, rate)] = b.String()
	}
	return all, missed
}

// record puts the run's record beside its logs, changed by change if that is not nil.
func (h *host) record(t require.TestingT, l logs, change func(*rundir.Record)) {
	r := &rundir.Record{Version: "test", Spec: experiment.Spec{
		Common: experiment.Common{Run: "host", Die: 10, Seed: 1, Duration: h.duration},
		Rates:  h.rates,
	}}
	if change != nil {
		change(r)
	}
	b, err := json.Marshal(r)
	require.NoError(t, err)
	l[rundir.RecordName] = string(b)
}

func hertz(rates ...uint64) []clock.Rate { return tracetest.Hertz(rates...) }

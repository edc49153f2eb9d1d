package main

// What is measured. A new row is one line here, and a new section of columns also one in
// page.md. A test holds every row against the benchmarks that there are.

const (
	whole = "pkg/internal/bench/whole"
	peers = "pkg/internal/bench/peers"
	wire  = "pkg/transport BenchmarkWire"
)

var sections = []Section{
	{Name: "stages", Set: Stages, Key: "stage", Rows: []Row{
		{What: "clock: tick", Of: "pkg/clock BenchmarkTick", Time: "100ms", Rival: "one atomic addition", Ours: Reading{"/lamport", "ns/op"}, Other: Reading{"/atomic-add", "ns/op"}},
		{What: "clock: receive", Of: "pkg/clock BenchmarkReceive", Time: "100ms", Rival: "one atomic addition", Ours: Reading{"/lamport", "ns/op"}, Other: Reading{"/atomic-add", "ns/op"}},
		{What: "log: one line", Of: "pkg/logging BenchmarkWriterEvent", Time: "200ms", Rival: "hclog", Ours: Reading{"/logging", "ns/op"}, Other: Reading{"/hclog", "ns/op"}},
		{What: "link: one message", Of: "pkg/transport BenchmarkLinkAgainstRaw", Time: "4000000x", Rival: "frames over bare TCP", Ours: Reading{"", "link-ns/msg"}, Other: Reading{"", "frames-ns/msg"}},
		{What: "link over TLS: one message", Of: "pkg/transport BenchmarkLinkOverTLS", Time: "4000000x", Rival: "the link without", Ours: Reading{"", "tls-ns/msg"}, Other: Reading{"", "plain-ns/msg"}},
		{What: "one message between processes at 1, 5, 4 ticks/s: one way", Of: "pkg/transport BenchmarkOneWay", Time: "1x", Most: 2, Flags: "-wire.time 60s", Rival: "one over bare TCP", Ours: Reading{"", "ns-delay"}, Other: Reading{"", "bare-ns-delay"}, Goal: Goal{Time: 100e3, Ratio: 0.67, Either: true}},
		{What: "`launcher run --machines 3 --rates max`, with logs", Of: "pkg/vm BenchmarkPipeline/limit", Time: "1x", Whole: true, Most: 3, Rival: "its parts alone", Goal: Goal{Rate: 7e6, Ratio: 0.9, Either: true}},
		{What: "`check`, 10 million events", Of: whole + " BenchmarkReading/check", Time: "1x", Rival: "`wc -l`", Goal: Goal{Rate: 15e6, Ratio: 0.35}},
		{What: "`stats`", Of: whole + " BenchmarkReading/stats", Time: "1x", Rival: "`wc -l`", Goal: Goal{Rate: 15e6, Ratio: 0.35}},
		{What: "`report`", Of: whole + " BenchmarkReading/report", Time: "1x", Rival: "`wc -l`"},
		{What: "`export --format csv`", Of: whole + " BenchmarkReading/csv", Time: "1x", Rival: "`cat`", Goal: Goal{Rate: 6e6}},
		{What: "`export --format jsonl`", Of: whole + " BenchmarkReading/jsonl", Time: "1x", Rival: "`cat`", Goal: Goal{Rate: 6e6}},
		{What: "`export --format csv -o FILE`", Of: whole + " BenchmarkReading/csv-file", Time: "1x", Rival: "`cat` into a file"},
		{What: "`replay`", Of: whole + " BenchmarkReading/replay", Time: "1x", Rival: "`wc -l`", Goal: Goal{Rate: 10e6}},
		{What: "`check`, in the process, 100 machines", Of: "pkg/trace BenchmarkCheck/machines=100", Time: "1x", Rival: "counting newlines"},
		{What: "the same, 3 machines", Of: "pkg/trace BenchmarkCheck/machines=3", Time: "1x", Rival: "counting newlines"},
		{What: "virtual time: 3 machines", Of: "pkg/sim BenchmarkMachines/machines=3/latency=1ms/phase=together", Time: "1x", Rival: "one heap"},
		{What: "1,000 machines", Of: "pkg/sim BenchmarkMachines/machines=1000/latency=1ms/phase=together", Time: "1x", Rival: "one heap"},
		{What: "1,000 machines, random phases", Of: "pkg/sim BenchmarkMachines/machines=1000/latency=1ms/phase=random", Time: "1x", Rival: "one heap", Goal: Goal{Rate: 30e6}},
		{What: "100,000 machines", Of: "pkg/sim BenchmarkMachines/machines=100000/latency=1ms/phase=together", Time: "1x", Rival: "one heap"},
		{What: "3 machines, with logs on disk", Of: "pkg/sim BenchmarkLogs/machines=3", Time: "1x", Rival: "writing the bytes", Goal: Goal{Rate: 12e6}},
		{What: "1,000 machines, with logs on disk", Of: "pkg/sim BenchmarkLogs/machines=1000", Time: "1x", Rival: "writing the bytes"},
		{What: "PHOLD, 10⁴ processes, 0.1 remote, one core", Of: "pkg/sim/internal/phold BenchmarkPHOLD/lps=10000/remote=0.1/workers=1", Time: "1x", Rival: "one heap", Goal: Goal{Rate: 10e6}},
		{What: "10⁴ processes, 0.5 remote", Of: "pkg/sim/internal/phold BenchmarkPHOLD/lps=10000/remote=0.5/workers=1", Time: "1x", Rival: "one heap", Goal: Goal{Rate: 10e6}},
		{What: "10⁴ processes, 1 remote", Of: "pkg/sim/internal/phold BenchmarkPHOLD/lps=10000/remote=1/workers=1", Time: "1x", Rival: "one heap", Goal: Goal{Rate: 10e6}},
		{What: "PHOLD, 10⁶ processes, 0.1 remote, one core", Of: "pkg/sim/internal/phold BenchmarkPHOLD/lps=1000000/remote=0.1/workers=1", Time: "1x", Rival: "one heap", Goal: Goal{Rate: 5e6}},
		{What: "10⁶ processes, 0.5 remote", Of: "pkg/sim/internal/phold BenchmarkPHOLD/lps=1000000/remote=0.5/workers=1", Time: "1x", Rival: "one heap", Goal: Goal{Rate: 5e6}},
		{What: "10⁶ processes, 1 remote", Of: "pkg/sim/internal/phold BenchmarkPHOLD/lps=1000000/remote=1/workers=1", Time: "1x", Rival: "one heap", Goal: Goal{Rate: 5e6}},
		{What: "`sim --machines 1000000 --logs=false`, 60 s", Of: whole + " BenchmarkMillion", Time: "1x", Most: 3, Rival: "the engine alone", Goal: Goal{Rate: 15e6}},
	}},

	{Name: "clocks", Set: Stages, Key: "ns", Columns: []Column{
		{"plain value", Reading{"/value", "ns/op"}}, {"`clock.Lamport`", Reading{"/lamport", "ns/op"}},
		{"behind a mutex", Reading{"/mutex", "ns/op"}}, {"`atomic.Add` alone", Reading{"/atomic-add", "ns/op"}},
	}, Rows: []Row{
		{What: "tick", Of: "pkg/clock BenchmarkTick", Time: "100ms"},
		{What: "receive", Of: "pkg/clock BenchmarkReceive", Time: "100ms"},
		{What: "both", Of: "pkg/clock BenchmarkTickReceive", Time: "100ms"},
	}},
	{Name: "machine", Set: Stages, Key: "one step", Columns: []Column{{"ns", Reading{"", "ns/op"}}, {"allocations", Reading{"", "allocs/op"}}}, Rows: []Row{
		{What: "internal", Of: "pkg/machine BenchmarkStep/internal", Time: "100ms"},
		{What: "send", Of: "pkg/machine BenchmarkStep/send", Time: "100ms"},
		{What: "delivery and receive", Of: "pkg/machine BenchmarkDeliverReceive/queue-of-1", Time: "100ms"},
	}},
	{Name: "log", Set: Stages, Key: "one event", Columns: []Column{{"ns", Reading{"", "ns/op"}}, {"allocations", Reading{"", "allocs/op"}}}, Rows: []Row{
		{What: "write", Of: "pkg/logging BenchmarkWriterEvent/logging", Time: "200ms"},
		{What: "write, each in a new second", Of: "pkg/logging BenchmarkWriterEvent/logging/second", Time: "200ms"},
		{What: "the same line by hclog", Of: "pkg/logging BenchmarkWriterEvent/hclog", Time: "200ms"},
		{What: "read", Of: "pkg/logging BenchmarkReader/event", Time: "200ms"},
	}},
	{Name: "link", Set: Stages, Key: "8-byte messages, ns", Columns: []Column{
		{"link", Reading{"", "link-ns/msg"}}, {"one call per message", Reading{"", "singly-ns/msg"}}, {"frames", Reading{"", "frames-ns/msg"}}, {"bytes", Reading{"", "bytes-ns/msg"}},
		{"frames / link", Reading{"", "link/frames"}}, {"bytes / link", Reading{"", "link/bytes"}},
	}, Rows: []Row{
		{What: "plain", Of: "pkg/transport BenchmarkLinkAgainstRaw", Time: "4000000x"},
	}},
	{Name: "handshake", Set: Stages, Key: "", Columns: []Column{{"ns", Reading{"", "ns/op"}}, {"allocations", Reading{"", "allocs/op"}}}, Rows: []Row{
		{What: "a handshake, both ends, on all cores", Of: "pkg/certs BenchmarkHandshake", Time: "200ms"},
	}},

	{Name: "messages", Set: Stages, Key: "for each message", Columns: []Column{
		{"frames", Reading{"", "frames/message"}}, {"bytes", Reading{"", "bytes/message"}}, {"packets", Reading{"", "packets/message"}}, {"writes", Reading{"", "writes/message"}},
		{"system calls", Reading{"", "calls/message"}}, {"one way, p50, µs", Reading{"", "µs-delay"}},
	}, Rows: []Row{
		{What: "1, 5, 4 ticks/s: ours", Of: wire + "/rates=default/way=ours", Time: "1x", Whole: true, Most: 2, Flags: "-wire.time 60s"},
		{What: "ours, in three processes", Of: "pkg/transport BenchmarkOneWay", Time: "1x", Most: 2, Flags: "-wire.time 60s"},
		{What: "one `send` for each, as the original", Of: wire + "/rates=default/way=original", Time: "1x", Whole: true, Most: 2, Flags: "-wire.time 60s"},
		{What: "one connection for each pair", Of: wire + "/rates=default/way=pair", Time: "1x", Whole: true, Most: 2, Flags: "-wire.time 60s"},
		{What: "1,000 ticks/s: ours", Of: wire + "/rates=1kHz/way=ours", Time: "1x", Whole: true, Most: 2, Flags: "-wire.time 60s"},
		{What: "one `send` for each", Of: wire + "/rates=1kHz/way=original", Time: "1x", Whole: true, Most: 2, Flags: "-wire.time 60s"},
		{What: "one connection for each pair", Of: wire + "/rates=1kHz/way=pair", Time: "1x", Whole: true, Most: 2, Flags: "-wire.time 60s"},
		{What: "full speed: ours", Of: wire + "/rates=max/way=ours", Time: "1x", Whole: true, Most: 2, Flags: "-wire.time 60s"},
		{What: "one `send` for each", Of: wire + "/rates=max/way=original", Time: "1x", Whole: true, Most: 2, Flags: "-wire.time 60s"},
		{What: "one connection for each pair", Of: wire + "/rates=max/way=pair", Time: "1x", Whole: true, Most: 2, Flags: "-wire.time 60s"},
	}},
	{Name: "wire", Set: Stages, Key: "a minute of the default cluster", Columns: []Column{
		{"frames per message", Reading{"", "frames/message"}}, {"acknowledgements", Reading{"", "acks/message"}}, {"bytes", Reading{"", "bytes/message"}},
		{"writes", Reading{"", "writes/message"}}, {"processor, % of a core", Reading{"", "%-core"}}, {"MB per process", Reading{"", "MB/process"}},
	}, Rows: []Row{
		{What: "rates 1, 5, 4", Of: whole + " BenchmarkMinute/default", Time: "1x"},
	}},
	{Name: "recovery", Set: Stages, Key: "messages for each kill of machine 0", Columns: []Column{
		{"sent again", Reading{"", "resent/kill"}}, {"at most", Reading{"", "unconsumed/kill"}},
	}, Rows: []Row{
		{What: "rates 1, 5, 4", Of: whole + " BenchmarkRecovery/rates=default", Time: "1x", Most: 2},
		{What: "200, 1,000, 800", Of: whole + " BenchmarkRecovery/rates=1kHz", Time: "1x", Most: 2},
	}},
	{Name: "pace", Set: Stages, Key: "rates, paced by", Columns: []Column{
		{"rate error, ppm", Reading{"", "ppm"}}, {"phase at the end, µs", Reading{"", "end-µs"}}, {"p50 late, µs", Reading{"", "p50-µs"}}, {"p99", Reading{"", "p99-µs"}},
		{"latest", Reading{"", "max-µs"}}, {"ticks missed", Reading{"", "missed"}},
	}, Rows: []Row{
		{What: "1, 5, 4: `vm`", Of: "pkg/vm BenchmarkPace/rates=1,5,4/vm", Time: "1x", Flags: "-pace 4s"},
		{What: "`time.Ticker`", Of: "pkg/vm BenchmarkPace/rates=1,5,4/Ticker", Time: "1x", Flags: "-pace 4s"},
		{What: "`time.Sleep` to the due time", Of: "pkg/vm BenchmarkPace/rates=1,5,4/Sleep", Time: "1x", Flags: "-pace 4s"},
		{What: "1000: `vm`", Of: "pkg/vm BenchmarkPace/rates=1000/vm", Time: "1x", Flags: "-pace 4s"},
		{What: "`time.Ticker`", Of: "pkg/vm BenchmarkPace/rates=1000/Ticker", Time: "1x", Flags: "-pace 4s"},
		{What: "`time.Sleep` to the due time", Of: "pkg/vm BenchmarkPace/rates=1000/Sleep", Time: "1x", Flags: "-pace 4s"},
	}},
	{Name: "beside", Set: Stages, Key: "machines of 0.1 and 5 ticks/s", Columns: []Column{
		{"p50 late, µs", Reading{"", "p50-µs"}}, {"p99", Reading{"", "p99-µs"}}, {"latest", Reading{"", "max-µs"}}, {"steps held back", Reading{"", "stalls"}},
		{"MB of the largest process", Reading{"", "MB-resident"}},
	}, Rows: []Row{
		{What: "beside a third slow one: `--rates 1,0.1,5`", Of: "pkg/vm BenchmarkSlowBesideFast/rates=1,0.1,5", Time: "1x", Most: 3, Flags: "-pace 30s"},
		{What: "beside one at full speed: `--rates max,0.1,5`", Of: "pkg/vm BenchmarkSlowBesideFast/rates=max,0.1,5", Time: "1x", Most: 3, Flags: "-pace 30s"},
	}},
	{Name: "ticks", Set: Stages, Key: "three paced machines", Columns: []Column{
		{"user, ns per event", Reading{"", "ns-user/event"}}, {"kernel", Reading{"", "ns-kernel/event"}}, {"writes per message", Reading{"", "writes/message"}}, {"ticks missed", Reading{"", "missed"}},
	}, Rows: []Row{
		{What: "1,000 ticks/s", Of: "pkg/vm BenchmarkFastTicks/rate=1000", Time: "1x", Flags: "-pace 2s"},
		{What: "10,000", Of: "pkg/vm BenchmarkFastTicks/rate=10000", Time: "1x", Flags: "-pace 2s"},
		{What: "50,000", Of: "pkg/vm BenchmarkFastTicks/rate=50000", Time: "1x", Flags: "-pace 2s"},
	}},
	{Name: "hundred", Set: Stages, Key: "100 machines, 9,900 links", Columns: []Column{
		{"all links up, s", Reading{"", "s"}}, {"processor time, s", Reading{"", "cpu-s"}},
	}, Rows: []Row{
		{What: "plain", Of: whole + " BenchmarkStart/plain", Time: "1x", Most: 3},
		{What: "`--tls`", Of: whole + " BenchmarkStart/tls", Time: "1x", Most: 3},
	}},
	{Name: "budget", Set: Stages, Key: "one event at full speed", Columns: []Column{
		{"user, ns", Reading{"", "ns-user/event"}}, {"kernel, ns", Reading{"", "ns-kernel/event"}},
	}, Rows: []Row{
		{What: "a step of the machine", Of: "pkg/vm BenchmarkPipeline/step", Time: "1x", Whole: true, Most: 3},
		{What: "reading the clock", Of: "pkg/vm BenchmarkPipeline/clock", Time: "1x", Whole: true, Most: 3},
		{What: "its line", Of: "pkg/vm BenchmarkPipeline/format", Time: "1x", Whole: true, Most: 3},
		{What: "`write` of the lines", Of: "pkg/vm BenchmarkPipeline/write", Time: "1x", Whole: true, Most: 3},
		{What: "its messages over links", Of: "pkg/vm BenchmarkPipeline/links", Time: "1x", Whole: true, Most: 3},
		{What: "all parts: the limit", Of: "pkg/vm BenchmarkPipeline/limit", Time: "1x", Whole: true, Most: 3},
		{What: "the rest", Of: "pkg/vm BenchmarkPipeline/rest", Time: "1x", Whole: true, Most: 3},
		{What: "the whole", Of: "pkg/vm BenchmarkPipeline/whole", Time: "1x", Whole: true, Most: 3},
	}},
	{Name: "memory", Set: Stages, Key: "10 million events", Columns: []Column{{"MB at most", Reading{"", "MB"}}}, Rows: []Row{
		{What: "`check`", Of: whole + " BenchmarkReading/check", Time: "1x"},
		{What: "`stats`", Of: whole + " BenchmarkReading/stats", Time: "1x"},
		{What: "`report`", Of: whole + " BenchmarkReading/report", Time: "1x"},
		{What: "`export --format csv`", Of: whole + " BenchmarkReading/csv", Time: "1x"},
		{What: "`export --format jsonl`", Of: whole + " BenchmarkReading/jsonl", Time: "1x"},
		{What: "`replay`", Of: whole + " BenchmarkReading/replay", Time: "1x"},
	}},

	{Name: "workers", Set: Stages, Key: "a million machines in virtual time", Columns: []Column{{"events/s", Reading{"", "events/s"}}}, Rows: []Row{
		{What: "one core", Of: "pkg/sim BenchmarkWorkers/machines=1000000/workers=1", Time: "1x"},
		{What: "two cores", Of: "pkg/sim BenchmarkWorkers/machines=1000000/workers=2", Time: "1x"},
	}},

	{Name: "faults", Set: Stages, Key: "one decision, ns", Columns: []Column{
		{"no plan", Reading{"/none", "ns/op"}}, {"five faults", Reading{"/few", "ns/op"}}, {"30,000 faults", Reading{"/large", "ns/op"}},
	}, Rows: []Row{
		{What: "`Blocked`", Of: "pkg/fault BenchmarkBlocked", Time: "50ms"},
		{What: "`Delay`", Of: "pkg/fault BenchmarkDelay", Time: "50ms"},
		{What: "`NotReading`", Of: "pkg/fault BenchmarkNotReading", Time: "50ms"},
	}},
	{Name: "cones", Set: Stages, Key: "a question about a million events, ns", Columns: []Column{
		{"past", Reading{"/past", "ns/op"}}, {"future", Reading{"/future", "ns/op"}}, {"shortest chain", Reading{"/shortest", "ns/op"}},
	}, Rows: []Row{
		{What: "3 machines", Of: "pkg/causal BenchmarkCones/3 machines", Time: "100ms"},
		{What: "100 machines", Of: "pkg/causal BenchmarkCones/100 machines", Time: "100ms"},
	}},
	{Name: "page", Set: Stages, Key: "a page in Chromium", Columns: []Column{
		{"script per frame, p50, ms", Reading{"", "script-p50-ms"}}, {"p99", Reading{"", "script-p99-ms"}},
		{"between frames, p50, ms", Reading{"", "frame-p50-ms"}}, {"p99", Reading{"", "frame-p99-ms"}},
	}, Rows: []Row{
		{What: "100 machines, 20,880 events", Of: "pkg/page BenchmarkFrames/hundred", Time: "1x"},
		{What: "3 machines, 1,000,000 events", Of: "pkg/page BenchmarkFrames/1M", Time: "1x"},
	}},

	{Name: "peers", Set: Peers, Key: "stage", Rows: []Row{
		{What: "clock: tick", Of: peers + "/go BenchmarkClock", Time: "100ms", Rival: "serf: Increment", Ours: Reading{"/tick/ours", "ns/op"}, Other: Reading{"/tick/serf", "ns/op"}},
		{What: "clock: receive", Of: peers + "/go BenchmarkClock", Time: "100ms", Rival: "serf: Witness", Ours: Reading{"/receive/ours", "ns/op"}, Other: Reading{"/receive/serf", "ns/op"}},
		{What: "log: one line", Of: "pkg/logging BenchmarkWriterEvent", Time: "200ms", Rival: "hclog", Ours: Reading{"/logging", "ns/op"}, Other: Reading{"/hclog", "ns/op"}},
	}},
	{Name: "model", Set: Peers, Key: "events/s of the model", Columns: againstPeer, Rows: []Row{
		{What: "3 machines: SimPy", Of: peers + " BenchmarkModel/SimPy/machines=3", Time: "1x"},
		{What: "SimGrid", Of: peers + " BenchmarkModel/SimGrid/machines=3", Time: "1x"},
		{What: "ns-3", Of: peers + " BenchmarkModel/ns-3/machines=3", Time: "1x"},
		{What: "1,000 machines: SimPy", Of: peers + " BenchmarkModel/SimPy/machines=1000", Time: "1x"},
		{What: "SimGrid", Of: peers + " BenchmarkModel/SimGrid/machines=1000", Time: "1x"},
		{What: "ns-3", Of: peers + " BenchmarkModel/ns-3/machines=1000", Time: "1x"},
		{What: "100,000 machines: SimPy", Of: peers + " BenchmarkModel/SimPy/machines=100000", Time: "1x"},
		{What: "10,000 machines: SimGrid", Of: peers + " BenchmarkModel/SimGrid/machines=10000", Time: "1x"},
		{What: "100,000 machines: ns-3", Of: peers + " BenchmarkModel/ns-3/machines=100000", Time: "1x"},
	}},
	{Name: "phold", Set: Peers, Key: "events/s of PHOLD", Columns: againstPeer, Rows: []Row{
		{What: "10⁴ processes, 0.1 remote: SimPy", Of: peers + " BenchmarkPHOLD/SimPy/lps=10000/remote=0.1", Time: "1x"},
		{What: "SimGrid", Of: peers + " BenchmarkPHOLD/SimGrid/lps=10000/remote=0.1", Time: "1x"},
		{What: "ns-3", Of: peers + " BenchmarkPHOLD/ns-3/lps=10000/remote=0.1", Time: "1x"},
		{What: "0.5 remote: SimPy", Of: peers + " BenchmarkPHOLD/SimPy/lps=10000/remote=0.5", Time: "1x"},
		{What: "SimGrid", Of: peers + " BenchmarkPHOLD/SimGrid/lps=10000/remote=0.5", Time: "1x"},
		{What: "ns-3", Of: peers + " BenchmarkPHOLD/ns-3/lps=10000/remote=0.5", Time: "1x"},
		{What: "all remote: SimPy", Of: peers + " BenchmarkPHOLD/SimPy/lps=10000/remote=1", Time: "1x"},
		{What: "SimGrid", Of: peers + " BenchmarkPHOLD/SimGrid/lps=10000/remote=1", Time: "1x"},
		{What: "ns-3", Of: peers + " BenchmarkPHOLD/ns-3/lps=10000/remote=1", Time: "1x"},
		{What: "10⁶ processes, 0.5 remote: SimPy", Of: peers + " BenchmarkPHOLD/SimPy/lps=1000000/remote=0.5", Time: "1x"},
		{What: "SimGrid", Of: peers + " BenchmarkPHOLD/SimGrid/lps=1000000/remote=0.5", Time: "1x"},
		{What: "ns-3", Of: peers + " BenchmarkPHOLD/ns-3/lps=1000000/remote=0.5", Time: "1x"},
	}},

	{Name: "processes", Set: Scaling, Key: "machines", Columns: []Column{
		{"all links up, s", Reading{"", "s"}}, {"events/s at full speed", Reading{"", "events/s"}}, {"MB per process", Reading{"", "MB/process"}},
		{"kB per link", Reading{"", "kB/link"}}, {"processor per machine, % of a core", Reading{"", "%-core/machine"}},
	}, Rows: []Row{
		{What: "3", X: 3, Of: whole + " BenchmarkMachines/N=3", Time: "1x", Most: 1},
		{What: "10", X: 10, Of: whole + " BenchmarkMachines/N=10", Time: "1x", Most: 1},
		{What: "30", X: 30, Of: whole + " BenchmarkMachines/N=30", Time: "1x", Most: 1},
		{What: "100", X: 100, Of: whole + " BenchmarkMachines/N=100", Time: "1x", Most: 1},
		{What: "300", X: 300, Of: whole + " BenchmarkMachines/N=300", Time: "1x", Most: 1},
	}},
	{Name: "lengths", Set: Scaling, Key: "events", Columns: []Column{
		{"`check`, events/s", Reading{"/check", "events/s"}}, {"`stats`", Reading{"/stats", "events/s"}}, {"`report`", Reading{"/report", "events/s"}},
		{"`check`, MB", Reading{"/check", "MB"}}, {"`stats`", Reading{"/stats", "MB"}}, {"`report`", Reading{"/report", "MB"}},
	}, Rows: []Row{
		{What: "100,000", X: 1e5, Of: whole + " BenchmarkEvents/events=100000", Time: "1x", Most: 1},
		{What: "300,000", X: 3e5, Of: whole + " BenchmarkEvents/events=300000", Time: "1x", Most: 1},
		{What: "1 million", X: 1e6, Of: whole + " BenchmarkEvents/events=1000000", Time: "1x", Most: 1},
		{What: "3 million", X: 3e6, Of: whole + " BenchmarkEvents/events=3000000", Time: "1x", Most: 1},
		{What: "10 million", X: 1e7, Of: whole + " BenchmarkEvents/events=10000000", Time: "1x", Most: 1},
	}},
}

// againstPeer are the columns of what is measured beside a peer, which has one core.
var againstPeer = []Column{
	{"ours, one core", Reading{"", "ours/s"}}, {"all cores", Reading{"", "all/s"}}, {"theirs", Reading{"", "rival/s"}},
	{"ratio, one core", Reading{"", "ratio"}}, {"all cores", Reading{"", "ratio-all"}},
}

// plots are the figures of the page: columns of sections over the X of their rows.
var plots = []Plot{
	{Name: "processes", Title: "More machines on one host", Section: "processes", X: "machines", Panels: []PlotPanel{
		{Title: "Start: all links up", Y: "s", Log: true, Curves: []PlotCurve{{"", Reading{"", "s"}}}},
		{Title: "At full speed", Y: "events/s", Curves: []PlotCurve{{"", Reading{"", "events/s"}}}},
		{Title: "Memory", Y: "MB, kB", Log: true, Curves: []PlotCurve{{"MB per process", Reading{"", "MB/process"}}, {"kB per link", Reading{"", "kB/link"}}}},
		{Title: "Processor of a machine at default rates", Y: "% of a core", Log: true, Curves: []PlotCurve{{"", Reading{"", "%-core/machine"}}}},
	}},
	{Name: "lengths", Title: "Longer runs of three machines", Section: "lengths", X: "events", Panels: []PlotPanel{
		{Title: "Speed, from the start of the command to its end", Y: "events/s", Curves: []PlotCurve{
			{"check", Reading{"/check", "events/s"}}, {"stats", Reading{"/stats", "events/s"}}, {"report", Reading{"/report", "events/s"}},
		}},
		{Title: "Memory at most", Y: "MB", Curves: []PlotCurve{
			{"check", Reading{"/check", "MB"}}, {"stats", Reading{"/stats", "MB"}}, {"report", Reading{"/report", "MB"}},
		}},
	}},
}

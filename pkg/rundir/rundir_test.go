package rundir

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/clock"
	"github.com/scalemodel/lamport/pkg/experiment"
	"github.com/scalemodel/lamport/pkg/fault"
	"github.com/scalemodel/lamport/pkg/summary"
)

func record() *Record {
	return &Record{
		Version: "v",
		Spec: experiment.Spec{
			Common: experiment.Common{Run: "name", Die: 3, Seed: 4, Duration: 5 * time.Second, Window: 6},
			Rates:  []clock.Rate{clock.Hertz, clock.Unpaced},
		},
		Ports: []int{2, 3},
	}
}

func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// The names in the JSON are a contract with whoever reads it.
func TestRecordText(t *testing.T) {
	r := record()
	r.Host, r.System, r.CPUs, r.Started = "host", "os/arch", 7, time.Unix(8, 9000).UTC()
	b, err := json.Marshal(r)
	require.NoError(t, err)
	assert.JSONEq(t, `{"format":1,"version":"v","run":"name","machines":2,"rates":["1","max"],"ports":[2,3],"die":3,"seed":4,
		"duration":"5s","window":6,"host":"host","system":"os/arch","cpus":7,"started":"1970-01-01T00:00:08.000009Z"}`, string(b))

	plan, err := fault.Parse("at 1s kill 1 for 2s", 2)
	require.NoError(t, err)
	r = record()
	r.Rates[1], r.Window, r.Ports, r.Faults, r.Restart, r.Sync, r.ReplayOf = 2*clock.Hertz, 0, nil, plan, true, true, "other"
	r.Virtual = &experiment.Virtual{Latency: experiment.Constant(time.Millisecond), Phase: experiment.Random}
	b, err = json.Marshal(r)
	require.NoError(t, err)
	assert.JSONEq(t, `{"format":1,"version":"v","run":"name","machines":2,"rates":["1","2"],"die":3,"seed":4,"duration":"5s",
		"restart":true,"sync":true,"faults":"at 1s kill 1 for 2s","virtual":{"epoch":"2000-01-01T00:00:00Z","latency":"1ms","phase":"random"},
		"replay_of":"other","host":"","system":"","cpus":0,"started":"0001-01-01T00:00:00Z"}`, string(b))
}

// What is claimed is read back, whatever the run is.
func TestRecordRoundTrip(t *testing.T) {
	root := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		machines := rapid.IntRange(1, 5).Draw(t, "machines")
		seed := rapid.Uint64().Draw(t, "seed")
		duration := time.Duration(rapid.Int64Range(0, int64(experiment.MaxDuration)).Draw(t, "duration"))
		rates, err := experiment.ParseRates(rapid.SampledFrom([]string{"", "5", "max", "random", "lognormal:3,0.5", "0.25"}).Draw(t, "rates"), machines, seed)
		require.NoError(t, err)
		plan, err := experiment.ParseFaults(rapid.SampledFrom([]string{"", "random pause every 1ms for 1ms", "from 1s delay * 1ms"}).Draw(t, "faults"), max(machines, 2), seed, max(duration, time.Minute))
		require.NoError(t, err)
		r := &Record{
			Version: rapid.String().Draw(t, "version"),
			Spec: experiment.Spec{
				Common: experiment.Common{Run: experiment.NewName(), Die: rapid.IntRange(1, 1<<31-1).Draw(t, "die"), Seed: seed, Duration: duration},
				Rates:  rates,
			},
			Restart: rapid.Bool().Draw(t, "restart"), Sync: rapid.Bool().Draw(t, "sync"),
			Ports: rapid.SliceOfN(rapid.IntRange(0, 65535), 1, 5).Draw(t, "ports"),
		}
		if machines > 1 && duration > time.Minute {
			r.Faults = plan
		}
		if !slices.Contains(rates, clock.Unpaced) && rapid.Bool().Draw(t, "virtual") {
			latency, err := experiment.ParseLatency(rapid.SampledFrom([]string{"0s", "uniform:1ms,2ms", "lognormal:1s,0.123456789"}).Draw(t, "latency"))
			require.NoError(t, err)
			r.Virtual = &experiment.Virtual{Latency: latency, Phase: experiment.Random}
		}
		n++
		dir := filepath.Join(root, "d", r.Run)
		_, err = Claim(dir, r)
		require.NoError(t, err)
		back, err := ReadRecord(dir)
		require.NoError(t, err)
		require.Equal(t, r.Faults.String(), back.Faults.String())
		want, got := *r, *back
		want.Faults, got.Faults = nil, nil
		require.Equal(t, want, got)
	})
	require.Positive(t, n)
}

func TestReadRecordRefuses(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, RecordName)
	_, err := ReadRecord(dir)
	require.ErrorIs(t, err, fs.ErrNotExist)
	const good = `"machines": 1, "rates": ["1"], "die": 3, "duration": "5s", "run": "a"`
	for text, want := range map[string]string{
		"":                                 ": not the record of a run: ",
		"vm-0: start":                      ": not the record of a run: ",
		`[]`:                               ": not the record of a run: ",
		`{"format": 2, "version": "v9"}`:   ": format 2 of another release (v9); this one reads format 1",
		`{}`:                               ": format 0 of another release (); this one reads format 1",
		`{"format": 1}`:                    ": not the record of a run: duration",
		`{"format": 1, "rates": ["fast"]}`: `: not the record of a run: rate "fast"`,
		`{"format": 1, "machines": 2, "rates": ["1"], "die": 3, "duration": "5s", "run": "a"}`:                            ": not the record of a run: rates for 1 machine, but there are 2",
		`{"format": 1, "machines": 1, "rates": ["1"], "die": 0, "duration": "5s", "run": "a"}`:                            ": not the record of a run: die 0",
		`{"format": 1, "machines": 1, "rates": ["1"], "die": 3, "duration": "-5s", "run": "a"}`:                           ": not the record of a run: duration -5s",
		`{"format": 1, "machines": 1, "rates": ["1"], "die": 3, "duration": "5s", "run": "x/../../a"}`:                    `: not the record of a run: run "x/../../a"`,
		`{"format": 1, "window": -7, ` + good + `}`:                                                                       ": not the record of a run: window -7",
		`{"format": 1, "faults": "/etc/passwd", ` + good + `}`:                                                            ": not the record of a run: faults: line 1, column 1",
		`{"format": 1, "virtual": {"epoch": "1970-01-01T00:00:00Z", "latency": "1ms", "phase": "random"}, ` + good + `}`:  ": not the record of a run: virtual time from 1970",
		`{"format": 1, "virtual": {"epoch": "2000-01-01T00:00:00Z", "latency": "slow", "phase": "random"}, ` + good + `}`: `: not the record of a run: latency "slow"`,
	} {
		require.NoError(t, os.WriteFile(name, []byte(text), 0o666))
		_, err := ReadRecord(dir)
		assert.ErrorContains(t, err, name+want, text)
	}
	require.NoError(t, os.WriteFile(name, []byte(`{"format": 1, `+good+`}`), 0o666))
	_, err = ReadRecord(dir)
	require.NoError(t, err)

	require.NoError(t, os.Truncate(name, MaxRecord+1))
	_, err = ReadRecord(dir)
	require.ErrorContains(t, err, "want at most 67108864")
	require.NoError(t, os.Remove(name))
	require.NoError(t, os.Mkdir(name, 0o777))
	_, err = ReadRecord(dir)
	require.ErrorContains(t, err, "not a regular file")
}

// Where a directory is not free, nothing of it is touched.
func TestClaimOfAnEarlierRun(t *testing.T) {
	for _, name := range []string{"run.json", "vm_0_1.log", "vm_2.stderr"} {
		dir := filepath.Join(t.TempDir(), "a[1]")
		require.NoError(t, os.Mkdir(dir, 0o777))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("precious"), 0o666))
		_, err := Claim(dir, record())
		require.ErrorIs(t, err, ErrUsed)
		require.EqualError(t, err, filepath.Join(dir, name)+" is of an earlier run, which is not overwritten")
		assert.Equal(t, []string{name}, files(t, dir))
	}
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o666))
	_, err := Claim(filepath.Join(file, "run"), record())
	require.ErrorIs(t, err, syscall.ENOTDIR)
	require.ErrorIs(t, err, ErrUnwritable)
	require.EqualError(t, err, "the run's directory "+filepath.Join(file, "run")+" cannot be written: not a directory")
}

func TestLogs(t *testing.T) {
	// No character of a directory's name means anything.
	dir := filepath.Join(t.TempDir(), `a[1]*?\x`)
	require.NoError(t, os.Mkdir(dir, 0o777))
	_, err := Logs(dir)
	require.EqualError(t, err, dir+" holds no event log (vm_<id>_<rate>.log): want the directory of a run")
	for _, name := range []string{"vm_10_1.log", "vm_2_0.25.log", "vm_0_max.log", "vm_2_1.log", "vm_1.stderr", "vm_01_1.log", "vm_1_1.log.bak", "faults.log", "run.json"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o666))
	}
	logs, err := Logs(dir)
	require.NoError(t, err)
	assert.Equal(t, []Log{
		{0, filepath.Join(dir, "vm_0_max.log")},
		{2, filepath.Join(dir, "vm_2_0.25.log")},
		{2, filepath.Join(dir, "vm_2_1.log")},
		{10, filepath.Join(dir, "vm_10_1.log")},
	}, logs)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "vm_1048576_1.log"), nil, 0o666))
	_, err = Logs(dir)
	require.ErrorContains(t, err, "expected a machine from 0 to 1048575, found 1048576")
	_, err = Logs(filepath.Join(dir, "nowhere"))
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestSummary(t *testing.T) {
	dir := t.TempDir()
	_, err := ReadSummary(dir)
	require.ErrorIs(t, err, fs.ErrNotExist)
	for _, machines := range [][]summary.Machine{{}, {{ID: 0, Rate: clock.Hertz, Steps: 3}}, {{ID: 0}, {ID: 2, Pending: map[int]uint64{0: 7}}}} {
		require.NoError(t, WriteSummary(dir, slices.Values(machines)))
		back, err := ReadSummary(dir)
		require.NoError(t, err)
		assert.Equal(t, machines, back)
		b, err := os.ReadFile(filepath.Join(dir, SummaryName))
		require.NoError(t, err)
		want, err := json.MarshalIndent(machines, "", "  ")
		require.NoError(t, err)
		assert.Equal(t, string(want)+"\n", string(b))
	}
	require.Error(t, WriteSummary(filepath.Join(dir, "nowhere"), slices.Values([]summary.Machine{})))
	require.NoError(t, os.WriteFile(filepath.Join(dir, SummaryName), []byte("{}"), 0o666))
	_, err = ReadSummary(dir)
	require.ErrorContains(t, err, "not the summary of a run")
}

// The link moves to the newest run; what is no link is left alone, and that is said.
func TestMakeLatest(t *testing.T) {
	root := t.TempDir()
	latest := filepath.Join(root, LatestName)
	for _, name := range []string{"one", "two"} {
		if err := MakeLatest(filepath.Join(root, name)); errors.Is(err, syscall.EPERM) {
			t.Skip("no links can be made here")
		} else {
			require.NoError(t, err)
		}
		target, err := os.Readlink(latest)
		require.NoError(t, err)
		assert.Equal(t, name, target)
	}
	require.NoError(t, os.Remove(latest))
	require.NoError(t, os.WriteFile(latest, []byte("precious"), 0o666))
	err := MakeLatest(filepath.Join(root, "three"))
	require.EqualError(t, err, latest+" does not point at this run: it is not a symbolic link, so it is left alone")
	b, err := os.ReadFile(latest)
	require.NoError(t, err)
	assert.Equal(t, "precious", string(b))
	assert.Equal(t, []string{LatestName}, files(t, root), "nothing is left behind")
}

func TestOwns(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "run")
	d, err := Claim(dir, record())
	require.NoError(t, err)
	f, err := d.Create("vm_0_1.log")
	require.NoError(t, err)
	require.NoError(t, f.Close())
	other := filepath.Join(dir, "diagram.svg")
	require.NoError(t, os.WriteFile(other, nil, 0o666))
	for file, want := range map[string]bool{
		filepath.Join(dir, "vm_0_1.log"):            true,
		filepath.Join(dir, "..", "run", RecordName): true,
		other:                            false,
		filepath.Join(dir, "vm_1_1.log"): false, // it is not there
		filepath.Join(root, "nowhere"):   false,
	} {
		assert.Equal(t, want, Owns(dir, file), file)
	}
	assert.False(t, Owns(filepath.Join(root, "nowhere"), other))
	link := filepath.Join(root, "link")
	if os.Symlink(filepath.Join(dir, "vm_0_1.log"), link) == nil {
		assert.True(t, Owns(dir, link))
	}
}

func TestDefault(t *testing.T) {
	assert.Equal(t, filepath.Join("runs", "20261122-171340-q7f3k2"), Default(time.Date(2026, 11, 22, 17, 13, 40, 0, time.UTC), "q7f3k2"))
}

// Of many that want one directory at one instant, one gets it.
func TestOneRunPerDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	var wg sync.WaitGroup
	var won atomic.Int32
	for range 20 {
		wg.Go(func() {
			if _, err := Claim(dir, record()); err == nil {
				won.Add(1)
			} else {
				assert.ErrorContains(t, err, "is of an earlier run")
			}
		})
	}
	wg.Wait()
	assert.Equal(t, int32(1), won.Load())
	assert.Equal(t, []string{RecordName}, files(t, dir))
}

func TestDiscard(t *testing.T) {
	root := t.TempDir()
	prepare := func() *Dir {
		d, err := Claim(filepath.Join(root, "a", "b", "c")+"/", record())
		require.NoError(t, err)
		for name, text := range map[string]string{"vm_0.stderr": "talk", "vm_1.stderr": ""} {
			f, err := d.Create(name)
			require.NoError(t, err)
			_, err = f.WriteString(text)
			require.NoError(t, err)
			require.NoError(t, f.Close())
		}
		// As a machine does, which makes its files itself.
		require.NoError(t, os.WriteFile(filepath.Join(d.path, "vm_0_1.links"), []byte("{}"), 0o600))
		return d
	}
	d := prepare()
	d.Discard(false)
	assert.Equal(t, []string{"vm_0.stderr"}, files(t, d.path), "what was said stays")
	d.Discard(true)
	assert.Empty(t, files(t, root))

	// What others have put there stays, and so does what it is in.
	d = prepare()
	other := filepath.Join(root, "a", "notes")
	require.NoError(t, os.WriteFile(other, nil, 0o666))
	d.Discard(true)
	assert.Equal(t, []string{"notes"}, files(t, filepath.Join(root, "a")))

	// So does the directory of another run, all of it.
	theirs := filepath.Join(root, "theirs")
	require.NoError(t, os.MkdirAll(theirs, 0o777))
	require.NoError(t, os.WriteFile(filepath.Join(theirs, "vm_0_1.links"), nil, 0o600))
	_, err := Claim(theirs, record())
	require.ErrorIs(t, err, ErrUsed)
	assert.Equal(t, []string{"vm_0_1.links"}, files(t, theirs))
	require.NoError(t, os.RemoveAll(theirs))

	// A directory that was there before stays too.
	require.NoError(t, os.Remove(other))
	d = prepare()
	d.Discard(true)
	assert.Equal(t, []string{"a"}, files(t, root))
	assert.Empty(t, files(t, filepath.Join(root, "a")))
}

// What was printed at the end is replaced as a whole, and makes a directory that of an
// earlier run.
func TestText(t *testing.T) {
	dir := t.TempDir()
	for _, text := range []string{"longer\n", "new\n"} {
		require.NoError(t, WriteText(dir, []byte(text)))
		b, err := os.ReadFile(filepath.Join(dir, TextName))
		require.NoError(t, err)
		assert.Equal(t, text, string(b))
		assert.Equal(t, []string{TextName}, files(t, dir))
	}
	assert.True(t, Owns(dir, filepath.Join(dir, TextName)))
	_, err := Claim(dir, record())
	require.ErrorIs(t, err, ErrUsed)
	require.ErrorContains(t, err, TextName)
	assert.Equal(t, []string{TextName}, files(t, dir))
	require.ErrorContains(t, WriteText(filepath.Join(dir, "nowhere"), nil), "the summary cannot be kept: ")
}

// What many machines did is read back from either form of a summary.
func TestPopulation(t *testing.T) {
	dir := t.TempDir()
	_, err := ReadPopulation(dir)
	require.ErrorIs(t, err, fs.ErrNotExist)
	var machines []summary.Machine
	for id := range 50 {
		machines = append(machines, summary.Machine{ID: id, Rate: clock.Hertz * clock.Rate(1+id%20), Steps: 7, Internal: 7, Clock: clock.Time(7 + id), MaxJump: 2, MeanJump: 1.5})
	}
	want := summary.Survey(slices.Values(machines))
	require.NoError(t, WriteSummary(dir, slices.Values(machines)))
	got, err := ReadPopulation(dir)
	require.NoError(t, err)
	assert.Equal(t, want, got)
	require.NoError(t, WritePopulation(dir, want))
	got, err = ReadPopulation(dir)
	require.NoError(t, err)
	assert.Equal(t, want, got)
	_, err = ReadSummary(dir)
	require.Error(t, err, "it lists nobody")

	name := filepath.Join(dir, SummaryName)
	for text, wrong := range map[string]string{
		"":                               "not the summary of a run: ",
		"{":                              "not the summary of a run: ",
		"{}":                             "not the summary of a run: 0 classes",
		"[]":                             "it has no machine",
		"{" + strings.Repeat(" ", 1<<20): "want at most",
		`{"classes":[{"machines":-1}]}`:  "not the summary of a run: class 1: -1 machines",
		`{"classes":[` + strings.Repeat(`{},`, 100_000) + `{}]}`: "not the summary of a run: 100001 classes",
	} {
		require.NoError(t, os.WriteFile(name, []byte(text), 0o666))
		_, err = ReadPopulation(dir)
		assert.ErrorContains(t, err, wrong)
		assert.ErrorContains(t, err, name)
	}
}

// One run is one run wherever its record was written.
func TestSameRun(t *testing.T) {
	a, b := record(), record()
	b.Host, b.Hosts, b.System, b.CPUs, b.Version, b.Started = "elsewhere", []string{"x", "y"}, "plan9/mips", 7, "0", time.Time{}
	assert.True(t, a.Same(b))
	for name, change := range map[string]func(r *Record){
		"seed": func(r *Record) { r.Seed++ }, "run": func(r *Record) { r.Run += "x" }, "rate": func(r *Record) { r.Rates[1]++ },
		"duration": func(r *Record) { r.Duration++ },
	} {
		b = record()
		change(b)
		assert.False(t, a.Same(b), name)
	}
}

func TestWriteRecord(t *testing.T) {
	dir := t.TempDir()
	r := record()
	r.Hosts = make([]string, len(r.Rates))
	r.Hosts[0] = "a"
	require.NoError(t, WriteRecord(dir, r))
	got, err := ReadRecord(dir)
	require.NoError(t, err)
	assert.Equal(t, r, got)
	assert.False(t, got.OneHost())
	assert.True(t, record().OneHost())
	assert.Error(t, WriteRecord(filepath.Join(dir, "nowhere"), r))
	r.Hosts = r.Hosts[:1]
	require.NoError(t, WriteRecord(dir, r))
	_, err = ReadRecord(dir)
	assert.ErrorContains(t, err, "1 host for 2 machines")
}

// Package peers measures other programs on what this project does: the model of
// docs/model.md and PHOLD in SimPy, SimGrid and ns-3, which are built here as their users
// build them. Whoever is missing is skipped, by name, but where every change is tested, all are
// there.
package peers

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/internal/needs"
	"github.com/scalemodel/lamport/pkg/internal/bench/build"
	"github.com/scalemodel/lamport/pkg/rundir"
)

var scratch string // of this process, removed at its end

func TestMain(m *testing.M) {
	var err error
	if scratch, err = os.MkdirTemp("", "lamport-peers-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(scratch)
	os.Exit(code)
}

// peer is another simulator, with a program for the model and one for PHOLD.
type peer struct {
	name    string
	install string // what there has to be, as Debian calls it
	// command returns what starts one of its programs.
	command   func(program string) (string, error)
	perSecond float64 // events, about: so many are a measurement
	largest   int     // machines that it bears
}

var simulators = []peer{
	{"SimPy", "python3-simpy3", python, 3e5, 100_000},
	{"SimGrid", "libsimgrid-dev g++", compiled("simgrid", ".cpp", "-lsimgrid"), 1e5, 10_000}, // a stack for each
	{"ns-3", "libns3-dev g++", compiled("ns3", ".cc", "-lns3-core"), 3e6, 100_000},
}

// errMissing says that a peer is not installed.
var errMissing = errors.New("missing")

// python returns a program for SimPy: it has to be Debian's Python that finds it, and (-I)
// not here, where there is a directory of that name.
func python(program string) (string, error) {
	file, err := filepath.Abs(filepath.Join("simpy", program+".py"))
	if err != nil {
		return "", err
	}
	if exec.Command("/usr/bin/python3", "-I", "-c", "import simpy").Run() != nil {
		return "", errMissing
	}
	return file, nil
}

// compiled returns what builds a program in C++, for this host and as fast as it can be,
// each once.
func compiled(dir, ext, library string) func(program string) (string, error) {
	var mu sync.Mutex
	built := make(map[string]string)
	return func(program string) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		if file, ok := built[program]; ok {
			return file, nil
		}
		compiler := os.Getenv("CXX")
		if compiler == "" {
			compiler = "g++"
		}
		if _, err := exec.LookPath(compiler); err != nil {
			return "", errMissing
		}
		empty := filepath.Join(scratch, dir+ext)
		if err := os.WriteFile(empty, []byte("int main() {}\n"), 0o644); err != nil {
			return "", err
		}
		if exec.Command(compiler, "-o", empty+".out", empty, library).Run() != nil {
			return "", errMissing
		}
		file := filepath.Join(scratch, dir+"-"+program)
		out, err := exec.Command(compiler, "-std=c++17", "-O3", "-march=native", "-o", file, filepath.Join(dir, program+ext), library).CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("%w\n%s", err, out)
		}
		built[program] = file
		return file, nil
	}
}

// program returns a program of a peer, and skips where there is none.
func (p *peer) program(t testing.TB, program string) string {
	t.Helper()
	file, err := p.command(program)
	if errors.Is(err, errMissing) {
		needs.Without(t, "%s is missing: apt-get install %s", p.name, p.install)
	}
	require.NoError(t, err)
	return file
}

// said is what a program prints at its end: words, each with its number.
type said map[string]float64

func run(t testing.TB, file string, args ...any) said {
	t.Helper()
	var words []string
	for _, a := range args {
		words = append(words, fmt.Sprint(a))
	}
	cmd := exec.Command(file, words...)
	out, err := cmd.Output()
	require.NoError(t, err, "%s", cmd)
	s := make(said)
	f := strings.Fields(string(out))
	require.Zero(t, len(f)%2, "%s", out)
	for i := 0; i < len(f); i += 2 {
		var x float64
		_, err := fmt.Sscan(f[i+1], &x)
		require.NoError(t, err, "%s", out)
		s[f[i]] = x
	}
	return s
}

// launcher builds the launcher once.
var launcher = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(scratch, "commands")
	return filepath.Join(dir, "launcher"), build.Commands(dir)
})

// ratesOf returns the rates that the peers' programs have.
func ratesOf(machines int) string {
	if machines == 3 {
		return "1,5,4"
	}
	var all []string
	for i := range machines {
		all = append(all, fmt.Sprint(1+i%6))
	}
	return strings.Join(all, ",")
}

// The peers do what we do: as many events, to a rule. What machines do is thrown, so the
// shares of the rules are compared: with 60,000 throws each is within 1 % of all events.
func TestPeersAgree(t *testing.T) {
	for _, machines := range []int{3, 100} {
		seconds := 6000
		if machines > 3 {
			seconds = 200
		}
		dir := filepath.Join(t.TempDir(), "run")
		ours := sync.OnceValue(func() said { return ours(t, dir, machines, seconds) }) // if there is a peer at all
		for _, p := range simulators {
			t.Run(fmt.Sprintf("%s/machines=%d", p.name, machines), func(t *testing.T) {
				theirs, ours := run(t, p.program(t, "model"), machines, seconds, 1), ours()
				assert.Equal(t, ours["events"], theirs["events"])
				for _, rule := range []string{"internal", "sends", "receives", "messages"} {
					assert.InDelta(t, ours[rule]/ours["events"], theirs[rule]/theirs["events"], 0.01, rule)
				}
			})
		}
	}
}

// ours does the same run, and counts as the peers do.
func ours(t *testing.T, dir string, machines, seconds int) said {
	t.Helper()
	file, err := launcher()
	require.NoError(t, err)
	out, err := exec.Command(file, "sim", "--quiet", "--rates", ratesOf(machines), "--duration", fmt.Sprint(seconds, "s"), "--logs=false", "--seed", "1", "--out", dir).CombinedOutput()
	require.NoError(t, err, "%s", out)
	all, err := rundir.ReadSummary(dir)
	require.NoError(t, err)
	s := make(said)
	for _, m := range all {
		s["events"] += float64(m.Steps)
		s["internal"] += float64(m.Internal)
		s["sends"] += float64(m.Sends)
		s["receives"] += float64(m.Receives)
		s["messages"] += float64(m.Sent)
	}
	return s
}

// seconds returns for how long a peer is to run where that many events are due per second.
func (p *peer) seconds(perSecond float64) int { return max(1, int(p.perSecond/perSecond)) }

// The peers' PHOLD has one event for each process at any time, and each takes a time of mean
// 1: in a second there are about as many events as processes, and the asked share of them
// goes elsewhere.
func TestPHOLDOfPeers(t *testing.T) {
	for _, p := range simulators {
		t.Run(p.name, func(t *testing.T) {
			for _, remote := range []float64{0.1, 0.5, 1} {
				s := run(t, p.program(t, "phold"), 1000, remote, 50, 1)
				assert.InDelta(t, 50_000, s["events"], 1000)
				assert.InDelta(t, remote, s["remote"]/s["events"], 0.02)
			}
		})
	}
}

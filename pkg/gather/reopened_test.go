package gather

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// begin begins a gathering, or goes on with it in the same directory. The caller closes it.
func begin(t *testing.T, cfg Config) *Gathering {
	t.Helper()
	cfg.careless = true
	g, err := Open(cfg)
	require.NoError(t, err)
	return g
}

// What a process that was killed has left of a log, or a loss of power, keeps no machine
// from delivering.
func TestAPartThatIsNoLogIsSentAgain(t *testing.T) {
	log := aLog(t, "r", 0, 2, 3000, true)
	for name, left := range map[string][]byte{
		"zeros":                make([]byte, len(log)),
		"half of a first line": log[:10],
		"nothing":              {},
		"another run's":        aLog(t, "s", 0, 2, 10, false),
		"zeros behind a line":  append(log[:1000:1000], make([]byte, 1000)...),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			cfg := Config{Dir: filepath.Join(dir, "run"), Run: "r", Machines: 2}
			require.NoError(t, begin(t, cfg).Close())
			put(t, filepath.Join(cfg.Dir, partName(0)), left)
			g := serve(t, cfg)
			c := NewClient(g.addr, nil)
			defer c.Close()
			c.Waiting = func(err error) { t.Error(err) }
			require.NoError(t, c.Deliver(t.Context(), put(t, filepath.Join(dir, "vm_0_1.log"), log), &About{}))
			got, err := os.ReadFile(filepath.Join(cfg.Dir, "vm_0_1.log"))
			require.NoError(t, err)
			assert.Equal(t, string(log), string(got))
		})
	}
}

// A file that is no log of the run, and no part, is somebody's.
func TestAStrangersLogIsLeftAlone(t *testing.T) {
	cfg := Config{Dir: filepath.Join(t.TempDir(), "run"), Run: "r", Machines: 2}
	require.NoError(t, begin(t, cfg).Close())
	theirs := aLog(t, "s", 0, 2, 10, true)
	name := put(t, filepath.Join(cfg.Dir, "vm_0_1.log"), theirs)
	g := begin(t, cfg)
	for _, method := range []string{"HEAD", "DELETE"} {
		w := wish{method: method, path: path("r", 0, logPlace)}
		assert.Equal(t, http.StatusInternalServerError, w.of(g).Code, method)
	}
	require.NoError(t, g.Close())
	got, err := os.ReadFile(name)
	require.NoError(t, err)
	assert.Equal(t, string(theirs), string(got))
}

// The second log of a machine is as safe as its first, also from a gathering that goes on.
func TestASecondLogStays(t *testing.T) {
	cfg := Config{Dir: filepath.Join(t.TempDir(), "run"), Run: "r", Machines: 2}
	second, third := aLog(t, "r", 0, 2, 20, true), aLog(t, "r", 0, 2, 30, true)
	toOther := func(log []byte) *wish {
		w := patchOf(t, 0, log, 0, nil)
		w.path = path("r", 0, otherPlace)
		return w
	}
	g := begin(t, cfg)
	torn := toOther(second[:len(second)-1])
	require.Equal(t, http.StatusUnprocessableEntity, torn.of(g).Code)
	cut := toOther(second)
	cut.body = strings.NewReader(string(zipped(t, second))[:100])
	require.Equal(t, http.StatusRequestTimeout, cut.of(g).Code)
	require.NoError(t, g.Close())

	g = begin(t, cfg)
	require.False(t, g.Machines()[0].Other, "what breaks off is no log")
	require.NoFileExists(t, filepath.Join(cfg.Dir, OtherLog(0)))
	require.Equal(t, http.StatusNoContent, (&wish{method: "DELETE", path: path("r", 0, otherPlace)}).of(g).Code)
	require.Equal(t, http.StatusNoContent, toOther(second).of(g).Code)
	require.True(t, g.Machines()[0].Other)
	require.NoError(t, g.Close())

	g = begin(t, cfg)
	require.True(t, g.Machines()[0].Other)
	require.Equal(t, http.StatusNoContent, (&wish{method: "DELETE", path: path("r", 0, otherPlace)}).of(g).Code)
	require.NotEqual(t, http.StatusNoContent, toOther(third).of(g).Code)
	again := patchOf(t, 0, second, len(second), nil)
	again.path = path("r", 0, otherPlace)
	require.Equal(t, http.StatusNoContent, again.of(g).Code, "it is there")
	require.NoError(t, g.Close())
	got, err := os.ReadFile(filepath.Join(cfg.Dir, OtherLog(0)))
	require.NoError(t, err)
	assert.Equal(t, string(second), string(got))
}

// What a machine says of itself never keeps the gathering from going on.
func TestWhateverIsKeptCanBeReadAgain(t *testing.T) {
	cfg := Config{Dir: filepath.Join(t.TempDir(), "run"), Run: "r", Machines: 2}
	g := begin(t, cfg)
	about := func(text string) int {
		w := wish{method: "PUT", path: path("r", 0, aboutPlace), body: strings.NewReader(text)}
		return w.of(g).Code
	}
	left := `{"summary":{"id":0,"left":[0` + strings.Repeat(",0", maxAbout/2-100) + `]}}`
	assert.Equal(t, http.StatusBadRequest, about(left), "ten times as long on lines of their own")
	peers := `{"summary":{"id":0,"left":[0` + strings.Repeat(",0", 10_000) + `]}}`
	require.Equal(t, http.StatusNoContent, about(peers))
	require.Equal(t, http.StatusNoContent, patchOf(t, 0, aLog(t, "r", 0, 2, 20, true), 0, nil).of(g).Code)
	require.NoError(t, g.Close())

	g = begin(t, cfg)
	require.NoError(t, g.Close())
	require.NotNil(t, g.Machines()[0].Delivery)
	b, err := json.Marshal(g.Machines()[0].About.Summary.Left)
	require.NoError(t, err)
	assert.Len(t, b, 20_003)
}

package gather

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A receipt is of one log, as it was, and of one gathering.
func TestReceipt(t *testing.T) {
	g := serve(t, Config{Dir: filepath.Join(t.TempDir(), "run"), Run: "r", Machines: 1})
	log := aLog(t, "r", 0, 1, 1000, true)
	file := put(t, filepath.Join(t.TempDir(), "vm_0_1.log"), log)
	confirmed := func(addr string) bool {
		yes, err := Confirmed(file, addr)
		require.NoError(t, err)
		return yes
	}
	assert.False(t, confirmed(g.addr), "there is no receipt")
	c := NewClient(g.addr, nil)
	defer c.Close()
	c.Confirmed = func(r Receipt) {
		assert.EqualValues(t, len(log), r.Bytes)
		require.NoError(t, r.Keep(file))
	}
	require.NoError(t, c.Deliver(t.Context(), file, &About{Host: "h"}))
	assert.True(t, confirmed(g.addr))
	assert.False(t, confirmed("elsewhere:7070"))
	put(t, file, append(log[:len(log):len(log)], "torn"...))
	assert.True(t, confirmed(g.addr), "a torn line is not delivered")
	put(t, file, append(log[:len(log):len(log)], "more\n"...))
	assert.False(t, confirmed(g.addr))
	log[len(log)/2]++
	put(t, file, log)
	assert.False(t, confirmed(g.addr), "as long, and another")

	receipt := filepath.Join(filepath.Dir(file), "vm_0_1.delivered")
	require.FileExists(t, receipt)
	for content, want := range map[string]string{
		"{":             "unexpected end of JSON input",
		`{"format": 2}`: "format 2, want 1",
	} {
		put(t, receipt, []byte(content))
		yes, err := Confirmed(file, g.addr)
		assert.False(t, yes)
		assert.EqualError(t, err, receipt+": "+want)
	}
	require.NoError(t, os.Remove(receipt))
}

// A log that is not confirmed has no receipt.
func TestNoReceiptOfWhatIsRefused(t *testing.T) {
	g := serve(t, Config{Dir: filepath.Join(t.TempDir(), "run"), Run: "another", Machines: 1})
	c := NewClient(g.addr, nil)
	defer c.Close()
	c.Confirmed = func(Receipt) { t.Error("nothing was") }
	require.Error(t, c.Deliver(t.Context(), put(t, filepath.Join(t.TempDir(), "vm_0_1.log"), aLog(t, "r", 0, 1, 10, true)), &About{}))
}

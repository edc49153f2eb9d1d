//go:build unix

package gather

import (
	"net/http"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A named pipe in the place of a log would be waited on for ever.
func TestAPipeInThePlaceOfALog(t *testing.T) {
	cfg := Config{Dir: filepath.Join(t.TempDir(), "run"), Run: "r", Machines: 2}
	require.NoError(t, begin(t, cfg).Close())
	require.NoError(t, syscall.Mkfifo(filepath.Join(cfg.Dir, partName(0)), 0o600))
	g := begin(t, cfg)
	w := wish{method: "HEAD", path: path("r", 0, logPlace)}
	assert.Equal(t, http.StatusInternalServerError, w.of(g).Code)
	assert.NoError(t, g.Close())
}

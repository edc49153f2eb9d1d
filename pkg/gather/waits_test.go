package gather

import (
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The waits grow as long as nothing arrives, also where there is an answer.
func TestWaitsGrow(t *testing.T) {
	const tries = 6
	for _, tt := range []struct {
		name string
		step int64 // by which the log has arrived further at each try
		want time.Duration
	}{
		{"nothing arrives", 0, 32 * time.Millisecond},
		{"something arrives", 10, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			tried, at := 0, int64(0)
			full := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch r.Method {
				case http.MethodHead:
					at += tt.step
					w.Header().Set(offsetField, strconv.FormatInt(at, 10))
				case http.MethodPatch:
					if tried++; tried > tries {
						cancel()
						panic(http.ErrAbortHandler) // and not the answer that all has arrived
					}
					w.WriteHeader(http.StatusInsufficientStorage)
				}
			}))
			defer full.Close()
			l, err := openLog(put(t, filepath.Join(t.TempDir(), "vm_0_1.log"), aLog(t, "r", 0, 2, 100, true)))
			require.NoError(t, err)
			defer l.close()
			c := NewClient(strings.TrimPrefix(full.URL, "http://"), nil)
			defer c.Close()
			c.retry = time.Millisecond
			d := &delivering{Client: c, log: l, about: &About{}}
			var unreached *UnreachedError
			require.ErrorAs(t, d.run(ctx), &unreached)
			assert.Equal(t, tt.want, d.waits)
		})
	}
}

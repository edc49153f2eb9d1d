package gather

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scalemodel/lamport/pkg/certs"
)

// A machine whose certificate is not taken hears that at once: trying again does not help.
func TestACertificateThatIsNotTakenIsFinal(t *testing.T) {
	base := t.TempDir()
	ours, theirs := filepath.Join(base, "ours"), filepath.Join(base, "theirs")
	for _, dir := range []string{ours, theirs} {
		_, err := certs.Make(dir, certs.Plan{Run: "r", Machines: 1})
		require.NoError(t, err)
	}
	// The machine believes both authorities, and the gatherer only its own, as when one was
	// taken out before the machine's certificate was renewed.
	mine := certs.FilesOf(theirs, 0)
	var both [2][]byte
	for i, dir := range []string{ours, theirs} {
		var err error
		both[i], err = os.ReadFile(filepath.Join(dir, certs.AuthorityFile))
		require.NoError(t, err)
	}
	put(t, mine.CA, slices.Concat(both[0], both[1]))
	gatherer, err := certs.Open(certs.FilesOf(ours, certs.NoMachine))
	require.NoError(t, err)
	machine, err := certs.Open(mine)
	require.NoError(t, err)

	g, err := Open(Config{Dir: filepath.Join(base, "run"), Run: "r", Machines: 1, Peer: Peer})
	require.NoError(t, err)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- g.Serve(ctx, ln, gatherer.Server()) }()
	defer func() {
		cancel()
		assert.NoError(t, <-ended)
		assert.NoError(t, g.Close())
	}()

	c := NewClient(ln.Addr().String(), ClientTLS(machine))
	defer c.Close()
	c.Waiting = func(err error) { t.Log("waits:", err) }
	trying, stop := context.WithTimeout(t.Context(), deadline)
	defer stop()
	err = c.Deliver(trying, put(t, filepath.Join(base, "vm_0_1.log"), aLog(t, "r", 0, 1, 10, true)), &About{})
	var refused *RefusedError
	require.ErrorAs(t, err, &refused)
	assert.Contains(t, refused.Reason, "bad certificate")
}

package main

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The live view is that of a run on one host, and Ctrl-C at the keyboard ends the run in
// order: it reaches the launcher, and not what holds its connections.
func TestHostsOnATerminal(t *testing.T) {
	t.Parallel()
	f := withSSHD(t)
	p := f.onHosts(t, "a,b", "--duration", "1h", "--rates", "50,80,30")
	person := onTerminal(t, p)
	look(p, person)
	p.start()
	f.waitForRemoteEvents(t, 3, 20)
	running := regexp.MustCompile(`\nvm-1 +80 +running +[1-9]\d* `)
	eventuallyWithin(t, patience, func() bool { return running.MatchString(seen(p)) }, "it is seen how the machines do")
	_, err := person.WriteString("\x03")
	require.NoError(t, err)
	require.Equal(t, "130", waitLong(t, p))
	eventually(t, func() bool { return strings.Contains(seen(p), "\nnext ") }, "the terminal shows all")
	assert.Contains(t, seen(p), "\ngathered     3 logs of 3 machines, ")
	requireCorrect(t, filepath.Join(p.cmd.Dir, "run"))
	assert.Empty(t, f.left(t))
	f.requireNobody(t)
}

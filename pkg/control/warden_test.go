package control_test

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/scalemodel/lamport/pkg/control"
)

// buffer is a process's standard input that is kept.
type buffer struct{ bytes.Buffer }

func (*buffer) Close() error { return nil }

// What a launcher says of a process its warden understands, and passes on the rest.
func TestOrders(t *testing.T) {
	var said buffer
	l := control.NewLifeline(&said)
	l.Go()
	l.Hold(true)
	l.Hold(false)
	l.Kill()
	l.Stop(3 * time.Second)
	var orders []control.Order
	passed, linger := "", time.Duration(-1)
	for line := range control.Orders(strings.NewReader(said.String() + "torn")) {
		orders = append(orders, line.Order)
		passed += string(line.Text)
		linger = max(linger, line.Linger)
	}
	assert.Equal(t, []control.Order{control.Pass, control.Hold, control.Resume, control.Kill, control.Pass}, orders)
	assert.Equal(t, "go\n3s\n", passed)
	assert.Equal(t, 3*time.Second, linger)
}

func TestPortsGoRound(t *testing.T) {
	ports := []control.Port{{Port: 2050}, {Port: 22, Problem: "port 22 on 0.0.0.0 is taken"}}
	var b bytes.Buffer
	require.NoError(t, control.WritePorts(&b, ports))
	assert.Equal(t, ports, control.ReadPorts(io.MultiReader(strings.NewReader("Welcome!\n{}\n[1]\n{\"port\":-1}\n{\"port\":70000}\n"), &b)))
	assert.Error(t, control.WritePorts(full{}, ports))
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

// Whatever comes, each whole line is an order or passed on as it is.
func TestOrdersOfAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`([a-z0-9]{0,3}|kill|hold|resume|go|1s)(\n([ -~]{0,9}|kill|hold|resume))*\n?`).Draw(t, "text")
		var got strings.Builder
		for line := range control.Orders(strings.NewReader(text)) {
			switch line.Order {
			case control.Kill:
				got.WriteString("kill\n")
			case control.Hold:
				got.WriteString("hold\n")
			case control.Resume:
				got.WriteString("resume\n")
			case control.Pass:
				got.Write(line.Text)
			}
		}
		require.Equal(t, text[:strings.LastIndexByte(text, '\n')+1], got.String())
	})
}

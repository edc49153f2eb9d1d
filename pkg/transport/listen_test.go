package transport

import (
	"net"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestListen(t *testing.T) {
	ln, err := Listen("127.0.0.1", 0, "")
	require.NoError(t, err)
	defer func() { _ = ln.Close() }()
	port := ln.Addr().(*net.TCPAddr).Port
	assert.NotZero(t, port)

	_, err = Listen("127.0.0.1", port, "end the other program")
	require.ErrorIs(t, err, syscall.EADDRINUSE)
	require.EqualError(t, err, "port "+strconv.Itoa(port)+" on 127.0.0.1 is taken: end the other program (address already in use)")

	for _, port := range []int{-1, 65536} {
		_, err = Listen("127.0.0.1", port, "")
		require.EqualError(t, err, "port "+strconv.Itoa(port)+": want 1 to 65535")
	}
	_, err = Listen("no such host.", 0, "")
	assert.ErrorContains(t, err, "cannot listen on no such host. port 0: ")
}

func TestListenOnAnAddressOfAnotherHost(t *testing.T) {
	_, err := Listen("192.0.2.1", 0, "") // of no host (RFC 5737)
	require.ErrorIs(t, err, syscall.EADDRNOTAVAIL)
	require.EqualError(t, err, "address 192.0.2.1 is not one of this host: choose one that is, or 0.0.0.0 for all (cannot assign requested address)")
}

func TestListenOnAPortOfTheSystem(t *testing.T) {
	if runtime.GOOS != "linux" || os.Geteuid() == 0 {
		t.Skip("this user may listen on any port")
	}
	_, err := Listen("127.0.0.1", 1, "")
	assert.ErrorContains(t, err, "port 1 on 127.0.0.1 is not allowed to this user: choose one above 1023")
}

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
	ln, err := Listen("127.0.0.1", 0)
	require.NoError(t, err)
	defer func() { _ = ln.Close() }()
	port := ln.Addr().(*net.TCPAddr).Port
	assert.NotZero(t, port)

	_, err = Listen("127.0.0.1", port)
	require.ErrorIs(t, err, syscall.EADDRINUSE)
	require.EqualError(t, err, "port "+strconv.Itoa(port)+" on 127.0.0.1 is taken")
	var refused *ListenError
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, "127.0.0.1", refused.Addr)
	assert.Equal(t, port, refused.Port)

	for _, port := range []int{-1, 65536} {
		_, err = Listen("127.0.0.1", port)
		require.EqualError(t, err, "port "+strconv.Itoa(port)+": want 1 to 65535")
	}
	_, err = Listen("no such host.", 0)
	assert.ErrorContains(t, err, "cannot listen on no such host. port 0: ")
}

func TestListenOnAnAddressOfAnotherHost(t *testing.T) {
	_, err := Listen("192.0.2.1", 0) // of no host (RFC 5737)
	require.ErrorIs(t, err, syscall.EADDRNOTAVAIL)
	require.EqualError(t, err, "address 192.0.2.1 is not one of this host")
}

func TestListenOnAPortOfTheSystem(t *testing.T) {
	if runtime.GOOS != "linux" || os.Geteuid() == 0 {
		t.Skip("this user may listen on any port")
	}
	_, err := Listen("127.0.0.1", 1)
	require.ErrorIs(t, err, syscall.EACCES)
	assert.EqualError(t, err, "port 1 on 127.0.0.1 is not allowed to this user")
}

//go:build !linux

package transport

import (
	"errors"
	"net"
	"time"
)

// watchHost is for systems that say in time if nothing is answered. Elsewhere an idle connection
// is found out early enough, but not one on which something was just written.
func watchHost(*net.TCPConn, time.Duration) error { return errors.ErrUnsupported }

//go:build !unix

package warden

import (
	"errors"
	"os"
	"os/exec"
)

func tie(*exec.Cmd) (release func()) { return func() {} }

func pause(*os.Process, bool) error { return errors.New("this system cannot pause a process") }

func interrupt(p *os.Process) error { return p.Kill() }

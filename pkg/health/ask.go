package health

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// Verdict is what a machine says of itself.
type Verdict struct {
	State string // in a word
	Fine  bool   // it lives; where that was asked, it is ready
}

// AskTimeout is how long a machine has for its answer.
const AskTimeout = 5 * time.Second

// Ask asks the machine at an address whether it lives, or whether it is ready: where its
// figures are served, or on the port of its links. Where the links may be under TLS, config says
// how it is spoken; otherwise it is nil. An error says that there was no answer.
func Ask(ctx context.Context, a Address, ready bool, config *tls.Config) (Verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, AskTimeout)
	defer cancel()
	if config != nil && a.network == "tcp" {
		v, err := a.ask(ctx, ready, config)
		if _, open := errors.AsType[tls.RecordHeaderError](err); !open {
			return v, err
		} // the figures are served without TLS
	}
	return a.ask(ctx, ready, nil)
}

func (a Address) ask(ctx context.Context, ready bool, config *tls.Config) (Verdict, error) {
	conn, err := a.dial(ctx)
	if err != nil {
		return Verdict{}, fmt.Errorf("%v does not answer: %w", a, cause(err))
	}
	defer func() { _ = conn.Close() }()
	if config != nil {
		conn = tls.Client(conn, config)
	}
	deadline, _ := ctx.Deadline()
	_ = conn.SetDeadline(deadline)
	path := LivePath
	if ready {
		path = ReadyPath
	}
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: machine\r\nConnection: close\r\n\r\n", path); err != nil {
		return Verdict{}, fmt.Errorf("%v does not answer: %w", a, cause(err))
	}
	response, err := http.ReadResponse(bufio.NewReader(io.LimitReader(conn, maxQuestion)), nil)
	if err != nil {
		return Verdict{}, fmt.Errorf("%v does not answer as a machine does: %w", a, cause(err))
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, 100))
	word := strings.TrimSpace(string(body))
	if err != nil || !known(word) || response.StatusCode != http.StatusOK && response.StatusCode != http.StatusServiceUnavailable {
		return Verdict{}, fmt.Errorf("%v does not answer as a machine does: %s", a, response.Status)
	}
	return Verdict{State: word, Fine: response.StatusCode == http.StatusOK}, nil
}

// known reports whether a word is that of a state.
func known(word string) bool {
	for _, s := range states {
		if s.name == word {
			return true
		}
	}
	return false
}

// cause leaves away what the network has to say of an address that is named already.
func cause(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Err != nil {
		return op.Err
	}
	return err
}

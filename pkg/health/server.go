package health

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"
)

// The paths that are answered.
const (
	LivePath    = "/healthz"
	ReadyPath   = "/readyz"
	MetricsPath = "/metrics"
)

// What a stranger may take up.
const (
	maxQuestion    = 4 << 10 // bytes
	maxConnections = 64
	answerTimeout  = 10 * time.Second
)

// answer returns the answer to a question that everybody may ask: a status code and a word.
func (m *Monitor) answer(path string) (code int, text string) {
	s := m.State()
	fine := s.Live()
	switch path {
	case LivePath:
	case ReadyPath:
		fine = s.Ready()
	default:
		return http.StatusNotFound, "not found"
	}
	if !fine {
		return http.StatusServiceUnavailable, s.String()
	}
	return http.StatusOK, s.String()
}

// Answer answers one question on the port of the machine's links, of which the bytes in read
// have been read already: the state, in a word, and nothing else. Whoever calls it has set a deadline.
func (m *Monitor) Answer(conn net.Conn, read []byte) {
	all := io.MultiReader(bytes.NewReader(read), conn)
	request, err := http.ReadRequest(bufio.NewReader(io.LimitReader(all, maxQuestion)))
	if err != nil {
		return
	}
	code, text := m.answer(request.URL.Path)
	text += "\n"
	_, _ = fmt.Fprintf(conn, "HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		code, http.StatusText(code), len(text), text)
}

// handler answers over HTTP, with the figures besides.
func (m *Monitor) handler() http.Handler {
	mux := http.NewServeMux()
	for _, path := range []string{LivePath, ReadyPath} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			code, text := m.answer(path)
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			w.WriteHeader(code)
			_, _ = io.WriteString(w, text+"\n")
		})
	}
	mux.HandleFunc("GET "+MetricsPath, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		var b bytes.Buffer
		m.WriteMetrics(&b)
		_, _ = w.Write(b.Bytes())
	})
	return mux
}

// Server answers over HTTP.
type Server struct {
	http *http.Server
	ln   net.Listener
	done chan struct{}
}

// Serve answers over HTTP at an address, until the server is closed.
func (m *Monitor) Serve(a Address) (*Server, error) {
	ln, err := a.listen()
	if err != nil {
		return nil, err
	}
	s := &Server{
		ln:   ln,
		done: make(chan struct{}),
		http: &http.Server{
			Handler:        m.handler(),
			ReadTimeout:    answerTimeout,
			WriteTimeout:   answerTimeout,
			IdleTimeout:    2 * time.Minute, // longer than Prometheus' interval
			MaxHeaderBytes: maxQuestion,
			ErrorLog:       log.New(io.Discard, "", 0), // a stranger's mistakes are not this machine's
		},
	}
	go func() {
		defer close(s.done)
		_ = s.http.Serve(limit(ln, maxConnections))
	}()
	return s, nil
}

// Addr returns where the server listens.
func (s *Server) Addr() net.Addr { return s.ln.Addr() }

// Close ends the server. Answers that are under way have a moment.
func (s *Server) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close()
	}
	<-s.done
}

package transport

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What strangers, and machines that were started wrongly, get from machines that speak
// TLS, and what these say of it.

// sealed is two machines that are connected over TLS, and the log of machine 0.
type sealed struct {
	*authority
	nodes []*Node
	log   diary
}

func newSealed(t *testing.T) *sealed {
	s := &sealed{authority: newAuthority(t)}
	s.nodes, _ = mesh(t, 2, func(c *Config) {
		c.TLS = s.machine(c.ID)
		if c.ID == 0 {
			c.Logger = s.log.logger()
		}
	})
	connect(t, s.nodes)
	return s
}

// dial returns a connection to machine 0.
func (s *sealed) dial(t *testing.T) net.Conn {
	conn, err := net.Dial("tcp", s.nodes[0].ln.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(deadline))
	return conn
}

// ask says something by TLS and returns what comes back, and how it ended.
func ask(conn net.Conn, cfg *tls.Config, words []byte) ([]byte, error) {
	c := tls.Client(conn, cfg)
	if err := c.Handshake(); err != nil {
		return nil, err
	}
	_, _ = c.Write(words)
	return io.ReadAll(c)
}

// helloOf is what machine `from` says to machine 0.
func helloOf(from uint32) []byte {
	return hello{version: Version, machines: 2, from: from, to: 0, life: 9, secret: Secret{1}, window: 10, run: "test"}.frame()
}

// Whoever has no certificate, or another one than HELLO would need, gets nothing: neither a
// WELCOME nor a reason that would tell what to try next. The log of the machine has it.
func TestCallersWithTheWrongCertificate(t *testing.T) {
	s := newSealed(t)
	other := newAuthority(t)
	hour := time.Hour
	for _, c := range []struct {
		name   string
		cfg    func() *tls.Config
		words  []byte
		answer string // what comes back
		fails  string // how it ends for the caller
		logged string
	}{
		{
			"another machine's", func() *tls.Config { return s.machine(2).Client }, helloOf(1), string(toldStrangers), "",
			"it says that it is machine 1, with the certificate of machine 2",
		},
		{
			"that of the machine itself", func() *tls.Config { return s.machine(0).Client }, helloOf(1), string(toldStrangers), "",
			"it says that it is machine 1, with the certificate of machine 0",
		},
		{
			"none", func() *tls.Config { return &tls.Config{InsecureSkipVerify: true} }, helloOf(1), "", "certificate required",
			"client didn't provide a certificate",
		},
		{
			"another authority's", func() *tls.Config { return other.machine(1).Client }, helloOf(1), "", "failed to verify certificate",
			"the other end has ended the TLS handshake (tls: bad certificate)",
		},
		{
			"another authority's, by somebody who takes any", func() *tls.Config {
				cfg := other.machine(1).Client
				cfg.VerifyConnection = nil
				return cfg
			}, helloOf(1), "", "bad certificate", "x509: certificate signed by unknown authority",
		},
		{
			"expired", func() *tls.Config {
				return s.with(s.certificate(1, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-hour) })).Client
			}, helloOf(1), "", "bad certificate", "certificate has expired or is not yet valid",
		},
		{
			"not valid yet", func() *tls.Config {
				return s.with(s.certificate(1, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(hour / 2) })).Client
			}, helloOf(1), "", "bad certificate", "certificate has expired or is not yet valid",
		},
		{
			"for servers", func() *tls.Config {
				return s.with(s.certificate(1, func(c *x509.Certificate) { c.ExtKeyUsage = c.ExtKeyUsage[1:] })).Client
			}, helloOf(1), "", "bad certificate", "incompatible key usage",
		},
		{
			"one that names no machine", func() *tls.Config {
				return s.with(s.certificate(1, func(c *x509.Certificate) { c.DNSNames = nil })).Client
			}, helloOf(1), string(toldStrangers), "", "the certificate names no machine",
		},
		{
			"TLS 1.2", func() *tls.Config {
				cfg := s.machine(1).Client
				cfg.MinVersion, cfg.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
				return cfg
			}, helloOf(1), "", "protocol version not supported", "client offered only unsupported versions",
		},
		{
			"right, but for another frame than HELLO", func() *tls.Config { return s.machine(1).Client }, appendNumbers(nil, frameReady, 1),
			string(errorFrame(refuse(CodeProtocol, "READY, expected HELLO"))), "", "READY, expected HELLO",
		},
		{
			"right, but for another run", func() *tls.Config { return s.machine(1).Client },
			hello{version: Version, machines: 2, from: 1, secret: Secret{1}, window: 10, run: "another"}.frame(), string(toldStrangers), "", `in run "another" meets`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := s.nodes[0].Stats().Refused
			said := len(s.log.String())
			answer, err := ask(s.dial(t), c.cfg(), c.words)
			if c.fails == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, c.fails)
			}
			assert.Equal(t, c.answer, string(answer))
			eventually(t, "it is counted", func() bool { return s.nodes[0].Stats().Refused == before+1 })
			eventually(t, "it is logged", func() bool { return strings.Contains(s.log.String()[said:], c.logged) })
		})
	}
	assert.Zero(t, s.nodes[0].Stats().Reconnects, "the links stand")
	finish(t, s.nodes)
}

// Whoever does not speak TLS at all gets no answer, but for a machine that speaks without:
// it gets to know what is wrong.
func TestCallersWithoutTLS(t *testing.T) {
	s := newSealed(t)
	for _, c := range []struct{ words, answer, logged string }{
		{"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "", "it does not begin with a TLS handshake"},
		{"\x00\x00\x00\x21\x03abcdefg", "", "it does not begin with a TLS handshake"},
		{"\x16\x03\x01\x00\x05hello", "", "no TLS handshake"},
		{"\x16\x03\x01\xff\xff", "", "it does not begin with a TLS handshake"},
		{"\x15\x03\x01\x00\x02\x02\x2a", "", "the other end has ended the TLS handshake"},
		{string(helloOf(1)), string(errorFrame(errOpen)), errOpen.Text},
	} {
		before := s.nodes[0].Stats().Refused
		conn := s.dial(t)
		_, err := conn.Write([]byte(c.words))
		require.NoError(t, err)
		answer, _ := io.ReadAll(conn)
		if c.answer != "" || len(answer) > 0 && answer[0] != 0x15 { // an alert is no answer
			assert.Equal(t, c.answer, string(answer), "%q", c.words)
		}
		eventually(t, "it is counted", func() bool { return s.nodes[0].Stats().Refused == before+1 })
		eventually(t, "it is logged", func() bool { return strings.Contains(s.log.String(), c.logged) })
	}
	assert.Equal(t, 1, strings.Count(s.log.String(), "it does not begin with a TLS handshake"), "once, however often it comes")
	finish(t, s.nodes)
}

// One byte too many, and whoever has not shown who it is has to go.
func TestCallersWithTooMuchToSay(t *testing.T) {
	s := newSealed(t)
	cert := s.certificate(1, nil)
	large := s.certificate(1, func(c *x509.Certificate) { c.DNSNames = append(c.DNSNames, strings.Repeat("a", MaxUnproved)) })
	cert.Certificate = append(cert.Certificate, large.Certificate...)
	answer, _ := ask(s.dial(t), s.with(cert).Client, helloOf(1))
	assert.Empty(t, answer)
	eventually(t, "it is logged", func() bool { return s.log.contains(errUnproved.Text) })
	finish(t, s.nodes)
}

// However many begin a handshake and do not end it, machines come through, and are
// accepted while others are in the middle of theirs.
func TestHalfHandshakesKeepNobodyOut(t *testing.T) {
	a := newAuthority(t)
	var log diary
	nodes, _ := mesh(t, 2, func(c *Config) {
		c.TLS = a.machine(c.ID)
		if c.ID == 0 {
			c.Logger = log.logger()
		}
	})
	nodes[0].open() // machine 1 is not there yet
	limit := nodes[0].gate.perSource
	half := halfHandshake(t)
	var strangers []net.Conn
	for i := range limit + 10 {
		conn, err := net.Dial("tcp", nodes[0].ln.Addr().String())
		require.NoError(t, err)
		defer conn.Close()
		_, _ = conn.Write(half[:i%len(half)]) // some say nothing at all
		strangers = append(strangers, conn)
	}
	eventually(t, "some have to go", func() bool { return nodes[0].Stats().Refused >= 10 })
	defer func() { each(nodes, func(_ int, n *Node) { n.Close(cancelled()) }) }()
	ctx := within(t)
	require.NoError(t, nodes[1].Connect(ctx))
	eventually(t, "machine 1 is in", func() bool { return nodes[0].in[1].connected() && nodes[0].out[0].connected() })
	assert.True(t, log.contains("silent while others wait"))
	for _, conn := range strangers {
		_ = conn.Close()
	}
	eventually(t, "nobody is in the gate", func() bool {
		nodes[0].gate.mu.Lock()
		defer nodes[0].gate.mu.Unlock()
		return len(nodes[0].gate.at) == 0
	})
}

// halfHandshake returns the first message of a handshake.
func halfHandshake(t testing.TB) []byte {
	near, far := net.Pipe()
	defer near.Close()
	go func() { _ = tls.Client(far, &tls.Config{InsecureSkipVerify: true}).Handshake(); _ = far.Close() }()
	b := make([]byte, 4<<10)
	n, err := near.Read(b)
	require.NoError(t, err)
	return b[:n]
}

// A stranger has as long for TLS and HELLO together as for HELLO alone.
func TestHandshakeTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(t)
		for _, say := range []func(net.Conn){
			func(net.Conn) {},
			func(c net.Conn) { _, _ = c.Write([]byte("\x16\x03\x01")) },
			func(c net.Conn) { _ = tls.Client(c, a.machine(1).Client).Handshake() }, // and no HELLO
		} {
			w := newNetwork()
			n, err := New(Config{Run: "test", Peers: []Peer{{1, "1"}}, Handler: newInbox(), Dial: w.dialer(0), TLS: a.machine(0)}, w.listen("0"))
			require.NoError(t, err)
			n.open()
			conn, err := w.dialer(1)(t.Context(), "", "0")
			require.NoError(t, err)
			began := time.Now()
			go say(conn)
			synctest.Wait()
			for n.Stats().Refused == 0 {
				time.Sleep(time.Second)
				synctest.Wait()
			}
			assert.Equal(t, HelloTimeout, time.Since(began))
			n.Close(cancelled())
			_ = conn.Close()
		}
	})
}

// begin starts machines in a network in memory, each with its own form of TLS, nil for none, and
// returns what becomes of them in a while, and what they have logged.
func begin(t *testing.T, forms ...*TLS) (errs []error, logs []*diary) {
	w := newNetwork()
	for range forms {
		logs = append(logs, new(diary))
	}
	nodes, _ := w.nodes(t, len(forms), func(c *Config) { c.TLS, c.Logger = forms[c.ID], logs[c.ID].logger() })
	errs = make([]error, len(forms))
	ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second)
	defer cancel()
	each(nodes, func(i int, n *Node) { errs[i] = n.Connect(ctx) })
	each(nodes, func(_ int, n *Node) { n.Close(cancelled()) })
	return errs, logs
}

// A machine with TLS and one without: the one without is told, and gives up. The other
// believes nobody who has proved nothing, and so waits; but it says what is wrong.
func TestTLSAtOneEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		errs, logs := begin(t, newAuthority(t).machine(0), nil)
		var refused *RefusedError
		require.ErrorAs(t, errs[1], &refused)
		assert.Equal(t, CodeTLS, refused.Code)
		assert.Equal(t, "0 refuses this machine: "+errOpen.Text, refused.Error())

		var missing *MissingError
		require.ErrorAs(t, errs[0], &missing)
		assert.ErrorContains(t, errs[0], "turned away pipe")
		assert.ErrorContains(t, errs[0], errOpen.Text)
		assert.True(t, logs[0].contains("no connection: addr=1 reason=the machine there speaks without TLS, and this one with it"), "%s", logs[0])
		assert.True(t, logs[1].contains(errSealed.Text), "%s", logs[1])
	})
}

// A machine that finds another one's certificate than it looks for gives up, and says which.
func TestAnotherMachineAnswersWithItsCertificate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(t)
		errs, _ := begin(t, a.machine(0), a.machine(2))
		var refused *RefusedError
		require.ErrorAs(t, errs[0], &refused)
		assert.Contains(t, refused.Error(), "peer 1 is machine 2: with 1 peer, ids are 0 to 1")

		errs, _ = begin(t, a.machine(0), a.machine(2), a.machine(1))
		require.ErrorAs(t, errs[0], &refused)
		assert.Equal(t, CodeDestination, refused.Code)
		assert.Regexp(t, "peer 1 is machine 2, expected machine 1|peer 2 is machine 1, expected machine 2", refused.Error())

		errs, _ = begin(t, a.machine(0), a.machine(0))
		require.ErrorAs(t, errs[0], &refused)
		assert.Equal(t, CodeSelf, refused.Code)
	})
}

// Machines that do not believe each other's authority wait for each other, and each says
// why it does not take the other.
func TestAuthoritiesDiffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		errs, logs := begin(t, newAuthority(t).machine(0), newAuthority(t).machine(1))
		for i, err := range errs {
			var missing *MissingError
			require.ErrorAs(t, err, &missing)
			assert.ErrorContains(t, err, "x509: certificate signed by unknown authority")
			assert.LessOrEqual(t, logs[i].count("no connection"), 4, "once, and after each ten seconds\n%s", logs[i])
			assert.Positive(t, logs[i].count("no connection"))
		}
		assert.ErrorContains(t, errs[0], "machine 1 (1) cannot be reached")
	})
}

// WELCOME has to be from the machine whose certificate was shown.
func TestWelcomeOfAnotherMachineThanTheCertificate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(t)
		w := newNetwork()
		ln := w.listen("1")
		n, err := New(Config{Run: "test", Peers: []Peer{{AnyID, "1"}, {AnyID, "2"}}, Handler: newInbox(), Dial: w.dialer(0), TLS: a.machine(0)}, w.listen("0"))
		require.NoError(t, err)
		failed := make(chan error, 1)
		go func() { failed <- n.Connect(t.Context()) }()
		conn, err := ln.Accept()
		require.NoError(t, err)
		p := newPuppet(t, tls.Server(conn, a.machine(1).Server))
		p.hear(frameHello)
		p.send(welcome{version: Version, id: 2, window: 10}.frame())
		assert.Equal(t, CodeCertificate, p.hearError().Code)
		_ = conn.Close()
		require.EqualError(t, <-failed, "1 says that it is machine 2, with the certificate of machine 1")
		n.Close(cancelled())
	})
}

// A peer that does not take this machine's certificate is believed, since its own is good.
func TestPeerDoesNotTakeTheCertificate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(t)
		one := a.machine(1)
		one.Server.VerifyConnection = func(s tls.ConnectionState) error {
			return &tls.CertificateVerificationError{UnverifiedCertificates: s.PeerCertificates, Err: errors.New("out of fashion")}
		}
		errs, logs := begin(t, a.machine(0), one)
		var refused *RefusedError
		require.ErrorAs(t, errs[0], &refused)
		assert.Equal(t, CodeCertificate, refused.Code)
		assert.Equal(t, "1 does not take the certificate of this machine (tls: bad certificate): its diagnostics say why", refused.Error())
		assert.True(t, logs[1].contains("reason=out of fashion"), "%s", logs[1])
	})
}

// A certificate that expires while a link stands does not end it. A new connection is not
// made then, and both logs say why; and when there is a new certificate, all goes on.
func TestCertificateExpiresInTheRun(t *testing.T) {
	a := newAuthority(t)
	var expired atomic.Bool
	var log diary
	nodes, boxes := mesh(t, 2, func(c *Config) {
		c.TLS = a.machine(c.ID)
		if c.ID == 0 {
			return
		}
		c.Logger = log.logger()
		for _, cfg := range []*tls.Config{c.TLS.Client, c.TLS.Server} {
			verify := cfg.VerifyConnection
			cfg.VerifyConnection = func(s tls.ConnectionState) error {
				if expired.Load() {
					return &tls.CertificateVerificationError{UnverifiedCertificates: s.PeerCertificates, Err: errors.New("it has expired")}
				}
				return verify(s)
			}
		}
	})
	for i, b := range boxes {
		b.onDeliver = consumeAll(t, nodes, i)
	}
	connect(t, nodes)
	ctx := within(t)
	each(nodes, func(_ int, n *Node) { waitForAll(ctx, t, n) })
	expired.Store(true)
	nodes[0].Send(1, numbered(1))
	eventually(t, "the message comes", func() bool { return boxes[1].got(0) == 1 })
	assert.Zero(t, nodes[0].Stats().Reconnects)

	for _, l := range nodes[1].out {
		l.mu.Lock()
		_ = l.session.conn.Close()
		l.mu.Unlock()
	}
	nodes[1].Send(0, numbered(1))
	eventually(t, "the log says why", func() bool { return log.contains("no connection") && log.contains("it has expired") })
	assert.Zero(t, boxes[0].got(1))
	expired.Store(false)
	eventually(t, "the message comes", func() bool { return boxes[0].got(1) == 1 })
	finish(t, nodes)
}

// Whatever somebody says who has no certificate, at either end: it is no more than refused, and
// nothing of this protocol is said to it, but for the ERROR to a machine without TLS.
func FuzzNoCertificate(f *testing.F) {
	form := newAuthority(f).machine(0)
	for _, g := range goldenFrames {
		f.Add(g.bytes)
	}
	half := halfHandshake(f)
	f.Add(half)
	f.Add(half[:len(half)/2])
	f.Add(append(half, half...))
	f.Add([]byte("\x16\x03\x03\x40\x00"))
	f.Add([]byte("\x15\x03\x03\x00\x02\x02\x28"))
	f.Add([]byte("\x80\x2e\x01\x03\x01"))
	f.Fuzz(func(t *testing.T, words []byte) {
		n, _ := fuzzNode(t)
		n.cfg.TLS = form
		judge := func(err error) {
			require.Error(t, err)
			refused, ok := errors.AsType[*RefusedError](err)
			if !ok {
				assert.True(t, onNetwork(err), "%v", err)
				return
			}
			assert.Contains(t, []Code{CodeTLS, CodeCertificate, CodeProtocol}, refused.Code)
			assert.True(t, refused == errOpen || refused.passing && !refused.final())
		}
		caller := &tape{r: bytes.NewReader(words)}
		_, _, l, _, err := n.meetCaller(caller, time.Now().Add(deadline))
		judge(err)
		assert.Nil(t, l)
		answerer := &tape{r: bytes.NewReader(words)}
		_, _, err = n.secure(answerer, true, time.Now().Add(deadline))
		judge(err)
		for _, heard := range [][]byte{caller.written(), answerer.written()} {
			assert.NotContains(t, string(heard), magic)
			assert.NotContains(t, string(heard), "fuzz") // the run's name
		}
	})
}

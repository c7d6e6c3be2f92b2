package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"spangate/handler/acme"
	"spangate/handler/certificate"
	"spangate/handler/config"
	"spangate/handler/fault"
	"spangate/handler/reload"
	"spangate/handler/supervise"
	"spangate/handler/wire/framing"
	"spangate/handler/wire/proxyproto"
)

// security is how clients are spoken to over TLS: with which certificates, as the
// files that [TLSConfig] names say now, and as an authority has issued them. It is
// safe for concurrent use.
type security struct {
	cfg    *TLSConfig
	files  *reload.Files[material]
	issued *acme.Client // nil: no authority is asked
}

// newSecurity reads the files of cfg, and the certificates that an authority issued
// earlier. Its error lacks the names of variables.
func newSecurity(cfg *TLSConfig) (s *security, err error) {
	s = &security{cfg: cfg}
	if cfg.ACME.On() {
		if s.issued, err = acme.New(&cfg.ACME, cfg.Port != 0); err != nil {
			return nil, err
		}
	}
	s.files, err = reload.New(cfg.files(), func(before material) (material, error) {
		m, err := cfg.load(before)
		m.config = cfg.handshake(m, s.issued)
		return m, err
	})
	return s, err
}

func (s *security) certificates() []certificate.Info {
	if s == nil {
		return nil
	}
	all := s.files.Get().shown.Infos()
	if s.issued != nil {
		all = append(all, s.issued.Certificates()...)
	}
	return all
}

func (s *security) run(ctx context.Context, hooks Hooks) error {
	if s == nil {
		<-ctx.Done()
		return nil
	}
	runs := []func(context.Context) error{func(ctx context.Context) error {
		return s.files.Run(ctx, s.cfg.ReloadInterval, func(_ material, err error) {
			if hooks.Reloaded != nil {
				hooks.Reloaded(config.Named(s.cfg, err))
			}
		})
	}}
	if s.issued != nil {
		runs = append(runs, func(ctx context.Context) error { return s.issued.Run(ctx, hooks.Issued) })
	}
	return supervise.All(ctx, runs...)
}

// secureListener speaks TLS over the connections of another one.
type secureListener struct {
	net.Listener
	security *security
	timeout  time.Duration // longest handshake
	pause    time.Duration // longest one in which a client takes nothing; 0: no limit
	failed   func(FailedHandshake)
}

// FailedHandshake is a handshake of TLS with a client that came to nothing.
type FailedHandshake struct {
	Peer       net.Addr
	ServerName string // that the client asked for, whatever it has in it
	Err        error  // what [fault.HandshakeReason] reads
}

func (l secureListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	config := l.security.files.Get().config
	return &secureConn{Conn: tls.Server(&steadyConn{Conn: conn, pause: l.pause}, config), config: config, listener: l}, nil
}

// SyscallConn returns the socket, which [Serve] tells to take nobody any more.
func (l secureListener) SyscallConn() (syscall.RawConn, error) { return socketOf(l.Listener) }

// secureConn does the handshake with the first read, so that nobody who accepts
// connections waits for it.
type secureConn struct {
	*tls.Conn
	config    *tls.Config // of its handshake
	listener  secureListener
	handshake sync.Once
	hello     *tls.ClientHelloInfo // nil until it has come, and when the handshake is done
	failure   error
	state     tls.ConnectionState // once the handshake is done
	believed  atomic.Pointer[belief]
	begun     string // what has come of HTTP/2, and not been read yet
}

// Read implements [net.Conn].
func (c *secureConn) Read(p []byte) (int, error) {
	c.handshake.Do(c.shakeHands)
	if c.failure != nil {
		return 0, c.failure
	}
	if len(c.begun) > 0 {
		n := copy(p, c.begun)
		c.begun = c.begun[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

// preface is what a client of HTTP/2 begins with (RFC 9113 §3.4).
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// readPreface returns an error unless that comes. Who agreed on HTTP/2 and says
// something else has no language in which it could be answered.
func (c *secureConn) readPreface() error {
	var got [len(preface)]byte
	for n := 0; n < len(got); {
		more, err := c.Conn.Read(got[n:])
		if n += more; string(got[:n]) != preface[:n] {
			return io.EOF
		}
		if err != nil {
			return err
		}
	}
	c.begun = preface
	return nil
}

type secureConnKey struct{}

// heard notes what a client begins with. crypto/tls calls it before it decides
// anything, and goes on as it would without.
func heard(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	if c, ok := hello.Context().Value(secureConnKey{}).(*secureConn); ok {
		c.hello = hello
	}
	return nil, nil
}

func (c *secureConn) shakeHands() {
	ctx, cancel := context.WithTimeout(context.WithValue(context.Background(), secureConnKey{}, c), c.listener.timeout)
	defer cancel()
	err := c.Conn.HandshakeContext(ctx)
	hello := c.hello
	c.hello = nil // with all that the client offers
	if err == nil {
		c.state = c.Conn.ConnectionState()
		c.believed.Store(&belief{c.config.ClientCAs, true})
		if c.state.NegotiatedProtocol == acme.Protocol {
			c.failure = io.EOF // that was all; nobody may go on from here, as no certificate was asked for
		}
		if c.state.NegotiatedProtocol == "h2" {
			c.failure = c.readPreface()
		}
		return
	}
	c.failure = io.EOF // net/http has nothing to say to who cannot read it
	if _, ok := errors.AsType[*proxyproto.Error](err); ok {
		return // of which others have been told
	}
	reason := fault.HandshakeReason(err)
	if c.listener.failed != nil && (hello != nil || reason != fault.HandshakeClosed) {
		failed := FailedHandshake{Peer: c.RemoteAddr(), Err: err}
		if hello != nil {
			failed.ServerName = hello.ServerName
		}
		c.listener.failed(failed)
	}
	if record, ok := errors.AsType[tls.RecordHeaderError](err); ok && record.Conn != nil && isRequest(record.RecordHeader) {
		record.Conn.SetWriteDeadline(time.Now().Add(c.listener.timeout))
		io.WriteString(record.Conn, notHTTPS)
	}
	if reason != fault.HandshakeClosed && reason != fault.HandshakeTimeout {
		framing.Linger(c.NetConn()) // over whatever the client has sent on, its alert would be lost
	}
}

// notHTTPS is what somebody is told who sends a request in the clear.
const notHTTPS = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n" +
	"400 Bad Request: HTTP on a port of HTTPS\n"

// isRequest reports whether what should be the header of a record of TLS is the
// beginning of a request.
func isRequest(header [5]byte) bool {
	for _, c := range header {
		if (c < 'A' || c > 'Z') && c != ' ' && c != '/' {
			return false
		}
	}
	return true
}

// secureConnOf returns the connection that r came on, or nil where that is not of
// TLS.
func secureConnOf(r *http.Request) *secureConn {
	conn, _ := connOf(r).(*secureConn)
	return conn
}

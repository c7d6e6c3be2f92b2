package wire

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"

	"spangate/handler/fault"
	"spangate/handler/wire/proxyproto"
)

// announced makes a connection for each request, which begins with a header of the
// PROXY protocol that says whose it is. It carries nothing else and is closed with
// the answer: no other client's request can come over it, whatever happens. A
// connection that is kept for its client's next request would cost less, and a pool
// for each client there is.
type announced struct {
	version proxyproto.Version
	whose   func(*http.Request) proxyproto.Header
	connect connectFunc
	room    chan struct{} // for connections; nil: without limit
	target  func(*http.Request) string
}

// Announcing returns t, each of whose connections begins with a header of the PROXY
// protocol and serves one request, of whose client whose tells. Where that is nil,
// and with [Transport.Connect], the header says that the proxy speaks for itself. It
// is to be called before t is used.
func (t *Transport) Announcing(v proxyproto.Version, whose func(*http.Request) proxyproto.Header) *Transport {
	t.connector.dial = announcing(t.connector.dial, v)
	a := &announced{version: v, whose: whose, connect: t.connector.connect}
	if t.pool.max > 0 {
		a.room = make(chan struct{}, t.pool.max)
	}
	var once sync.Once
	var authority string
	a.target = func(r *http.Request) string {
		once.Do(func() { authority = target(r.URL) })
		return authority
	}
	t.announced = a
	return t
}

type announcementKey struct{}

// announcing returns what makes a connection by next and writes the header in its
// context, that of the proxy itself where there is none.
func announcing(next dialFunc, v proxyproto.Version) dialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := next(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		header, ok := ctx.Value(announcementKey{}).(proxyproto.Header)
		if !ok {
			header.Local = true
		}
		if _, err := conn.Write(header.Append(nil, v)); err != nil {
			conn.Close()
			return nil, fault.OfConnect(err, fault.ConnectionReset)
		}
		return conn, nil
	}
}

// take returns a connection for r. Its errors are *[fault.Error], with nothing of r
// sent.
func (a *announced) take(r *http.Request, needs protocol) delivery {
	ctx := r.Context()
	if a.room != nil {
		select {
		case a.room <- struct{}{}:
		case <-ctx.Done():
			return delivery{err: notSent(ctx), waited: true}
		}
	}
	with := ctx
	if a.whose != nil {
		with = context.WithValue(ctx, announcementKey{}, a.whose(r))
	}
	m := &making{}
	c, err := a.connect(with, a.target(r), needs, m, a.closed)
	if err != nil && ctx.Err() != nil {
		err = notSent(ctx)
	}
	return delivery{c, err, true, m}
}

func (a *announced) closed() {
	if a.room != nil {
		<-a.room
	}
}

// notSent returns why a request whose context is done was not sent.
func notSent(ctx context.Context) *fault.Error {
	e := *fault.Of(ctx, context.Cause(ctx))
	e.Sent = false
	return &e
}

// after has c, of HTTP/2, closed with resp, which has come over it.
func (a *announced) after(c *connection, resp *http.Response) {
	if resp.Body == http.NoBody {
		discard(c)
		return
	}
	resp.Body = &lastBody{ReadCloser: resp.Body, c: c}
}

// lastBody is the content of the last response of a connection.
type lastBody struct {
	io.ReadCloser
	c    *connection
	once sync.Once
}

func (b *lastBody) Close() error {
	err := b.ReadCloser.Close()
	b.once.Do(func() { discard(b.c) })
	return err
}

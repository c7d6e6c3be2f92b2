package wire

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"spangate/handler/wire/framing"
)

// guard stands around every request, whoever answers it.
type guard struct {
	next    http.Handler
	drain   context.Context
	running *atomic.Int64
	timeout time.Duration
}

type connKey struct{}

func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.running.Add(1)
	defer g.running.Add(-1)
	if r.ProtoMajor == 2 && r.Close {
		// The beginning of HTTP/2's preface, which net/http hands out as a request
		// of HTTP/1 where the rest of it does not come. Only the whole is one.
		http.Error(w, "400 Bad Request: malformed message: an HTTP/2 preface that is not whole", http.StatusBadRequest)
		return
	}
	r.TLS = nil
	if conn := secureConnOf(r); conn != nil {
		if r.TLS = &conn.state; agreedOtherwise(r) {
			EndConnection(w, r)
			http.Error(w, "400 Bad Request: another protocol than was agreed on", http.StatusBadRequest)
			return
		}
	}
	if r.ProtoMajor == 2 {
		g.lift(w)
		// What is left in the server's buffer is written when this returns.
		defer g.limitWrites(w)
		// A client that does not take its answer must not have the server keep the
		// header for as long: a short one on the wire can be a large one here.
		defer func() { r.Header = nil }()
	} else if framing.OffersSwitch(r) || r.Method == http.MethodConnect {
		// A connection that cannot be checked any more must not carry another
		// request, unless it is upgraded: its client may have gone on already in
		// the other protocol, or in the tunnel (RFC 9931).
		EndConnection(w, r)
	}
	if conn := ConnOf(r); conn != nil {
		defer conn.Handling()()
	}
	if conn := BodyConn(r); conn != nil {
		defer finish(conn, r.Body)
	}
	leaving := &leavingWriter{ResponseWriter: w, r: r, drain: g.drain}
	g.next.ServeHTTP(leaving, r)
	leaving.begin() // whatever was written: if nothing was, net/http sends a header now
}

// agreedOtherwise reports whether r, which came over TLS, is of HTTP/2 where
// HTTP/1.1 was agreed on in the handshake (RFC 7301 §3.2): who watches over
// connections by that would be deceived. For the other way round see readPreface.
func agreedOtherwise(r *http.Request) bool {
	return r.TLS.NegotiatedProtocol == "http/1.1" && r.ProtoMajor != 1
}

// BodyConn returns the HTTP/1 connection that the body of r comes on, or nil
// when r has none or did not come through [Serve].
func BodyConn(r *http.Request) *framing.Conn {
	if r.ContentLength == 0 {
		return nil
	}
	return ConnOf(r)
}

// ConnOf returns the HTTP/1 connection that r came on, or nil when it did not
// come through [Serve].
func ConnOf(r *http.Request) *framing.Conn {
	if r.ProtoMajor == 2 {
		return nil
	}
	conn, _ := r.Context().Value(connKey{}).(*framing.Conn)
	return conn
}

// EndConnection has r's connection end with the answer that is about to be
// sent. Over HTTP/2, where the word would end all other requests too and a
// stream ends by itself, it does nothing.
//
// Other options of Connection stay, on lines of their own: net/http closes only
// where the first line says nothing but close.
func EndConnection(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor != 1 {
		return
	}
	if lines := w.Header()["Connection"]; len(lines) == 0 || lines[0] != "close" {
		w.Header()["Connection"] = append([]string{"close"}, lines...)
	}
}

// CloseUnread tells a client that still owes a part of the body of r, in the
// header that is about to be sent, that the connection ends with the answer. A
// next request on it would be lost.
func CloseUnread(w http.ResponseWriter, r *http.Request) {
	if conn := BodyConn(r); conn != nil && conn.Receiving() {
		EndConnection(w, r)
	}
}

// finish ends a request whose body is body. What of it is left unread has
// arrived, else the connection ends; net/http must come upon its end before the
// handler returns. Later, in full duplex, it takes that for a read that goes on
// beside its own of the next request, and closes the connection over it.
func finish(conn *framing.Conn, body io.Reader) {
	if conn.Answered() {
		io.Copy(io.Discard, body)
	}
}

// lift takes away the bound that the server sets on each answer from its beginning: it
// is for those that come from net/http itself, such as 431. Others may take as
// long as they like, but for pauses.
func (g *guard) lift(w http.ResponseWriter) {
	if g.timeout > 0 {
		http.NewResponseController(w).SetWriteDeadline(time.Time{})
	}
}

func (g *guard) limitWrites(w http.ResponseWriter) {
	if g.timeout > 0 {
		http.NewResponseController(w).SetWriteDeadline(time.Now().Add(g.timeout))
	}
}

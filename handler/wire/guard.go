package wire

import (
	"net"
	"net/http"
	"time"

	"golang.org/x/net/http/httpguts"

	"spangate/handler/fault"
	"spangate/handler/wire/framing"
)

// guard stands around every request over HTTP/2.
type guard struct{ *server }

type connKey struct{}

const errNotAgreed = fault.Phrase("another protocol than was agreed on")

func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.running.Add(1)
	defer g.running.Add(-1)
	r.TLS = nil
	if conn := secureConnOf(r); conn != nil {
		if r.TLS = &conn.state; r.TLS.NegotiatedProtocol == "http/1.1" {
			// Who watches over connections by what was agreed on in the handshake (RFC
			// 7301 §3.2) would be deceived. For the other way round see readPreface.
			g.refused(conn.RemoteAddr(), r, http.StatusBadRequest, errNotAgreed)
			http.Error(w, "400 Bad Request: "+errNotAgreed.Error(), http.StatusBadRequest)
			return
		}
	}
	g.lift(w)
	// A client that does not take its answer must not have the server keep the
	// header for as long: a short one on the wire can be a large one here.
	defer func() { r.Header = nil }()
	leaving := &leavingWriter{r: r, drain: g.leaving}
	leaving.ResponseWriter, leaving.conn, leaving.pause = w, r.Context().Value(connKey{}).(*framing.Conn), g.cfg.ClientTimeout
	g.handler.ServeHTTP(leaving, r)
	leaving.ask() // whatever was written: if nothing was, net/http sends a header now
	leaving.end()
}

// connOf returns the connection that r came on, or nil when it did not come through
// [Serve].
func connOf(r *http.Request) net.Conn {
	switch conn := r.Context().Value(connKey{}).(type) {
	case *clientConn:
		return conn.Conn
	case *framing.Conn:
		return conn.Conn
	}
	return nil
}

// EndConnection has r's connection end with the answer that is about to be
// sent. Over HTTP/2, where the word would end all other requests too and a
// stream ends by itself, it does nothing.
func EndConnection(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor != 1 {
		return
	}
	if header := w.Header(); !httpguts.HeaderValuesContainsToken(header["Connection"], "close") {
		header["Connection"] = append([]string{"close"}, header["Connection"]...)
	}
}

// lift takes away the bound that the server sets on each answer from its beginning: it
// is for those that come from net/http itself, such as 431. Others may take as
// long as they like, but for pauses.
func (g *guard) lift(w http.ResponseWriter) {
	if g.cfg.ClientTimeout > 0 {
		http.NewResponseController(w).SetWriteDeadline(time.Time{})
	}
}

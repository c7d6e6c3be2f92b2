package handler

import (
	"context"
	"net/http"
	"net/netip"
	"strings"

	"spangate/handler/field"
	"spangate/handler/wire"
)

// Client is who asks, and for what, as far as it is believed. It is derived once,
// when a request comes in ([Identify]), and whoever wants to know reads it there:
// limits, lists, log, span, cookies, the choice of a backend, and what backends
// are told in either dialect. It does not change.
type Client struct {
	// Addr is the address that the request comes from: the peer's, or, where that
	// is trusted, what it says. In a list of addresses that is the last one that is
	// not trusted itself, as each hop can vouch only for the one before it. Where a
	// trusted hop does not name who is before it, or not in a form that is
	// understood, the client is that hop. It is the zero Addr where there is none.
	Addr netip.Addr
	// Hidden is set where a trusted hop speaks of who is before it without naming
	// it, in a field or by the PROXY protocol: Addr is then a proxy's. A trusted peer
	// that says nothing at all is a client itself.
	Hidden bool
	// Scheme is the one that the client used, http or https.
	Scheme string
	// Host is the authority that the client asked for.
	Host string
	// Trusted is set where the peer's word is believed.
	Trusted bool

	origin Origin
	peer   netip.Addr
	port   uint16       // the peer's
	hops   []netip.Addr // that trusted hops have named, the client among them, the nearest first
	spoken dialect      // the one that is believed
}

// NamedAddr is c.Addr for those who must not take a proxy for its clients: the
// zero Addr where the client is hidden.
func (c Client) NamedAddr() netip.Addr {
	if c.Hidden {
		return netip.Addr{}
	}
	return c.Addr
}

// inquiry is the context of a request, with what those behind [Identify] share: all
// that the proxy keeps of it, in one piece of memory.
type inquiry struct {
	context.Context
	client Client
	answer field.Answer

	forwarding  forwarding
	isForwarded bool
}

type inquiryKey struct{}

func (i *inquiry) Value(key any) any {
	if key == (inquiryKey{}) {
		return i
	}
	return i.Context.Value(key)
}

// Identify returns a wrapper that finds out who asks, by origin, and deletes whatever
// a peer that is not trusted has said of it. Handlers behind it ask [ClientOf], and
// say what they have to say in the answer to [AnswerOf]. It notes that in the request
// that it gets, and not in a copy, which would be large.
func Identify(origin Origin) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler { return &identifier{origin, next} }
}

type identifier struct {
	origin Origin
	next   http.Handler
}

func (h *identifier) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.identify(r)
	h.next.ServeHTTP(w, r)
}

// identify notes in r who sends it. What that takes of the stack is not below all that
// follows.
func (h *identifier) identify(r *http.Request) {
	i := wire.Keep[inquiry](r.Context())
	i.Context, i.client = r.Context(), h.origin.Client(r)
	if !i.client.Trusted {
		h.origin.removeForwarded(r.Header)
	}
	*r = *r.WithContext(i)
}

// ClientOf returns who sends r, a request behind [Identify] or one that is sent
// for it. Of any other nothing but the connection is believed.
func ClientOf(r *http.Request) Client {
	if i := inquiryOf(r); i != nil {
		return i.client
	}
	return Origin{}.Client(r)
}

// OnBehalf returns ctx as that of another request, which is sent for the client of r and
// may outlive it.
func OnBehalf(ctx context.Context, r *http.Request) context.Context {
	return &inquiry{Context: ctx, client: ClientOf(r)}
}

// inquiryOf returns what is kept of r, nil where it is not behind [Identify].
func inquiryOf(r *http.Request) *inquiry {
	i, _ := r.Context().Value(inquiryKey{}).(*inquiry)
	return i
}

// AnswerOf returns what policies have to say in the answer to r, a request behind
// [Identify]; of any other it is nil, which says nothing and cannot be told
// anything. [Forward] and [Failures] heed it; whoever answers by himself applies
// it.
func AnswerOf(r *http.Request) *field.Answer {
	if i := inquiryOf(r); i != nil {
		return &i.answer
	}
	return nil
}

// Client returns who sends r. Nothing that a peer outside o.Trusted writes changes
// it.
func (o Origin) Client(r *http.Request) Client {
	end := wire.PeerOf(r)
	peer := end.Addr()
	c := Client{Addr: peer, Scheme: scheme(r), Host: r.Host, origin: o, peer: peer, port: end.Port()}
	if c.Trusted, c.Hidden = o.trusts(r, peer); !c.Trusted {
		return c
	}
	said := o.said(r.Header)
	c.hops, c.Hidden, c.spoken = said.hops, said.hidden, said.dialect
	if o.Header.isSingle() {
		c.hops, c.Hidden = o.Header.single(r.Header)
	}
	if len(c.hops) > 0 {
		c.Addr = c.hops[len(c.hops)-1]
	}
	if said.scheme() != "" {
		c.Scheme = said.scheme()
	}
	if said.host != "" && validHost(said.host) {
		c.Host = said.host
	}
	return c
}

// scheme returns "https" when r came over TLS, else "http".
func scheme(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// schemeOf returns the scheme that a proxy means by proto, "" where that is not
// understood. Some tell the scheme of a WebSocket.
func schemeOf(proto string) string {
	switch {
	case strings.EqualFold(proto, "http"), strings.EqualFold(proto, "ws"):
		return "http"
	case strings.EqualFold(proto, "https"), strings.EqualFold(proto, "wss"):
		return "https"
	}
	return ""
}

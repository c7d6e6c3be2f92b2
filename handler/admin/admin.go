// Package admin answers: is this instance alive, is it ready, and how does it do?
package admin

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"spangate/handler"
	"spangate/handler/certificate"
	"spangate/handler/config"
	"spangate/handler/field"
	"spangate/handler/wire"
	"spangate/telemetry/export"
)

// Prefix is the path under which the proxy answers itself: one or more
// segments of letters, digits, dots, dashes and underscores, each after a slash.
type Prefix string

var adminPrefix = regexp.MustCompile(`^(/[A-Za-z0-9._-]+)+$`)

// UnmarshalText parses a prefix.
func (p *Prefix) UnmarshalText(text []byte) error {
	if !adminPrefix.Match(text) {
		return errors.New("must be a path such as /.spangate, of letters, digits, dots, dashes and underscores")
	}
	*p = Prefix(text)
	return nil
}

// Config is where the proxy's own endpoints are.
type Config struct {
	Prefix Prefix `env:"ADMIN_PREFIX" envDefault:"/.spangate" doc:"path prefix of the proxy's own endpoints: live, ready and, for trusted peers and this host only, status"`
}

// Endpoints are the proxy's own, as a handler of these and of nothing else:
//
//	live    200 while the process serves; never depends on backends
//	ready   200, or 503 with the text of the error that Sources.Ready returns
//	status  what Sources.Snapshot and Delivery return, as JSON, to those only who may know
//
// The status is for requests that nobody outside of TRUSTED_PROXIES and of this
// host has sent. It is not for what a load balancer passes on (PROXY protocol),
// whoever it says that has sent it: addresses mean something else where it is. It is not there, 404, for a client that a trusted or local
// proxy names in any field, for one that such a proxy hides, and for whatever
// comes through a local proxy that is not trusted. A local proxy that leaves no
// trace of itself cannot be told from a user of this host: whoever has one and
// wants no status behind it gives the endpoints a port of their own.
type Endpoints struct {
	prefix   string
	sources  Sources
	origin   handler.Origin
	insiders config.CIDRs // who may see the status
}

// Sources are whom the endpoints ask.
type Sources struct {
	Leaving  <-chan struct{}        // is closed when no request should be sent here any more; nil: never
	Ready    func() error           // why none should be sent yet, or nil
	Snapshot func() Snapshot        // nil: there is no status
	Delivery func() []export.Status // of telemetry; nil: nothing to tell

	Certificates func() []certificate.Info // that clients and backends are shown; nil: nothing to tell
}

// New returns the endpoints below cfg's prefix. origin says whose word about where
// a request comes from is believed.
func New(cfg Config, origin handler.Origin, sources Sources) *Endpoints {
	return &Endpoints{
		prefix: string(cfg.Prefix), sources: sources,
		origin: origin, insiders: origin.Trusted.With(loopback4, loopback6),
	}
}

// Before answers what is for the endpoints, and leaves the rest to next. Other
// paths below their prefix are 404: they never reach a backend.
func (a *Endpoints) Before(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name, ok := strings.CutPrefix(r.URL.Path, a.prefix); ok && (name == "" || name[0] == '/') {
			a.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

var (
	loopback4 = netip.MustParsePrefix("127.0.0.0/8")
	loopback6 = netip.MustParsePrefix("::1/128")
)

// ServeHTTP implements [http.Handler].
func (a *Endpoints) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, below := strings.CutPrefix(r.URL.Path, a.prefix)
	switch {
	case !below || name != "/live" && name != "/ready" && name != "/status", name == "/status" && !a.showsStatus(r):
		http.NotFound(w, r)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		refuseMethod(w)
	case name == "/status":
		answerJSON(w, a.snapshot())
	case name == "/ready":
		answer(w, a.ready())
	default:
		answer(w, nil)
	}
}

func refuseMethod(w http.ResponseWriter) {
	w.Header().Set("Allow", "GET, HEAD")
	http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
}

var errLeaving = errors.New("shutting down")

func (a *Endpoints) ready() error {
	select {
	case <-a.sources.Leaving:
		return errLeaving
	default:
		return a.sources.Ready()
	}
}

func (a *Endpoints) snapshot() Snapshot {
	s := a.sources.Snapshot()
	if a.sources.Delivery != nil {
		s.Telemetry = a.sources.Delivery()
	}
	if a.sources.Certificates != nil {
		s.Certificates = a.sources.Certificates()
	}
	return s
}

// showsStatus reports whether r comes from somebody who may see the status.
func (a *Endpoints) showsStatus(r *http.Request) bool {
	if relay := wire.RelayOf(r); a.sources.Snapshot == nil || relay == wire.Named || relay == wire.Unnamed {
		return false
	}
	if !a.origin.Trusts(r) {
		// A browser on this host could be led here by a name of its own (DNS
		// rebinding), and a proxy on it serves others.
		return isOfThisHost(r) && isLocal(r.Host) && r.Header["Via"] == nil && !a.forwards(r.Header)
	}
	inside := func(header handler.ClientIPHeader) bool {
		return a.insiders.Contains(handler.Origin{Trusted: a.insiders, Header: header}.Client(r).NamedAddr())
	}
	// Each of the fields that name a client, whichever is believed elsewhere.
	for name := range r.Header {
		if field.NamesClient(field.Canonical(name)) && !inside(handler.ClientIPHeader(name)) {
			return false
		}
	}
	return inside(a.origin.Header)
}

// forwards reports whether h says whom the request comes from.
func (a *Endpoints) forwards(h http.Header) bool {
	for name := range h {
		if a.origin.IsForwarded(name) {
			return true
		}
	}
	return false
}

// isOfThisHost reports whether the peer of r is a process of this host: one that
// comes from the loopback, or from the very address that it came to.
func isOfThisHost(r *http.Request) bool {
	peer := handler.PeerAddr(r)
	local, _ := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return peer.IsLoopback() || peer.IsValid() && local != nil && peer == local.AddrPort().Addr().Unmap().WithZone("")
}

// isLocal reports whether an authority names this host to itself.
func isLocal(authority string) bool {
	host, _, err := net.SplitHostPort(authority)
	if err != nil {
		host = strings.Trim(authority, "[]")
	}
	addr, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && addr.IsLoopback()
}

func answer(w http.ResponseWriter, err error) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if err != nil {
		answerWhole(w, http.StatusServiceUnavailable, []byte(err.Error()+"\n"))
		return
	}
	answerWhole(w, http.StatusOK, []byte("ok\n"))
}

// answerWhole says beforehand how long the answer is, so that it ends before
// its handler does.
func answerWhole(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body)
}

func answerJSON(w http.ResponseWriter, content Snapshot) {
	body, _ := json.MarshalIndent(content, "", "  ") // cannot fail: numbers, texts and times
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	answerWhole(w, http.StatusOK, append(handler.Visible(body), '\n'))
}

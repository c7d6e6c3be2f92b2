package wire

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"

	"spangate/handler/acme"
	"spangate/handler/certificate"
	"spangate/handler/config"
	"spangate/handler/wire/proxyproto"
)

// Listeners are the sockets that clients come to.
type Listeners struct {
	HTTP  net.Listener // nil: HTTPS alone is spoken
	HTTPS net.Listener // nil: HTTP alone is spoken
	Admin net.Listener // of the proxy's own endpoints alone, over HTTP; nil: they are where requests are

	Metrics net.Listener // of scrapes alone, over HTTP; nil: they are where Admin is, or nowhere

	security *security // of HTTPS
	hooks    Hooks
}

// Listen opens the sockets that cfg asks for, all of them or none, also for scrapes of
// metrics if there are to be any. Its error names the variables.
func Listen(ctx context.Context, cfg Config, scraped bool) (l Listeners, err error) {
	defer func() {
		if err != nil {
			l.Close()
			l, err = Listeners{}, config.Named(&cfg, err)
		}
	}()
	if cfg.TLS.On() {
		if l.security, err = newSecurity(&cfg.TLS); err != nil {
			return l, err
		}
	}
	openAt := func(ln *net.Listener, host Host, port uint16, fields config.Fields) {
		if err != nil {
			return
		}
		opened, failed := listen(ctx, host, port)
		if failed != nil {
			err = config.Wrong(fields, "%w", failed)
			return
		}
		*ln = opened
	}
	open := func(ln *net.Listener, port *uint16) { openAt(ln, cfg.Host, *port, config.Fields{&cfg.Host, port}) }
	switch {
	case l.security == nil:
		open(&l.HTTP, &cfg.Port)
	case cfg.TLS.Port == 0:
		open(&l.HTTPS, &cfg.Port)
	default:
		open(&l.HTTP, &cfg.Port)
		open(&l.HTTPS, &cfg.TLS.Port)
	}
	if cfg.AdminPort != 0 {
		open(&l.Admin, &cfg.AdminPort)
	}
	if host, port := cfg.scrapes(); scraped && port != 0 {
		openAt(&l.Metrics, host, port, config.Fields{&cfg.Metrics.Host, &cfg.Metrics.Port})
	}
	return l, err
}

// Hooks are told of what happens before there is a request, or instead of one. None of them may block;
// one that is nil is not called.
type Hooks struct {
	// Failed is told of each error of Accept. [Serve] goes on after those that may pass.
	Failed func(error)
	// Handshake is told of each of TLS that was begun and failed. Who connects and goes
	// away, as those do who only look whether there is somebody, has begun none.
	Handshake func(FailedHandshake)
	// Refused is told of each request that cannot be read, before it is answered.
	Refused func(RefusedRequest)
	// Flooded is told of each connection that was closed for a flood of frames of HTTP/2.
	Flooded func(peer net.Addr, err error)
	// ProxyHeader is told of each connection that is closed for its header of the PROXY
	// protocol, and of the load balancer that has made it.
	ProxyHeader func(peer net.Addr, err *proxyproto.Error)
	// Reloaded is told that files of TLS have changed, and why what they say now is
	// not heeded.
	Reloaded func(error)
	// Issued are told of certificates that an authority issues.
	Issued acme.Hooks
}

// With returns l as hooks are told of it, with the PROXY protocol, if cfg says so,
// for requests of the peers that trusts knows, and above it with TLS where it belongs.
func (l Listeners) With(cfg Config, trusts func(peer netip.Addr) bool, hooks Hooks) Listeners {
	l.hooks = hooks
	for _, ln := range []*net.Listener{&l.HTTP, &l.HTTPS, &l.Admin, &l.Metrics} {
		if *ln != nil {
			*ln = watchedListener{*ln, hooks}
		}
	}
	if cfg.ProxyProtocol.On() {
		receiver := &proxyproto.Receiver{Trusts: trusts, Timeout: cfg.HeaderTimeout, Failed: hooks.ProxyHeader}
		for _, ln := range []*net.Listener{&l.HTTP, &l.HTTPS} {
			if *ln != nil {
				*ln = relayedListener{*ln, receiver}
			}
		}
	}
	if l.HTTPS != nil {
		l.HTTPS = secureListener{l.HTTPS, l.security, cfg.HeaderTimeout, cfg.ClientTimeout, hooks.Handshake}
	}
	return l
}

// Run keeps certificates up to date until ctx is done, and then returns nil.
func (l Listeners) Run(ctx context.Context) error { return l.security.run(ctx, l.hooks) }

// Challenges returns h behind what answers an authority that asks over HTTP whether
// a name is ours, or nil where none does.
func (l Listeners) Challenges() func(h http.Handler) http.Handler {
	if l.security == nil || l.security.issued == nil {
		return nil
	}
	return l.security.issued.Challenges
}

// Certificates returns what there is to know of those that clients are shown.
func (l Listeners) Certificates() []certificate.Info { return l.security.certificates() }

// Requests returns the sockets that requests come to.
func (l Listeners) Requests() []net.Listener { return open(l.HTTP, l.HTTPS) }

func open(all ...net.Listener) []net.Listener {
	return slices.DeleteFunc(all, func(ln net.Listener) bool { return ln == nil })
}

// Close closes the sockets, unless somebody has done so already.
func (l Listeners) Close() {
	for _, ln := range open(l.HTTP, l.HTTPS, l.Admin, l.Metrics) {
		ln.Close()
	}
}

// Announce tells log where clients are listened to: for requests to backends, and
// for the proxy's own endpoints below a path where these have a port of their own.
func (l Listeners) Announce(log *slog.Logger, cfg Config, below string, backends []string) {
	says, host := "listening", cfg.Host
	tell := func(ln net.Listener, scheme, path string, more ...any) {
		if ln == nil {
			return
		}
		_, port, _ := net.SplitHostPort(ln.Addr().String())
		url := scheme + "://" + net.JoinHostPort(cmp.Or(string(host), "localhost"), port) + path
		log.Info(says, append([]any{"address", ln.Addr().String(), "url", url}, more...)...)
	}
	var to []any // of routes alone each has its own
	if backends != nil {
		to = []any{"backends", backends}
	}
	tell(l.HTTP, "http", "", to...)
	if l.HTTP != nil {
		says = "listening for HTTPS"
	}
	tell(l.HTTPS, "https", "", to...)
	says = "listening for the proxy's own endpoints"
	tell(l.Admin, "http", below)
	says, host = "listening for scrapes of metrics", cfg.Metrics.Host
	tell(l.Metrics, "http", "/metrics")
}

// Own returns the scheme and the port of the proxy's own endpoints.
func (c Config) Own() (scheme string, port uint16) {
	switch {
	case c.AdminPort != 0:
		return "http", c.AdminPort
	case c.TLS.On() && c.TLS.Port == 0:
		return "https", c.Port
	}
	return "http", c.Port
}

// listen opens a socket of plain TCP: one of Multipath TCP, Go's default, takes
// no filter, and [Serve] could not stop listening without losing who has just
// connected.
func listen(ctx context.Context, host Host, port uint16) (net.Listener, error) {
	var plain net.ListenConfig
	plain.SetMultipathTCP(false)
	return plain.Listen(ctx, "tcp", net.JoinHostPort(string(host), strconv.Itoa(int(port))))
}

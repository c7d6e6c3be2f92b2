package wire

import (
	"cmp"
	"context"
	"net"
	"strconv"

	"spangate/handler/config"
)

// Listeners are the sockets that clients come to.
type Listeners struct {
	Requests net.Listener
	Admin    net.Listener // of the proxy's own endpoints alone; nil: they are on Requests
}

// Listen opens the sockets that cfg asks for, all of them or none. Its error
// names the variables.
func Listen(ctx context.Context, cfg Config) (l Listeners, err error) {
	if l.Requests, err = listen(ctx, cfg.Host, cfg.Port); err != nil {
		return Listeners{}, config.Named(&cfg, config.Wrong(config.Fields{&cfg.Host, &cfg.Port}, "%w", err))
	}
	if cfg.AdminPort == 0 {
		return l, nil
	}
	if l.Admin, err = listen(ctx, cfg.Host, cfg.AdminPort); err != nil {
		l.Requests.Close()
		return Listeners{}, config.Named(&cfg, config.Wrong(config.Fields{&cfg.Host, &cfg.AdminPort}, "%w", err))
	}
	return l, nil
}

// Watched returns l, which tells failed of each error of Accept. [http.Server] goes
// on after those that may pass, and lets nobody but its own log know.
func (l Listeners) Watched(failed func(error)) Listeners {
	l.Requests = watchedListener{l.Requests, failed}
	if l.Admin != nil {
		l.Admin = watchedListener{l.Admin, failed}
	}
	return l
}

// Close closes the sockets, unless somebody has done so already.
func (l Listeners) Close() {
	l.Requests.Close()
	if l.Admin != nil {
		l.Admin.Close()
	}
}

// URL returns where clients on this host reach ln.
func (c Config) URL(ln net.Listener) string {
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	return "http://" + net.JoinHostPort(cmp.Or(string(c.Host), "localhost"), port)
}

// listen opens a socket of plain TCP: one of Multipath TCP, Go's default, takes
// no filter, and [Serve] could not stop listening without losing who has just
// connected.
func listen(ctx context.Context, host Host, port uint16) (net.Listener, error) {
	var plain net.ListenConfig
	plain.SetMultipathTCP(false)
	return plain.Listen(ctx, "tcp", net.JoinHostPort(string(host), strconv.Itoa(int(port))))
}

package admin

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"spangate/handler"
	"spangate/handler/wire"
	"spangate/handler/wire/proxyproto"
)

const (
	askTimeout = 2 * time.Second
	maxAnswer  = 16 << 20
)

// Ask does what a command asks of the running instance that cfg, own and origin describe:
// healthcheck, whether it is live; status, to print what it says of itself. Anything
// but 200 within two seconds is an error, which names the URL.
func Ask(ctx context.Context, cfg wire.Config, own Config, origin handler.Origin, command string, stdout io.Writer) error {
	endpoint := map[string]string{"healthcheck": "live"}[command]
	answer, err := ask(ctx, cfg, own.Prefix, origin, cmp.Or(endpoint, command))
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", command, err)
	case command == "status":
		_, err = stdout.Write(answer)
	}
	return err
}

func ask(ctx context.Context, cfg wire.Config, prefix Prefix, origin handler.Origin, endpoint string) ([]byte, error) {
	scheme, port := cfg.Own()
	if port == 0 {
		return nil, errors.New("PORT must be that of the running instance")
	}
	// Without a host, or with an unspecified one, net dials the loopback.
	address := net.JoinHostPort(string(cfg.Host), strconv.Itoa(int(port)))
	at := &url.URL{Scheme: scheme, Host: address, Path: string(prefix) + "/" + endpoint}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Host = "localhost"
	// A transport of its own, because HTTP_PROXY is not meant for this. Whose name the
	// instance's certificate has does not matter to those on its host.
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	if cfg.ProxyProtocol.On() && cfg.AdminPort == 0 {
		transport.DialContext = announcing(origin)
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at, err)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotFound && endpoint == "status":
		return nil, fmt.Errorf("%s: %s: it is shown to this host and to TRUSTED_PROXIES alone", at, resp.Status)
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s: %s", at, resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", at, err)
	case len(body) > maxAnswer:
		return nil, fmt.Errorf("%s: the answer is larger than %d MiB", at, maxAnswer>>20)
	}
	return body, nil
}

// announcing returns what connects to the running instance, and says that it speaks
// for itself where this host is one of those whose connections begin by saying so.
func announcing(origin handler.Origin) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		if here, ok := conn.LocalAddr().(*net.TCPAddr); ok && origin.Trusted.Contains(here.AddrPort().Addr()) {
			if _, err := conn.Write(proxyproto.Header{Local: true}.Append(nil, proxyproto.V2)); err != nil {
				conn.Close()
				return nil, err
			}
		}
		return conn, nil
	}
}

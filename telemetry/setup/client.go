package setup

import (
	"net"
	"net/http"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// httpClient has a connection pool of its own, so that exports never compete
// with traffic for connections. The timeout is the delivery's.
func (t target) httpClient() *http.Client {
	return &http.Client{
		Transport: markUnavailable{&http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			DialContext:         (&net.Dialer{Timeout: t.timeout}).DialContext,
			TLSClientConfig:     t.tls,
			TLSHandshakeTimeout: t.timeout,
			ForceAttemptHTTP2:   true,
			MaxIdleConns:        2,
			IdleConnTimeout:     90 * time.Second,
		}},
		// A redirect would carry the headers, and with them a credential, to
		// wherever it points.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (t target) credentials() credentials.TransportCredentials {
	if t.tls == nil {
		return insecure.NewCredentials()
	}
	return credentials.NewTLS(t.tls)
}

// reconnect bounds the pause between two attempts to connect, which gRPC lets
// grow to two minutes: a collector that is back should be found soon.
var reconnect = grpc.WithConnectParams(grpc.ConnectParams{
	Backoff:           backoff.Config{BaseDelay: firstWait, Multiplier: 2, Jitter: 0.2, MaxDelay: maxWait},
	MinConnectTimeout: maxWait,
})

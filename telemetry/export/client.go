package export

import (
	"net"
	"net/http"
	"time"
)

// client has a connection pool of its own, so that exports never compete with
// traffic for connections. The timeout is the delivery's.
func (t target) client() *http.Client {
	transport := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: t.timeout}).DialContext,
		TLSClientConfig:     t.tls,
		TLSHandshakeTimeout: t.timeout,
		ForceAttemptHTTP2:   true,
		MaxIdleConns:        2,
		// Less than load balancers keep an idle connection. The age is looked at
		// when a connection is taken, so this holds where the CPU was stopped.
		IdleConnTimeout: 30 * time.Second,
	}
	var next http.RoundTripper = transport
	if t.protocol == "grpc" {
		transport.DisableCompression = true // gRPC has its own
		transport.Protocols = new(http.Protocols)
		transport.Protocols.SetHTTP2(true)
		transport.Protocols.SetUnencryptedHTTP2(true)
		if t.tls == nil {
			// A proxy would have to speak HTTP/2 in the clear too.
			transport.Proxy = nil
		}
		next = callGRPC{transport}
	}
	return &http.Client{
		Transport: readAnswers{tellWritten{next}},
		// A redirect would carry the headers, and with them a credential, to
		// wherever it points.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

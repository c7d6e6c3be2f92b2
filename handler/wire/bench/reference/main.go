// Reference is the reverse proxy of Go's standard library with as little around it
// as works: what a proxy in Go costs before it does anything of its own.
//
//	reference ADDRESS BACKEND…
package main

import (
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"sync/atomic"
)

func main() {
	backends := os.Args[2:]
	var turn atomic.Uint64
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetXForwarded()
			r.Out.URL.Scheme = "http"
			r.Out.URL.Host = backends[turn.Add(1)%uint64(len(backends))]
		},
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{}).DialContext,
			MaxIdleConnsPerHost: 1024, // the default of 2 would have nearly each request dial
			DisableCompression:  true,
		},
	}
	log.Fatal(http.ListenAndServe(os.Args[1], proxy))
}

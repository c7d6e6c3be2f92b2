package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http/httpguts"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"spangate/handler/wire/wiretest"
)

// trailerBackend serves HTTP/1.1 and h2c. It tells which trailers a request has
// announced, and which came.
func trailerBackend(t *testing.T) (addr string, came <-chan string) {
	t.Helper()
	told := make(chan string, 1)
	url, _ := eitherBackend(t, func(_ http.ResponseWriter, r *http.Request) {
		var announced []string
		for name := range r.Trailer {
			announced = append(announced, name)
		}
		slices.Sort(announced)
		io.Copy(io.Discard, r.Body)
		var came bytes.Buffer
		r.Trailer.Write(&came)
		told <- strings.Join(announced, ",") + ": " + strings.TrimSpace(strings.ReplaceAll(came.String(), "\r\n", " "))
	})
	return strings.TrimPrefix(url, "http://"), told
}

// Fields that clients put behind the content though they are for the header, or
// are not theirs to write.
var headerFields = []string{
	"X-Forwarded-For", "Host", "Authorization",
	"X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Prefix", "Forwarded", "X-Real-Ip", "Client-Ip", "X-Original-Url", "Via", "Proxy",
	"X_forwarded_for", "X-Forwarded_for", "X.forwarded.for", "Content_length", "Transfer_encoding",
	"Connection", "Keep-Alive", "Proxy-Authorization", "Te", "Upgrade", "Content-Encoding", "Content-Type", "Content-Range",
	"Cookie", "Cache-Control", "Expect", "If-Match", "Range", "Max-Forwards", "Origin", "Idempotency-Key",
	"X-Own-Client", "X_own_client", "X-Auth-Principal", "X_auth_principal", "X-Auth-Method", "X-Api-Key", "X_api_key", "X-Request-Id", "X_request_id",
	"X-Tenant", "X-User", "Traceparent", "Tracestate", "Baggage", "B3", "X-B3-Traceid", "X_b3_traceid", "X-Datadog-Trace-Id", "Grpc-Trace-Bin",
}

// TestRequestTrailers sends each of these fields behind the content, announced or
// not: nothing of it reaches the backend. What is nobody's does.
func TestRequestTrailers(t *testing.T) {
	t.Parallel()
	for _, scheme := range []string{"http", "h2c"} {
		t.Run("to a backend of "+scheme, func(t *testing.T) {
			t.Parallel()
			addr, came := trailerBackend(t)
			p := start(t, "BACKENDS="+scheme+"://"+addr, "PROBE_MODE=off", "CLIENT_IP_HEADER=X-Own-Client", "TRUSTED_PROXIES=127.0.0.1",
				"AUTH_API_KEYS=ci:"+apiKey, "RATE_LIMIT=1000/s", "RATE_LIMIT_KEY=header:X-Tenant", "BALANCER=hash", "BALANCER_HASH_KEY=header:X-User")
			head := "POST / HTTP/1.1\r\nHost: a.test\r\nX-Api-Key: " + apiKey + "\r\nTransfer-Encoding: chunked\r\nConnection: close, X-Named\r\n"
			const kept = "X-Sum: 1\r\nGrpc-Status: 0\r\nContent-Digest: 2\r\nX_sum: 3\r\n"
			const want = "Content-Digest,Grpc-Status,X-Sum,X_sum: Content-Digest: 2 Grpc-Status: 0 X-Sum: 1 X_sum: 3"
			check := func(name, got string) {
				t.Helper()
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", name, diff)
				}
			}
			for _, name := range append(headerFields, "X-Named") {
				for _, announced := range []string{name, strings.ToLower(name), ""} {
					admitted(t, p.addr, head+"Trailer: X-Sum, Grpc-Status, "+announced+"\r\nTrailer: Content-Digest, X_sum\r\n\r\n"+
						"4\r\nbody\r\n0\r\n"+kept+name+": forged\r\n\r\n")
					check(fmt.Sprintf("%s, announced %q", name, announced), <-came)
				}
			}

			transport := h2cTransport(t)
			for _, name := range headerFields {
				if !httpguts.ValidTrailerHeader(name) {
					continue // net/http resets the stream
				}
				r := p.newRequest(t.Context(), "POST", "/", io.MultiReader(strings.NewReader("body")))
				r.Header.Set("X-Api-Key", apiKey)
				r.Trailer = http.Header{"X-Sum": {"1"}, "Grpc-Status": {"0"}, "Content-Digest": {"2"}, "X_sum": {"3"}, name: {"forged"}}
				resp, err := transport.RoundTrip(r)
				if err != nil {
					t.Fatalf("%s over h2c: %v", name, err)
				}
				resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					t.Fatalf("%s over h2c: status %d", name, resp.StatusCode)
				}
				check(name+" over h2c", <-came)
			}
		})
	}
}

// TestRequestTrailersAlone sends nothing but what may not pass: then the backend
// is told of no trailer at all. Of several lines each value passes, and what was
// announced and did not come is not made up.
func TestRequestTrailersAlone(t *testing.T) {
	t.Parallel()
	addr, came := trailerBackend(t)
	p := start(t, "BACKENDS=http://"+addr, "PROBE_MODE=off")
	for name, test := range map[string]struct{ announced, trailer, want string }{
		"nothing may pass":             {"X-Forwarded-For, Host, Authorization", "X-Forwarded-For: 6.6.6.6\r\nHost: evil.test\r\nAuthorization: Basic eDp5\r\n", ": "},
		"two lines":                    {"X-Sum", "X-Sum: 1\r\nX-Sum: 2\r\n", "X-Sum: X-Sum: 1, 2"},
		"did not come":                 {"X-Sum, X-Other", "X-Other: 1\r\n", "X-Other,X-Sum: X-Other: 1"},
		"empty elements":               {", X-Sum,, ", "X-Sum: 1\r\n", "X-Sum: X-Sum: 1"},
		"nobody has announced it":      {"X-Sum", "X-Sum: 1\r\nX-Surprise: 2\r\n", "X-Sum: X-Sum: 1"},
		"vouched for by nobody's will": {"X-Auth-Principal", "X-Auth-Principal: 1\r\n", "X-Auth-Principal: X-Auth-Principal: 1"}, // anybody is let in
	} {
		admitted(t, p.addr, "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\nConnection: close\r\nTrailer: "+test.announced+"\r\n\r\n4\r\nbody\r\n0\r\n"+test.trailer+"\r\n")
		if diff := cmp.Diff(test.want, <-came); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// responseTrailers are what a backend puts behind its content. What begins with
// Kept may pass.
var responseTrailers = [][2]string{
	{"connection", "X-Hop"}, {"content-length", "1"}, {"transfer-encoding", "chunked"},
	{"keep-alive", "timeout=1"}, {"proxy-authenticate", "Basic"}, {"te", "trailers"}, {"trailer", "X"}, {"upgrade", "x"},
	{"content_length", "1"}, {"set-cookie", "a=b"}, {"www-authenticate", "Basic"}, {"location", "/x"}, {"cache-control", "public"}, {"vary", "x"},
	{"content-type", "text/html"}, {"content-encoding", "gzip"}, {"via", "1.1 x"}, {"x-forwarded-for", "6.6.6.6"}, {"forwarded", "for=6.6.6.6"},
	{"x-request-id", "forged"}, {"x_request_id", "forged"}, {"access-control-allow-origin", "*"}, {"ratelimit", "x"}, {"retry-after", "1"}, {"traceparent", "x"},
	{"kept-sum", "1"}, {"grpc-status", "0"}, {"grpc-message", "fine"}, {"etag", `"x"`}, {"server-timing", "db;dur=1"},
}

// TestResponseTrailers has backends of either protocol send them, to clients of
// either.
func TestResponseTrailers(t *testing.T) {
	t.Parallel()
	// In the order in which Go's writers put them.
	const want = "Etag: \"x\"\r\nGrpc-Message: fine\r\nGrpc-Status: 0\r\nKept-Sum: 1\r\nServer-Timing: db;dur=1\r\n"
	for name, listen := range map[string]func(*testing.T) string{"http": http1Trailers, "h2c": http2Trailers} {
		t.Run("from a backend of "+name, func(t *testing.T) {
			t.Parallel()
			p := start(t, "BACKENDS="+listen(t), "PROBE_MODE=off")
			answer := sendRaw(t, p.addr, "GET / HTTP/1.1\r\nHost: a.test\r\nTE: trailers\r\nConnection: close, TE\r\n\r\n")
			head, rest, _ := strings.Cut(answer, "\r\n\r\n")
			_, trailer, _ := strings.Cut(rest, "\r\n0\r\n")
			lines := strings.SplitAfter(strings.TrimSuffix(trailer, "\r\n"), "\r\n")
			slices.Sort(lines)
			if diff := cmp.Diff(want, strings.Join(lines, "")); diff != "" {
				t.Errorf("trailer over HTTP/1.1 (-want +got):\n%s\n%s", diff, answer)
			}
			for line := range strings.Lines(head) {
				if field, names, _ := strings.Cut(line, ":"); strings.EqualFold(field, "Trailer") && !strings.EqualFold(strings.TrimSpace(names), "Kept-Sum") {
					t.Errorf("announced is %s", names)
				}
			}

			r := p.newRequest(t.Context(), "GET", "/", nil)
			resp, err := h2cTransport(t).RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(http.Header{"Kept-Sum": nil}, resp.Trailer); diff != "" {
				t.Errorf("announced over h2c (-want +got):\n%s", diff)
			}
			if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "body" {
				t.Errorf("body %q over h2c, %v", body, err)
			}
			resp.Body.Close()
			var got bytes.Buffer
			resp.Trailer.Write(&got)
			if diff := cmp.Diff(want, got.String()); diff != "" {
				t.Errorf("trailer over h2c (-want +got):\n%s", diff)
			}
		})
	}
}

// http1Trailers listens as a backend that announces some of what follows. X-Hop
// is named by Connection.
func http1Trailers(t *testing.T) string {
	var answer strings.Builder
	answer.WriteString("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close, x-hop\r\nTrailer: Kept-Sum, Set-Cookie, X-Hop, Connection\r\n\r\n4\r\nbody\r\n0\r\nX-Hop: 1\r\n")
	for _, field := range responseTrailers {
		answer.WriteString(field[0] + ": " + field[1] + "\r\n")
	}
	return "http://" + saying(t, answer.String()+"\r\n")
}

// http2Trailers listens as one that speaks HTTP/2, and knows no rule.
func http2Trailers(t *testing.T) string {
	t.Helper()
	block := func(fields ...[2]string) []byte {
		var b bytes.Buffer
		encoder := hpack.NewEncoder(&b)
		for _, f := range fields {
			encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
		}
		return b.Bytes()
	}
	return newHTTP2Backend(t, func(b *http2Backend, stream uint32) {
		b.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, EndHeaders: true, BlockFragment: block([2]string{":status", "200"}, [2]string{"trailer", "kept-sum, set-cookie, content-length"})})
		b.framer.WriteData(stream, false, []byte("body"))
		b.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, EndHeaders: true, EndStream: true, BlockFragment: block(responseTrailers...)})
	})
}

// TestResponseTrailersThatDoNotCome has a backend announce some and send none. The
// response ends nevertheless.
func TestResponseTrailersThatDoNotCome(t *testing.T) {
	t.Parallel()
	const announced = "Transfer-Encoding: chunked\r\nTrailer: Grpc-Status, X-Sum\r\n\r\n"
	answers := map[string]string{
		"behind content":              "HTTP/1.1 200 OK\r\n" + announced + "4\r\nbody\r\n0\r\n\r\n",
		"behind none":                 "HTTP/1.1 200 OK\r\n" + announced + "0\r\n\r\n",
		"where no content may follow": "HTTP/1.1 304 Not Modified\r\n" + announced,
		"but for one":                 "HTTP/1.1 200 OK\r\n" + announced + "4\r\nbody\r\n0\r\nX-Sum: 1\r\n\r\n",
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, "BACKENDS=http://"+saying(t, answer), "PROBE_MODE=off")
			_, content, _ := strings.Cut(answer, "\r\n\r\n")
			want := ""
			if strings.Contains(content, "body") {
				want = "body"
			}
			for protocol, client := range map[string]http.RoundTripper{"HTTP/1.1": &http.Transport{DisableKeepAlives: true}, "h2c": h2cTransport(t)} {
				resp, err := client.RoundTrip(p.newRequest(t.Context(), "GET", "/", nil))
				if err != nil {
					t.Fatalf("%s: %v", protocol, err)
				}
				body, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || string(body) != want {
					t.Errorf("body %q over %s, %v", body, protocol, err)
				}
				if sum := strings.Contains(content, "X-Sum"); sum != (resp.Trailer.Get("X-Sum") == "1") || resp.Trailer.Get("Grpc-Status") != "" {
					t.Errorf("trailer %q over %s", resp.Trailer, protocol)
				}
			}
		})
	}
}

// TestTrailersOfARetriedRequest has one backend refuse a request, or its connection.
// The next one gets the trailers too.
func TestTrailersOfARetriedRequest(t *testing.T) {
	t.Parallel()
	first := map[string]func(*testing.T) string{
		"once it has all of it": func(t *testing.T) string {
			return plainBackend(t, func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				w.WriteHeader(http.StatusServiceUnavailable)
			})
		},
		"before it has any": func(t *testing.T) string {
			return "http://" + wiretest.Listen(t, func(conn net.Conn, _ int) { http.ReadRequest(bufio.NewReader(conn)) })
		},
		"without a connection": func(t *testing.T) string { return "http://" + refusing(t) },
	}
	for name, refuses := range first {
		for _, scheme := range []string{"http://", "h2c://"} {
			t.Run(name+", then "+scheme, func(t *testing.T) {
				t.Parallel()
				addr, came := trailerBackend(t)
				p := start(t, "BACKENDS="+refuses(t)+","+scheme+addr, "PROBE_MODE=off", "RETRY_BUDGET=100%")
				for range 2 { // one of which comes to the first backend first
					admitted(t, p.addr, "PUT / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\nConnection: close\r\nTrailer: X-Sum, Cookie\r\n\r\n4\r\nbody\r\n0\r\nX-Sum: 1\r\nCookie: a=b\r\n\r\n")
					if got, want := <-came, "X-Sum: X-Sum: 1"; got != want {
						t.Errorf("the backend gets %q, want %q", got, want)
					}
				}
			})
		}
	}
}

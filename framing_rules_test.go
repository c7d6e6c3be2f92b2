package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/certificate/certtest"
	"spangate/handler/wire/http1/http1test"
	"spangate/handler/wire/wiretest"
)

// bothWays starts the program, and returns what dials it in the clear and over TLS.
func bothWays(t *testing.T, environ ...string) map[string]func(*testing.T) session {
	t.Helper()
	ca := certtest.New(t)
	cert, key := ca.Issue(t, x509.Certificate{}).Files(t)
	p := start(t, append(environ, "PROBE_MODE=off", "RETRY_ATTEMPTS=0", "TLS_CERT_FILE="+cert, "TLS_KEY_FILE="+key, "TLS_PORT="+wiretest.FreePort(t))...)
	secure := p.ofHTTPS(t)
	return map[string]func(*testing.T) session{
		"in the clear": p.session,
		"over TLS": func(t *testing.T) session {
			conn := tls.Client(dial(t, secure), &tls.Config{RootCAs: ca.Pool, ServerName: "127.0.0.1", NextProtos: []string{"http/1.1"}})
			return session{conn, bufio.NewReader(conn)}
		},
	}
}

// taken is what a message says, whoever reads it: what the hops add to it, and how they
// frame it, left out.
type taken struct {
	First           string // method and target, or the status
	Host            string
	Header, Trailer http.Header
	Content         string
}

// added are fields that the program, or the test's own client or backend, adds.
var added = []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Via", "X-Request-Id", "Traceparent", "Tracestate", "Connection", "Date", "Content-Length", "Transfer-Encoding", "Trailer", "Content-Type", "Server-Timing"}

func without(names []string, h http.Header) http.Header {
	h = h.Clone()
	for _, name := range names {
		h.Del(name)
	}
	if len(h) == 0 {
		return nil
	}
	return h
}

// takenRequest reads the rest of r. It reports false where that does not come whole.
func takenRequest(r *http.Request) (taken, bool) {
	content, err := io.ReadAll(r.Body)
	return taken{r.Method + " " + r.URL.RequestURI(), r.Host, without(added, r.Header), without(added, r.Trailer), string(content)}, err == nil
}

// inRequests are rules of chunks as those of requests that carry them.
func inRequests(rules []http1test.Rule) (all []http1test.Rule) {
	for _, r := range rules {
		head := "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
		r.In = head + r.In
		switch {
		case strings.HasPrefix(r.Out, "malformed"), strings.HasPrefix(r.Out, "a header"):
			r.Out = "400 " + r.Out // it is too late for 431
		case r.Out != ended:
			r.Out = head + r.Out
		}
		all = append(all, r)
	}
	return all
}

// ended is what comes of a message that the connection's end cuts short.
const ended = "unexpected EOF"

// ours are requests that the program answers itself although they can be read.
var ours = map[string]int{
	"CONNECT to an authority":    501,
	"a URL without an authority": 400,
	"an authority for others":    400,
	"the server itself":          204,
}

// forwardedAs are changes that the program makes to requests.
var forwardedAs = map[string]func(*taken){
	"a query is not decoded":          func(r *taken) { r.First = "GET /?%zz;a=%FF" }, // RFC 3986 has 7 bits
	"what looks like a length to CGI": func(r *taken) { r.Header = nil },
}

// TestFramingOfRequests sends what the rules are of to the program: what they refuse is
// answered so, and the connection ends; the backend gets no such request, and of the
// others just what the rule says.
func TestFramingOfRequests(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var whole []taken
	backend := plainBackend(t, func(w http.ResponseWriter, r *http.Request) {
		got, complete := takenRequest(r)
		mu.Lock()
		defer mu.Unlock()
		if complete {
			whole = append(whole, got)
		}
	})
	host := strings.TrimPrefix(backend, "http://")
	ways := bothWays(t, "MAX_HEADER_BYTES="+strconv.Itoa(http1test.HeadLimit), "MAX_HEADERS=2000", "BACKENDS="+backend)
	for way, dial := range ways {
		for _, r := range slices.Concat(http1test.Requests, inRequests(http1test.Chunks)) {
			t.Run(way+"/"+r.Section+" "+r.Name, func(t *testing.T) {
				mu.Lock()
				whole = nil
				mu.Unlock()
				out, rest, _ := strings.Cut(r.Out, http1test.Next)
				conn := dial(t)
				defer conn.Close()
				sent := make(chan bool)
				go func() { // what is refused early may not be taken to its end
					defer close(sent)
					io.WriteString(conn, strings.TrimSuffix(r.In, rest))
					if strings.HasSuffix(out, "EOF") {
						conn.Conn.(interface{ CloseWrite() error }).CloseWrite()
					}
				}()
				defer func() { <-sent }()
				want, refused := statusOf(out)
				if status, ok := ours[r.Name]; ok {
					want, refused = status, true
				}
				switch {
				case strings.HasSuffix(out, "EOF"):
					if answer, _ := io.ReadAll(conn); strings.Contains(string(answer), "HTTP/1.1 2") {
						t.Errorf("answered %q", answer)
					}
				case refused:
					checkRefusal(t, conn, r, want)
				default:
					if resp, _ := conn.response(t, strings.Fields(r.In)[0]); resp.StatusCode != 200 {
						t.Errorf("answered %s", resp.Status)
					}
				}
				mu.Lock()
				defer mu.Unlock()
				if refused || strings.HasSuffix(out, "EOF") {
					if len(whole) > 0 {
						t.Errorf("the backend has %+v", whole)
					}
					return
				}
				sure, err := http.ReadRequest(bufio.NewReader(strings.NewReader(out)))
				if err != nil {
					t.Fatal(err)
				}
				told, _ := takenRequest(sure)
				told.Trailer = nil // nobody has announced one
				if forwarded, ok := forwardedAs[r.Name]; ok {
					forwarded(&told)
				}
				if told.Host == "" {
					told.Host = host
				}
				if diff := cmp.Diff([]taken{told}, whole); diff != "" {
					t.Errorf("the backend has (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// statusOf returns the status that a rule's out begins with, if it does.
func statusOf(out string) (status int, refused bool) {
	if len(out) > 3 && out[3] == ' ' {
		status, err := strconv.Atoi(out[:3])
		return status, err == nil
	}
	return 0, false
}

// checkRefusal fails the test unless the answer has that status, and, where the request
// cannot be read, the connection ends behind it.
func checkRefusal(t *testing.T, s session, r http1test.Rule, status int) {
	t.Helper()
	if ours[r.Name] == 204 {
		if resp, _ := s.response(t, "OPTIONS"); resp.StatusCode != status {
			t.Errorf("answered %s, want %d", resp.Status, status)
		}
		return
	}
	if ours[r.Name] > 0 {
		if resp, _ := s.response(t, "GET"); resp.StatusCode != status {
			t.Errorf("answered %s, want %d", resp.Status, status)
		}
		return
	}
	answer, err := io.ReadAll(s.in)
	if err != nil || !bytes.HasPrefix(answer, fmt.Appendf(nil, "HTTP/1.1 %d ", status)) || bytes.Count(answer, []byte("\r\nConnection: close\r\n")) != 1 {
		t.Errorf("answered %q, %v; want one %d, and the end", answer, err, status)
	}
}

// inResponses are rules of chunks as those of responses that carry them.
func inResponses(rules []http1test.Rule) (all []http1test.Rule) {
	for _, r := range rules {
		head := "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		r.In = head + r.In
		if !noResponse(r.Out) {
			r.Out = head + r.Out
		}
		all = append(all, r)
	}
	return all
}

// noResponse reports whether out is why a response is none.
func noResponse(out string) bool {
	return strings.HasPrefix(out, "malformed") || strings.HasPrefix(out, "a header") || strings.HasSuffix(out, "EOF")
}

// TestFramingOfResponses has a backend answer with what the rules are of. What they
// refuse is told as 502, or breaks off where it has begun; of the rest the client gets
// just what the rule says, and nobody gets what is left over.
func TestFramingOfResponses(t *testing.T) {
	t.Parallel()
	rules := slices.Concat(http1test.Responses, inResponses(http1test.Chunks))
	backend := wiretest.Listen(t, func(conn net.Conn, _ int) {
		for in := bufio.NewReader(conn); ; {
			request, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			number, _ := strconv.Atoi(request.URL.Path[1:])
			r := rules[number]
			_, text, found := strings.Cut(r.In, "|")
			if !found {
				text = r.In
			}
			io.WriteString(conn, text)
			untilClose := strings.Contains(r.Out, "Connection: close\r\nTransfer-Encoding: chunked")
			if untilClose || strings.HasSuffix(r.Out, "EOF") || strings.HasPrefix(r.Out, "HTTP/1.1 1") {
				return
			}
		}
	})
	for way, dial := range bothWays(t, "BACKENDS=http://"+backend) {
		for i, r := range rules {
			method, _, found := strings.Cut(r.In, "|")
			if !found {
				method = "GET"
			}
			if method == "CONNECT" || r.Name == "a head that is too long" {
				continue // the program asks for no tunnels, and takes longer heads
			}
			t.Run(way+"/"+r.Section+" "+r.Name, func(t *testing.T) {
				conn := dial(t)
				defer conn.Close()
				fmt.Fprintf(conn, "%s /%d HTTP/1.1\r\nHost: a\r\n\r\n", method, i)
				got, err := takenResponse(conn.in, method)
				out, _, _ := strings.Cut(r.Out, http1test.Next)
				if noResponse(out) || strings.HasPrefix(out, "HTTP/1.1 1") {
					if err == nil && got.First != "502" || errors.Is(err, os.ErrDeadlineExceeded) {
						t.Errorf("comes as %.500v, %v", got, err)
					}
					return
				}
				want, sure := takenResponse(bufio.NewReader(strings.NewReader(out)), method)
				if diff := cmp.Diff(want, got); diff != "" || err != nil || sure != nil {
					t.Errorf("%v, %v (-want +got):\n%s", sure, err, diff)
				}
			})
		}
	}
}

// takenResponse reads one, the answer to a request of that method.
func takenResponse(in *bufio.Reader, method string) (taken, error) {
	resp, err := http.ReadResponse(in, &http.Request{Method: method})
	for err == nil && resp.StatusCode < 200 && resp.StatusCode != http.StatusSwitchingProtocols {
		resp, err = http.ReadResponse(in, &http.Request{Method: method})
	}
	if err != nil {
		return taken{}, err
	}
	content, err := io.ReadAll(resp.Body)
	got := taken{strconv.Itoa(resp.StatusCode), "", without(added, resp.Header), without(added, resp.Trailer), string(content)}
	if method == "HEAD" {
		got.Content = fmt.Sprint("of length ", resp.ContentLength)
	}
	return got, err
}

package balancer_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/balancer"
	"spangate/handler/config"
	"spangate/handler/fault"
	"spangate/handler/wire"
	"spangate/probe"
)

func named(weights map[string]int, names ...string) []*balancer.Backend {
	var backends []*balancer.Backend
	for _, name := range names {
		backends = append(backends, balancer.NewBackend(name, weights[name], answering(http.StatusOK)))
	}
	return backends
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answering(status int) http.RoundTripper {
	return roundTripper(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(""))}, nil
	})
}

func get() *http.Request { return httptest.NewRequest("GET", "/path", nil) }

func ExampleNewRoundRobin() {
	pick := balancer.NewRoundRobin()
	ready := []*balancer.Backend{{Name: "a", Weight: 5}, {Name: "b", Weight: 1}, {Name: "c", Weight: 1}}
	for range 7 {
		fmt.Print(pick(nil, ready).Name, " ")
	}
	// Output: a a b a c a a
}

func ExampleMembers() {
	var members balancer.Members
	fmt.Println(members.UnmarshalText([]byte("http://a:3000;weight=3,echo:b")))
	fmt.Println(members.UnmarshalText([]byte("http://a:3000;weigth=3")))
	fmt.Println(members.UnmarshalText([]byte("a:3000")))
	// Output:
	// <nil>
	// backend "http://a:3000;weigth=3": option "weigth=3" is none of weight=N, host=RULE, service=NAME, proxy-protocol=v1|v2, auth=KIND, audience=URL, server-name=NAME, ca-file=PATH, cert-file=PATH, key-file=PATH, fingerprint=sha256:HEX and tls-verify=off
	// backend "a:3000": must be a URL such as http://a:3000
}

func TestShares(t *testing.T) {
	const picks = 100_000
	weights := map[string]int{"a": 6, "b": 3, "c": 1}
	for algorithm, tolerance := range map[balancer.Algorithm]float64{
		balancer.RoundRobin: 0.0001, balancer.Random: 0.02, balancer.LeastRequests: 0.02,
	} {
		for _, workers := range []int{1, 8} {
			t.Run(fmt.Sprintf("%s/%d", algorithm, workers), func(t *testing.T) {
				pool := balancer.NewPool(algorithm.Picker(nil), named(weights, "a", "b", "c")...)
				var mu sync.Mutex
				got := map[string]int{}
				var wg sync.WaitGroup
				for range workers {
					wg.Go(func() {
						mine, r := map[string]int{}, get()
						for range picks / workers {
							b, err := pool.Pick(r)
							if err != nil {
								t.Error(err)
								return
							}
							mine[b.Name]++
						}
						mu.Lock()
						defer mu.Unlock()
						for name, n := range mine {
							got[name] += n
						}
					})
				}
				wg.Wait()
				for name, weight := range weights {
					want := float64(weight) / 10
					if share := float64(got[name]) / picks; share < want-tolerance || share > want+tolerance {
						t.Errorf("%s got %.4f of the picks, want %.1f ± %g", name, share, want, tolerance)
					}
				}
			})
		}
	}
}

func TestLeastRequestsAvoidsTheBusy(t *testing.T) {
	backends := named(map[string]int{"a": 1, "b": 1}, "a", "b")
	pool := balancer.NewPool(balancer.NewLeastRequests(), backends...)
	busy, err := backends[0].RoundTrip(get()) // its body stays open
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		if b, _ := pool.Pick(get()); b.Name != "b" {
			t.Fatal("picked the busy one")
		}
	}
	busy.Body.Close()
	if n := backends[0].Active(); n != 0 {
		t.Errorf("%d requests in flight after the body was closed", n)
	}
}

func TestInFlightCountsEndOnce(t *testing.T) {
	b := named(nil, "a")[0]
	resp, err := b.RoundTrip(get())
	if err != nil || b.Active() != 1 {
		t.Fatalf("%d in flight, %v", b.Active(), err)
	}
	resp.Body.Close()
	resp.Body.Close()
	if b.Active() != 0 {
		t.Errorf("%d in flight after two closes", b.Active())
	}
	b.Use(roundTripper(func(*http.Request) (*http.Response, error) { return nil, io.EOF }))
	if _, err := b.RoundTrip(get()); err == nil || b.Active() != 0 {
		t.Errorf("%d in flight after a failure, %v", b.Active(), err)
	}
}

// TestAttempted checks what a backend is said to have done, and when.
func TestAttempted(t *testing.T) {
	tests := map[string]struct {
		method  string
		status  int
		length  int64
		body    io.Reader
		want    string // what is told at the header, and then as it is read
		partial bool   // is not read to its end
		cause   error  // of the request's end
	}{
		"complete":                    {status: 200, length: 2, body: strings.NewReader("ok"), want: "header: end: 200 close: "},
		"of unknown length, complete": {status: 200, length: -1, body: strings.NewReader("ok"), want: "header: end: 200 close: "},
		"broken off":                  {status: 200, length: 9, body: io.MultiReader(strings.NewReader("ok"), iotest.ErrReader(io.ErrUnexpectedEOF)), want: "header: end: backend_reset close: "},
		"given up":                    {status: 200, length: 9, body: strings.NewReader("ok"), partial: true, want: "header: end: close: "},
		"ended by the client":         {status: 200, length: 9, body: iotest.ErrReader(context.Canceled), cause: context.Canceled, want: "header: end: close: "},
		"ended by the deadline":       {status: 200, length: 9, body: iotest.ErrReader(context.DeadlineExceeded), cause: context.DeadlineExceeded, want: "header: end: timeout close: "},
		"empty":                       {status: 200, body: http.NoBody, want: "header: 200 end: close: "},
		"HEAD":                        {method: "HEAD", status: 200, length: 9, body: http.NoBody, want: "header: 200 end: close: "},
		"an error":                    {status: 503, length: 2, body: strings.NewReader("no"), want: "header: 503 end: close: "},
		"an error, given up":          {status: 404, length: 2, body: strings.NewReader("no"), partial: true, want: "header: 404 end: close: "},
		"an error, broken off":        {status: 404, length: 9, body: iotest.ErrReader(io.ErrUnexpectedEOF), want: "header: 404 end: backend_reset close: "},
		"an upgrade":                  {status: 101, length: -1, body: iotest.ErrReader(net.ErrClosed), want: "header: 101 end: close: "},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var got strings.Builder
			b := named(nil, "a")[0]
			b.Use(roundTripper(func(*http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: test.status, ContentLength: test.length, Body: io.NopCloser(test.body)}, nil
			}))
			hooks := balancer.Hooks{Attempted: func(_ context.Context, _ *balancer.Backend, o balancer.Outcome) {
				if o.Err != nil {
					fmt.Fprint(&got, o.Err.Type, " ")
				} else {
					fmt.Fprint(&got, o.Status, " ")
				}
			}}
			balancer.NewPoolOf(balancer.Config{}, hooks, first, b)
			r := get()
			if test.method != "" {
				r.Method = test.method
			}
			switch ctx := r.Context(); test.cause {
			case context.Canceled:
				ctx, cancel := context.WithCancel(ctx)
				cancel()
				r = r.WithContext(ctx)
			case context.DeadlineExceeded:
				ctx, cancel := context.WithDeadline(ctx, time.Time{})
				defer cancel()
				r = r.WithContext(ctx)
			}
			got.WriteString("header: ")
			resp, err := b.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			got.WriteString("end: ")
			if test.partial {
				resp.Body.Read(make([]byte, 1))
			} else {
				for range 2 { // what comes after the end is no news
					io.Copy(io.Discard, resp.Body)
				}
			}
			got.WriteString("close: ")
			resp.Body.Close()
			if got.String() != test.want {
				t.Errorf("told %q, want %q", got.String(), test.want)
			}
		})
	}
}

func TestPoolWithNobodyReady(t *testing.T) {
	for name, pool := range map[string]*balancer.Pool{"zero value": {}, "empty": balancer.NewPool(balancer.NewRandom())} {
		_, err := balancer.RetryOf(pool).RoundTrip(get())
		if e, ok := errors.AsType[*fault.Error](err); !ok || e.Type != fault.NoHealthyBackend {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPoolFollowsChanges(t *testing.T) {
	backends := named(nil, "a", "b", "c")
	for _, algorithm := range []balancer.Algorithm{balancer.RoundRobin, balancer.LeastRequests, balancer.Random} {
		pool := balancer.NewPool(algorithm.Picker(nil), backends...)
		pool.Pick(get())
		pool.SetMembers(backends[2:])
		for range 10 {
			if b, err := pool.Pick(get()); err != nil || b.Name != "c" {
				t.Errorf("%s picked %v, %v", algorithm, b, err)
			}
		}
	}
}

func TestTransportNeverReachesAProxyOrFollowsARedirect(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	server := httptest.NewServer(http.RedirectHandler("http://127.0.0.1:1/", http.StatusFound))
	defer server.Close()
	rt := wire.NewTransport(wire.TransportConfig{}, "http", "", nil, wire.ConnectionHooks{})
	resp, err := rt.RoundTrip(httptest.NewRequest("GET", server.URL, nil))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusFound {
		t.Errorf("status %d", resp.StatusCode)
	}
}

func TestTransportUnixSocket(t *testing.T) {
	path := t.TempDir() + "/s"
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.URL.Path) })}
	go server.Serve(ln)
	defer server.Close()
	var cfg balancer.Config
	if err := cfg.Backends.UnmarshalText([]byte("http+unix://" + path + ",http+unix:///nowhere")); err != nil {
		t.Fatal(err)
	}
	pool, err := balancer.New(cfg, probe.Config{}, balancer.Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	backends := pool.Members()
	resp, err := backends[0].RoundTrip(get())
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if string(body) != "/path" {
		t.Errorf("got %q", body)
	}
	if _, err := backends[1].RoundTrip(get()); fault.Of(t.Context(), err).Type != fault.ConnectionRefused {
		t.Errorf("a socket that is not there: %v", err)
	}
}

func TestConnectionsAreCounted(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	for _, scheme := range []string{"http", "https"} {
		var ended []time.Duration
		told := wire.ConnectionHooks{Ended: func(d time.Duration) { ended = append(ended, d) }}
		target := server.URL
		if scheme == "http" {
			plain := httptest.NewServer(server.Config.Handler)
			defer plain.Close()
			target = plain.URL
		}
		trust := func() *tls.Config {
			return &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}}
		}
		rt := wire.NewTransport(wire.TransportConfig{ConnectTimeout: time.Minute}, scheme, "", trust, told)
		for range 3 {
			resp, err := rt.RoundTrip(httptest.NewRequest("GET", target, nil))
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if scheme == "https" && resp.ProtoMajor != 2 {
				t.Errorf("spoke %s to a server of HTTP/2", resp.Proto)
			}
		}
		if n := rt.OpenConnections(); n != 1 || len(ended) != 0 {
			t.Errorf("%s: %d open, %d ended after three requests, want 1 and 0", scheme, n, len(ended))
		}
		rt.CloseIdleConnections()
		if n := rt.OpenConnections(); n != 0 || len(ended) != 1 {
			t.Errorf("%s: %d open, %d ended after closing, want 0 and 1", scheme, n, len(ended))
		}
	}
}

func TestMembers(t *testing.T) {
	good := map[string]string{
		"http://a":                              "http://a",
		" http://a:1 , https://b ":              "http://a:1,https://b",
		"h2c://[::1]:80;weight=1;host=backend":  "h2c://[::1]:80;host=backend",
		"http+unix:///run/app.sock;weight=1000": "http+unix:///run/app.sock;weight=1000",
		"echo:a,echo:b;weight=2":                "echo:a,echo:b;weight=2",
		"http://a/base/path/":                   "http://a/base/path/",
		"http://a,https://a,h2c://a,http://a:1": "http://a,https://a,h2c://a,http://a:1",
		"http://a/b,http://a/B,echo:b,echo:B":   "http://a/b,http://a/B,echo:b,echo:B",
		"http://app_1.x-y.:80,http://10.0.0.1":  "http://app_1.x-y.:80,http://10.0.0.1",
		"http://bücher":                         "http://bücher",
		"h2c://[FE80::1%25eth0]:3000/a%2Fb/":    "h2c://[FE80::1%25eth0]:3000/a%2Fb/",
	}
	for text, want := range good {
		var m balancer.Members
		if err := m.UnmarshalText([]byte(text)); err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		got, _ := m.MarshalText()
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
	bad := map[string]string{
		"":                                     "empty entry",
		"http://a,":                            "empty entry",
		"a":                                    "must be a URL such as http://a",
		"localhost:3000":                       "must be a URL such as http://localhost:3000",
		"ftp://a":                              `scheme "ftp" must be`,
		"http://":                              "has no host",
		"http://a:":                            "has a colon but no port",
		"http://a:0":                           "must be 1 to 65535",
		"http://a:70000":                       "must be 1 to 65535",
		"http://a?x=1":                         "query",
		"http://user:hunter2@a":                "credentials",
		"http://[zz]":                          "",
		"http://a b":                           "",
		"http://a;weight=0":                    "weight",
		"http://a;weight=x":                    "weight",
		"http://a;host=other":                  "host",
		"http://a;speed=9":                     "option",
		"http://a,http://a":                    `backend "http://a": is listed twice, first as "http://a"; to give`,
		"HTTP://A:80,http://a:80":              `backend "http://a:80": is listed twice, first as "HTTP://A:80"`,
		"http://a,http://a:80/":                `backend "http://a:80/": is listed twice, first as "http://a"`,
		"http://b,HTTP://b,http://b:80":        `backend "http://b:80": is listed twice, first as "http://b"`,
		"https://a,https://a:443":              "twice",
		"http+unix:/s,http+unix:///s;weight=2": "twice",
		`http://a"b`:                           `"a\"b" cannot be the name of a host`,
		"http://a..b":                          "cannot be the name of a host",
		"http://$HOST":                         "cannot be the name of a host",
		"http://300.1.1.1":                     "300.1.1.1 is not an IPv4 address",
		"http://a:99999,http://b:88888,ftp://c,,http://d,": "backend \"http://a:99999\": port \"99999\" must be 1 to 65535\n" +
			"backend \"http://b:88888\": port \"88888\" must be 1 to 65535\n" +
			"backend \"ftp://c\": scheme \"ftp\" must be http, https, h2c, http+unix or echo, or dns+ with http, https, h2c, srv, srv+https or srv+h2c\n" +
			"has an empty entry; a list looks like",
		"echo:":                   "name",
		"echo:a/b":                "name",
		"http+unix:relative.sock": "absolute path",
	}
	for text, want := range bad {
		var m balancer.Members
		err := m.UnmarshalText([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one with %q", text, err, want)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: the error shows the password: %v", text, err)
		}
	}
}

func FuzzMembers(f *testing.F) {
	f.Add("http://a:3000;weight=3;host=preserve,https://b;service=c;proxy-protocol=v2,http+unix:///a;proxy-protocol=v1,echo:c")
	f.Add("http+unix:///run/x.sock,h2c://[::1]:8080/base")
	f.Add("https://a;server-name=b;ca-file=/c;fingerprint=sha256:" + strings.Repeat("0a", 32) + ",https://b;tls-verify=off")
	f.Fuzz(func(t *testing.T, text string) {
		var m balancer.Members
		if m.UnmarshalText([]byte(text)) != nil {
			return
		}
		written, _ := m.MarshalText()
		var again balancer.Members
		if err := again.UnmarshalText(written); err != nil {
			t.Errorf("%q is read, but what it is written as, %q, is not: %v", text, written, err)
		}
	})
}

func TestFilesAtFault(t *testing.T) {
	notPEM := t.TempDir() + "/not.pem"
	if err := os.WriteFile(notPEM, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	const noFile = "no such file or directory"
	tests := map[string]struct {
		cfg  balancer.Config
		want []string // how each line begins
	}{
		"none":                {},
		"authorities":         {balancer.Config{CAFile: "/no.ca"}, []string{"BACKEND_CA_FILE: open /no.ca: " + noFile}},
		"authorities not PEM": {balancer.Config{CAFile: notPEM}, []string{"BACKEND_CA_FILE: " + notPEM + ": holds no PEM certificate"}},
		"one file":            {balancer.Config{CertFile: notPEM}, []string{"BACKEND_CERT_FILE: " + notPEM + ": holds no PEM certificate"}},
		"neither PEM":         {balancer.Config{CertFile: notPEM, KeyFile: notPEM}, []string{"BACKEND_CERT_FILE, BACKEND_KEY_FILE: "}},
		"all not there": {balancer.Config{CAFile: "/no.ca", CertFile: "/no.pem", KeyFile: "/no.key"}, []string{
			"BACKEND_CA_FILE: open /no.ca: " + noFile, "BACKEND_CERT_FILE, BACKEND_KEY_FILE: open /no.pem: " + noFile,
		}},
		"of members": {balancer.Config{Backends: members(t, "https://a;ca-file=/no.ca,https://b;ca-file=/no.ca;cert-file=/no.pem,http://c")}, []string{
			`BACKENDS: backend "https://a": ca-file: open /no.ca: ` + noFile,
			`BACKENDS: backend "https://b": ca-file: open /no.ca: ` + noFile,
			`BACKENDS: backend "https://b": cert-file: open /no.pem: ` + noFile,
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := config.Named(&test.cfg, test.cfg.Check())
			if _, nerr := balancer.New(test.cfg, probe.Config{}, balancer.Hooks{}); fmt.Sprint(nerr) != fmt.Sprint(err) {
				t.Errorf("New says %v, Check %v", nerr, err)
			}
			var lines []string
			if err != nil {
				lines = strings.Split(err.Error(), "\n")
			}
			if !slices.EqualFunc(lines, test.want, strings.HasPrefix) {
				t.Errorf("faults are %q, want %q", lines, test.want)
			}
		})
	}
}

func members(t *testing.T, text string) (m balancer.Members) {
	t.Helper()
	if err := m.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return m
}

func BenchmarkPick(b *testing.B) {
	for _, algorithm := range []balancer.Algorithm{balancer.RoundRobin, balancer.LeastRequests, balancer.Random} {
		b.Run(string(algorithm), func(b *testing.B) {
			pool := balancer.NewPool(algorithm.Picker(nil), named(nil, "a", "b", "c", "d")...)
			r := get()
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					pool.Pick(r)
				}
			})
		})
	}
}

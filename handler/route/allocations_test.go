//go:build !race

package route

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"spangate/balancer"
	"spangate/handler"
	"spangate/handler/admin"
	"spangate/handler/config"
	"spangate/handler/field"
	"spangate/handler/wire"
	"spangate/policy"
	"spangate/telemetry"
)

// nowhere is what a client is answered with that does not listen. It allocates
// nothing.
type nowhere struct {
	header http.Header
	status int
	size   int
}

func (n *nowhere) Header() http.Header    { return n.header }
func (n *nowhere) WriteHeader(status int) { n.status = status }
func (n *nowhere) Flush()                 {}
func (n *nowhere) Write(p []byte) (int, error) {
	n.size += len(p)
	return len(p), nil
}

// answering is a backend that has its answer at hand, and allocates nothing for it.
type answering struct {
	resp   http.Response
	header http.Header
	body   readCloser
}

type readCloser struct{ strings.Reader }

func (*readCloser) Close() error { return nil }

func (a *answering) RoundTrip(*http.Request) (*http.Response, error) {
	a.body.Reset(text)
	clear(a.header)
	maps.Copy(a.header, answerHeader)
	a.resp = http.Response{StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1, Header: a.header, Body: &a.body, ContentLength: int64(len(text))}
	return &a.resp, nil
}

var (
	text          = strings.Repeat("x", 1<<10)
	answerHeader  = http.Header{"Content-Length": {"1024"}, "Content-Type": {"text/plain"}, "Date": {"Thu, 26 Nov 2026 09:00:00 GMT"}, "Server": {"test"}}
	requestHeader = http.Header{"User-Agent": {"test"}, "Accept": {"*/*"}, "Accept-Language": {"en"}, "Cookie": {"session=0123456789"}}
)

// column returns what a request meets between the server and the backends, in the
// order of main, and what serves one. environ is added to the usual configuration.
func column(t testing.TB, environ ...string) (serve func()) {
	t.Helper()
	var cfg struct {
		Route     Config
		Wire      wire.Config
		Admin     admin.Config
		Origin    handler.Origin
		Telemetry telemetry.Config
	}
	environ = append([]string{"BACKENDS=http://a:1,http://b:1", "OTEL_SDK_DISABLED=true", "ACCESS_LOG=off"}, environ...)
	if _, _, err := config.Load(&cfg, environ, cfg.Route.Check); err != nil {
		t.Fatal(err)
	}
	tel, err := telemetry.New(cfg.Telemetry, telemetry.Process{}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tel.Flush(time.Minute, nil) })
	backend := &answering{header: http.Header{}}
	fields := field.NewSet(append(cfg.Route.Fields(), string(cfg.Origin.Header))...)
	p := newParts(Front{Shared: cfg.Route.Shared, Fields: fields, ClientTimeout: cfg.Wire.ClientTimeout})
	p.listen = func(tel *telemetry.Telemetry, algorithm balancer.Algorithm) balancer.Hooks {
		hooks := tel.Balancer(algorithm)
		decorate := hooks.Attempt
		hooks.Attempt = func(b *balancer.Backend, ready func() int, _ http.RoundTripper) http.RoundTripper {
			if decorate != nil {
				return decorate(b, ready, backend)
			}
			return backend
		}
		return hooks
	}
	routes, err := newTable(cfg.Route, nil, p, tel)
	if err != nil {
		t.Fatal(err)
	}
	h := handler.Stack{
		{Name: "probes", Wrap: routes.OnDemand},
		{Name: "fields", Wrap: handler.Fields(fields)},
		{Name: "admin", Wrap: admin.New(cfg.Admin, cfg.Origin, admin.Sources{}).Before},
		{Name: "client", Wrap: handler.Identify(cfg.Origin)},
		{Name: "telemetry", Wrap: tel.Server},
		{Name: "max headers", Wrap: handler.MaxHeaders(cfg.Wire.MaxHeaders, tel.Failures())},
		{Name: "websocket", Wrap: handler.WebSockets},
		{Name: "request id", Wrap: policy.RequestID(cfg.Route.Policy.RequestID, tel.Policies())},
	}.Over(routes)

	came := httptest.NewRequest("GET", "/a/path?with=query", nil)
	r, w := new(http.Request), &nowhere{header: http.Header{}}
	return func() {
		*r = *came // whoever it belongs to changes it in place
		clear(r.Header)
		maps.Copy(r.Header, requestHeader)
		clear(w.header)
		w.status, w.size = 0, 0
		if h.ServeHTTP(w, r); w.status != http.StatusOK || w.size != len(text) || w.header["Via"] == nil {
			t.Fatalf("%d, %d bytes, %v", w.status, w.size, w.header)
		}
	}
}

// TestAllocations holds what a request costs between the server and the connections
// to the backends. A gate that is passed is either raised with a reason, or the
// change is mended.
func TestAllocations(t *testing.T) {
	for _, test := range []struct {
		name    string
		environ []string
		gate    float64
	}{
		{"telemetry is off", nil, 7},
	} {
		serve := column(t, test.environ...)
		if got := testing.AllocsPerRun(1000, serve); got > test.gate {
			t.Errorf("%s: %v allocations, gate %v", test.name, got, test.gate)
		}
	}
}

func BenchmarkColumn(b *testing.B) {
	for name, environ := range map[string][]string{
		"bare":       nil,
		"a deadline": {"REQUEST_TIMEOUT=10s"},
		"a limit":    {"RATE_LIMIT=1000000/s"},
	} {
		b.Run(name, func(b *testing.B) {
			serve := column(b, environ...)
			b.ReportAllocs()
			for b.Loop() {
				serve()
			}
		})
	}
}

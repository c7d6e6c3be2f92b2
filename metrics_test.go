package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSeriesDoNotGrowByPolicies throws what clients can choose at policies:
// keys, tenants, principals, origins, ids and addresses. None of it may become
// a metric's attribute.
func TestSeriesDoNotGrowByPolicies(t *testing.T) {
	t.Parallel()
	issuer := newTokenIssuer(t)
	series := func(rounds int) map[string]int {
		p := start(t, append(issuer.environ(), "BACKENDS=echo:a", "ACCESS_LOG=off", "OTEL_TRACES_EXPORTER=none", "PROBE_MODE=off",
			"AUTH_API_KEYS=ci:"+apiKey, "CORS_ALLOWED_ORIGINS=https://*.app.test", "RATE_LIMIT=1/h,2/d", "RATE_LIMIT_KEY=header:X-Tenant",
			"RATE_LIMIT_MAX_KEYS=100", "DENY_CIDRS=203.0.113.0/25", "TRUSTED_PROXIES=127.0.0.0/8", "MAX_CONCURRENT_REQUESTS=5", "MAX_REQUEST_BODY=3")...)
		p.await("keys of tokens fetched")
		transport := &http.Transport{}
		defer transport.CloseIdleConnections()
		for i := range rounds {
			tenant, id := fmt.Sprintf("X-Tenant: %d", i), fmt.Sprintf("X-Request-Id: id-%d", i)
			from := fmt.Sprintf("X-Forwarded-For: 198.51.100.%d", i%256)
			token := issuer.bearer(nil, "sub", fmt.Sprintf("user-%d", i))
			for _, ask := range []struct {
				method string
				header []string
				want   int
			}{
				{"GET", []string{tenant, id, from, token, fmt.Sprintf("Origin: https://o%d.app.test", i)}, http.StatusOK},
				{"GET", []string{tenant, id, from, token}, http.StatusTooManyRequests},
				{"GET", []string{tenant + "x", id, from, "X-Api-Key: " + apiKey, fmt.Sprintf("Origin: https://o%d.test", i)}, http.StatusOK},
				{"GET", []string{tenant, fmt.Sprintf("X-Api-Key: 0123456789-%d", i)}, http.StatusUnauthorized},
				{"GET", []string{tenant, fmt.Sprintf("X-Forwarded-For: 203.0.113.%d", i%128)}, http.StatusForbidden},
				{"OPTIONS", []string{fmt.Sprintf("Origin: https://o%d.app.test", i), "Access-Control-Request-Method: GET"}, http.StatusNoContent},
				{"OPTIONS", []string{fmt.Sprintf("Origin: https://o%d.test", i), fmt.Sprintf("Access-Control-Request-Method: M%d", i)}, http.StatusForbidden},
			} {
				if status := p.statusOver(t, transport, ask.method, ask.header...); status != ask.want {
					t.Errorf("%q: status %d, want %d", ask.header, status, ask.want)
				}
			}
		}
		p.stop()
		for _, point := range p.points("spangate.rate_limit.keys") {
			if point.Value > 128 {
				t.Errorf("%v keys are kept", point.Value)
			}
		}
		return p.series()
	}
	few, many := series(1), series(150)
	if diff := cmp.Diff(few, many); diff != "" || few["spangate.policy.rejections"] == 0 {
		t.Errorf("series after 7 requests and after 1050 (-7 +1050):\n%s", diff)
	}
}

// TestSeriesDoNotGrow throws all that clients can choose at the program: none of
// it may become a metric's attribute. The series are those of what the program
// itself knows: methods, schemes, versions and outcomes.
func TestSeriesDoNotGrow(t *testing.T) {
	t.Parallel()
	var kinds []anyRequest
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "unknown"} {
		for _, scheme := range []string{"http", "https"} {
			for outcome := range outcomesOfAny {
				kinds = append(kinds, anyRequest{method, scheme, outcome, false}, anyRequest{method, scheme, outcome, true})
			}
		}
	}
	few, many := seriesOf(t, kinds, len(kinds)), seriesOf(t, kinds, 2000)
	if diff := cmp.Diff(few, many); diff != "" || len(few) < 15 {
		t.Errorf("series after %d requests and after 2000 (-few +many):\n%s", len(kinds), diff)
	}
}

// anyRequest is one of the kinds of requests that have series of their own.
type anyRequest struct {
	method, scheme, outcome string
	http2                   bool
}

// outcomesOfAny are the statuses by what leads to them.
var outcomesOfAny = map[string]int{"let in": 200, "no key": 401, "wrong key": 401, "denied": 403, "limited": 429}

// send makes a request of the kind, and draws everything else.
func (a anyRequest) send(ctx context.Context, random *rand.Rand, client http.RoundTripper, addr string) (*http.Response, error) {
	word := func() string { return fmt.Sprintf("%x", random.Uint64()) }
	method, tenant, from := a.method, word(), "198.51.100."
	if method == "unknown" {
		method = "M" + strings.ToUpper(word())
	}
	switch a.outcome {
	case "limited":
		tenant = "limited"
	case "denied":
		from = "203.0.113."
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://"+addr+"/"+word()+"?"+word()+"="+word(), nil)
	if err != nil {
		return nil, err
	}
	r.Host = word() + ".test"
	for name, value := range map[string]string{
		"User-Agent": word(), "Accept": word(), "Cookie": word() + "=" + word(), "Referer": "https://" + word() + ".test/",
		"Origin": "https://" + word() + ".test", "X-Request-Id": word(), "X-Tenant": tenant,
		"X-Forwarded-For": from + fmt.Sprint(random.IntN(256)), "X-Forwarded-Proto": a.scheme, "X-Forwarded-Host": word(),
		"Forwarded": "for=" + word(), "Via": "1.1 " + word(), "X-Real-Ip": word(), "X-" + word(): word(),
		"Traceparent": fmt.Sprintf("00-%016x%016x-%016x-%02x", random.Uint64(), random.Uint64(), random.Uint64(), random.IntN(4)),
		"Tracestate":  word()[:1] + "=" + word(), "Baggage": word() + "=" + word(), "B3": word(),
	} {
		r.Header.Set(name, value)
	}
	switch a.outcome {
	case "no key":
	case "wrong key":
		r.Header.Set("X-Api-Key", word()+word())
	default:
		r.Header.Set("X-Api-Key", apiKey)
	}
	return client.RoundTrip(r)
}

// seriesOf returns how many series each metric has after so many requests, of
// each kind in turn.
func seriesOf(t *testing.T, kinds []anyRequest, requests int) map[string]int {
	p := start(t, "BACKENDS=echo:a", "ACCESS_LOG=off", "OTEL_TRACES_SAMPLER=always_off", "RETRY_ATTEMPTS=0", "TRUSTED_PROXIES=127.0.0.0/8",
		"AUTH_API_KEYS=ci:"+apiKey, "RATE_LIMIT=1/d", "RATE_LIMIT_KEY=header:X-Tenant", "DENY_CIDRS=203.0.113.0/24",
		"CORS_ALLOWED_ORIGINS=https://app.test", "MAX_CONCURRENT_REQUESTS=100")
	p.once(t.Context(), "GET", "/", nil, "X-Tenant: limited", "X-Api-Key: "+apiKey)

	const clients = 4
	var all sync.WaitGroup
	for client := range clients {
		all.Go(func() {
			random := rand.New(rand.NewPCG(uint64(client), uint64(requests)))
			http1, http2 := &http.Transport{}, &http.Transport{Protocols: new(http.Protocols)}
			http2.Protocols.SetUnencryptedHTTP2(true)
			defer http1.CloseIdleConnections()
			defer http2.CloseIdleConnections()
			for i := client; i < requests; i += clients {
				kind, transport := kinds[i%len(kinds)], http1
				if kind.http2 {
					transport = http2
				}
				resp, err := kind.send(t.Context(), random, transport, p.addr)
				if err != nil {
					t.Error(err)
					return
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if want := outcomesOfAny[kind.outcome]; resp.StatusCode != want {
					t.Errorf("%+v: status %d, want %d", kind, resp.StatusCode, want)
				}
			}
		})
	}
	all.Wait()
	p.stop()
	return p.series()
}

// series returns how many each metric has.
func (p *program) series() map[string]int {
	count := map[string]int{}
	for _, m := range p.collector.Metrics() {
		if m.Name == "http.client.connection.duration" {
			continue // has a series for each backend that has closed a connection by then
		}
		if strings.HasPrefix(m.Name, "http.") || strings.HasPrefix(m.Name, "spangate.") {
			count[m.Name] = len(m.Points)
		}
	}
	return count
}

// An exemplar leads from a duration to a trace: to one that was exported.
func TestExemplarsLeadToExportedTraces(t *testing.T) {
	t.Parallel()
	p := start(t, "BACKENDS=echo:a", "PROBE_PATH=/", "TRACE_TRUST=trust")
	const unsampled = "11111111111111112222222222222222"
	for range 3 {
		p.once(t.Context(), "GET", "/", nil, "Traceparent: "+callersParent+"-01")
		p.once(t.Context(), "GET", "/", nil, "Traceparent: 00-"+unsampled+"-"+callersSpan+"-00")
	}
	p.stop()
	exported := map[string]bool{}
	for _, span := range p.collector.Spans() {
		exported[span.TraceID+span.SpanID] = true
	}
	found := map[string]bool{}
	for _, m := range p.collector.Metrics() {
		for _, point := range m.Points {
			for _, e := range point.Exemplars {
				if found[m.Name] = true; !exported[e.TraceID+e.SpanID] {
					t.Errorf("%s: trace %s, span %s were not exported", m.Name, e.TraceID, e.SpanID)
				}
			}
		}
	}
	for _, name := range []string{
		"http.server.request.duration", "http.client.request.duration", "spangate.forward.duration", "spangate.time_to_first_byte",
	} {
		if !found[name] {
			t.Errorf("%s has no exemplar", name)
		}
	}
}

func TestDurationBuckets(t *testing.T) {
	t.Parallel()
	p := start(t, "BACKENDS=echo:a")
	p.once(t.Context(), "GET", "/", nil)
	p.stop()
	want := []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}
	found := 0
	for _, m := range p.collector.Metrics() {
		if m.Name != "http.server.request.duration" && m.Name != "http.client.request.duration" {
			continue
		}
		found++
		if diff := cmp.Diff(want, m.Points[0].Bounds); diff != "" || m.Unit != "s" || m.Points[0].Count != 1 {
			t.Errorf("%s: unit %s, count %d, bounds (-want +got):\n%s", m.Name, m.Unit, m.Points[0].Count, diff)
		}
	}
	if found != 2 {
		t.Errorf("found %d of the two histograms", found)
	}
}

func TestKnownMethods(t *testing.T) {
	t.Parallel()
	p := start(t, "BACKENDS=echo:a", "PROBE_MODE=off", "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS=GET, PURGE")
	for _, method := range []string{"GET", "PURGE", "POST"} {
		p.once(t.Context(), method, "/", nil)
	}
	p.stop()
	want := "GET SERVER Unset http.request.method=GET\n  GET CLIENT Unset http.request.method=GET\n" +
		"PURGE SERVER Unset http.request.method=PURGE\n  PURGE CLIENT Unset http.request.method=PURGE\n" +
		"HTTP SERVER Unset http.request.method=_OTHER http.request.method_original=POST\n  HTTP CLIENT Unset http.request.method=_OTHER http.request.method_original=POST\n"
	p.checkSpans(t, want, "http.request.method", "http.request.method_original")
}

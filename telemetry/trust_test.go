package telemetry_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"go.opentelemetry.io/otel/propagation"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"spangate/balancer"
	"spangate/handler"
	"spangate/telemetry"
	"spangate/telemetry/export"
	"spangate/telemetry/tracecontext"
)

// passed is what became of the trace context of one request: who the parent of
// its span is, what it is linked to, and what the backend got.
type passed struct {
	Parent, Link        string // trace, span and flags
	State, LinkState    string
	Traceparent, Others string // of the attempt: that it is of the trace, and all other fields of context
	Baggage             string
}

// pass sends a request with that header through both decorators. The peer is
// believed when it is trusted.
func pass(t testing.TB, cfg telemetry.Config, trusted bool, header http.Header) passed {
	t.Helper()
	recorder := tracetest.NewSpanRecorder()
	var origin handler.Origin
	if trusted {
		if err := origin.Trusted.UnmarshalText([]byte("192.0.2.1")); err != nil {
			t.Fatal(err)
		}
	}
	tel := telemetry.From(cfg, export.Providers{
		Tracer:     sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder), sdktrace.WithSampler(sdktrace.AlwaysSample())),
		Propagator: propagation.NewCompositeTextMapPropagator(tracecontext.W3C{}, propagation.Baggage{}),
	}, nil, slog.New(slog.DiscardHandler))
	var sent http.Header
	backend := &balancer.Backend{Name: "b", URL: &url.URL{Scheme: "http", Host: "b"}}
	client := tel.Balancer("").Attempt(backend, func() int { return 1 }, roundTrip(func(r *http.Request) (*http.Response, error) {
		sent = r.Header
		return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
	}))
	r := httptest.NewRequest("GET", "/", nil)
	r.Header = header
	handler.Identify(origin)(tel.Server(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		out := r.Clone(r.Context())
		out.RequestURI = ""
		resp, err := client.RoundTrip(out)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}))).ServeHTTP(httptest.NewRecorder(), r)

	var p passed
	attempt, server := recorder.Ended()[0], recorder.Ended()[1]
	if parent := server.Parent(); parent.IsValid() {
		p.Parent = parent.TraceID().String() + " " + parent.SpanID().String() + " " + parent.TraceFlags().String()
		p.State = parent.TraceState().String()
	}
	for _, link := range server.Links() {
		p.Link = link.SpanContext.TraceID().String() + " " + link.SpanContext.SpanID().String() + " " + link.SpanContext.TraceFlags().String()
		p.LinkState = link.SpanContext.TraceState().String()
	}
	for name, values := range sent {
		text := strings.Join(values, ",")
		switch name {
		case "Traceparent":
			p.Traceparent = "another's: " + text
			if len(values) == 1 && text == "00-"+server.SpanContext().TraceID().String()+"-"+attempt.SpanContext().SpanID().String()+"-01" {
				p.Traceparent = "the attempt's"
			}
		case "Baggage":
			p.Baggage = text
		default:
			if name != "Tracestate" || text != server.SpanContext().TraceState().String() {
				p.Others += name + "\n"
			}
		}
	}
	return p
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

const (
	aTrace  = "0af7651916cd43dd8448eb211c80319c"
	aSpan   = "b7ad6b7169203331"
	aParent = "00-" + aTrace + "-" + aSpan + "-01"
)

func TestTrust(t *testing.T) {
	theirs := aTrace + " " + aSpan + " 01"
	for name, test := range map[string]struct {
		trusted bool
		cfg     telemetry.Config
		baggage string
		header  http.Header
		want    passed
	}{
		"a stranger is linked": {
			header: http.Header{"Traceparent": {aParent}, "Tracestate": {"a=b"}, "Baggage": {"k=v"}},
			want:   passed{Link: theirs},
		},
		"or ignored": {
			cfg: telemetry.Config{Trust: "ignore"}, header: http.Header{"Traceparent": {aParent}, "Tracestate": {"a=b"}},
		},
		"or believed": {
			cfg: telemetry.Config{Trust: "trust"}, header: http.Header{"Traceparent": {aParent}, "Tracestate": {"a=b"}, "Baggage": {"k=v"}},
			want: passed{Parent: theirs, State: "a=b", Baggage: "k=v"},
		},
		"a proxy of ours is believed": {
			trusted: true, header: http.Header{"Traceparent": {aParent}, "Tracestate": {"a=b"}, "Baggage": {"k=v"}},
			want: passed{Parent: theirs, State: "a=b", Baggage: "k=v"},
		},
		"of several tracestates all are one": {
			trusted: true, header: http.Header{"Traceparent": {aParent}, "Tracestate": {"a=b", "c=d"}},
			want: passed{Parent: theirs, State: "a=b,c=d"},
		},
		"two traceparents are none": {
			trusted: true, header: http.Header{"Traceparent": {aParent, "00-" + aSpan + aSpan + "-" + aSpan + "-01"}},
		},
		"all zeros":                  {trusted: true, header: http.Header{"Traceparent": {"00-00000000000000000000000000000000-" + aSpan + "-01"}}},
		"version ff":                 {trusted: true, header: http.Header{"Traceparent": {"ff" + aParent[2:]}}},
		"capitals":                   {trusted: true, header: http.Header{"Traceparent": {strings.ToUpper(aParent)}}},
		"a version that is to come":  {trusted: true, header: http.Header{"Traceparent": {"01" + aParent[2:] + "-more"}}, want: passed{Parent: theirs}},
		"this version with a suffix": {trusted: true, header: http.Header{"Traceparent": {aParent + "-more"}}},
		"Google's own field": {
			trusted: true, header: http.Header{"X-Cloud-Trace-Context": {aTrace + "/13235353014750950193;o=1"}}, want: passed{Parent: theirs},
		},
		"which comes second": {
			trusted: true, header: http.Header{"Traceparent": {aParent}, "X-Cloud-Trace-Context": {strings.Repeat("1", 32) + "/1;o=1"}}, want: passed{Parent: theirs},
		},
		"and is not a stranger's to set": {
			header: http.Header{"X-Cloud-Trace-Context": {aTrace + "/13235353014750950193;o=1"}},
		},
		"baggage that anybody may send": {
			baggage: "tenant, k", header: http.Header{"Baggage": {"tenant=t;p=1,secret=s", "k=v"}}, want: passed{Baggage: "k=v,tenant=t;p=1"},
		},
		"all of it": {
			baggage: "*", header: http.Header{"Baggage": {"a=b"}}, want: passed{Baggage: "a=b"},
		},
		"baggage that is none": {
			baggage: "*", header: http.Header{"Baggage": {"a b=c\n,=,%zz"}},
		},
		"no field of another format stays": {
			trusted: true, header: http.Header{
				"B3": {"1"}, "X-B3-Traceid": {"1"}, "Uber-Trace-Id": {"1"}, "Uberctx-A": {"1"}, "X-Amzn-Trace-Id": {"1"}, "Grpc-Trace-Bin": {"1"},
				"Ot-Tracer-Traceid": {"1"}, "Ot-Baggage-A": {"1"}, "X-Datadog-Trace-Id": {"1"}, "X-Ot-Span-Context": {"1"},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := test.cfg
			if err := cfg.Baggage.UnmarshalText([]byte(test.baggage)); err != nil {
				t.Fatal(err)
			}
			test.want.Traceparent = "the attempt's"
			got := pass(t, cfg, test.trusted, test.header)
			got.Baggage = sorted(got.Baggage)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("what became of the context (-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzTrust holds, whatever a peer sends: nothing crashes, a stranger's context
// is not adopted, the backend gets the attempt's own and nothing stale.
func FuzzTrust(f *testing.F) {
	f.Add(aParent, "a=b", "k=v", "B3", "1")
	f.Add("ff"+aParent[2:], strings.Repeat("a=b,", 40), strings.Repeat("k=v,", 80), "X-Cloud-Trace-Context", aTrace+"/1;o=1")
	f.Add("", "=", "%", "Uberctx-", "\x00")
	f.Fuzz(func(t *testing.T, parent, state, bag, field, value string) {
		header := func() http.Header {
			h := http.Header{"Traceparent": {parent}, "Tracestate": {state}, "Baggage": {bag}}
			if name := http.CanonicalHeaderKey(field); strings.HasPrefix(name, "Uberctx-") || name == "X-Cloud-Trace-Context" || name == "B3" {
				h.Set(name, value)
			}
			return h
		}
		got := pass(t, telemetry.Config{}, false, header())
		if got.Parent != "" || got.State != "" || got.LinkState != "" || got.Baggage != "" || got.Others != "" || got.Traceparent != "the attempt's" {
			t.Errorf("a stranger's: %+v", got)
		}
		got = pass(t, telemetry.Config{}, true, header())
		if len(got.State) > 512 || len(got.Baggage) > 8192 || got.Others != "" || got.Traceparent != "the attempt's" && got.Parent == "" {
			t.Errorf("a trusted peer's: %+v", got)
		}
	})
}

// FuzzCloudTrace holds that Google's field, of a believed peer, makes the parent
// that it spells or none.
func FuzzCloudTrace(f *testing.F) {
	for _, value := range []string{
		aTrace + "/13235353014750950193;o=1", aTrace + "/13235353014750950193", strings.ToUpper(aTrace) + "/1;o=0",
		aTrace, aTrace + "/", aTrace + "/0;o=1", aTrace + "/-1;o=1", aTrace + "/18446744073709551616;o=1", aTrace + "/1/2", aTrace + "0/1",
		strings.Repeat("0", 32) + "/1;o=1", strings.Repeat("g", 32) + "/1;o=1", "/;", "",
	} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		want := ""
		if m := cloudTrace.FindStringSubmatch(value); m != nil && strings.Trim(m[1], "0") != "" {
			if span, err := strconv.ParseUint(m[2], 10, 64); err == nil && span != 0 {
				want = fmt.Sprintf("%s %016x 00", strings.ToLower(m[1]), span)
				if m[3] == ";o=1" {
					want = want[:len(want)-1] + "1"
				}
			}
		}
		got := pass(t, telemetry.Config{}, true, http.Header{"X-Cloud-Trace-Context": {value}})
		if got.Parent != want || got.Link != "" || got.Others != "" || got.Traceparent != "the attempt's" {
			t.Errorf("%q: %+v, want the parent %q", value, got, want)
		}
	})
}

var cloudTrace = regexp.MustCompile(`(?s)^([0-9a-fA-F]{32})/([0-9]+)(;.*)?$`)

func sorted(baggage string) string {
	if baggage == "" {
		return ""
	}
	members := strings.Split(baggage, ",")
	if len(members) == 2 && members[0] > members[1] {
		members[0], members[1] = members[1], members[0]
	}
	return strings.Join(members, ",")
}

func TestBaggageKeysAreChecked(t *testing.T) {
	var cfg telemetry.Config
	if err := cfg.Baggage.UnmarshalText([]byte("a,b=c")); err == nil || !strings.Contains(err.Error(), `"b=c"`) {
		t.Errorf("the fault is %v, want one that names the key", err)
	}
}

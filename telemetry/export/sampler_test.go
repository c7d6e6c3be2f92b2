package export_test

import (
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// TestProbabilityTold holds what spans tell of how probable it was that they are
// sampled. The caller's trace ends in 43.1 %, so that a ratio of half samples it not.
func TestProbabilityTold(t *testing.T) {
	const (
		caller     = "00-0af7651916cd43dd846e6d1a75832a2f-b7ad6b7169203331-"
		sampled    = caller + "03"
		unsampled  = caller + "02"
		ratio      = "OTEL_TRACES_SAMPLER=traceidratio"
		parentHalf = "OTEL_TRACES_SAMPLER=parentbased_traceidratio OTEL_TRACES_SAMPLER_ARG=0.5"
		resample   = "TRACE_UNSAMPLED_PARENT=resample"
		limited    = "OTEL_TRACES_SAMPLER=rate_limited"
	)
	for name, test := range map[string]struct{ environ, parent, state, want string }{
		"a root":                                  {"", "", "", "yes ot=th:0"},
		"a root that is sampled whatever is":      {"OTEL_TRACES_SAMPLER=always_on", "", "", "yes ot=th:0"},
		"a root by the ratio of one":              {ratio, "", "", "yes ot=th:0"},
		"a root by none":                          {ratio + " OTEL_TRACES_SAMPLER_ARG=0", "", "", "no "},
		"a root by rate":                          {limited, "", "", "yes "},
		"a root that is kept":                     {"OTEL_TRACES_SAMPLER=parentbased_always_off", "", "", "no "},
		"a caller's":                              {"", sampled, "", "yes "},
		"a caller's with a probability":           {"", sampled, "ot=th:6e", "yes ot=th:6e"},
		"a caller's that its trace cannot have":   {"", sampled, "ot=th:6f", "yes "},
		"a caller's by a number of its own":       {"", sampled, "ot=th:c;rv:c0000000000000", "yes ot=th:c;rv:c0000000000000"},
		"a caller's that its number cannot have":  {"", sampled, "a=b,ot=th:6;rv:50000000000000", "yes ot=rv:50000000000000,a=b"},
		"a caller's with others":                  {"", sampled, "a=b,ot=p:8;th:6e,c=d", "yes a=b,ot=p:8;th:6e,c=d"},
		"a caller's that is malformed":            {"", sampled, "a=b,ot=th:6e;,c=d", "yes a=b,c=d"},
		"a caller's that is no threshold":         {"", sampled, "a=b,ot=th:6E;p:8,c=d", "yes ot=p:8,a=b,c=d"},
		"a caller's that does not sample":         {"", unsampled, "a=b", "no a=b"},
		"a caller's that does not, and says th":   {"", unsampled, "a=b,ot=th:8;p:8", "no ot=p:8,a=b"},
		"a ratio, whatever a caller does":         {ratio + " OTEL_TRACES_SAMPLER_ARG=0.6", unsampled, "a=b,ot=p:8", "yes ot=p:8;th:6666,a=b"},
		"a ratio that goes before a caller's":     {ratio + " OTEL_TRACES_SAMPLER_ARG=0.6", sampled, "ot=th:1", "yes ot=th:6666"},
		"a ratio that a caller's trace is not in": {ratio + " OTEL_TRACES_SAMPLER_ARG=0.5", sampled, "ot=th:1;p:8", "no ot=p:8"},
		"a ratio that a caller's number is in":    {ratio + " OTEL_TRACES_SAMPLER_ARG=0.5", sampled, "ot=rv:80000000000000", "yes ot=rv:80000000000000;th:8"},
		"a ratio that its number is not in":       {ratio + " OTEL_TRACES_SAMPLER_ARG=0.6", sampled, "ot=rv:00000000000000", "no ot=rv:00000000000000"},
		"a number that is none":                   {ratio + " OTEL_TRACES_SAMPLER_ARG=0.6", sampled, "ot=rv:0", "yes ot=rv:0;th:6666"},
		"a ratio below a parent":                  {parentHalf, sampled, "ot=th:2", "yes ot=th:2"},
		"decided anew":                            {resample, unsampled, "a=b", "yes a=b"},
		"decided anew by ratio":                   {parentHalf + " " + resample, unsampled, "ot=rv:90000000000000;th:a", "yes ot=rv:90000000000000"},
		"a rate, whatever a caller does":          {limited, sampled, "a=b,ot=th:1", "yes a=b"},
		"off, whatever a caller does":             {"OTEL_TRACES_SAMPLER=always_off", sampled, "a=b,ot=th:1", "no a=b"},
		"too much of a state": {
			"OTEL_TRACES_SAMPLER=always_on", sampled, "a=" + strings.Repeat("x", 100) + ",b=" + strings.Repeat("x", 200) + ",c=" + strings.Repeat("x", 201),
			"yes ot=th:0,a=" + strings.Repeat("x", 100) + ",b=" + strings.Repeat("x", 200),
		},
	} {
		t.Run(name, func(t *testing.T) {
			environ := map[string]string{"OTEL_TRACES_EXPORTER": "console", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
			for variable := range strings.FieldsSeq(test.environ) {
				name, value, _ := strings.Cut(variable, "=")
				environ[name] = value
			}
			pipelines := start(t, environ, slog.New(slog.DiscardHandler), io.Discard)
			defer shutdown(t, pipelines)
			tracer := pipelines.Tracer.Tracer("test")
			ctx := pipelines.Propagator.Extract(t.Context(), propagation.MapCarrier{"traceparent": test.parent, "tracestate": test.state})
			ctx, request := tracer.Start(ctx, "request", trace.WithSpanKind(trace.SpanKindServer))
			_, child := tracer.Start(ctx, "child", trace.WithSpanKind(trace.SpanKindClient))
			_, own := tracer.Start(t.Context(), "probe")
			told := func(span trace.Span) string {
				sc := span.SpanContext()
				answer := map[bool]string{true: "yes ", false: "no "}[sc.IsSampled()] + sc.TraceState().String()
				if !sc.TraceFlags().IsRandom() {
					answer += ", not random"
				}
				return answer
			}
			_, copied := tracer.Start(t.Context(), "copied", trace.WithSpanKind(trace.SpanKindClient)) // for a mirror
			wantOwn, wantCopied := "yes ot=th:0", "yes "
			if environ["OTEL_TRACES_SAMPLER"] == "always_off" {
				wantOwn, wantCopied = "no ", "no "
			}
			if diff := cmp.Diff([]string{test.want, test.want, wantOwn, wantCopied}, []string{told(request), told(child), told(own), told(copied)}); diff != "" {
				t.Errorf("the request, its child, the program's own and a copy (-want +got):\n%s", diff)
			}
		})
	}
}

package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Each probe has a span, unless TRACE_PROBES lessens that. Whatever it says, a
// change has its causes, and whatever the sampler says: it is asked about
// requests.
func TestTracedProbes(t *testing.T) {
	t.Parallel()
	const (
		good   = "probe INTERNAL Unset\n  GET CLIENT Unset\n"
		bad    = "probe INTERNAL Error error.type=503\n  GET CLIENT Error\n"
		change = "backend_state_change INTERNAL Unset spangate.backend.state="
	)
	all := good + change + "ready link=1\n" + good + bad + bad + change + "down link=6 link=8\n" + bad + good + change + "ready link=13\n"
	failed := good + change + "ready link=1\n" + bad + bad + change + "down link=4 link=6\n" + bad + good + change + "ready link=11\n"
	changes := good + change + "ready link=1\n" + bad + bad + change + "down link=4 link=6\n" + good + change + "ready link=9\n"
	for name, test := range map[string]struct {
		environ []string
		want    string
	}{
		"by default":         {nil, all},
		"all":                {[]string{"TRACE_PROBES=all"}, all},
		"failed":             {[]string{"TRACE_PROBES=failed"}, failed},
		"changes":            {[]string{"TRACE_PROBES=changes"}, changes},
		"by no ratio":        {[]string{"OTEL_TRACES_SAMPLER=traceidratio", "OTEL_TRACES_SAMPLER_ARG=0", "TRACE_KEEP=none"}, all},
		"none of them":       {[]string{"OTEL_TRACES_SAMPLER=always_off"}, ""},
		"none of them, also": {[]string{"OTEL_TRACES_EXPORTER=none"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			backend := newPrompted(t)
			p := start(t, append([]string{"PROBE_PATH=/healthz", "PROBE_INTERVAL=10ms", "PROBE_TIMEOUT=1m", "PROBE_FALL=2", "BACKENDS=" + backend.URL}, test.environ...)...)
			for _, status := range []int{200, 200, 503, 503, 503, 200} {
				backend.probed(status)
			}
			<-backend.probes // the one before has been told of; this one is cut off
			p.stop()
			p.checkSpans(t, test.want, "error.type", "spangate.backend.state")
		})
	}
}

// So has each decision of the rate limit, unless TRACE_RATE_LIMIT lessens that.
func TestTracedDecisions(t *testing.T) {
	t.Parallel()
	const (
		in      = "GET SERVER Unset http.response.status_code=200\n"
		refused = "GET SERVER Unset http.response.status_code=429\n"
		attempt = "  GET CLIENT Unset http.response.status_code=200\n"
		span    = "  rate_limit INTERNAL Unset spangate.rate_limit.result="
	)
	for name, test := range map[string]struct {
		environ []string
		want    string
	}{
		"by default":         {nil, in + span + "allowed\n" + attempt + refused + span + "denied\n"},
		"all":                {[]string{"TRACE_RATE_LIMIT=all"}, in + span + "allowed\n" + attempt + refused + span + "denied\n"},
		"denied":             {[]string{"TRACE_RATE_LIMIT=denied"}, in + attempt + refused + span + "denied\n"},
		"denied, if in vain": {[]string{"TRACE_RATE_LIMIT=denied", "RATE_LIMIT_DRY_RUN=true"}, in + attempt + in + span + "dry_run\n" + attempt},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, append([]string{"PROBE_MODE=off", "RATE_LIMIT=1/h", "BACKENDS=echo:a"}, test.environ...)...)
			p.once(t.Context(), "GET", "/", nil)
			p.once(t.Context(), "GET", "/", nil)
			p.stop()
			p.checkSpans(t, test.want, "http.response.status_code", "spangate.rate_limit.result")
			if n := p.counted("spangate.rate_limit.decisions"); n != 2 {
				t.Errorf("%v decisions are counted, want both", n)
			}
		})
	}
}

func TestTracedAtFault(t *testing.T) {
	want := []string{
		`TRACE_PROBES="some": must be all, failed or changes`,
		`TRACE_RATE_LIMIT="allowed": must be all or denied`,
	}
	if diff := cmp.Diff(want, lines(command(t.Context(), []string{"config"}, []string{backends, "TRACE_PROBES=some", "TRACE_RATE_LIMIT=allowed"}, nil))); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}

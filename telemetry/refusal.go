package telemetry

import (
	"context"
	"log/slog"
	"net/http"

	"go.opentelemetry.io/otel/attribute"

	"spangate/handler/fault"
	"spangate/policy"
	"spangate/telemetry/export/series"
	"spangate/telemetry/logline"
)

// Refuse notes each request that a policy refuses, for its span and its line in
// the access log, and counts it; next answers it. A client that went away
// before it could be let in is no refusal, and not counted as one.
func (t *Telemetry) Refuse(next policy.Refuse) policy.Refuse {
	return func(w http.ResponseWriter, r *http.Request, why fault.Refusal) {
		gone := why.Type == fault.ClientDisconnected
		if e := exchangeOf(r.Context()); e != nil {
			switch {
			case gone:
				e.failure = fault.Gone(r.Context())
			case why.Type != "":
				e.failure = &fault.Error{Type: why.Type}
			}
			if !gone {
				e.refusal = refusal(why)
			}
		}
		if !gone {
			t.refused(r.Context(), why)
		}
		next(w, r, why)
	}
}

// refused counts a refusal and makes it an event. Standard output is spared
// it, as the access log has it.
func (t *Telemetry) refused(ctx context.Context, why fault.Refusal) {
	if t.events != nil {
		t.events.LogAttrs(ctx, slog.LevelInfo, "request refused", slog.String("event.name", policyRejectedEvent),
			slog.String(string(policyRejectionKey), why.Policy), slog.String(string(policyReasonKey), why.Reason))
	}
	t.at(exchangeOf(ctx)).metrics().refusal.of(refusalSet{why.Policy, why.Reason}).Add(ctx, 1)
}

// refusal is by which policy a request was refused, and why. Without a policy none
// did.
type refusal fault.Refusal

func (r *refusal) span(to attributes) {
	if r.Policy != "" {
		to.String(policyRejectionKey, r.Policy)
		to.String(policyReasonKey, r.Reason)
	}
}

func (r *refusal) line(line *logline.Line) {
	if r.Policy != "" {
		line.String("policy", r.Policy)
		line.String("reason", r.Reason)
	}
}

type refusalMetrics = *bound[refusalSet, series.Sum]

func newRefusalMetrics(m *meter) refusalMetrics {
	return counted(m, policyRejectionsName, refusalSet.attributes)
}

type refusalSet struct{ policy, reason string }

func (s refusalSet) attributes() []attribute.KeyValue {
	return []attribute.KeyValue{policyRejectionKey.String(s.policy), policyReasonKey.String(s.reason)}
}

package telemetry

import (
	"context"
	"log/slog"
	"net/http"

	"go.opentelemetry.io/otel/attribute"

	"spangate/handler/fault"
	"spangate/policy"
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
				e.rejection = why
			}
		}
		if !gone {
			t.rejected(r.Context(), why)
		}
		next(w, r, why)
	}
}

// rejected counts a refusal and makes it an event. Standard output is spared
// it, as the access log has it.
func (t *Telemetry) rejected(ctx context.Context, why fault.Refusal) {
	if t.events != nil {
		t.events.LogAttrs(ctx, slog.LevelInfo, "request refused", slog.String("event.name", policyRejectedEvent),
			slog.String(string(policyRejectionKey), why.Policy), slog.String(string(policyReasonKey), why.Reason))
	}
	t.rejections.Add(ctx, 1, t.rejectionSets.get(rejectionSet{why.Policy, why.Reason}, rejectionSet.attributes).add...)
}

// Authenticated notes who the request that ctx is of comes from. It is for
// [policy.Auth].
func (t *Telemetry) Authenticated(ctx context.Context, p policy.Principal) {
	if e := exchangeOf(ctx); e != nil {
		e.principal = p
	}
}

// RequestID notes the id of the request that ctx is of. It is for
// [policy.RequestID].
func (t *Telemetry) RequestID(ctx context.Context, id string) {
	if e := exchangeOf(ctx); e != nil {
		e.requestID = id
	}
}

type rejectionSet struct{ policy, reason string }

func (s rejectionSet) attributes() []attribute.KeyValue {
	return []attribute.KeyValue{policyRejectionKey.String(s.policy), policyReasonKey.String(s.reason)}
}

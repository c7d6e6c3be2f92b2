package telemetry

import (
	"context"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"spangate/handler/acme"
	"spangate/handler/certificate"
)

// issued returns what is told of certificates that an authority issues.
func (t *Telemetry) issued() acme.Hooks {
	return acme.Hooks{Ordered: t.ordered, Loaded: t.certificateLoaded, State: t.stateFailed}
}

// ordered gives an order of a certificate a span of its own, counts it, and logs it
// as the event that says what became of it.
func (t *Telemetry) ordered(o acme.Order) {
	attrs := []attribute.KeyValue{tlsCertificateKey.String(o.Name), acmeRenewalKey.Bool(o.Renewal)}
	count := []attribute.KeyValue{acmeResultKey.String("issued")}
	if o.Err != nil {
		failed := semconv.ErrorTypeKey.String(o.ErrorType())
		attrs = append(attrs, failed)
		count = []attribute.KeyValue{acmeResultKey.String("failed"), failed}
	} else {
		attrs = append(attrs, acmeChallengeKey.String(o.Challenge))
	}
	ctx, span := t.tracer.Start(context.Background(), certificateOrderSpan, trace.WithNewRoot(), trace.WithTimestamp(o.Began), trace.WithAttributes(attrs...))
	if o.Err != nil {
		span.SetStatus(codes.Error, o.Err.Error())
	}
	span.End(trace.WithTimestamp(o.Ended))
	t.front.orders.Of(count...).Add(ctx, 1)
	level, says, event := slog.LevelInfo, "an authority has issued a certificate", tlsCertificateIssuedEvent
	if o.Err != nil {
		level, says, event = slog.LevelWarn, "an authority was to issue a certificate and has not", tlsCertificateOrderFailedEvent
	}
	line := []slog.Attr{slog.String("event.name", event)}
	for _, kv := range attrs {
		line = append(line, slog.Any(string(kv.Key), kv.Value.AsInterface()))
	}
	if o.Err != nil {
		line = append(line, slog.String(string(semconv.ExceptionMessageKey), printable(o.Err.Error(), longestProblem)),
			slog.Float64(string(acmeNextOrderKey), max(0, time.Until(o.Next).Seconds())))
	} else {
		line = append(line, expiresIn(o.Certificate))
	}
	t.Log.LogAttrs(ctx, level, says, line...)
	t.expiry.changed()
}

// longestProblem is for what an authority says, with the addresses that it tried.
const longestProblem textLimit = 2048

func (t *Telemetry) certificateLoaded(c certificate.Info) {
	t.Log.LogAttrs(context.Background(), slog.LevelInfo, "a certificate that an authority issued earlier is shown",
		slog.String("event.name", tlsCertificateLoadedEvent), slog.String(string(tlsCertificateKey), c.Name), expiresIn(c))
	t.expiry.changed()
}

func (t *Telemetry) stateFailed(key string, err error) {
	t.Log.LogAttrs(context.Background(), slog.LevelWarn, "something of the state of certificates cannot be used or kept",
		slog.String("event.name", acmeStateFailedEvent), slog.String(string(acmeStateKey), key), slog.String(string(semconv.ExceptionMessageKey), err.Error()))
}

func expiresIn(c certificate.Info) slog.Attr {
	return slog.Float64(string(tlsCertificateExpiresInKey), daysLeft(c))
}

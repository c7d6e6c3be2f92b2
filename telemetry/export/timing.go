package export

import (
	"context"
	"errors"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"spangate/telemetry/contract"
)

// timing tells how long each operation of a component took. The zero value tells nobody.
type timing struct {
	durations metric.Float64Histogram
	component []attribute.KeyValue
}

// make has the timing told in a metric of the contract.
func (t *timing) make(meter metric.Meter, name string, component []attribute.KeyValue) (err error) {
	row := contract.MetricOf(name)
	t.component = component
	t.durations, err = meter.Float64Histogram(row.Name, metric.WithUnit(row.Unit), metric.WithDescription(row.Meaning),
		metric.WithExplicitBucketBoundaries(row.Buckets...))
	return err
}

// record tells of one that has ended, and of what it failed, if it did.
func (t *timing) record(began time.Time, cause string, more ...attribute.KeyValue) {
	if t == nil || t.durations == nil {
		return
	}
	attributes := append(more, t.component...)
	t.durations.Record(context.Background(), time.Since(began).Seconds(), withCause(cause, attributes...))
}

// exportCause is the error.type of an export, as its items are counted with.
func exportCause(err error) string {
	if err == nil {
		return ""
	}
	if _, ok := errors.AsType[*partial](err); ok {
		return exportRejected.cause
	}
	return exportFailed.cause
}

// statusOf returns the status of the answer to an export over HTTP, if one came. In gRPC
// it says nothing, and the attribute for gRPC's own is about to be renamed.
func (t target) statusOf(err error) (status []attribute.KeyValue) {
	if t.protocol == "grpc" {
		return nil
	}
	code := 200
	if _, taken := errors.AsType[*partial](err); err != nil && !taken {
		answer, ok := errors.AsType[*refused](err)
		if !ok || len(answer.status) < 3 {
			return nil
		}
		code, err = strconv.Atoi(answer.status[:3])
		if err != nil {
			return nil
		}
	}
	return []attribute.KeyValue{semconv.HTTPResponseStatusCode(code)}
}

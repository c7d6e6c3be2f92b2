package telemetry

import (
	"context"

	"go.opentelemetry.io/otel/attribute"

	"spangate/handler/wire"
)

// phases are the parts of an attempt's time, in the order in which they follow one
// another, by the names that a span and Server-Timing have for them.
var phases = [len(wire.Phases{})]struct {
	key    attribute.Key
	timing string
}{
	wire.Queue:   {attemptQueueKey, "attempt-queue"},
	wire.DNS:     {attemptDNSKey, "attempt-dns"},
	wire.Connect: {attemptConnectKey, "attempt-connect"},
	wire.TLS:     {attemptTLSKey, "attempt-tls"},
	wire.Send:    {attemptSendKey, "attempt-send"},
	wire.Wait:    {attemptWaitKey, "attempt-wait"},
	wire.Receive: {attemptReceiveKey, "attempt-receive"},
}

// courseOf is a hook of [wire.ConnectionHooks]. Where neither a span nor an answer tells
// of an attempt, nobody looks at the clock for it.
func (t *Telemetry) courseOf(ctx context.Context) *wire.Course {
	e := exchangeOf(ctx)
	if e == nil || e.attempt == nil || !t.cfg.ServerTiming && !e.attempt.span.IsRecording() {
		return nil
	}
	return &e.attempt.course
}

// tellCourse tells what there is to tell of the way of an attempt.
func (a *attempt) tellCourse(to attributes) {
	if a.course.Peer != nil {
		to.Bool(connectionReusedKey, a.course.Reused)
	}
	for phase, d := range a.course.Phases(a.answered, a.took) {
		if d > 0 {
			to.Float64(phases[phase].key, d.Seconds())
		}
	}
}

// appendTiming appends the phases that are over when the answer's header is sent, as
// fields of Server-Timing are written.
func (a *attempt) appendTiming(value string) string {
	if a == nil {
		return value
	}
	over := a.answered
	if over == 0 {
		over = a.took // there was none
	}
	for phase, d := range a.course.Phases(a.answered, over) {
		if d > 0 {
			value += ", " + phases[phase].timing + ";dur=" + milliseconds(d)
		}
	}
	return value
}

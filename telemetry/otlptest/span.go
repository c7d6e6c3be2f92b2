package otlptest

import (
	"encoding/hex"
	"strings"
	"time"

	coltraces "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
)

// Span is one span. Identifiers are hexadecimal, and empty when absent.
type Span struct {
	Name, Kind                string // SERVER, CLIENT, INTERNAL, PRODUCER or CONSUMER
	TraceID, SpanID, ParentID string
	TraceState                string
	Sampled, Random           bool // the flags of the trace context
	Start, End                time.Time
	Attributes                map[string]any // values are string, bool, int64, float64, []byte, []any or map[string]any
	Status, StatusMessage     string         // Unset, Ok or Error
	Links                     []Link
	Events                    []string // names
	Resource                  map[string]any
	Scope                     string
}

// Link points to a span of this or another trace.
type Link struct {
	TraceID, SpanID string
	Attributes      map[string]any
}

func (s *Server) addTraces(r *coltraces.ExportTraceServiceRequest) {
	for _, rs := range r.GetResourceSpans() {
		resource := attributes(rs.GetResource().GetAttributes())
		for _, ss := range rs.GetScopeSpans() {
			for _, span := range ss.GetSpans() {
				s.spans = append(s.spans, newSpan(span, resource, ss.GetScope().GetName()))
			}
		}
	}
}

func newSpan(p *traces.Span, resource map[string]any, scope string) Span {
	span := Span{
		Name:          p.GetName(),
		Kind:          strings.TrimPrefix(p.GetKind().String(), "SPAN_KIND_"),
		TraceID:       hex.EncodeToString(p.GetTraceId()),
		SpanID:        hex.EncodeToString(p.GetSpanId()),
		ParentID:      hex.EncodeToString(p.GetParentSpanId()),
		TraceState:    p.GetTraceState(),
		Sampled:       p.GetFlags()&1 != 0,
		Random:        p.GetFlags()&2 != 0,
		Start:         instant(p.GetStartTimeUnixNano()),
		End:           instant(p.GetEndTimeUnixNano()),
		Attributes:    attributes(p.GetAttributes()),
		Status:        statusName(p.GetStatus().GetCode()),
		StatusMessage: p.GetStatus().GetMessage(),
		Resource:      resource,
		Scope:         scope,
	}
	for _, link := range p.GetLinks() {
		span.Links = append(span.Links, Link{
			TraceID:    hex.EncodeToString(link.GetTraceId()),
			SpanID:     hex.EncodeToString(link.GetSpanId()),
			Attributes: attributes(link.GetAttributes()),
		})
	}
	for _, event := range p.GetEvents() {
		span.Events = append(span.Events, event.GetName())
	}
	return span
}

func statusName(code traces.Status_StatusCode) string {
	switch code {
	case traces.Status_STATUS_CODE_OK:
		return "Ok"
	case traces.Status_STATUS_CODE_ERROR:
		return "Error"
	}
	return "Unset"
}

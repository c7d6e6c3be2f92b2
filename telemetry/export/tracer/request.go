package tracer

import (
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/resource"
	"google.golang.org/protobuf/encoding/protowire"
)

// Span is one that has ended, as a message of OTLP.
type Span struct {
	Scope *Scope
	Bytes []byte
}

// Scope is what spans of one tracer have in common, written once.
type Scope struct{ before, after []byte } // their fields in ScopeSpans

func newScope(s instrumentation.Scope, within bounds) *Scope {
	b, at := open(nil, 1)
	b = appendText(b, 1, s.Name)
	b = appendText(b, 2, s.Version)
	b = appendSet(b, 3, s.Attributes.Iter(), within)
	return &Scope{before: shut(b, at), after: appendText(nil, 3, s.SchemaURL)}
}

// Resource is what all spans have in common, written once.
type Resource struct{ before, after []byte } // the scopes' spans in ResourceSpans

// NewResource writes a resource.
func NewResource(r *resource.Resource) Resource {
	b, at := open(nil, 1)
	b = appendSet(b, 1, r.Iter(), bounds{-1, -1})
	return Resource{before: shut(b, at), after: appendText(nil, 3, r.SchemaURL())}
}

func appendSet(b []byte, field protowire.Number, attributes attribute.Iterator, within bounds) []byte {
	for attributes.Next() {
		kv := attributes.Attribute()
		b = appendAttribute(b, field, &kv, within)
	}
	return b
}

// Request returns an ExportTraceServiceRequest with the spans, of which there is one
// at least.
func (r Resource) Request(spans []Span) []byte {
	groups := groupsOf(spans)
	size := len(r.before) + len(r.after)
	for _, g := range groups {
		size += sizeInField(g.size)
	}
	b := make([]byte, 0, sizeInField(size))
	b = appendLength(b, 1, size)
	b = append(b, r.before...)
	for _, g := range groups {
		b = appendLength(b, 2, g.size)
		b = append(b, g.scope.before...)
		for _, s := range spans {
			if s.Scope == g.scope {
				b = appendLength(b, 2, len(s.Bytes))
				b = append(b, s.Bytes...)
			}
		}
		b = append(b, g.scope.after...)
	}
	return append(b, r.after...)
}

// group is the spans of a scope.
type group struct {
	scope *Scope
	size  int // of their ScopeSpans
}

// groupsOf returns those of the spans, in the order in which they come.
func groupsOf(spans []Span) (groups []group) {
	for _, s := range spans {
		at := 0
		for at < len(groups) && groups[at].scope != s.Scope {
			at++
		}
		if at == len(groups) {
			groups = append(groups, group{s.Scope, len(s.Scope.before) + len(s.Scope.after)})
		}
		groups[at].size += sizeInField(len(s.Bytes))
	}
	return groups
}

// sizeInField returns how many bytes a message of so many takes in a field.
func sizeInField(message int) int { return 1 + protowire.SizeBytes(message) }

func appendLength(b []byte, field protowire.Number, message int) []byte {
	return protowire.AppendVarint(append(b, tag(field, protowire.BytesType)), uint64(message))
}

// Package otlp writes the messages of OTLP: each once, as the bytes that are sent.
//
// They are those of opentelemetry/proto. The packages that there are of them for Go are
// not used: to fill their structs and to marshal these costs several times as much, and
// those of exports bring gRPC's client and server along. Tests hold that what is written
// here is what the SDK's exporters send.
package otlp

import (
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/resource"
	"google.golang.org/protobuf/encoding/protowire"
)

// Item is one of the things that are exported, as its message: a Span, a Metric or a
// LogRecord.
type Item struct {
	Scope *Scope
	Bytes []byte
}

// Scope is what the items of one instrumentation have in common, written once.
type Scope struct{ before, after []byte } // their fields in ScopeSpans and its like

// NewScope writes a scope, with its attributes within bounds.
func NewScope(s instrumentation.Scope, within Bounds) *Scope {
	b, at := Open(nil, 1)
	b = AppendText(b, 1, s.Name)
	b = AppendText(b, 2, s.Version)
	b = appendSet(b, 3, s.Attributes, within)
	return &Scope{before: Shut(b, at), after: AppendText(nil, 3, s.SchemaURL)}
}

// Resource is what all items have in common, written once.
type Resource struct{ before, after []byte } // the scopes' fields in ResourceSpans and its like

// NewResource writes a resource.
func NewResource(r *resource.Resource) Resource {
	b, at := Open(nil, 1)
	b = appendSet(b, 1, *r.Set(), boundless)
	return Resource{before: Shut(b, at), after: AppendText(nil, 3, r.SchemaURL())}
}

func appendSet(b []byte, field protowire.Number, set attribute.Set, within Bounds) []byte {
	for attributes := set.Iter(); attributes.Next(); {
		kv := attributes.Attribute()
		b = AppendAttribute(b, field, &kv, within)
	}
	return b
}

// Request returns an ExportTraceServiceRequest with the items if they are spans, or its
// like for other signals: the fields that hold them have the same numbers.
func (r Resource) Request(items []Item) []byte {
	request := r.Read(items)
	b := make([]byte, request.Len())
	request.Read(b) // all of it, as there is room
	return b
}

// group is the items of a scope.
type group struct {
	scope *Scope
	size  int // of the message with its items
}

// groupsOf returns those of the items, in the order in which they come.
func groupsOf(items []Item) (groups []group) {
	for _, item := range items {
		at := 0
		for at < len(groups) && groups[at].scope != item.Scope {
			at++
		}
		if at == len(groups) {
			groups = append(groups, group{item.Scope, len(item.Scope.before) + len(item.Scope.after)})
		}
		groups[at].size += sizeInField(len(item.Bytes))
	}
	return groups
}

// sizeInField returns how many bytes a message of so many takes in a field.
func sizeInField(message int) int { return 1 + protowire.SizeBytes(message) }

func appendLength(b []byte, field protowire.Number, message int) []byte {
	return protowire.AppendVarint(append(b, Tag(field, protowire.BytesType)), uint64(message))
}

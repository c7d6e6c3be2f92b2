package telemetry

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strings"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"spangate/handler/field"
)

// grpcMethods are the methods of gRPC that telemetry names, by their paths: that of one,
// or what those of a service begin with. Their names are those of the conventions,
// without the first slash. The zero value names none, nor says of others that they are
// others.
type grpcMethods map[string]rpcMethod

// UnmarshalText parses a comma list of /package.Service/Method and /package.Service/*.
func (m *grpcMethods) UnmarshalText(text []byte) error {
	*m = grpcMethods{}
	var wrong []error
	for path := range strings.SplitSeq(string(text), ",") {
		if path = strings.TrimSpace(path); path == "" {
			continue
		}
		name, rooted := strings.CutPrefix(path, "/")
		service, method, cut := strings.Cut(name, "/")
		if !rooted || !cut || !isGRPCName(service) || method != "*" && !isGRPCName(method) {
			wrong = append(wrong, fmt.Errorf("%q must be /package.Service/Method or /package.Service/*", path))
			continue
		}
		(*m)[strings.TrimSuffix(path, "*")] = rpcMethod(name)
	}
	return errors.Join(wrong...)
}

// isGRPCName reports whether name consists of what names of protobuf do, which dots may
// join.
func isGRPCName(name string) bool {
	for _, c := range []byte(name) {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '.') {
			return false
		}
	}
	return name != ""
}

// of returns the name of the method that r calls.
func (m grpcMethods) of(r *http.Request) rpcMethod {
	if len(m) == 0 || field.GRPC(r.Header) == "" {
		return ""
	}
	path := r.URL.Path
	if name, ok := m[path]; ok {
		return name
	}
	return cmp.Or(m[path[:strings.LastIndexByte(path, '/')+1]], otherMethod)
}

// rpcMethod is the method of gRPC that a request calls, as telemetry names it; empty:
// it does not.
type rpcMethod string

func (m rpcMethod) span(to attributes) {
	if m != "" {
		to.String(semconv.RPCMethodKey, string(m))
	}
}

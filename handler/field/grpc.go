package field

import (
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// GRPC returns the media type of content of gRPC or gRPC-Web, such as
// application/grpc+proto, that h announces, or "" when it announces other
// content. Its subtype may say how messages are encoded; parameters are left out.
func GRPC(h http.Header) string {
	lines := h["Content-Type"]
	if len(lines) == 0 || len(lines[0]) < len(grpc) || !strings.EqualFold(lines[0][:len(grpc)], grpc) {
		return ""
	}
	mediaType, _, _ := strings.Cut(lines[0], ";")
	mediaType = strings.ToLower(strings.TrimRight(mediaType, " \t"))
	switch kind, encoding, _ := strings.Cut(mediaType, "+"); kind {
	case grpc, grpc + "-web", grpc + "-web-text":
		if encoding == "" || httpguts.ValidHeaderFieldName(encoding) { // a token, as subtypes are
			return mediaType
		}
	}
	return ""
}

const grpc = "application/grpc"

package handler

import (
	"net/http"
	"strings"

	"spangate/handler/fault"
	"spangate/handler/field"
)

// GRPCAnswer is an answer, whose header has come, as clients of gRPC take it. It is the
// one place that derives a status of gRPC: from an answer's kind of content, its header,
// its trailer and its status of HTTP. The zero value is an answer of no gRPC.
//
// An answer is one of gRPC by its Content-Type, which is the backend's word and not the
// client's; one that names no type is so where the call was. Other answers have no such
// status, whatever they say in grpc-status. The trailer counts before the header, which
// speaks for an answer without one, called Trailers-Only in gRPC's words; one that says
// nothing is taken for what its status of HTTP is to clients, UNKNOWN for 200
// (grpc/doc/http-grpc-status-mapping.md). Of gRPC-Web the status stands at the end of the
// content, which nobody reads here; only without content does it stand in the header
// (grpc/doc/PROTOCOL-WEB.md).
type GRPCAnswer struct {
	is, web bool
	known   bool           // the status, where no trailer says another
	code    fault.GRPCCode // that
}

// GRPCAnswerOf returns the answer to call that has this status of HTTP and this header. A
// trailer that is in the header already, as [http.TrailerPrefix] has it, counts as one.
func GRPCAnswerOf(call *http.Request, status int, header http.Header) GRPCAnswer {
	mediaType := field.GRPC(header)
	named := len(header["Content-Type"]) > 0
	if !named && call.Method == http.MethodPost {
		mediaType = field.GRPC(call.Header)
	}
	if mediaType == "" || call.Method == http.MethodHead || status == http.StatusSwitchingProtocols {
		return GRPCAnswer{}
	}
	a := GRPCAnswer{is: true, web: strings.HasPrefix(mediaType, "application/grpc-web")}
	if a.code, a.known = fault.GRPCStatus(header); !a.known && named {
		a.code, a.known = fault.GRPCCodeTaken(status), true
	}
	return a
}

// Is reports whether the answer is one of gRPC. Its header alone settles nothing then.
func (a GRPCAnswer) Is() bool { return a.is }

// Status returns the status of an answer that has come to its end, which had content or
// not, and then trailer, and whether one is known.
func (a GRPCAnswer) Status(trailer http.Header, content bool) (code fault.GRPCCode, known bool) {
	if !a.is || a.web && content {
		return fault.GRPCOK, false
	}
	if code, known = fault.GRPCStatus(trailer); known {
		return code, true
	}
	return a.code, a.known
}

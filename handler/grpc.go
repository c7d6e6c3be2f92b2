package handler

import (
	"net/http"
	"strconv"
	"strings"

	"spangate/handler/fault"
)

// writeGRPC is write for a client of gRPC, whose messages are of mediaType. It
// understands a status of gRPC only, in an answer that HTTP calls successful and
// that has nothing but a header: Trailers-Only in gRPC's words.
func (f Failures) writeGRPC(w http.ResponseWriter, r *http.Request, mediaType string, p problem) {
	if f.StandsFor != nil {
		f.StandsFor(r, p.Status)
	}
	header := w.Header()
	AnswerOf(r).Apply(header)
	header.Set("Content-Type", mediaType)
	header.Set("Grpc-Status", strconv.Itoa(int(fault.GRPCCodeOf(p.Status))))
	header.Set("Grpc-Message", percentEncode(p.sentence()))
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
}

// percentEncode encodes a message as grpc-message has it (Percent-Encoded in
// grpc/doc/PROTOCOL-HTTP2.md).
func percentEncode(message string) string {
	var b strings.Builder
	for i := range len(message) {
		if c := message[i]; ' ' <= c && c <= '~' && c != '%' {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', upperhex[c>>4], upperhex[c&15]})
		}
	}
	return b.String()
}

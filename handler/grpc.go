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
	header := w.Header()
	AnswerOf(r).Apply(header)
	header.Set("Content-Type", mediaType)
	header.Set("Cache-Control", "no-store")
	f.setGRPC(header, "", r, p)
	w.WriteHeader(http.StatusOK)
}

// setGRPC sets the status of gRPC that p is to the client of r, in fields whose names
// begin with prefix.
func (f Failures) setGRPC(header http.Header, prefix string, r *http.Request, p problem) {
	if f.StandsFor != nil {
		f.StandsFor(r, p.Status)
	}
	header[prefix+"Grpc-Status"] = []string{strconv.Itoa(int(fault.GRPCCodeOf(p.Status)))}
	header[prefix+"Grpc-Message"] = []string{percentEncode(p.sentence())}
}

// endsInTrailer reports whether an answer to r that has that header, and has begun, may
// end with a status of gRPC: it is one of gRPC, and not of gRPC-Web, whose trailer is
// content.
func endsInTrailer(r *http.Request, header http.Header) bool {
	a := GRPCAnswerOf(r, http.StatusOK, header)
	return r.ProtoMajor == 2 && a.is && !a.web
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

package handler_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"

	"spangate/handler"
)

// TestGRPCAnswers has each way in which a status of gRPC is said, or is not.
func TestGRPCAnswers(t *testing.T) {
	const grpc, web, html = "application/grpc+proto", "application/grpc-web", "text/html"
	said := func(code string) http.Header { return http.Header{"Grpc-Status": {code}} }
	for name, test := range map[string]struct {
		method, call, answer string // media types; the method is POST if empty
		status               int    // 200 if 0
		header, trailer      http.Header
		content              bool
		want                 string // empty: none is known
	}{
		"in the header, alone":             {call: grpc, answer: grpc, header: said("14"), want: "UNAVAILABLE"},
		"in the trailer":                   {call: grpc, answer: grpc, trailer: said("14"), content: true, want: "UNAVAILABLE"},
		"in both":                          {call: grpc, answer: grpc, header: said("0"), trailer: said("13"), content: true, want: "INTERNAL"},
		"in both, the other way round":     {call: grpc, answer: grpc, header: said("13"), trailer: said("0"), content: true, want: "OK"},
		"in both, without content":         {call: grpc, answer: grpc, header: said("13"), trailer: said("0"), want: "OK"},
		"in the header, before content":    {call: grpc, answer: grpc, header: said("13"), content: true, want: "INTERNAL"},
		"the trailer is in the header":     {call: grpc, answer: grpc, header: http.Header{"Grpc-Status": {"0"}, http.TrailerPrefix + "Grpc-Status": {"13"}}, content: true, want: "INTERNAL"},
		"no code":                          {call: grpc, answer: grpc, trailer: said("x"), want: "UNKNOWN"},
		"nowhere":                          {call: grpc, answer: grpc, content: true, want: "UNKNOWN"},
		"nowhere, of 503":                  {call: grpc, answer: grpc, status: 503, want: "UNAVAILABLE"},
		"nowhere, of 404":                  {call: grpc, answer: grpc, status: 404, want: "UNIMPLEMENTED"},
		"of 404, but said":                 {call: grpc, answer: grpc, status: 404, header: said("5"), want: "NOT_FOUND"},
		"the call was not of gRPC":         {method: "GET", answer: grpc, header: said("14"), want: "UNAVAILABLE"},
		"of no type, to a call":            {call: grpc, header: said("14"), want: "UNAVAILABLE"},
		"of no type, nowhere":              {call: grpc},
		"of no type, to no call":           {header: said("14")},
		"of no type, to a GET":             {method: "GET", call: grpc, header: said("14")},
		"of another type":                  {answer: html, header: said("14"), trailer: said("14"), content: true},
		"of another type, to a call":       {call: grpc, answer: "application/json", header: said("14"), content: true},
		"to HEAD":                          {method: "HEAD", answer: grpc},
		"of another protocol from then on": {call: grpc, status: 101},
		"gRPC-Web, alone":                  {call: web, answer: web, header: said("14"), want: "UNAVAILABLE"},
		"gRPC-Web, in its content":         {call: web, answer: web, content: true},
		"gRPC-Web, not by the header":      {call: web, answer: "application/grpc-web-text+proto", header: said("0"), content: true},
		"gRPC-Web, nowhere":                {call: web, answer: web, want: "UNKNOWN"},
	} {
		method, status := test.method, test.status
		if method == "" {
			method = http.MethodPost
		}
		if status == 0 {
			status = http.StatusOK
		}
		call, header := httptest.NewRequest(method, "/pkg.Service/Method", nil), http.Header{}
		call.Header.Set("Content-Type", test.call)
		maps.Copy(header, test.header)
		if test.answer != "" {
			header.Set("Content-Type", test.answer)
		}
		got := ""
		if code, known := handler.GRPCAnswerOf(call, status, header).Status(test.trailer, test.content); known {
			got = fmt.Sprint(code)
		}
		if got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

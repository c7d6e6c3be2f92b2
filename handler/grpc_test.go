package handler_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/handler"
	"spangate/handler/fault"
)

// TestClientsOfGRPC checks whom failures are told in gRPC's way, and as what.
func TestClientsOfGRPC(t *testing.T) {
	nobody := roundTripper(func(*http.Request) (*http.Response, error) { return nil, &fault.Error{Type: fault.NoHealthyBackend} })
	const problem = "application/problem+json"
	for contentType, want := range map[string]string{
		"application/grpc":                    "application/grpc",
		"application/grpc+proto":              "application/grpc+proto",
		"application/grpc; charset=utf-8":     "application/grpc",
		"Application/GRPC+JSON":               "application/grpc+json",
		"application/grpc+x.y-z":              "application/grpc+x.y-z",
		"application/grpc-web":                "application/grpc-web",
		"application/grpc-web+proto":          "application/grpc-web+proto",
		"application/grpc-web-text":           "application/grpc-web-text",
		"application/grpc-web-text+proto;q=1": "application/grpc-web-text+proto",
		"application/grpc+":                   "application/grpc+",
		"application/grpc+a b":                problem,
		"application/grpc+a+b":                "application/grpc+a+b",
		"application/grpcx":                   problem,
		"application/grpc-websocket":          problem,
		"application/x-grpc":                  problem,
		"application/json, application/grpc":  problem,
		"application/connect+proto":           problem,
		"text/plain; x=application/grpc":      problem,
		"":                                    problem,
	} {
		var stands int
		failures := handler.Failures{StandsFor: func(_ *http.Request, status int) { stands = status }}
		w, r := httptest.NewRecorder(), httptest.NewRequest("POST", "/", nil)
		r.Header.Set("Content-Type", contentType)
		handler.Forward(nobody, handler.ForwardConfig{Failures: failures}).ServeHTTP(w, r)
		got := w.Result()
		if got.Header.Get("Content-Type") != want {
			t.Errorf("%q: answered with %q, want %q", contentType, got.Header.Get("Content-Type"), want)
		}
		if grpc := want != problem; grpc != (got.StatusCode == 200) || grpc != (got.Header.Get("Grpc-Status") == "14") || grpc != (stands == 503) || grpc != (w.Body.Len() == 0) {
			t.Errorf("%q: %s, stands for %d, %q\n%s", contentType, got.Status, stands, got.Header, w.Body)
		}
		if got.Header.Get("Retry-After") != "1" {
			t.Errorf("%q: Retry-After %q", contentType, got.Header.Get("Retry-After"))
		}
	}
}

// TestTrailersOnly checks the whole header of an answer of the proxy's own.
func TestTrailersOnly(t *testing.T) {
	failures := handler.Failures{TraceID: func(context.Context) string { return "0af7651916cd43dd8448eb211c80319c" }}
	for detail, want := range map[string]string{
		"":                  "Too Many Requests (trace 0af7651916cd43dd8448eb211c80319c)",
		"100 %, or\r\nmore": "100 %25, or%0D%0Amore (trace 0af7651916cd43dd8448eb211c80319c)",
		"“ä”":               "%E2%80%9C%C3%A4%E2%80%9D (trace 0af7651916cd43dd8448eb211c80319c)",
	} {
		w, r := httptest.NewRecorder(), httptest.NewRequest("POST", "/", nil)
		r.Header.Set("Content-Type", "application/grpc")
		failures.Refuse(w, r, fault.Refusal{Status: 429, Detail: detail})
		if diff := cmp.Diff(http.Header{
			"Content-Type": {"application/grpc"}, "Grpc-Status": {"8"}, "Grpc-Message": {want}, "Cache-Control": {"no-store"},
		}, w.Result().Header); diff != "" {
			t.Errorf("%q (-want +got):\n%s", detail, diff)
		}
	}
}

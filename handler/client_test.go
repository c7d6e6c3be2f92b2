package handler_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"

	"spangate/handler"
)

// What a policy says is for the answer to the same request, whatever contexts
// come to stand between.
func TestAnswerOf(t *testing.T) {
	type key struct{}
	h := handler.Identify(handler.Origin{})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(context.WithValue(r.Context(), key{}, 1))
		defer cancel()
		if handler.AnswerOf(r) == nil || handler.AnswerOf(r) != handler.AnswerOf(r.WithContext(ctx)) {
			t.Error("not one answer to a request")
		}
	}))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	r := httptest.NewRequest("GET", "/", nil)
	if handler.AnswerOf(r) != nil {
		t.Error("a request that is not identified has an answer")
	}
	header := http.Header{}
	if handler.AnswerOf(r).Apply(header); len(header) > 0 {
		t.Errorf("nobody says %v", header)
	}
}

// A context of one's own must not make package context start a goroutine for each
// that is derived from it.
func TestIdentifyCostsNoGoroutines(t *testing.T) {
	const derived = 1000
	h := handler.Identify(handler.Origin{})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		before := runtime.NumGoroutine()
		for range derived {
			ctx, cancel := context.WithCancel(r.Context())
			defer cancel()
			defer context.AfterFunc(ctx, func() {})()
		}
		if n := runtime.NumGoroutine() - before; n > derived/2 { // others come and go meanwhile
			t.Errorf("%d goroutines for %d contexts", n, derived)
		}
	}))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "GET", "/", nil))
}

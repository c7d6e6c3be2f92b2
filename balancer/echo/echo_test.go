package echo_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"spangate/balancer/echo"
)

func TestHandler(t *testing.T) {
	h := echo.Handler("a")
	ask := func(r *http.Request) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	r := httptest.NewRequest("POST", "/p%2F?x=1", strings.NewReader("body"))
	var got struct{ Backend, Method, Path, Query, Host, Body string }
	if err := json.Unmarshal(ask(r).Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if want := "{a POST /p%2F x=1 example.com body}"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
	if w := ask(httptest.NewRequest("GET", "/?status=503&size=1MB", nil)); w.Code != 503 || w.Body.Len() != 1e6 {
		t.Errorf("status %d and %d bytes, want 503 and 1000000", w.Code, w.Body.Len())
	}
	for query, want := range map[string]int{"at=a&status=503": 503, "at=b&status=503": 200, "at=b&status=99": 200, "at=&status=503": 503} {
		if w := ask(httptest.NewRequest("GET", "/?"+query, nil)); w.Code != want {
			t.Errorf("?%s: status %d, want %d", query, w.Code, want)
		}
	}
	for query, want := range map[string]string{
		"status=99": "status=\"99\": must be 200 to 599", "delay=1h": "delay=\"1h\": must be a duration from 0 to 1m0s, such as 200ms",
		"size=2GiB": "size=\"2GiB\": must be at most 1GiB", "stream=0": "stream=\"0\": must be 1 to 1000", "size=1XB": "size=\"1XB\": unit \"XB\" must be B, KB, MB, GB, KiB, MiB or GiB",
	} {
		if w := ask(httptest.NewRequest("GET", "/?"+query, nil)); w.Code != 400 || w.Body.String() != want+"\n" {
			t.Errorf("?%s: %d %q, want %q", query, w.Code, w.Body, want)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		w := ask(httptest.NewRequest("GET", "/?delay=2s&stream=3&every=1s", nil))
		if want := "id: 1\ndata: from a\n\nid: 2\ndata: from a\n\nid: 3\ndata: from a\n\n"; w.Body.String() != want {
			t.Errorf("events %q", w.Body)
		}
		if took := time.Since(start); took != 4*time.Second {
			t.Errorf("took %v, want 4s", took)
		}
	})
}

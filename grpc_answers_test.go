package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// answeredBy is a backend that answers with these fields, trailer and content. Where the
// header is flushed it is sent before it is known what follows.
type answeredBy struct {
	status          int // 200 if 0
	header, trailer string
	content         string
	flush           bool
}

func (a answeredBy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	for field := range strings.FieldsSeq(a.header) {
		name, value, _ := strings.Cut(field, ":")
		w.Header().Set(name, value)
	}
	if w.Header()["Content-Type"] == nil {
		w.Header()["Content-Type"] = nil // keeps net/http from guessing one
	}
	if a.status != 0 {
		w.WriteHeader(a.status)
	}
	if a.flush {
		http.NewResponseController(w).Flush()
	}
	io.WriteString(w, a.content)
	for field := range strings.FieldsSeq(a.trailer) {
		name, value, _ := strings.Cut(field, ":")
		w.Header().Set(http.TrailerPrefix+name, value)
	}
}

const (
	ofGRPC  = "Content-Type:application/grpc "
	message = "\x00\x00\x00\x00\x00"
)

// told returns what span, attempt and log say of the only request: the status of gRPC and
// the error of both, and the level.
func (p *program) told(t *testing.T) string {
	t.Helper()
	var told []string
	for _, kind := range []string{"SERVER", "CLIENT"} {
		span := p.span(t, kind)
		told = append(told, fmt.Sprint(orNone(span.Attributes["spangate.grpc.status"]), " ", orNone(span.Attributes["error.type"])))
	}
	lines := p.log.requests(t)
	if len(lines) != 1 {
		t.Fatalf("the access log has %v", lines)
	}
	if line := orNone(lines[0]["grpc_status"]); !strings.HasPrefix(told[0], line+" ") {
		t.Errorf("the access log has grpc_status=%s, the span %s", line, told[0])
	}
	return strings.Join(append(told, fmt.Sprint(lines[0]["level"])), ", ")
}

func orNone(value any) string {
	if value == nil {
		return "-"
	}
	return fmt.Sprint(value)
}

// TestAnswersOfGRPC has span, attempt, log and what is counted against a backend agree on
// the status of gRPC of an answer, wherever it stands, and on which answers have none.
func TestAnswersOfGRPC(t *testing.T) {
	t.Parallel()
	const unknown = "UNKNOWN UNKNOWN, UNKNOWN UNKNOWN, ERROR"
	for name, test := range map[string]struct {
		answer answeredBy
		call   string // Content-Type; application/grpc if empty
		want   string // SERVER, CLIENT, level
		counts string // the status that counts against the backend; empty: none
	}{
		"in the trailer":                  {answer: answeredBy{header: ofGRPC, content: message, trailer: "Grpc-Status:13"}, want: "INTERNAL INTERNAL, INTERNAL INTERNAL, ERROR", counts: "INTERNAL"},
		"0 in the header, 13 behind":      {answer: answeredBy{header: ofGRPC + "Grpc-Status:0", content: message, trailer: "Grpc-Status:13"}, want: "INTERNAL INTERNAL, INTERNAL INTERNAL, ERROR", counts: "INTERNAL"},
		"13 in the header, 0 behind":      {answer: answeredBy{header: ofGRPC + "Grpc-Status:13", content: message, trailer: "Grpc-Status:0"}, want: "OK -, OK -, INFO"},
		"as much, announced":              {answer: answeredBy{header: ofGRPC + "Trailer:Grpc-Status Grpc-Status:13", content: message, trailer: "Grpc-Status:0"}, want: "OK -, OK -, INFO"},
		"13 in the header, 0 at once":     {answer: answeredBy{header: ofGRPC + "Grpc-Status:13", trailer: "Grpc-Status:0"}, want: "OK -, OK -, INFO"},
		"in the header alone":             {answer: answeredBy{header: ofGRPC + "Grpc-Status:14"}, want: "UNAVAILABLE UNAVAILABLE, UNAVAILABLE UNAVAILABLE, ERROR", counts: "UNAVAILABLE"},
		"in a header without a type":      {answer: answeredBy{header: "Grpc-Status:5"}, want: "NOT_FOUND -, NOT_FOUND NOT_FOUND, INFO"},
		"nowhere, and no type":            {answer: answeredBy{}, want: "- -, - -, INFO"},
		"nowhere":                         {answer: answeredBy{header: ofGRPC, content: message}, want: unknown, counts: "UNKNOWN"},
		"nowhere, and no content":         {answer: answeredBy{header: ofGRPC}, want: unknown, counts: "UNKNOWN"},
		"nowhere, and 503":                {answer: answeredBy{header: ofGRPC, status: 503}, want: "UNAVAILABLE 503, UNAVAILABLE 503, ERROR", counts: "503"},
		"nowhere, and 404":                {answer: answeredBy{header: ofGRPC, status: 404}, want: "UNIMPLEMENTED -, UNIMPLEMENTED 404, INFO"},
		"text/html":                       {answer: answeredBy{header: "Content-Type:text/html Grpc-Status:13", content: "page"}, want: "- -, - -, INFO"},
		"application/json, 404":           {answer: answeredBy{header: "Content-Type:application/json Grpc-Status:2", status: 404, content: "{}"}, want: "- -, - 404, INFO"},
		"application/json, not of a call": {call: "application/json", answer: answeredBy{header: "Content-Type:application/json Grpc-Status:2", status: 404, content: "{}"}, want: "- -, - 404, INFO"},
		"gRPC-Web, in its content":        {call: "application/grpc-web", answer: answeredBy{header: "Content-Type:application/grpc-web", content: "\x80\x00\x00\x00\x10grpc-status: 13\r\n"}, want: "- -, - -, INFO"},
		"gRPC-Web, without content":       {call: "application/grpc-web", answer: answeredBy{header: "Content-Type:application/grpc-web Grpc-Status:13"}, want: "INTERNAL INTERNAL, INTERNAL INTERNAL, ERROR", counts: "INTERNAL"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, "BACKENDS=h2c://"+h2cServer(t, test.answer.ServeHTTP), "PROBE_MODE=off", "ACCESS_LOG=json", "RETRY_ATTEMPTS=0",
				"OUTLIER_ON=503,grpc:internal,grpc:unavailable,grpc:unknown", "OUTLIER_FAILURES=1", "OUTLIER_MAX_PERCENT=100")
			call := test.call
			if call == "" {
				call = "application/grpc"
			}
			resp := p.callRaw(t, "Content-Type: "+call)
			if content, err := io.ReadAll(resp.Body); err != nil || string(content) != test.answer.content {
				t.Errorf("the client got %q, %v", content, err)
			}
			p.stop()
			if got := p.told(t); got != test.want {
				t.Errorf("told: %s\nwant: %s", got, test.want)
			}
			counts := ""
			for _, span := range p.collector.Spans() {
				if span.Name == "backend_state_change" {
					counts = orNone(span.Attributes["spangate.backend.error_type"])
				}
			}
			if counts != test.counts {
				t.Errorf("against the backend counts %q, want %q", counts, test.counts)
			}
		})
	}
}

// A stream whose header says how it went, and which then breaks off, has not ended so.
func TestBrokenAnswerOfGRPC(t *testing.T) {
	t.Parallel()
	p := start(t, "BACKENDS=h2c://"+h2cServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Grpc-Status", "0")
		io.WriteString(w, message)
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}), "PROBE_MODE=off", "ACCESS_LOG=json")
	resp := p.callRaw(t)
	if _, err := io.ReadAll(resp.Body); err == nil {
		t.Error("the client took it for complete")
	}
	p.stop()
	if got, want := p.told(t), "- backend_reset, - backend_reset, ERROR"; got != want {
		t.Errorf("told: %s\nwant: %s", got, want)
	}
}

// TestRetriesOfAnswersOfGRPC has a call tried again that is answered with a listed status
// and no content, where that is known before the header is passed on.
func TestRetriesOfAnswersOfGRPC(t *testing.T) {
	t.Parallel()
	const again, once = "2", "1"
	for name, test := range map[string]struct {
		on     string
		answer answeredBy
		want   string // attempts
	}{
		"in the header alone":               {"grpc:unavailable", answeredBy{header: ofGRPC + "Grpc-Status:14"}, again},
		"behind no content":                 {"grpc:unavailable", answeredBy{header: ofGRPC, trailer: "Grpc-Status:14"}, again},
		"behind no content, announced":      {"grpc:unavailable", answeredBy{header: ofGRPC + "Trailer:Grpc-Status", trailer: "Grpc-Status:14"}, again},
		"behind Content-Length: 0, flushed": {"grpc:unavailable", answeredBy{header: ofGRPC + "Content-Length:0", trailer: "Grpc-Status:14", flush: true}, again},
		"its trailer asks for no other":     {"grpc:unavailable", answeredBy{header: ofGRPC, trailer: "Grpc-Status:14 Grpc-Retry-Pushback-Ms:-1"}, once},
		"0 behind the header's 14":          {"grpc:unavailable", answeredBy{header: ofGRPC + "Grpc-Status:14", trailer: "Grpc-Status:0"}, once},
		"14 behind the header's 0":          {"grpc:unavailable", answeredBy{header: ofGRPC + "Grpc-Status:0", trailer: "Grpc-Status:14"}, again},
		"14 before content":                 {"grpc:unavailable", answeredBy{header: ofGRPC + "Grpc-Status:14", content: message, trailer: "Grpc-Status:14"}, once},
		"behind content":                    {"grpc:unavailable", answeredBy{header: ofGRPC, content: message, trailer: "Grpc-Status:14"}, once},
		"nowhere, and no content":           {"grpc:unknown", answeredBy{header: ofGRPC}, again},
		"503 for clients' UNAVAILABLE":      {"grpc:unavailable", answeredBy{header: ofGRPC, status: 503}, again},
		"gRPC-Web":                          {"grpc:unavailable", answeredBy{header: "Content-Type:application/grpc-web Grpc-Status:14"}, again},
		"application/json":                  {"grpc:unavailable,grpc:unknown", answeredBy{header: "Content-Type:application/json Grpc-Status:14"}, once},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fit := answeredBy{header: ofGRPC, content: message, trailer: "Grpc-Status:0"}
			p := start(t, "BACKENDS=h2c://"+h2cServer(t, test.answer.ServeHTTP)+",h2c://"+h2cServer(t, fit.ServeHTTP), "PROBE_MODE=off", "RETRY_ON="+test.on, "OUTLIER_FAILURES=0")
			resp := p.callRaw(t)
			if _, err := io.ReadAll(resp.Body); err != nil {
				t.Error(err)
			}
			if passed := resp.Trailer.Get("Grpc-Status"); test.want == again && passed != "0" {
				t.Errorf("the client got %q in the trailer %v", passed, resp.Trailer)
			}
			p.stop()
			if got := orNone(p.span(t, "SERVER").Attributes["spangate.attempt.count"]); got != test.want {
				t.Errorf("%s attempts, want %s", got, test.want)
			}
		})
	}
}

package otlptest_test

import (
	"fmt"
	"time"

	"spangate/telemetry/otlptest"
)

func ExampleTree() {
	at := func(ms int) time.Time { return time.UnixMilli(int64(ms)) }
	fmt.Print(otlptest.Tree([]otlptest.Span{
		// They may come in any order, and those of several traces together.
		{Name: "GET", Kind: "CLIENT", Status: "Unset", SpanID: "d", ParentID: "a", Start: at(4),
			Attributes: map[string]any{"http.request.resend_count": int64(1)},
			Links:      []otlptest.Link{{SpanID: "b"}}},
		{Name: "GET", Kind: "CLIENT", Status: "Error", SpanID: "b", ParentID: "a", Start: at(1),
			Attributes: map[string]any{"error.type": "connection_refused", "url.full": "http://10.0.0.1/"}},
		{Name: "probe", Kind: "INTERNAL", Status: "Unset", SpanID: "e", Start: at(5),
			Links: []otlptest.Link{{SpanID: "f"}}},
		{Name: "retry", Kind: "INTERNAL", Status: "Unset", SpanID: "c", ParentID: "a", Start: at(2)},
		{Name: "GET /", Kind: "SERVER", Status: "Unset", SpanID: "a", ParentID: "caller", Start: at(0)},
	}, "error.type", "http.request.resend_count"))
	// Output:
	// GET / SERVER Unset
	//   GET CLIENT Error error.type=connection_refused
	//   retry INTERNAL Unset
	//   GET CLIENT Unset http.request.resend_count=1 link=2
	// probe INTERNAL Unset link=elsewhere
}

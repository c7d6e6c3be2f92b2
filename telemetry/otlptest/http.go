package otlptest

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"

	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	colmetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	coltraces "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", receive(s, "traces", s.addTraces, &coltraces.ExportTraceServiceResponse{}))
	mux.HandleFunc("POST /v1/metrics", receive(s, "metrics", s.addMetrics, &colmetrics.ExportMetricsServiceResponse{}))
	mux.HandleFunc("POST /v1/logs", receive(s, "logs", s.addLogs, &collogs.ExportLogsServiceResponse{}))
	return mux
}

// message is a pointer to M that is a protobuf message.
type message[M any] interface {
	*M
	proto.Message
}

func receive[M any, P message[M]](s *Server, signal string, add func(P), answer proto.Message) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		request := P(new(M))
		if err := decode(r, request); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		s.add(func() {
			s.requests = append(s.requests, Request{
				Signal:      signal,
				Protocol:    "http/protobuf",
				Compression: r.Header.Get("Content-Encoding"),
				Header:      r.Header.Clone(),
			})
			add(request)
		})
		body, err := proto.Marshal(answer)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
		w.Write(body)
	}
}

func decode(r *http.Request, into proto.Message) error {
	if ct := r.Header.Get("Content-Type"); ct != "application/x-protobuf" {
		return fmt.Errorf("content type %q must be application/x-protobuf", ct)
	}
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		var err error
		if body, err = gzip.NewReader(r.Body); err != nil {
			return err
		}
	}
	raw, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	return proto.Unmarshal(raw, into)
}

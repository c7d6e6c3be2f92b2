package export

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/otel/sdk/resource"

	"spangate/handler/version"
	"spangate/telemetry/export/otlp"
)

// sender sends what one signal exports to its collector. It is safe for concurrent use.
type sender struct {
	delivery    delivery
	client      *http.Client
	resource    otlp.Resource
	compressors sync.Pool // each has most of a megabyte
}

func newSender(d delivery, res *resource.Resource) *sender {
	return &sender{delivery: d, client: d.target.client(), resource: otlp.NewResource(res)}
}

// largestRequest is the most bytes that one export may have before they are
// compressed: as many as the SDK's exporters send.
const largestRequest = 64 << 20

// send exports items as one request, which it repeats while the collector is
// unavailable.
func (s *sender) send(ctx context.Context, items []otlp.Item) (err error) {
	began, d := time.Now(), s.delivery
	defer func() { d.operations.record(began, exportCause(err), d.target.statusOf(err)...) }()
	body := s.resource.Request(items)
	if size := len(body); size > largestRequest {
		return s.delivery.do(ctx, func(context.Context) error {
			return fmt.Errorf("an export has %d bytes, of which %d can be sent at once", size, largestRequest)
		})
	}
	if s.delivery.target.gzip {
		body = s.compressed(body)
	}
	return s.delivery.do(ctx, func(ctx context.Context) error { return s.post(ctx, body) })
}

func (s *sender) compressed(body []byte) []byte {
	var to bytes.Buffer
	w, ok := s.compressors.Get().(*gzip.Writer)
	if !ok {
		w = gzip.NewWriter(nil)
	}
	defer s.compressors.Put(w)
	w.Reset(&to)
	w.Write(body) // as is Close: a buffer takes everything
	w.Close()
	return to.Bytes()
}

func (s *sender) post(ctx context.Context, body []byte) error {
	t := s.delivery.target
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("User-Agent", name+"/"+version.Short())
	for key, value := range t.headers {
		r.Header.Set(key, value)
	}
	r.Header.Set("Content-Type", "application/x-protobuf")
	if t.gzip {
		r.Header.Set("Content-Encoding", "gzip")
	}
	resp, err := s.client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return remarks(resp)
}

package export

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
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
	request := s.resource.Read(items)
	size := request.Len()
	if size > largestRequest {
		return s.delivery.do(ctx, func(context.Context) error {
			return fmt.Errorf("an export has %d bytes, of which %d can be sent at once", size, largestRequest)
		})
	}
	body := func() io.Reader { return s.resource.Read(items) }
	if s.delivery.target.gzip {
		compressed := s.compressed(request)
		size, body = len(compressed), func() io.Reader { return bytes.NewReader(compressed) }
	}
	// Whoever sends may read on after it has answered, when the items are others'.
	var lent lending
	defer lent.end()
	return s.delivery.do(ctx, func(ctx context.Context) error {
		return s.post(ctx, size, func() io.ReadCloser { return &loan{&lent, body()} })
	})
}

func (s *sender) compressed(request io.Reader) []byte {
	var to bytes.Buffer
	w, ok := s.compressors.Get().(*gzip.Writer)
	if !ok {
		w = gzip.NewWriter(nil)
	}
	defer s.compressors.Put(w)
	w.Reset(&to)
	io.Copy(w, request) // as is Close: a buffer takes everything
	w.Close()
	return to.Bytes()
}

// post posts a body of that size, each of which is read once.
func (s *sender) post(ctx context.Context, size int, body func() io.ReadCloser) error {
	t := s.delivery.target
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url, body())
	if err != nil {
		return err
	}
	r.ContentLength = int64(size)
	r.GetBody = func() (io.ReadCloser, error) { return body(), nil }
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

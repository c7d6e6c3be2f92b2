package export

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"

	"go.opentelemetry.io/otel/sdk/resource"
	"google.golang.org/protobuf/encoding/protowire"

	"spangate/handler/version"
	"spangate/telemetry/export/console"
	"spangate/telemetry/export/tracer"
)

type spanBatch = []tracer.Span

func spanSinks(exporters Exporters, res *resource.Resource, d delivery, stdout io.Writer, coloured bool) []sink[spanBatch] {
	var sinks []sink[spanBatch]
	written := tracer.NewResource(res)
	if exporters.has("console") {
		trees := console.NewTrees(stdout, coloured)
		sinks = append(sinks, sink[spanBatch]{
			export:   func(_ context.Context, batch spanBatch) error { return trees.Export(messages(batch)) },
			shutdown: func(context.Context) error { return trees.Shutdown() },
		})
	}
	if exporters.has("console_json") {
		sinks = append(sinks, sink[spanBatch]{
			export: func(_ context.Context, batch spanBatch) error {
				_, err := stdout.Write(console.TracesJSON(written.Request(batch)))
				return err
			},
			shutdown: func(context.Context) error { return nil },
		})
	}
	if exporters.has("otlp") {
		c := &spanClient{delivery: d, client: d.target.client(), resource: written}
		sinks = append(sinks, sink[spanBatch]{export: c.export, shutdown: func(context.Context) error { return nil }})
	}
	return sinks
}

func messages(batch spanBatch) (all [][]byte) {
	for _, span := range batch {
		all = append(all, span.Bytes)
	}
	return all
}

// spanClient sends spans to a collector, one batch at a time.
type spanClient struct {
	delivery    delivery
	client      *http.Client
	resource    tracer.Resource
	compressors sync.Pool // each has most of a megabyte
}

// largestRequest is the most bytes that one export may have before they are
// compressed: as many as OTLP's exporters send.
const largestRequest = 64 << 20

func (c *spanClient) export(ctx context.Context, batch spanBatch) error {
	body := c.resource.Request(batch)
	if len(body) > largestRequest {
		return fmt.Errorf("%d spans have %d bytes, of which %d can be sent at once", len(batch), len(body), largestRequest)
	}
	if c.delivery.target.gzip {
		body = c.compressed(body)
	}
	return c.delivery.do(ctx, func(ctx context.Context) error { return c.post(ctx, body) })
}

func (c *spanClient) compressed(body []byte) []byte {
	var to bytes.Buffer
	w, ok := c.compressors.Get().(*gzip.Writer)
	if !ok {
		w = gzip.NewWriter(nil)
	}
	defer c.compressors.Put(w)
	w.Reset(&to)
	w.Write(body) // as is Close: a buffer takes everything
	w.Close()
	return to.Bytes()
}

func (c *spanClient) post(ctx context.Context, body []byte) error {
	t := c.delivery.target
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
	resp, err := c.client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil || resp.Header.Get("Content-Type") != "application/x-protobuf" {
		return err
	}
	return partialSuccess(answer)
}

// partialSuccess reads an ExportTraceServiceResponse. It returns nil for one that has
// nothing to say.
func partialSuccess(answer []byte) error {
	var rejected int64
	var text string
	err := fields(answer, func(number protowire.Number, _ uint64, partial []byte) error {
		if number != 1 {
			return nil
		}
		return fields(partial, func(number protowire.Number, n uint64, bytes []byte) error {
			switch number {
			case 1:
				rejected = int64(n)
			case 2:
				text = string(bytes)
			}
			return nil
		})
	})
	if err != nil || rejected == 0 && text == "" {
		return err
	}
	return &partial{max(int(rejected), 0), fmt.Errorf("OTLP partial success: %s (%d spans rejected)", cmp.Or(text, "empty message"), rejected)}
}

// fields calls is for each field of a message that is a number or bytes.
func fields(message []byte, is func(number protowire.Number, n uint64, bytes []byte) error) error {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]
		if n = protowire.ConsumeFieldValue(number, kind, message); n < 0 {
			return protowire.ParseError(n)
		}
		varint, _ := protowire.ConsumeVarint(message)
		bytes, _ := protowire.ConsumeBytes(message)
		if kind == protowire.VarintType || kind == protowire.BytesType {
			if err := is(number, varint, bytes); err != nil {
				return err
			}
		}
		message = message[n:]
	}
	return nil
}

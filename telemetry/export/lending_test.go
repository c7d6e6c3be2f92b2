package export

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"testing"

	"go.opentelemetry.io/otel/sdk/resource"

	"spangate/telemetry/export/otlp"
)

// late is a collector that answers before it has read what is sent.
type late struct{ bodies []io.Reader }

func (l *late) RoundTrip(r *http.Request) (*http.Response, error) {
	again, err := r.GetBody()
	if err != nil {
		return nil, err
	}
	l.bodies = append(l.bodies, r.Body, again)
	return answer(r, http.StatusOK, "200 OK", nil), nil
}

// What is exported is read by nobody any more when the export is over, as its memory is
// used again then.
func TestNothingIsReadWhenTheExportIsOver(t *testing.T) {
	items := []otlp.Item{{Scope: &otlp.Scope{}, Bytes: []byte("span")}}
	for _, protocol := range []protocol{"http/protobuf", "grpc"} {
		var collector late
		s := newSender(testDelivery(new(bytes.Buffer), nothingLost), resource.Empty())
		s.client = &http.Client{Transport: &collector}
		if protocol == "grpc" {
			s.client.Transport = framing{&collector}
		}
		if err := s.send(t.Context(), items); err != nil {
			t.Error(err)
		}
		for _, body := range collector.bodies {
			if _, err := io.ReadAll(body); !errors.Is(err, errOver) {
				t.Errorf("%s: read with %v, want %v", protocol, err, errOver)
			}
		}
	}
}

// framing makes a gRPC call of what is posted, and nothing of its answer.
type framing struct{ next http.RoundTripper }

func (f framing) RoundTrip(r *http.Request) (*http.Response, error) {
	return f.next.RoundTrip(frame(r))
}

//go:build jaeger

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestJaeger holds that Jaeger shows each scenario as its tree.
func TestJaeger(t *testing.T) {
	jaeger := startJaeger(t, "127.0.0.1:0", "127.0.0.1:0")
	for _, protocol := range []string{"http/protobuf", "grpc"} {
		for name, s := range scenarios {
			t.Run(protocol+" "+name, func(t *testing.T) {
				t.Parallel()
				service := t.Name() // by which Jaeger tells one from another
				s.playOn(t, append(jaeger.environment(protocol), "OTEL_SERVICE_NAME="+service)...)
				got := jaeger.awaitTree(t, service, s.want)
				if diff := cmp.Diff(s.want, got); diff != "" {
					t.Errorf("spans (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// jaeger is Jaeger, all of it in one process, with its traces in memory.
type jaeger struct {
	*process
	otlp  map[string]string // address by protocol
	query string            // address of the JSON API
}

// startJaeger returns once it listens on these addresses, of OTLP by gRPC and of its
// page; port 0 picks a free one.
func startJaeger(t *testing.T, grpc, query string) *jaeger {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	// As with the collector: what is up to date is left alone.
	binary := filepath.Join(cache, "spangate", "jaeger")
	build := exec.Command("go", "build", "-o", binary, "-buildvcs=false", "github.com/jaegertracing/jaeger/cmd/all-in-one")
	build.Dir = "jaeger"
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", build, err, out)
	}

	cmd := exec.Command(binary,
		"--collector.otlp.http.host-port=127.0.0.1:0",
		"--collector.otlp.grpc.host-port="+grpc,
		"--query.http-server.host-port="+query,
		// Two flags of the same text are taken for one port.
		"--query.grpc-server.host-port=localhost:0",
		"--collector.http-server.host-port=127.0.0.1:0",
		"--collector.grpc-server.host-port=127.0.0.1:0",
		"--admin.http.host-port=127.0.0.1:0",
	)
	// Jaeger traces itself.
	cmd.Env = []string{"SPAN_STORAGE_TYPE=memory", "OTEL_TRACES_SAMPLER=always_off"}
	j := &jaeger{otlp: make(map[string]string)}
	ready := make(chan struct{})
	log := func(line []byte) {
		var entry struct {
			Msg, Endpoint string
			Query         string `json:"http_addr"`
		}
		if json.Unmarshal(line, &entry) != nil {
			return
		}
		switch {
		case entry.Msg == "Starting HTTP server" && entry.Endpoint != "":
			j.otlp["http/protobuf"] = entry.Endpoint
		case entry.Msg == "Starting GRPC server" && entry.Endpoint != "":
			j.otlp["grpc"] = entry.Endpoint
		case entry.Msg == "Query server started": // the last of them
			j.query = entry.Query
			close(ready)
		}
	}
	j.process = start(t, cmd, nil, log)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	select {
	case <-ready:
	case <-j.done:
		t.Fatalf("Jaeger ended before it listened: %v", j.err)
	case <-ctx.Done():
		t.Fatal("Jaeger never said that it listens")
	}
	return j
}

func (j *jaeger) environment(protocol string) []string {
	return []string{
		"OTEL_EXPORTER_OTLP_PROTOCOL=" + protocol,
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://" + j.otlp[protocol],
	}
}

// awaitTree asks for the spans of a service until they are as many as wanted,
// because Jaeger stores them some time after it took them. It returns what there
// was when patience ended.
func (j *jaeger) awaitTree(t *testing.T, service, want string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		spans, err := j.spans(t.Context(), "?"+url.Values{"service": {service}, "limit": {"1000"}, "lookback": {"1h"}}.Encode(), service)
		if err != nil {
			t.Fatal(err)
		}
		got := tree(spans)
		if strings.Count(got, "\n") >= strings.Count(want, "\n") {
			return got
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return got
		}
	}
}

// answer is what Jaeger's /api/traces says, as far as a tree needs it.
type answer struct {
	Data []struct {
		Spans []struct {
			SpanID, OperationName, ProcessID string
			References                       []struct{ RefType, SpanID string }
			StartTime, Duration              int64 // microseconds
			Tags                             []struct {
				Key   string
				Value any
			}
		}
		Processes map[string]struct{ ServiceName string }
	}
}

// spans are those of the traces that a query, or /ID, is about: of one service, or of all
// when it is empty. Of a trace that is not there, there are none.
func (j *jaeger) spans(ctx context.Context, query, service string) ([]span, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", "http://"+j.query+"/api/traces"+query, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusNotFound {
		return nil, nil
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %s: %.200s", resp.Status, body)
	}
	var a answer
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.UseNumber()
	if err := d.Decode(&a); err != nil {
		return nil, errors.Join(err, fmt.Errorf("in %.200s", body))
	}

	var all []span
	for _, trace := range a.Data {
		for _, from := range trace.Spans {
			// Of a trace in which several took part it tells all.
			if service != "" && trace.Processes[from.ProcessID].ServiceName != service {
				continue
			}
			s := span{
				id:         from.SpanID,
				name:       from.OperationName,
				attributes: make(map[string]string),
				start:      time.UnixMicro(from.StartTime),
				end:        time.UnixMicro(from.StartTime + from.Duration),
			}
			for _, tag := range from.Tags {
				s.attributes[tag.Key] = fmt.Sprint(tag.Value)
			}
			// Kind, status and links become tags and references in Jaeger.
			s.kind, s.status = strings.ToUpper(s.attributes["span.kind"]), "Unset"
			if s.attributes["otel.status_code"] == "ERROR" {
				s.status = "Error"
			}
			for _, to := range from.References {
				if to.RefType == "CHILD_OF" {
					s.parent = to.SpanID
				} else {
					s.links = append(s.links, to.SpanID)
				}
			}
			all = append(all, s)
		}
	}
	return all, nil
}

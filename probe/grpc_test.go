package probe_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"spangate/handler/wire/wiretest"
	"spangate/probe"
)

// h2c returns a transport of HTTP/2 in the clear.
func h2c() *http.Transport {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	return &http.Transport{Protocols: &protocols}
}

func grpcServer(register func(*grpc.Server)) (*url.URL, func()) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	server := grpc.NewServer()
	register(server)
	go server.Serve(ln)
	return &url.URL{Scheme: "http", Host: ln.Addr().String()}, server.Stop
}

func ExampleGRPC() {
	services := health.NewServer()
	u, stop := grpcServer(func(s *grpc.Server) { grpc_health_v1.RegisterHealthServer(s, services) })
	defer stop()
	services.SetServingStatus("shop.Cart", grpc_health_v1.HealthCheckResponse_SERVING)
	fmt.Println(probe.GRPC(h2c(), "", "shop.Cart")(context.Background(), u))
	// Output: <nil>
}

func TestGRPCAgainstTheStandardImplementation(t *testing.T) {
	services := health.NewServer()
	services.SetServingStatus("not", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	services.SetServingStatus("unknown", grpc_health_v1.HealthCheckResponse_UNKNOWN)
	with, stop := grpcServer(func(s *grpc.Server) { grpc_health_v1.RegisterHealthServer(s, services) })
	defer stop()
	without, stop := grpcServer(func(*grpc.Server) {})
	defer stop()
	for _, test := range []struct {
		name      string
		u         *url.URL
		service   string
		want, typ string
	}{
		{"serving", with, "", "", ""},
		{"not serving", with, "not", "health is NOT_SERVING", "not_serving"},
		{"unknown", with, "unknown", "health is UNKNOWN", "unknown"},
		{"no such service", with, "missing", `grpc-status 5 (not_found): "unknown service"`, "not_found"},
		{"no health service", without, "", "grpc-status 12 (unimplemented): the backend has no health service", "unimplemented"},
		{"nobody listens", &url.URL{Scheme: "http", Host: "127.0.0.1:" + wiretest.FreePort(t)}, "", "connection refused", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := probe.GRPC(h2c(), "", test.service)(t.Context(), test.u)
			if (err == nil) != (test.want == "") || !strings.HasSuffix(text(err), test.want) || errorType(err) != test.typ {
				t.Errorf("got %v of type %q, want %q of type %q", err, errorType(err), test.want, test.typ)
			}
			if prefix := "probing " + test.u.String() + "/grpc.health.v1.Health/Check: "; err != nil && !strings.HasPrefix(err.Error(), prefix) {
				t.Errorf("%v does not say what was probed", err)
			}
		})
	}
}

func TestGRPCHostileAnswers(t *testing.T) {
	const serving = "\x00\x00\x00\x00\x02\x08\x01"
	type answer struct {
		status      int
		contentType string
		body        string
		grpcStatus  string
		hang        bool
	}
	for _, test := range []struct {
		name   string
		answer answer
		want   string
	}{
		{"well-formed", answer{200, "application/grpc+proto", serving, "0", false}, ""},
		{"several statuses, the last holds", answer{200, "application/grpc", "\x00\x00\x00\x00\x04\x08\x02\x08\x01", "0", false}, ""},
		{"unknown fields", answer{200, "application/grpc", "\x00\x00\x00\x00\x05\x12\x01x\x08\x01", "0", false}, ""},
		{"not found", answer{404, "text/plain", "", "", false}, "status 404"},
		{"a page", answer{200, "text/html", "<html>", "", false}, `Content-Type "text/html"`},
		{"no status", answer{200, "application/grpc", serving, "", false}, `grpc-status ""`},
		{"a status that is none", answer{200, "application/grpc", serving, "17", false}, `grpc-status "17"`},
		{"negative status", answer{200, "application/grpc", serving, "-1", false}, `grpc-status "-1"`},
		{"no message", answer{200, "application/grpc", "", "0", false}, "0 bytes"},
		{"half a message", answer{200, "application/grpc", serving[:6], "0", false}, "announced a message of 2 bytes and sent 1"},
		{"two messages", answer{200, "application/grpc", serving + serving, "0", false}, "announced a message of 2 bytes and sent 9"},
		{"compressed", answer{200, "application/grpc", "\x01" + serving[1:], "0", false}, "compressed"},
		{"a huge announcement", answer{200, "application/grpc", "\x00\xff\xff\xff\xff\x08\x01", "0", false}, "announced a message of 4294967295 bytes"},
		{"huge", answer{200, "application/grpc", strings.Repeat("x", 1<<20), "0", false}, "more than 4096 bytes"},
		{"empty message", answer{200, "application/grpc", "\x00\x00\x00\x00\x00", "0", false}, "UNKNOWN"},
		{"a status without a name", answer{200, "application/grpc", "\x00\x00\x00\x00\x02\x08\x09", "0", false}, "health is 9"},
		{"a field of a wrong type", answer{200, "application/grpc", "\x00\x00\x00\x00\x03\x0a\x01\x01", "0", false}, "UNKNOWN"},
		{"an endless varint", answer{200, "application/grpc", "\x00\x00\x00\x00\x0b\x08" + strings.Repeat("\xff", 10), "0", false}, "variable length integer overflow"},
		{"no end", answer{200, "application/grpc", serving, "0", true}, "reading the body: context deadline exceeded"},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", test.answer.contentType)
				w.WriteHeader(test.answer.status)
				io.WriteString(w, test.answer.body)
				http.NewResponseController(w).Flush()
				if test.answer.hang {
					<-r.Context().Done()
				}
				w.Header().Set(http.TrailerPrefix+"Grpc-Status", test.answer.grpcStatus)
			}))
			var protocols http.Protocols
			protocols.SetUnencryptedHTTP2(true)
			server.Config.Protocols = &protocols
			server.Start()
			defer server.Close()
			u, _ := url.Parse(server.URL)
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			if test.answer.hang {
				ctx, cancel = context.WithTimeout(t.Context(), 300*time.Millisecond)
			}
			defer cancel()
			err := probe.GRPC(h2c(), "", "")(ctx, u)
			if (err == nil) != (test.want == "") || !strings.Contains(text(err), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestGRPCOverHTTP1(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	u, _ := url.Parse(server.URL)
	if err := probe.GRPC(&http.Transport{}, "", "")(t.Context(), u); !strings.HasSuffix(text(err), "answered in HTTP/1.1, where gRPC takes HTTP/2") {
		t.Error(err)
	}
}

type answering func(*http.Request) *http.Response

func (f answering) RoundTrip(r *http.Request) (*http.Response, error) { return f(r), nil }

func FuzzGRPC(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x00\x02\x08\x01"), "0", "")
	f.Add([]byte("\x00\x00\x00\x00\x02\x08\x02"), "0", "")
	f.Add([]byte(""), "12", "unknown%20service\n")
	f.Add([]byte("\x00\x00\x00\x00\x05\x12\x01x\x08\x01"), "0", "%zz")
	f.Fuzz(func(t *testing.T, body []byte, status, message string) {
		check := probe.GRPC(answering(func(r *http.Request) *http.Response {
			return &http.Response{
				StatusCode: 200, ProtoMajor: 2, Request: r,
				Header:  http.Header{"Content-Type": {"application/grpc"}},
				Body:    io.NopCloser(strings.NewReader(string(body))),
				Trailer: http.Header{"Grpc-Status": {status}, "Grpc-Message": {message}},
			}
		}), "", "")
		err := check(t.Context(), &url.URL{Scheme: "http", Host: "a"})
		if err == nil {
			// SERVING ends in no other way: the last thing said about it is 1.
			if status != "0" || len(body) < 7 || !strings.Contains(string(body[5:]), "\x08") && !strings.Contains(string(body[5:]), "\x88") {
				t.Errorf("fit with status %q and %q", status, body)
			}
			return
		}
		if got := err.Error(); len(got) > 2000 || strings.ContainsAny(got, "\n\r") {
			t.Errorf("an error unfit to be logged: %q", got)
		}
		if errorType(err) == "" {
			t.Errorf("%v has no type", err)
		}
	})
}

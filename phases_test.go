package main

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/certificate/certtest"
	"spangate/telemetry/otlptest"
)

// phasesOf returns which phases the span of an attempt has, in order, and whether its
// connection had been used. They have to add up to its length, which begins a moment
// later.
func phasesOf(t *testing.T, s otlptest.Span) string {
	t.Helper()
	var has []string
	var sum float64
	switch reused := s.Attributes["spangate.connection.reused"]; reused {
	case true:
		has = append(has, "reused:")
	case false:
		has = append(has, "new:")
	}
	for _, phase := range []string{"queue", "dns", "connect", "tls", "send", "wait", "receive"} {
		if seconds, ok := s.Attributes["spangate.attempt."+phase].(float64); ok {
			has, sum = append(has, phase), sum+seconds
			if seconds <= 0 {
				t.Errorf("%s took %v", phase, seconds)
			}
		}
	}
	if late := sum - s.End.Sub(s.Start).Seconds(); late < -1e-6 || late > 1 {
		t.Errorf("phases of %vs in a span of %v: %v", sum, s.End.Sub(s.Start), s.Attributes)
	}
	return strings.Join(has, " ")
}

// inPhases are the spans of attempts, each by its phases.
func (p *program) inPhases(t *testing.T) (all []string) {
	t.Helper()
	spans := p.spans("CLIENT")
	slices.SortFunc(spans, func(a, b otlptest.Span) int { return a.Start.Compare(b.Start) })
	for _, s := range spans {
		all = append(all, phasesOf(t, s))
	}
	return all
}

// phased answers what there is to ask of a backend whose phases are looked at.
func phased(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/interim":
		w.WriteHeader(http.StatusEarlyHints)
	case "/early":
		http.NewResponseController(w).EnableFullDuplex() // of HTTP/1.1, which would wait for all content
		w.WriteHeader(http.StatusUnauthorized)
		http.NewResponseController(w).Flush()
		return
	case "/none":
		w.WriteHeader(http.StatusNoContent)
		return
	}
	all, _ := io.ReadAll(r.Body) // whose answer begins behind it
	w.Write(append(all, '.'))
}

// TestPhases checks into which phases an attempt falls, whatever it goes over.
func TestPhases(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	secure := func(protocol string) string {
		return "https://" + secureServer(t, &tls.Config{Certificates: []tls.Certificate{ca.Issue(t, x509.Certificate{}).TLS(t)}, NextProtos: []string{protocol}}, phased)
	}
	socket := filepath.Join(t.TempDir(), "s")
	ln, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	onSocket := &httptest.Server{Listener: ln, Config: &http.Server{Handler: http.HandlerFunc(phased)}}
	onSocket.Start()
	t.Cleanup(onSocket.Close)
	plain, multiplexed := eitherBackend(t, phased)
	named := strings.Replace(plain, "127.0.0.1", "localhost", 1)
	const answered, early, kept = "send wait receive", "send receive", "reused: "
	for name, test := range map[string]struct {
		backend string
		made    string // phases in which the connection is
		http2   bool
	}{
		"HTTP/1.1":    {backend: plain, made: "new: queue connect "},
		"of a name":   {backend: named, made: "new: queue dns connect "},
		"on a socket": {backend: "http+unix://" + socket, made: "new: queue connect "},
		"HTTP/2":      {backend: multiplexed, made: "new: queue connect ", http2: true},
		"TLS":         {backend: secure("http/1.1"), made: "new: queue connect tls "},
		"TLS, HTTP/2": {backend: secure("h2"), made: "new: queue connect tls ", http2: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			environ := []string{"BACKENDS=" + test.backend, "PROBE_MODE=off", "RETRY_ATTEMPTS=0"}
			if strings.HasPrefix(test.backend, "https:") {
				environ = append(environ, "BACKEND_CA_FILE="+ca.File)
			}
			p := start(t, environ...)
			for _, path := range []string{"/", "/none", "/interim"} {
				p.ask(t, "GET", path, nil)
			}
			p.ask(t, "POST", "/", strings.NewReader(strings.Repeat("x", 200<<10)))
			body, more := io.Pipe()
			resp, err := p.send(t.Context(), "POST", "/early", body)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			more.Close()
			p.stop()
			got := "wait receive"
			if !test.http2 {
				got = answered
			}
			want := []string{test.made + got, kept + got, kept + got, kept + answered, kept + early}
			if diff := cmp.Diff(want, p.inPhases(t)); diff != "" {
				t.Errorf("phases (-want +got):\n%s", diff)
			}
		})
	}
}

// TestPhasesOfFailures checks that an attempt without an answer tells where its time went
// as well.
func TestPhasesOfFailures(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		environ []string
		want    []string
	}{
		"nobody there, then an answer": {
			environ: []string{"BACKENDS=http://" + refusing(t) + "," + replying(t, 200), "RETRY_ATTEMPTS=1"},
			want:    []string{"queue connect", "new: queue connect send wait receive"},
		},
		"no such name": {
			environ: []string{"BACKENDS=http://nobody.invalid:80"},
			want:    []string{"queue dns connect"},
		},
		"no answer": {
			environ: []string{"BACKENDS=http://" + saying(t, ""), "BACKEND_RESPONSE_TIMEOUT=50ms"},
			want:    []string{"new: queue connect send wait"},
		},
		"the request's time is over amid a handshake": {
			environ: []string{"BACKENDS=https://" + saying(t, ""), "REQUEST_TIMEOUT=100ms"},
			want:    []string{"queue connect tls"},
		},
		"no HTTP": {
			environ: []string{"BACKENDS=http://" + saying(t, "220 smtp\r\n")},
			want:    []string{"new: queue connect send wait"},
		},
		"a header of the PROXY protocol": {
			environ: []string{"BACKENDS=http://" + refusing(t) + ";proxy-protocol=v2"},
			want:    []string{"queue connect"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, append([]string{"PROBE_MODE=off", "RETRY_ATTEMPTS=0"}, test.environ...)...)
			p.once(t.Context(), "GET", "/", nil)
			p.stop()
			if diff := cmp.Diff(test.want, p.inPhases(t)); diff != "" {
				t.Errorf("phases (-want +got):\n%s", diff)
			}
		})
	}
}

// TestLongPhases checks that the time is told of the phase in which it was spent.
func TestLongPhases(t *testing.T) {
	t.Parallel()
	const long = 300 * time.Millisecond
	for _, path := range []string{"/wait", "/receive", "/send", "/queue"} {
		for _, protocol := range []string{"HTTP/1.1", "HTTP/2"} {
			if path == "/queue" && protocol == "HTTP/2" {
				continue // one connection carries both
			}
			t.Run(protocol+path, func(t *testing.T) {
				t.Parallel()
				entered, leave := make(chan struct{}), make(chan struct{})
				backend, multiplexed := eitherBackend(t, func(w http.ResponseWriter, r *http.Request) {
					switch r.URL.Path {
					case "/queue":
						entered <- struct{}{}
						<-leave
					case "/wait":
						time.Sleep(long)
					case "/receive":
						http.NewResponseController(w).Flush()
						<-leave
						time.Sleep(long)
					case "/send":
						r.Body.Read(make([]byte, 1))
						close(entered)
					}
					io.Copy(io.Discard, r.Body)
				})
				if protocol == "HTTP/2" {
					backend = multiplexed
				}
				p := start(t, "BACKENDS="+backend, "PROBE_MODE=off", "BACKEND_MAX_CONNECTIONS=1")
				switch path {
				case "/queue":
					first := make(chan struct{})
					go func() { defer close(first); p.once(t.Context(), "GET", path, nil) }()
					<-entered
					time.AfterFunc(long, func() { close(leave) })
					p.ask(t, "GET", "/", nil)
					<-first
				case "/send":
					p.ask(t, "POST", path, io.MultiReader(strings.NewReader("a little"), ending(func() { <-entered; time.Sleep(long) })))
				default:
					resp, err := p.send(t.Context(), "GET", path, nil)
					if err != nil {
						t.Fatal(err)
					}
					close(leave) // the header is there
					io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
				p.stop()
				spans := p.spans("CLIENT")
				last := slices.MaxFunc(spans, func(a, b otlptest.Span) int { return a.Start.Compare(b.Start) })
				phasesOf(t, last)
				if got, _ := last.Attributes["spangate.attempt."+path[1:]].(float64); got < long.Seconds()/2 { // what comes before may end late
					t.Errorf("%s took %v of %v", path, got, last.Attributes)
				}
			})
		}
	}
}

// ending is the end of what is read, before which it is called.
type ending func()

func (e ending) Read([]byte) (int, error) {
	e()
	return 0, io.EOF
}

package e2e

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
)

// A scenario is something that happens to requests or backends, and the trees
// of spans that tell of it, whoever receives them.
type scenario struct {
	play func(*stage)
	want string
}

// remote is a trace context of a client's.
const remote = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// scenarios are by name. What a backend answers is told by status, saying and
// refusing; probes are off where none is the subject.
var scenarios = map[string]scenario{
	"success": {
		play: func(s *stage) {
			s.start("PROBE_MODE=off", "BACKENDS="+s.status(200))
			s.get(200)
		},
		want: `
GET SERVER Unset http.response.status_code=200 spangate.retry.stop_reason=success
  GET CLIENT Unset http.response.status_code=200
`,
	},
	"refused, then answered by another backend": {
		play: func(s *stage) {
			s.start("PROBE_MODE=off", "BACKENDS="+s.refusing()+","+s.status(200))
			s.get(200)
		},
		want: `
GET SERVER Unset http.response.status_code=200 spangate.retry.stop_reason=success
  GET CLIENT Error error.type=connection_refused
  retry INTERNAL Unset spangate.retry.reason=connection_refused spangate.retry.attempt=1
  GET CLIENT Unset http.response.status_code=200 http.request.resend_count=1 link=2
`,
	},
	"all attempts fail": {
		play: func(s *stage) {
			s.start("PROBE_MODE=off", "BACKENDS="+s.status(503)+","+s.refusing())
			s.get(503)
		},
		want: `
GET SERVER Error http.response.status_code=503 error.type=503 spangate.retry.stop_reason=max_attempts
  GET CLIENT Error http.response.status_code=503 error.type=503
  retry INTERNAL Unset spangate.retry.reason=503 spangate.retry.attempt=1
  GET CLIENT Error error.type=connection_refused http.request.resend_count=1 link=2
  retry INTERNAL Unset spangate.retry.reason=connection_refused spangate.retry.attempt=2
  GET CLIENT Error http.response.status_code=503 error.type=503 http.request.resend_count=2 link=4
`,
	},
	"not idempotent": {
		play: func(s *stage) {
			s.start("PROBE_MODE=off", "BACKENDS="+s.saying("HTTP/1.1 200 OK\r\nX: "))
			s.send(s.t.Context(), 502, "POST", strings.NewReader("sum"))
		},
		want: `
POST SERVER Error http.response.status_code=502 error.type=connection_reset spangate.retry.stop_reason=not_idempotent
  POST CLIENT Error error.type=connection_reset
`,
	},
	"rate limit allows and denies": {
		play: func(s *stage) {
			s.start("PROBE_MODE=off", "RATE_LIMIT=1/h", "BACKENDS="+s.status(200))
			s.get(200)
			s.get(429)
		},
		want: `
GET SERVER Unset http.response.status_code=200 spangate.retry.stop_reason=success
  rate_limit INTERNAL Unset spangate.rate_limit.result=allowed
  GET CLIENT Unset http.response.status_code=200
GET SERVER Unset http.response.status_code=429
  rate_limit INTERNAL Unset spangate.rate_limit.result=denied
`,
	},
	"probes fail, then succeed": {
		play: func(s *stage) {
			backend := s.prompted()
			s.start("PROBE_PATH=/healthz", "PROBE_INTERVAL=10ms", "PROBE_TIMEOUT=1m", "PROBE_FALL=2", "BACKENDS="+backend.url)
			for _, step := range []struct {
				statuses []int
				to       string
			}{{[]int{200}, "ready"}, {[]int{503, 503}, "down"}, {[]int{200}, "ready"}} {
				from := s.mark()
				for _, status := range step.statuses {
					backend.answer(s.t, status)
				}
				s.await(from, `"spangate.backend.state":"`+step.to+`"`)
			}
		},
		want: `
probe INTERNAL Unset spangate.probe.type=http
  GET CLIENT Unset http.response.status_code=200
backend_state_change INTERNAL Unset spangate.backend.state=ready spangate.backend.reason=probe_succeeded link=1
probe INTERNAL Error error.type=503 spangate.probe.type=http
  GET CLIENT Error http.response.status_code=503
probe INTERNAL Error error.type=503 spangate.probe.type=http
  GET CLIENT Error http.response.status_code=503
backend_state_change INTERNAL Unset spangate.backend.state=down spangate.backend.reason=probe_failed link=4 link=6
probe INTERNAL Unset spangate.probe.type=http
  GET CLIENT Unset http.response.status_code=200
backend_state_change INTERNAL Unset spangate.backend.state=ready spangate.backend.reason=probe_succeeded link=9
`,
	},
	"an outlier is ejected and returns": {
		play: func(s *stage) {
			var asked atomic.Int64
			failing := s.serve(func(w http.ResponseWriter, _ *http.Request) {
				if asked.Add(1) <= 2 {
					w.WriteHeader(http.StatusServiceUnavailable)
				}
			})
			s.start("PROBE_MODE=off", "RETRY_ATTEMPTS=0", "TRACE_TRUST=trust", "OUTLIER_MAX_PERCENT=100",
				"OUTLIER_FAILURES=2", "OUTLIER_EJECTION=50ms", "BACKENDS="+failing+","+s.status(200))
			for _, status := range []int{503, 200, 503} { // taking turns
				s.get(status)
			}
			// How many requests it takes is no matter, and these leave no trace.
			for asked.Load() == 2 {
				s.get(200, "Traceparent: "+strings.TrimSuffix(remote, "1")+"0")
			}
		},
		want: `
GET SERVER Error http.response.status_code=503 error.type=503 spangate.retry.stop_reason=max_attempts
  GET CLIENT Error http.response.status_code=503 error.type=503
GET SERVER Unset http.response.status_code=200 spangate.retry.stop_reason=success
  GET CLIENT Unset http.response.status_code=200
GET SERVER Error http.response.status_code=503 error.type=503 spangate.retry.stop_reason=max_attempts
  GET CLIENT Error http.response.status_code=503 error.type=503
backend_state_change INTERNAL Unset spangate.backend.state=ejected spangate.backend.reason=outlier link=2 link=6
backend_state_change INTERNAL Unset spangate.backend.state=unknown spangate.backend.reason=ejection_ended
`,
	},
	"the client goes away": {
		play: func(s *stage) {
			ctx, leave := context.WithCancel(s.t.Context())
			gone := make(chan struct{})
			s.start("PROBE_MODE=off", "BACKENDS="+s.serve(func(_ http.ResponseWriter, r *http.Request) {
				leave()
				<-r.Context().Done()
				close(gone)
			}))
			s.send(ctx, 0, "GET", nil)
			<-gone
			s.await(0, `"status":499`)
		},
		want: `
GET SERVER Error http.response.status_code=499 error.type=client_disconnected spangate.retry.stop_reason=client_disconnected
  GET CLIENT Unset
`,
	},
	"the backend is lost amid the body": {
		play: func(s *stage) {
			s.start("PROBE_MODE=off", "BACKENDS="+s.saying("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"))
			s.send(s.t.Context(), 0, "GET", nil)
		},
		want: `
GET SERVER Error http.response.status_code=200 error.type=backend_reset spangate.retry.stop_reason=success
  GET CLIENT Error http.response.status_code=200 error.type=backend_reset
`,
	},
	"a trusted parent is continued": {
		play: func(s *stage) {
			s.start("PROBE_MODE=off", "TRUSTED_PROXIES=127.0.0.0/8", "BACKENDS="+s.status(200))
			s.get(200, "Traceparent: "+remote)
		},
		want: `
GET SERVER Unset http.response.status_code=200 spangate.retry.stop_reason=success parent=elsewhere
  GET CLIENT Unset http.response.status_code=200
`,
	},
	"an untrusted parent is linked": {
		play: func(s *stage) {
			s.start("PROBE_MODE=off", "BACKENDS="+s.status(200))
			s.get(200, "Traceparent: "+remote)
		},
		want: `
GET SERVER Unset http.response.status_code=200 spangate.retry.stop_reason=success link=elsewhere
  GET CLIENT Unset http.response.status_code=200
`,
	},
	"an upgraded connection": {
		play: func(s *stage) {
			s.start("PROBE_MODE=off", "BACKENDS="+s.serve(echoUpgraded))
			s.upgrade()
		},
		want: `
GET SERVER Unset http.response.status_code=101 spangate.retry.stop_reason=success
  GET CLIENT Unset http.response.status_code=101
`,
	},
	"a call over HTTP/2 with trailers": {
		play: func(s *stage) {
			s.start("PROBE_MODE=off", "BACKENDS="+s.h2c(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/grpc")
				io.Copy(w, r.Body)
				w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
			}))
			s.call()
		},
		want: `
POST SERVER Unset http.response.status_code=200 spangate.retry.stop_reason=success network.protocol.version=2
  POST CLIENT Unset http.response.status_code=200 network.protocol.version=2
`,
	},
}

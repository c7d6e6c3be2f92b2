package main

import (
	"context"
	"net/http"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/admin"
)

// TestLoad fills the only slot of a program and knocks at its door.
func TestLoad(t *testing.T) {
	t.Parallel()
	const refused = "503 Too many requests are being handled at the moment.\n  Retry-After: 1\n"
	const held = "GET SERVER Unset http.response.status_code=200\n  GET CLIENT Unset http.response.status_code=200\n"
	tests := map[string]struct {
		environ []string
		// knock is called while the slot is taken, which free ends. It returns the
		// responses.
		knock    func(t *testing.T, p *program, free func()) string
		want     string
		tree     string
		counted  string
		waits    uint64 // that were measured
		log      string // of the requests beside the one that took the slot
		withWait bool   // the last one waited
	}{
		"no queue": {
			knock: func(t *testing.T, p *program, _ func()) string {
				text, _ := p.knocks(t, []knock{{}})
				return text
			},
			want: refused,
			tree: held +
				"GET SERVER Error http.response.status_code=503 error.type=overloaded spangate.policy.rejection=concurrency spangate.policy.reason=queue_full\n",
			counted: "policy.rejections map[reason:queue_full rejection:concurrency] 1\n",
			log:     "503 policy=concurrency reason=queue_full error_type=overloaded\n",
		},
		"too long in the queue": {
			environ: []string{"MAX_QUEUE=1", "MAX_QUEUE_WAIT=1ms"},
			knock: func(t *testing.T, p *program, _ func()) string {
				text, _ := p.knocks(t, []knock{{}})
				return text
			},
			want: refused,
			tree: held +
				"GET SERVER Error http.response.status_code=503 error.type=overloaded spangate.policy.rejection=concurrency spangate.policy.reason=queue_timeout\n",
			counted:  "policy.rejections map[reason:queue_timeout rejection:concurrency] 1\n",
			waits:    1,
			log:      "503 policy=concurrency reason=queue_timeout error_type=overloaded\n",
			withWait: true,
		},
		"its turn comes": {
			environ: []string{"MAX_QUEUE=1", "MAX_QUEUE_WAIT=1h"},
			knock: func(t *testing.T, p *program, free func()) string {
				text := make(chan string, 1)
				go func() {
					one, _ := p.knock(t, knock{method: "GET"})
					text <- one
				}()
				for p.status(t).Concurrency.Queued == 0 {
				}
				full, _ := p.knock(t, knock{method: "GET"})
				free()
				return full + <-text
			},
			want: refused + "200\n  Got: GET\n",
			tree: held +
				"GET SERVER Unset http.response.status_code=200\n  GET CLIENT Unset http.response.status_code=200\n" +
				"GET SERVER Error http.response.status_code=503 error.type=overloaded spangate.policy.rejection=concurrency spangate.policy.reason=queue_full\n",
			counted:  "policy.rejections map[reason:queue_full rejection:concurrency] 1\n",
			waits:    1,
			log:      "503 policy=concurrency reason=queue_full error_type=overloaded\n200\n",
			withWait: true,
		},
		"it goes away": {
			environ: []string{"MAX_QUEUE=1", "MAX_QUEUE_WAIT=1h"},
			knock: func(t *testing.T, p *program, _ func()) string {
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan struct{})
				go func() { defer close(ended); p.once(ctx, "GET", "/", nil) }()
				for p.status(t).Concurrency.Queued == 0 {
				}
				cancel()
				<-ended
				for p.status(t).Concurrency.Queued == 1 {
				}
				return ""
			},
			tree: held +
				"GET SERVER Error http.response.status_code=499 error.type=client_disconnected\n",
			waits:    1,
			log:      "499 error_type=client_disconnected\n",
			withWait: true,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			taken, release := make(chan struct{}), make(chan struct{})
			free := sync.OnceFunc(func() { close(release) })
			defer free()
			backend := plainBackend(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Got", r.Method)
				if r.URL.Path == "/hold" {
					close(taken)
					<-release
				}
			})
			p := start(t, append(test.environ, "BACKENDS="+backend, "PROBE_MODE=off", "REQUEST_ID_HEADER=off", "MAX_CONCURRENT_REQUESTS=1")...)
			var first sync.WaitGroup
			first.Go(func() { p.once(t.Context(), "GET", "/hold", nil) })
			<-taken
			if got := *p.status(t).Concurrency; got != (admin.Concurrency{Active: 1}) {
				t.Errorf("status shows %+v, want one that is active", got)
			}
			got := test.knock(t, p, free)
			free()
			first.Wait()
			p.stop()
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("responses (-want +got):\n%s", diff)
			}
			p.checkPolicies(t, test.tree, test.counted)
			log, waited := "", false
			for _, line := range p.log.requests(t) {
				if line["path"] != "/hold" {
					log += doorLine(line) + "\n"
					waited = line["queued"] != nil
				}
			}
			if diff := cmp.Diff(test.log, log); diff != "" {
				t.Errorf("access log (-want +got):\n%s", diff)
			}
			spans := 0
			for _, span := range p.collector.Spans() {
				if span.Attributes["spangate.concurrency.wait"] != nil {
					spans++
				}
			}
			if waited != test.withWait || uint64(spans) != test.waits {
				t.Errorf("the log has a wait: %t, want %t; so have %d spans, want %d", waited, test.withWait, spans, test.waits)
			}
			for _, point := range p.points("spangate.concurrency.wait") {
				if point.Count != test.waits {
					t.Errorf("%d waits were measured, want %d", point.Count, test.waits)
				}
			}
			for _, name := range []string{"spangate.concurrency.active", "spangate.concurrency.queued"} {
				if n := p.counted(name); n != 0 {
					t.Errorf("%s is %v in the end", name, n)
				}
			}
		})
	}
}

package main

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"spangate/telemetry/otlptest"
)

// secretToken is a token that expires in an hour, for that audience.
func secretToken(audience string) string {
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	return part(`{"alg":"none"}`) + "." + part(fmt.Sprintf(`{"aud":%q,"exp":%d}`, audience, time.Now().Add(time.Hour).Unix())) + ".s3cret-signature"
}

// TestIdentity looks at what private backends are sent, and for secrets wherever the
// program tells of what it does.
func TestIdentity(t *testing.T) {
	t.Parallel()
	var fetches atomic.Int64
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fetches.Add(1)
		switch {
		case r.URL.Path == "/token":
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"access_token":"s3cret-access","token_type":"bearer","expires_in":3600}`)
		case r.Header.Get("Metadata-Flavor") != "Google":
			w.WriteHeader(http.StatusForbidden)
		case strings.Contains(r.FormValue("audience"), "fails"):
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, "s3cret-text")
		default:
			w.Header().Set("Metadata-Flavor", "Google")
			fmt.Fprint(w, secretToken(r.FormValue("audience")))
		}
	}))
	t.Cleanup(tokens.Close)
	for _, test := range []struct {
		name    string
		options string
		given   []string
		want    string // of what the backend saw, or the error.type
	}{
		{"google", "", []string{"BACKEND_AUTH=google-id-token", "PROBE_PATH=/probe"}, `authorization "caller", serverless "Bearer `},
		{"an option", ";auth=google-id-token;audience=https://app.example", nil, `authorization "caller", serverless "Bearer `},
		{"oauth2", "", []string{"BACKEND_AUTH=oauth2-client-credentials", "BACKEND_AUTH_TOKEN_URL=" + tokens.URL + "/token", "BACKEND_AUTH_CLIENT_ID=me", "BACKEND_AUTH_CLIENT_SECRET=s3cret-of-mine"}, `authorization "Bearer s3cret-access", serverless "mine"`},
		{"no token", "", []string{"BACKEND_AUTH=google-id-token", "BACKEND_AUTH_AUDIENCE=https://fails"}, "identity_error"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var seen atomic.Pointer[string]
			var bare atomic.Int64 // requests without a token
			backend := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				text := fmt.Sprintf("authorization %q, serverless %q", r.Header.Get("Authorization"), r.Header.Get("X-Serverless-Authorization"))
				if !strings.Contains(text, "Bearer") {
					bare.Add(1)
				}
				if r.URL.Path != "/probe" {
					seen.Store(&text)
				}
			}))
			defer backend.Close()
			before := fetches.Load()
			given := append([]string{"BACKENDS=" + backend.URL + test.options, "GCE_METADATA_HOST=" + strings.TrimPrefix(tokens.URL, "http://"), "LOG_LEVEL=debug"}, test.given...)
			var stdout strings.Builder
			if err := command(t.Context(), []string{"config"}, given, &stdout); err != nil {
				t.Fatal(err)
			}
			p := start(t, given...)
			var status int
			for range 3 {
				resp, err := p.send(t.Context(), "GET", "/", nil, "Authorization: caller", "X-Serverless-Authorization: mine")
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				status = resp.StatusCode
			}
			_, shown := p.ask(t, "GET", "/.spangate/status", nil)
			p.stop()
			spans := otlptest.Tree(p.collector.Spans(), "error.type", "spangate.identity.audience")
			if test.want == "identity_error" {
				if status != http.StatusBadGateway || !strings.Contains(spans, "SERVER Error error.type=identity_error") || seen.Load() != nil {
					t.Errorf("got %d, spans are\n%s", status, spans)
				}
			} else if got := seen.Load(); status != http.StatusOK || got == nil || !strings.Contains(*got, test.want) || bare.Load() != 0 || fetches.Load() != before+1 {
				t.Errorf("got %d, the backend saw %v, %d without a token, after %d fetches; spans are\n%s", status, *got, bare.Load(), fetches.Load()-before, spans)
			}
			for what, text := range map[string]string{
				"config": stdout.String(), "log": p.log.text.String(), "status": shown,
				"spans": fmt.Sprint(p.collector.Spans()), "metrics": fmt.Sprint(p.collector.Metrics()),
			} {
				if strings.Contains(text, "s3cret") {
					t.Errorf("%s shows a secret:\n%s", what, text)
				}
			}
		})
	}
}

// TestIdentityAfterAnOutage has the first fetch fail, and requests come until there is a
// token again.
func TestIdentityAfterAnOutage(t *testing.T) {
	t.Parallel()
	var fetches atomic.Int64
	metadata := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if fetches.Add(1) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Metadata-Flavor", "Google")
		fmt.Fprint(w, secretToken(r.FormValue("audience")))
	}))
	defer metadata.Close()
	backend := httptest.NewServer(http.NotFoundHandler())
	defer backend.Close()
	p := start(t, "BACKENDS="+backend.URL, "BACKEND_AUTH=google-id-token", "GCE_METADATA_HOST="+strings.TrimPrefix(metadata.URL, "http://"))
	got := map[int]int{}
	for got[http.StatusNotFound] == 0 && got[http.StatusBadGateway] < 1000 {
		resp, _ := p.ask(t, "GET", "/", nil)
		if got[resp.StatusCode]++; resp.StatusCode == http.StatusBadGateway {
			time.Sleep(20 * time.Millisecond) // a second passes before the next fetch: these are few requests
		}
	}
	p.stop()
	if got[http.StatusBadGateway] == 0 || len(got) != 2 || fetches.Load() != 2 {
		t.Errorf("got answers %v after %d fetches", got, fetches.Load())
	}
	for _, event := range []string{"spangate.identity.fetch_failed", "spangate.identity.fetched"} {
		if lines := p.log.named(t, "event.name", event); len(lines) != 1 {
			t.Errorf("%s is logged %d times: %v", event, len(lines), lines)
		}
	}
}

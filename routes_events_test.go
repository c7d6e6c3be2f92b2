package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/certificate/certtest"
)

// Events say of which route they are.
func TestEventsOfRoutes(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	var healthy atomic.Bool
	metadata := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Metadata-Flavor", "Google")
		if !healthy.Load() {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		fmt.Fprint(w, secretToken(r.FormValue("audience")))
	}))
	t.Cleanup(metadata.Close)
	answers := func(http.ResponseWriter, *http.Request) {}
	shows := func(days int) string {
		end := time.Now().Add(time.Duration(days) * 24 * time.Hour)
		certificate := ca.Issue(t, x509.Certificate{NotBefore: end.Add(-90 * 24 * time.Hour), NotAfter: end})
		return "https://" + secureServer(t, &tls.Config{Certificates: []tls.Certificate{certificate.TLS(t)}}, answers)
	}
	authorities := copied(t, ca.File)
	p := start(t, "PROBE_MODE=off", "TLS_RELOAD_INTERVAL=1ms", "OTEL_LOGS_EXPORTER=otlp", "GCE_METADATA_HOST="+strings.TrimPrefix(metadata.URL, "http://"),
		"RATE_LIMIT_REDIS_URL=redis://"+refusing(t), "ROUTES=expires,limited,private,unknown",
		"ROUTE_EXPIRES_MATCH=/expires/*", "ROUTE_EXPIRES_BACKENDS="+shows(3), "ROUTE_EXPIRES_BACKEND_CA_FILE="+authorities,
		"ROUTE_LIMITED_MATCH=/limited/*", "ROUTE_LIMITED_RESPOND=204", "ROUTE_LIMITED_RATE_LIMIT=9/s",
		"ROUTE_PRIVATE_MATCH=/private/*", "ROUTE_PRIVATE_BACKENDS="+telling(t)+";auth=google-id-token",
		"ROUTE_UNKNOWN_MATCH=/unknown/*", "ROUTE_UNKNOWN_BACKENDS="+shows(80))
	for _, name := range []string{"expires", "limited", "private", "unknown"} {
		p.ask(t, "GET", "/"+name+"/", nil)
	}
	healthy.Store(true)
	for deadline := time.Now().Add(20 * time.Second); ; {
		if resp, _ := p.ask(t, "GET", "/private/", nil); resp.StatusCode == http.StatusOK {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("there is no token")
		}
	}
	swap(t, authorities, []byte("none"))
	p.await("certificate_rejected")
	if err := os.Rename(copied(t, certtest.New(t).File), authorities); err != nil {
		t.Fatal(err)
	}
	p.await("certificate_reloaded")
	p.await("store_lost")
	p.stop()

	got := map[string]string{}
	for _, line := range p.log.all(t) {
		if event, ok := line["event.name"].(string); ok {
			got[strings.TrimPrefix(event, "spangate.")] = fmt.Sprint(line["spangate.route"])
		}
	}
	if diff := cmp.Diff(map[string]string{
		"rate_limit.store_lost": "limited", "identity.fetch_failed": "private", "identity.fetched": "private",
		"tls.handshake_failed": "unknown", "tls.certificate_expiring": "expires", "tls.certificate_rejected": "expires", "tls.certificate_reloaded": "expires",
	}, got); diff != "" {
		t.Errorf("routes of events (-want +got):\n%s", diff)
	}
}

// copied returns a file with what another one has.
func copied(t *testing.T, from string) string {
	t.Helper()
	content, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), filepath.Base(from))
	certtest.Write(t, to, content)
	return to
}

// What is wrong with files that have changed is said by the names of the variables that
// name them, which are a route's own where it has its own.
func TestReloadsNameVariables(t *testing.T) {
	t.Parallel()
	ca := certtest.New(t)
	all, own, beside := copied(t, ca.File), copied(t, ca.File), copied(t, ca.File)
	p := start(t, "BACKENDS=https://127.0.0.1:1", "BACKEND_CA_FILE="+all, "PROBE_MODE=off", "TLS_RELOAD_INTERVAL=1ms", "ROUTES=c,a-b",
		"ROUTE_C_MATCH=/c/*", "ROUTE_C_BACKENDS=@a-b",
		"ROUTE_A_B_MATCH=/a/*", "ROUTE_A_B_BACKENDS=https://127.0.0.1:1", "ROUTE_A_B_BACKEND_CA_FILE="+own,
		"ROUTE_A_B_CANARY_BACKENDS=https://127.0.0.1:1;ca-file="+beside, "ROUTE_A_B_CANARY=1%")
	for _, test := range []struct{ file, want string }{
		{all, `"BACKEND_CA_FILE: `},
		{own, `"ROUTE_A_B_BACKEND_CA_FILE: `},
		{beside, `"ROUTE_A_B_CANARY_BACKENDS: backend \"https://127.0.0.1:1\": ca-file: `},
	} {
		swap(t, test.file, []byte("none"))
		p.await(test.want)
	}
}

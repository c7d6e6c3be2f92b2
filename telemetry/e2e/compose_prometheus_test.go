//go:build linux && prometheus

package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// TestCompose holds that the topology of compose.yaml does what is said of it, with all
// its profiles. In Jaeger's place, which takes minutes to build, is another collector;
// TestJaegerStory has the real one.
func TestCompose(t *testing.T) {
	for _, program := range []string{"prometheus", "redis-server", "curl"} {
		installed(t, program, program)
	}
	var jaeger *collector
	topology := startTopology(t, func(t *testing.T, address string) {
		jaeger = startCollector(t, address+":0", address+":4317")
	}, "metrics", "scale", "tls")

	t.Run("scale", func(t *testing.T) { testSharedLimit(t, topology) })
	t.Run("tls", func(t *testing.T) { testCertificate(t, topology) })
	// Nobody answers for Jaeger, so the story cannot tell of changes of state.
	nobody := "http://" + refusing(t)
	want := maps.Clone(chapters)
	want["ejected"], want["back"] = want["ejected"][:1], want["back"][:1]
	// The second time something happens a rate tells of it. What is left from the first
	// time is not in its way.
	for _, time := range []string{"once", "again"} {
		t.Run("story "+time, func(t *testing.T) {
			testChapters(t, tell(t, topology.url("spangate", "8080"), nobody), want, jaeger.trace)
		})
	}
	t.Run("changes", func(t *testing.T) {
		if diff := cmp.Diff(map[string]bool{"ejected": true, "ready": true}, jaeger.changes()); diff != "" {
			t.Errorf("states that backends changed to (-want +got):\n%s", diff)
		}
	})
	t.Run("dashboard", func(t *testing.T) {
		testDashboard(t, &prometheus{url: topology.url("prometheus", "9090")},
			map[string]int{"job": 1, "instance": 4, "backend": 2},
			// What neither the story nor a setting there makes happen.
			"Taken by no route/A", "No backend/A", "Refusals/B", "Concurrency/A", "Concurrency/B",
			"Wait for a turn/A", "Wait for a turn/B", "Wait for a turn/C", "Failed handshakes/A", "Changed files/A",
			"Share of the canary/A", "Changes of the canary/A", "Copies for the mirror/A", "Lost spans/A", "Memory/B")
	})
	t.Run("alerts", func(t *testing.T) {
		var all struct {
			Groups []struct {
				Rules []struct{ Health, LastError string }
			}
		}
		if err := (&prometheus{url: topology.url("prometheus", "9090")}).get(t.Context(), "rules", nil, &all); err != nil {
			t.Fatal(err)
		}
		if len(all.Groups) == 0 || len(all.Groups[0].Rules) == 0 {
			t.Fatal("Prometheus has no rules")
		}
		for _, rule := range all.Groups[0].Rules {
			if rule.Health != "ok" {
				t.Errorf("a rule is %s: %s", rule.Health, rule.LastError)
			}
		}
	})
}

// testSharedLimit holds that who has had all of the limit at one of two has none of it
// left at the other. One that counts for itself would let in twenty.
func testSharedLimit(t *testing.T, topology *topology) {
	refused := func(service string, most int) bool {
		for range most {
			r, err := http.NewRequestWithContext(t.Context(), "GET", topology.url(service, "8080")+"/hello", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("X-Client", "greedy")
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode == http.StatusTooManyRequests {
				return true
			}
		}
		return false
	}
	if !refused("scale-1", 200) {
		t.Fatal("scale-1 goes on letting in")
	}
	// The limit gives back one in three seconds.
	if !refused("scale-2", 10) {
		t.Error("scale-2 knows nothing of what scale-1 has let in")
	}
}

// testCertificate holds that the certificate that was made is shown, and is for
// localhost.
func testCertificate(t *testing.T, topology *topology) {
	text, err := os.ReadFile(filepath.Join(topology.dir, "volumes", "certificates", "cert.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		t.Fatalf("no certificate: %s", text)
	}
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "localhost"}}}
	defer client.CloseIdleConnections()
	resp, err := client.Get("https://" + topology.addresses["spangate-tls"] + ":8080/hello")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("status %s", resp.Status)
	}
}

// trace returns the spans of a trace that have been received so far.
func (c *collector) trace(_ *testing.T, id string) []span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return plain(slices.DeleteFunc(slices.Clone(c.spans), func(s ptrace.Span) bool { return s.TraceID().String() != id }))
}

// changes are the states that some backend is told to have changed to.
func (c *collector) changes() map[string]bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	states := make(map[string]bool)
	for _, s := range plain(c.spans) {
		if s.name == "backend_state_change" {
			states[s.attributes["spangate.backend.state"]] = true
		}
	}
	return states
}

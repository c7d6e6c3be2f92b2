package main

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/admin"
	"spangate/handler/wire/wiretest"
)

// ownAddress returns an address of this host other than the loopback's, or "".
func ownAddress(t *testing.T) string {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, addr := range addrs {
		if ip, ok := addr.(*net.IPNet); ok && !ip.IP.IsLoopback() && ip.IP.To4() != nil && !ip.IP.IsLinkLocalUnicast() {
			return ip.IP.String()
		}
	}
	return ""
}

// The instance is asked with the very variables that it was started with.
func TestStatusCommand(t *testing.T) {
	t.Parallel()
	tests := map[string][]string{
		"on PORT":              nil,
		"on ADMIN_PORT":        {"ADMIN_PORT=" + wiretest.FreePort(t)},
		"below another prefix": {"ADMIN_PREFIX=/own/endpoints"},
		"on both":              {"ADMIN_PORT=" + wiretest.FreePort(t), "ADMIN_PREFIX=/own"},
		"on all addresses":     {"HOST=0.0.0.0"},
		"on a name":            {"HOST=localhost"},
		"with a door":          {"AUTH_API_KEYS=a:" + apiKey, "DENY_CIDRS=all"},
		"through a proxy":      {"HTTP_PROXY=http://127.0.0.1:1"},
	}
	if addr := ownAddress(t); addr != "" {
		tests["on another address"] = []string{"HOST=" + addr}
	}
	for name, environ := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			environ = append([]string{"BACKENDS=echo:a", "PORT=" + wiretest.FreePort(t), "PROBE_MODE=off", "OTEL_SDK_DISABLED=true"}, environ...)
			start(t, environ...)
			var stdout, stderr bytes.Buffer
			if code := report(&stderr, command(t.Context(), []string{"status"}, append([]string{"HOST=127.0.0.1"}, environ...), &stdout)); code != 0 {
				t.Fatalf("exit code is %d, stderr %q", code, &stderr)
			}
			var got admin.Snapshot
			if err := json.Unmarshal(stdout.Bytes(), &got); err != nil {
				t.Fatalf("printed %q: %v", &stdout, err)
			}
			if diff := cmp.Diff(admin.Snapshot{Backends: []admin.Backend{{Name: "echo:a", State: "unknown", Serves: true}}}, got); diff != "" {
				t.Errorf("status (-want +got):\n%s", diff)
			}
		})
	}
}

func TestStatusCommandInVain(t *testing.T) {
	t.Parallel()
	answering := func(status int) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		t.Cleanup(server.Close)
		_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
		return "PORT=" + port
	}
	for name, test := range map[string]struct {
		port string
		want string
	}{
		"nobody is there":      {"PORT=" + wiretest.FreePort(t), "connection refused"},
		"nobody to ask":        {"PORT=0", "PORT must be that of the running instance"},
		"somebody else":        {answering(http.StatusFound), "302 Found"},
		"not for whoever asks": {answering(http.StatusNotFound), "404 Not Found: it is shown to this host and to TRUSTED_PROXIES alone"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			code := report(&stderr, command(t.Context(), []string{"status"}, []string{"HOST=127.0.0.1", test.port}, &stdout))
			if got := stderr.String(); code != 1 || !strings.HasPrefix(got, "spangate: status: ") || !strings.Contains(got, test.want) || strings.Count(got, "\n") != 1 {
				t.Errorf("exit code is %d, stderr %q, want 1 and %q", code, got, test.want)
			}
			if stdout.Len() > 0 {
				t.Errorf("stdout is %q", &stdout)
			}
		})
	}
}

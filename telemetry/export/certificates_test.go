package export_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
)

func TestCertificates(t *testing.T) {
	var taken atomic.Int32
	collector := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		taken.Add(1)
	}))
	collector.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	collector.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	collector.StartTLS()
	defer collector.Close()

	// The client shows the server's own certificate: any will do.
	pair := collector.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	certFile := writePEM(t, "CERTIFICATE", pair.Certificate[0])
	keyFile := writePEM(t, "PRIVATE KEY", key)

	environ := map[string]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT":           collector.URL,
		"OTEL_EXPORTER_OTLP_CERTIFICATE":        certFile,
		"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": certFile,
		"OTEL_EXPORTER_OTLP_CLIENT_KEY":         keyFile,
		"OTEL_METRICS_EXPORTER":                 "none",
		"OTEL_LOGS_EXPORTER":                    "none",
	}
	for _, tt := range []struct {
		name string
		env  map[string]string
		want int32
	}{
		{"both known", environ, 1},
		{"server unknown", with(environ, "OTEL_EXPORTER_OTLP_CERTIFICATE", ""), 0},
		{"client unknown", with(environ, "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "", "OTEL_EXPORTER_OTLP_CLIENT_KEY", ""), 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			taken.Store(0)
			pipelines := start(t, tt.env, slog.New(slog.DiscardHandler), io.Discard)
			record(t, pipelines, 1)
			shutdown(t, pipelines)
			if got := taken.Load(); got != tt.want {
				t.Errorf("the collector took %d exports, want %d", got, tt.want)
			}
		})
	}
}

func writePEM(t *testing.T, kind string, der []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

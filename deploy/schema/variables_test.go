package schema

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// TestVariables holds that the program knows each variable that a build gives it, and
// has nothing to say against any, with what is mounted in its place.
func TestVariables(t *testing.T) {
	program := filepath.Join(t.TempDir(), "spangate")
	compiler := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".")
	compiler.Dir = "../.."
	if out, err := compiler.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	mounted := secrets(t)
	row := regexp.MustCompile(`(?m)^([A-Z0-9_]+) +(set|file) `)
	eachBuild(t, func(t *testing.T, b build) {
		env := environment(t, b)
		// What every pod has.
		environ := []string{"KUBERNETES_SERVICE_HOST=10.0.0.1", "HOSTNAME=spangate-0"}
		for name, value := range env {
			for dir, path := range mounted {
				value = strings.Replace(value, dir, path, 1)
			}
			environ = append(environ, name+"="+value)
		}
		config := exec.CommandContext(t.Context(), program, "config")
		config.Env = environ
		var stdout, stderr strings.Builder
		config.Stdout, config.Stderr = &stdout, &stderr
		if err := config.Run(); err != nil || stderr.Len() > 0 {
			t.Fatalf("spangate config: %v\n%s", err, &stderr)
		}
		known := map[string]bool{}
		for _, match := range row.FindAllStringSubmatch(stdout.String(), -1) {
			known[match[1]] = true
		}
		for name := range env {
			// Those of the resource are not in the table.
			if !known[strings.TrimSuffix(name, "_FILE")] && !known[name] && !strings.HasPrefix(name, "K8S_") {
				t.Errorf("%s is no variable of the program", name)
			}
		}
	})
}

// environment is what the program's container is given, that of ConfigMaps included,
// and not what the downward API fills in.
func environment(t *testing.T, b build) map[string]string {
	t.Helper()
	container := b.deployment(t).Spec.Template.Spec.Containers[0]
	env := map[string]string{}
	for _, from := range container.EnvFrom {
		for _, m := range of[corev1.ConfigMap](t, b, "ConfigMap") {
			if m.Name == from.ConfigMapRef.Name {
				for name, value := range m.Data {
					env[name] = value
				}
			}
		}
	}
	for _, variable := range container.Env {
		if variable.ValueFrom == nil {
			env[variable.Name] = variable.Value
		}
	}
	return env
}

// secrets returns directories by the paths at which pods have them, with what the
// Secrets of the manifests hold.
func secrets(t *testing.T) map[string]string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"app.example.com"}, NotAfter: time.Now().Add(365 * 24 * time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range map[string]string{
		"tls.crt":      string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})),
		"tls.key":      string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})),
		"api-keys":     "alice:0123456789abcdef\n",
		"otlp-headers": "authorization=Bearer%20token\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return map[string]string{"/tls": dir, "/secrets": dir}
}

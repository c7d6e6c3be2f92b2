//go:build image

package deploy_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/wire/wiretest"
	"spangate/telemetry/otlptest"
)

// TestImage builds the image twice with podman, and runs it as it would be run by who
// trusts nobody.
func TestImage(t *testing.T) {
	if out, err := exec.Command("podman", "info").CombinedOutput(); err != nil {
		t.Skipf("podman: %v\n%s", err, out)
	}
	// Podman's own format has no room for a health check.
	files := contents(t, image(t, "spangate:test", "docker"))
	if diff := cmp.Diff([]string{"etc/", "etc/ssl/", "etc/ssl/certs/", "etc/ssl/certs/ca-certificates.crt", "spangate"}, files.names); diff != "" {
		t.Errorf("files of the image (-want +got):\n%s", diff)
	}
	t.Logf("%d bytes to pull, %d unpacked", files.pulled, files.size)
	if files.pulled > 14_000_000 {
		t.Errorf("%d bytes are pulled, want 14 MB at most", files.pulled)
	}
	// Docker's names the container that it was built in.
	t.Run("again", func(t *testing.T) {
		a, b := contents(t, image(t, "spangate:test-a", "oci")), contents(t, image(t, "spangate:test-b", "oci"))
		if a, b := id(t, "spangate:test-a"), id(t, "spangate:test-b"); a != b {
			t.Errorf("built twice it is %s and %s", a, b)
		}
		if !slices.Equal(a.layers, b.layers) || !slices.Equal(a.layers, files.layers) {
			t.Errorf("layers are %v, %v and %v", files.layers, a.layers, b.layers)
		}
	})
	t.Run("run", runImage)
}

// image builds it, as just image does.
func image(t *testing.T, tag, format string) (archive string) {
	t.Helper()
	args := []string{"build", "-f", "Containerfile", "--layers=false", "--timestamp=0", "--format=" + format, "-t", tag}
	args = append(args, strings.Fields(os.Getenv("IMAGE_BUILD_FLAGS"))...)
	build := exec.Command("podman", append(args, ".")...)
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("podman build: %v\n%s", err, out)
	}
	archive = filepath.Join(t.TempDir(), "image.tar")
	podman(t, "save", "-q", "--format", "docker-archive", "-o", archive, tag)
	return archive
}

func id(t *testing.T, tag string) string {
	t.Helper()
	return podman(t, "image", "inspect", "--format", "{{.Id}}", tag)
}

func podman(t *testing.T, args ...string) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command("podman", args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("podman %s: %v\n%s", args[0], err, &stderr)
	}
	return strings.TrimSpace(string(out))
}

type content struct {
	names  []string
	size   int64
	pulled int      // compressed, as a registry has them
	layers []string // of the archive
}

// contents returns what is in the layers of an image.
func contents(t *testing.T, archive string) (c content) {
	t.Helper()
	layers := map[string][]byte{}
	each(t, archive, func(h *tar.Header, text []byte) { layers[h.Name] = text })
	var manifest []struct{ Layers []string }
	if err := json.Unmarshal(layers["manifest.json"], &manifest); err != nil {
		t.Fatal(err)
	}
	for _, layer := range manifest[0].Layers {
		c.layers = append(c.layers, layer)
		var compressed bytes.Buffer
		w := gzip.NewWriter(&compressed)
		w.Write(layers[layer])
		w.Close()
		c.pulled += compressed.Len()
		file := filepath.Join(t.TempDir(), "layer.tar")
		if err := os.WriteFile(file, layers[layer], 0o600); err != nil {
			t.Fatal(err)
		}
		each(t, file, func(h *tar.Header, _ []byte) {
			c.names = append(c.names, h.Name)
			c.size += h.Size
		})
	}
	slices.Sort(c.names)
	return c
}

// each reads an archive.
func each(t *testing.T, file string, do func(*tar.Header, []byte)) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for r := tar.NewReader(f); ; {
		h, err := r.Next()
		if err == io.EOF {
			return
		}
		text, readErr := io.ReadAll(r)
		if err := errors.Join(err, readErr); err != nil {
			t.Fatal(err)
		}
		do(h, text)
	}
}

// runImage holds that it needs nothing but to read, is healthy, tells its status, and
// leaves with all that it has to tell delivered.
func runImage(t *testing.T) {
	collector := otlptest.NewServer(t)
	backend := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(backend.Close)
	port := wiretest.FreePort(t)
	flags := append([]string{"run", "-d", "--network=host", "--read-only", "--read-only-tmpfs=false", "--cap-drop=all", "--security-opt=no-new-privileges"},
		strings.Fields(os.Getenv("IMAGE_RUN_FLAGS"))...)
	container := podman(t, append(flags, "-e", "HOST=127.0.0.1", "-e", "PORT="+port, "-e", "BACKENDS="+backend.URL,
		"-e", "OTEL_EXPORTER_OTLP_ENDPOINT="+collector.URL(), "spangate:test")...)
	t.Cleanup(func() { podman(t, "rm", "-f", container) })

	// The program knows best when it has begun; nothing here takes a minute.
	for deadline := time.Now().Add(time.Minute); exec.Command("podman", "healthcheck", "run", container).Run() != nil; {
		if time.Now().After(deadline) {
			t.Fatalf("it is not healthy:\n%s", podman(t, "logs", container))
		}
	}
	if status := podman(t, "exec", container, "/spangate", "status"); !strings.Contains(status, strings.TrimPrefix(backend.URL, "http://")) {
		t.Errorf("spangate status says\n%s", status)
	}
	if version := podman(t, "exec", container, "/spangate", "version"); strings.Contains(version, "(devel)") {
		t.Errorf("it is %s", version)
	}
	const requests = 20
	for i := range requests {
		resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%s/%d", port, i))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	podman(t, "stop", container)
	if code := podman(t, "inspect", "--format", "{{.State.ExitCode}}", container); code != "0" {
		t.Errorf("it ends with %s:\n%s", code, podman(t, "logs", container))
	}
	served := 0
	for _, s := range collector.Spans() {
		if s.Kind == "SERVER" {
			served++
		}
	}
	if served != requests {
		t.Errorf("%d spans of requests, want %d", served, requests)
	}
}

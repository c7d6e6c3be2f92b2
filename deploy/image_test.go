//go:build image

package deploy_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"debug/buildinfo"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/wire/wiretest"
	"spangate/telemetry/otlptest"
)

// TestImage builds the image with podman for two architectures, and runs it as it would
// be run by who trusts nobody.
func TestImage(t *testing.T) {
	if out, err := exec.Command("podman", "info").CombinedOutput(); err != nil {
		t.Skipf("podman: %v\n%s", err, out)
	}
	t.Cleanup(func() {
		for _, name := range []string{"amd64", "arm64", "run"} {
			exec.Command("podman", "rmi", "-f", tested(name)).Run()
		}
	})
	for arch, machine := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64} {
		t.Run(arch, func(t *testing.T) { twice(t, arch, machine) })
	}
	t.Run("labels", labels)
	t.Run("run", runImage)
}

// twice holds that there is nothing in the image but what it runs and whom it believes,
// for arch, and that a second build makes the same.
func twice(t *testing.T, arch string, machine elf.Machine) {
	tag := tested(arch)
	files := contents(t, image(t, tag, "oci", "--platform=linux/"+arch))
	first := inspect(t, tag)
	if diff := cmp.Diff([]string{"etc/", "etc/ssl/", "etc/ssl/certs/", "etc/ssl/certs/ca-certificates.crt", "spangate"}, files.names); diff != "" {
		t.Errorf("files of the image (-want +got):\n%s", diff)
	}
	t.Logf("%d bytes to pull, %d unpacked", files.pulled, files.size)
	if files.pulled > 14_000_000 {
		t.Errorf("%d bytes are pulled, want 14 MB at most", files.pulled)
	}
	program, err := elf.NewFile(bytes.NewReader(files.program))
	if err != nil {
		t.Fatal(err)
	}
	if first.Architecture != arch || program.Machine != machine {
		t.Errorf("it is for %s, and its program for %v, want %v", first.Architecture, program.Machine, machine)
	}
	// What it is made of can be read from it, with the sums that go.sum has.
	info, err := buildinfo.Read(bytes.NewReader(files.program))
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile("../go.sum")
	if err != nil {
		t.Fatal(err)
	}
	for _, module := range info.Deps {
		if sum := fmt.Sprintf("%s %s %s\n", module.Path, module.Version, module.Sum); !strings.Contains(string(sums), sum) {
			t.Errorf("it has %s, which go.sum has not", sum)
		}
	}
	if len(info.Deps) == 0 {
		t.Error("it does not say what it is made of")
	}
	if arch == runtime.GOARCH {
		ofCommit(t, files.program)
	}
	image(t, tag, "oci", "--platform=linux/"+arch)
	if second := inspect(t, tag); first.ID != second.ID {
		t.Errorf("built twice it is %s and %s", first.ID, second.ID)
	}
}

// ofCommit holds that program, built without a version, says which commit it is of.
func ofCommit(t *testing.T, program []byte) {
	t.Helper()
	commit, err := exec.Command("git", "rev-parse", "HEAD").Output()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "spangate")
	if err := os.WriteFile(file, program, 0o700); err != nil {
		t.Fatal(err)
	}
	version, err := exec.Command(file, "version").Output()
	if want := fmt.Sprintf("spangate %.12s ", commit); err != nil || !strings.HasPrefix(string(version), want) {
		t.Errorf("it is %s (%v), want %s", version, err, want)
	}
}

// labels holds that the image says what it was told, and how its health is asked for.
func labels(t *testing.T) {
	image(t, tested("run"), "docker", "--build-arg=VERSION=1.2.3", "--build-arg=REVISION=abc", "--build-arg=CREATED=1970-01-01T00:00:00Z")
	got := inspect(t, tested("run"))
	for label, want := range map[string]string{"title": "spangate", "version": "1.2.3", "revision": "abc", "created": "1970-01-01T00:00:00Z"} {
		if value := got.Labels["org.opencontainers.image."+label]; value != want {
			t.Errorf("label %s is %q, want %q", label, value, want)
		}
	}
	want := health{Test: []string{"CMD", "/spangate", "healthcheck"}, StartPeriod: 10 * time.Second, Interval: 5 * time.Second, Timeout: 3 * time.Second}
	if diff := cmp.Diff(want, got.Healthcheck); diff != "" {
		t.Errorf("health check (-want +got):\n%s", diff)
	}
}

// tested returns a tag that is this process's alone.
func tested(name string) string { return fmt.Sprintf("spangate-test:%s-%d", name, os.Getpid()) }

// image builds it, as just image does.
func image(t *testing.T, tag, format string, flags ...string) (archive string) {
	t.Helper()
	// Older podman does not know by itself what it runs on.
	args := []string{"build", "-f", "Containerfile", "--layers=false", "--timestamp=0", "--format=" + format, "-t", tag, "--build-arg=BUILDPLATFORM=linux/" + runtime.GOARCH}
	args = slices.Concat(args, flags, strings.Fields(os.Getenv("IMAGE_BUILD_FLAGS")))
	build := exec.Command("podman", append(args, ".")...)
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("podman build: %v\n%s", err, out)
	}
	archive = filepath.Join(t.TempDir(), "image.tar")
	podman(t, "save", "-q", "--format", "docker-archive", "-o", archive, tag)
	return archive
}

// inspected is what podman says of an image.
type inspected struct {
	ID           string `json:"Id"`
	Architecture string
	Labels       map[string]string
	Healthcheck  health
}

type health struct {
	Test                           []string
	StartPeriod, Interval, Timeout time.Duration
}

func inspect(t *testing.T, tag string) inspected {
	t.Helper()
	var images []inspected
	if err := json.Unmarshal([]byte(podman(t, "image", "inspect", tag)), &images); err != nil {
		t.Fatal(err)
	}
	return images[0]
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
	names   []string
	size    int64
	pulled  int // compressed, as a registry has them
	program []byte
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
		var compressed bytes.Buffer
		w := gzip.NewWriter(&compressed)
		w.Write(layers[layer])
		w.Close()
		c.pulled += compressed.Len()
		file := filepath.Join(t.TempDir(), "layer.tar")
		if err := os.WriteFile(file, layers[layer], 0o600); err != nil {
			t.Fatal(err)
		}
		each(t, file, func(h *tar.Header, text []byte) {
			c.names = append(c.names, h.Name)
			c.size += h.Size
			if h.Name == "spangate" {
				c.program = text
			}
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
		"-e", "OTEL_EXPORTER_OTLP_ENDPOINT="+collector.URL(), tested("run"))...)
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
	if version := podman(t, "exec", container, "/spangate", "version"); !strings.HasPrefix(version, "spangate 1.2.3 ") {
		t.Errorf("it is %s, want 1.2.3", version)
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

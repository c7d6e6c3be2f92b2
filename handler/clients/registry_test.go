//go:build registry

package clients

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestRegistry publishes a package to a Verdaccio behind the program, which speaks
// HTTPS, and installs it from there.
func TestRegistry(t *testing.T) {
	dir := installed(t, "registry")
	certFile, keyFile, _ := certificate(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	backend := ln.Addr().String()
	ln.Close()
	config := filepath.Join(dir, "config.yaml")
	write(t, config, `
storage: ./storage
auth: {htpasswd: {file: ./htpasswd}}
packages: {"**": {access: $all, publish: $anonymous}}
max_body_size: 50mb
log: {type: stdout, format: json, level: warn}
`)
	verdaccio := exec.Command(filepath.Join(dir, "node_modules", ".bin", "verdaccio"), "--config", config, "--listen", backend)
	verdaccio.Dir, verdaccio.Stdout, verdaccio.Stderr = dir, os.Stderr, os.Stderr
	if err := verdaccio.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		verdaccio.Process.Kill()
		verdaccio.Wait()
	})
	s := startSpangate(t, "BACKENDS=http://"+backend, "PROBE_PATH=/-/ping", "PROBE_INTERVAL=200ms", "TLS_CERT_FILE="+certFile, "TLS_KEY_FILE="+keyFile)
	select {
	case <-s.ready:
	case <-time.After(patience):
		t.Fatal("the registry does not start")
	}
	registry := "https" + strings.TrimPrefix(s.url, "http") + "/"

	here := filepath.Join(t.TempDir(), "published")
	write(t, filepath.Join(here, "package.json"), `{"name": "published", "version": "1.2.3", "main": "index.js"}`)
	write(t, filepath.Join(here, "index.js"), `module.exports = "from the registry"`)
	write(t, filepath.Join(here, "large.txt"), strings.Repeat("0123456789abcdef", 1<<18)) // 4 MiB, which do compress
	there := t.TempDir()
	write(t, filepath.Join(there, "package.json"), `{"private": true}`)
	host := strings.TrimPrefix(registry, "https:")
	npm := func(dir string, args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "npm", append(args, "--registry", registry, "--"+host+":_authToken=anonymous", "--cafile", certFile, "--fetch-retries=0", "--no-audit", "--no-fund", "--cache", filepath.Join(there, ".cache"))...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("npm %v: %v\n%s", args, err, out)
		}
	}
	npm(here, "publish")
	npm(there, "install", "published@1.2.3")
	node := exec.CommandContext(t.Context(), "node", "-p", `require("published")`)
	node.Dir = there
	if out, err := node.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != "from the registry" {
		t.Errorf("what was installed says %q, %v", out, err)
	}
	if info, err := os.Stat(filepath.Join(there, "node_modules", "published", "large.txt")); err != nil || info.Size() != 4<<20 {
		t.Errorf("the large file: %v, %v", info, err)
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
